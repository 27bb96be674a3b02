"""Viewings for tests of one person's pages: raw rows, with the roll-ups that follow from them."""

import uuid
from itertools import count

from analytics.models import Device, Viewing
from analytics.partitions import ensure_partitions, month_of
from analytics.rollups import rebuild_rollups

_numbers = count(1)


def device(hardware_type="phone", **values):
    """Return the one device of that type; the values are those of its first making."""
    made, _is_new = Device.objects.get_or_create(
        agent_hash=f"{hardware_type:0<32}"[:32],
        defaults={"hardware_type": hardware_type, **values},
    )
    return made


def watch(user, content, at, seconds, *, position=None, on=None, platform=None, **values):
    """Let the user watch a content for so many seconds; call `counted` once all have."""
    ensure_partitions([month_of(at)])
    return Viewing.objects.create(
        user_id=user.pk,
        started_at=at,
        id=uuid.UUID(int=next(_numbers)),
        project_id=user.project_id,
        platform_id=(platform or user.platform).pk,
        content_id=content.pk,
        device_id=(on or device()).pk,
        watched_seconds=seconds,
        position_seconds=seconds if position is None else position,
        **values,
    )


def counted(user):
    """Bring the roll-ups of the user's project up to the raw rows."""
    rebuild_rollups([user.project_id])
