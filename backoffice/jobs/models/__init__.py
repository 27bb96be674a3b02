"""The rows of background work, one module for each kind of thing."""

from backoffice.jobs.models.job import Job

__all__ = ["Job"]
