"""Addresses of background work and of its registers."""

from django.urls import path

from backoffice.jobs.views.export_list import ExportList
from backoffice.jobs.views.export_page import ExportDownload, ExportManifest, ExportPage
from backoffice.jobs.views.job_list import JobList
from backoffice.jobs.views.job_page import CancelJob, JobPage, RetryJob
from backoffice.jobs.views.mail import MailRegister, OneMail, SendAgain

app_name = "jobs"

urlpatterns = [
    path("jobs/", JobList.as_view(), name="list"),
    path("jobs/<int:job_id>/", JobPage.as_view(), name="job"),
    path("jobs/<int:job_id>/cancel/", CancelJob.as_view(), name="cancel"),
    path("jobs/<int:job_id>/retry/", RetryJob.as_view(), name="retry"),
    path("exports/", ExportList.as_view(), name="exports"),
    path("exports/<int:export_id>/", ExportPage.as_view(), name="export"),
    path("exports/<int:export_id>/file/", ExportDownload.as_view(), name="export-file"),
    path(
        "exports/<int:export_id>/manifest.json",
        ExportManifest.as_view(),
        name="export-manifest",
    ),
    path("mail/", MailRegister.as_view(), name="mail"),
    path("mail/<int:mail_id>/", OneMail.as_view(), name="one-mail"),
    path("mail/<int:mail_id>/again/", SendAgain.as_view(), name="mail-again"),
]
