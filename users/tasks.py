"""What the queue calls about users."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext
from procrastinate.contrib.django import app

from backoffice.core.permissions import Permission
from backoffice.jobs.models import Job
from backoffice.jobs.running import Running, job
from users.actions import SEND_RESET_TASK
from users.exports import EXPORT_JOB, build_export
from users.mailing import answer_reset_request


@app.task(name=SEND_RESET_TASK)
def send_reset(*, request_id: int) -> None:
    answer_reset_request(request_id=request_id, now=timezone.now())


def _page_of_file(of: Job) -> str:
    # The arguments are dropped when it is done, the result is there from then on.
    return reverse("jobs:export", args=[(of.result or of.arguments)["export"]])


def _rows_in_words(result: Mapping[str, Any]) -> str:
    rows = result["rows"]
    return ngettext("%(n)s row.", "%(n)s rows.", rows) % {"n": rows}


@job(
    EXPORT_JOB,
    label=gettext_lazy("Make a file"),
    permission=Permission.USERS_EXPORT,
    address=_page_of_file,
    outcome=_rows_in_words,
)
def export(running: Running) -> dict[str, Any]:
    return build_export(running)
