"""Questions about background work."""

from datetime import datetime, timedelta

from django.db.models import Q
from procrastinate.contrib.django.models import ProcrastinateWorker

from backoffice.jobs.models import Job

# Workers tell every five seconds that they live.
SILENCE = timedelta(seconds=60)


def is_worker_alive(now: datetime) -> bool:
    """Return whether any worker was heard of in the last minute."""
    return ProcrastinateWorker.objects.filter(last_heartbeat__gt=now - SILENCE).exists()


def waits_in_vain(project_id: int, now: datetime) -> bool:
    """Return whether jobs of the project have waited for a minute, with no worker at work."""
    waiting = Q(project=project_id, state=Job.State.WAITING, created_at__lt=now - SILENCE)
    return Job.objects.filter(waiting).exists() and not is_worker_alive(now)
