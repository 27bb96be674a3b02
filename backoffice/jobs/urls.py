"""Addresses of background work and of its registers."""

from django.urls import path

from backoffice.jobs.views.job_list import JobList
from backoffice.jobs.views.job_page import CancelJob, JobPage, RetryJob

app_name = "jobs"

urlpatterns = [
    path("jobs/", JobList.as_view(), name="list"),
    path("jobs/<int:job_id>/", JobPage.as_view(), name="job"),
    path("jobs/<int:job_id>/cancel/", CancelJob.as_view(), name="cancel"),
    path("jobs/<int:job_id>/retry/", RetryJob.as_view(), name="retry"),
]
