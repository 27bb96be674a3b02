"""Jobs, mails and files."""

from backoffice.jobs.models.export import Export
from backoffice.jobs.models.job import Job
from backoffice.jobs.models.mail import Mail

__all__ = ["Export", "Job", "Mail"]
