"""What the queue calls."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from backoffice.jobs.actions import QUEUE, RUN_TASK
from backoffice.jobs.execution import TryAgain, execute
from backoffice.jobs.exports import clear_files
from backoffice.jobs.mailing import SEND_TASK, forget_old_mail, send

# What failed in the queue itself is kept as long as somebody may want to look at it.
KEPT_HOURS = 7 * 24


@app.task(name=RUN_TASK, queue=QUEUE, retry=RetryStrategy(wait=5, retry_exceptions={TryAgain}))
def run(*, job_id: int) -> None:
    execute(job_id=job_id)


@app.periodic(cron="17 3 * * *")
@app.task(name="jobs.clear_queue")
async def clear_queue(timestamp: int) -> None:  # noqa: ARG001  # the queue's own
    """Drop the queue's own rows about work that ended long ago; jobs stay in their register."""
    await app.job_manager.delete_old_jobs(
        nb_hours=KEPT_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
    )


@app.task(name=SEND_TASK)
def send_mail(*, mail_id: int) -> None:
    send(mail_id=mail_id, now=timezone.now())


@app.periodic(cron="47 3 * * *")
@app.task(name="mail.clear")
def clear_mail(timestamp: int) -> None:  # noqa: ARG001  # the queue's own
    """Forget what was written to whom once nobody needs to know."""
    forget_old_mail(before=timezone.now() - timedelta(days=settings.MAIL_KEPT_DAYS))


@app.periodic(cron="*/10 * * * *")
@app.task(name="jobs.clear_files")
def clear_exports(timestamp: int) -> None:  # noqa: ARG001  # the queue's own
    """Remove files that have expired, or that nobody may hold."""
    clear_files(now=timezone.now())
