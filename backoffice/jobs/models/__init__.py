"""Jobs and mails."""

from backoffice.jobs.models.job import Job
from backoffice.jobs.models.mail import Mail

__all__ = ["Job", "Mail"]
