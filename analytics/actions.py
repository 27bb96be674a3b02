"""Changes of contents."""

from datetime import datetime

from django.db import transaction

from analytics.models import Content
from backoffice.core.instants import to_second


@transaction.atomic
def put_content(reported: Content, *, now: datetime) -> bool:
    """
    Store the content as reported, unsaved, in place of what is known; return whether it is new.

    A content that was viewed before it was described is described now, and counts as new.
    """
    known = Content.objects.filter(
        project_id=reported.project_id, reference=reported.reference
    ).first()
    reported.described_at = to_second(now)
    Content.objects.bulk_create(
        [reported],
        update_conflicts=True,
        unique_fields=["project", "reference"],
        update_fields=[
            "name",
            "type",
            "duration_seconds",
            "status",
            "url",
            "image_url",
            "described_at",
        ],
    )
    return known is None or known.described_at is None
