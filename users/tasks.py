"""What the queue calls about users, and their jobs."""

import time
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from procrastinate.contrib.django import app

from analytics.anonymising import fold_viewings, viewings_of
from backoffice.core.permissions import Permission
from backoffice.jobs.running import JobFailed, Running, job
from users.actions import SEND_RESET_TASK
from users.deletion import FOLD_TASK, JOB, carry_out
from users.mailing import answer_reset_request
from users.models import Deletion

UNKNOWN = gettext_noop("What was to be deleted is not known any more. Choose the users again.")


@job(JOB, label=_("Delete users"), permission=Permission.USERS_DELETE)
def delete_users(running: Running) -> dict[str, Any]:
    """Delete the users of a confirmed preview; return the sums of its receipt."""
    deletion = Deletion.objects.filter(pk=running.arguments["deletion"]).first()
    if deletion is None:
        raise JobFailed(UNKNOWN)
    members = deletion.user_ids[deletion.position :]
    progress = Progress(running, total=len(members) + viewings_of(members))
    done = carry_out(
        deletion=deletion, actor=running.recorded_actor, now=running.now, on_progress=progress
    )
    return dict(done.sums)


@dataclass(slots=True)
class Progress:
    """Tells the job's row how far it is, about once a second."""

    running: Running
    total: int
    _told_at: float = field(default=0.0, init=False)

    def __call__(self, done: int) -> None:
        at = time.monotonic()
        if at - self._told_at >= 1:
            self._told_at = at
            self.running.progress(done=done, total=max(done, self.total))


@app.task(name=FOLD_TASK)
def fold(*, user_id: int, project_id: int) -> None:
    """Fold what is left of a deleted user's viewings."""
    while fold_viewings(user_id, project_id=project_id) is not None:
        pass


@app.task(name=SEND_RESET_TASK)
def send_reset(*, request_id: int) -> None:
    answer_reset_request(request_id=request_id, now=timezone.now())
