"""Addresses of background work."""

from django.urls import path

from backoffice.jobs.views.mail import MailRegister, OneMail, SendAgain

app_name = "jobs"

urlpatterns = [
    path("mail/", MailRegister.as_view(), name="mail"),
    path("mail/<int:mail_id>/", OneMail.as_view(), name="one-mail"),
    path("mail/<int:mail_id>/again/", SendAgain.as_view(), name="mail-again"),
]
