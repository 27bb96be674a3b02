"""Calls of platforms about contents."""

from django.utils import timezone
from ninja import Router
from ninja.responses import Status

from analytics.actions import put_content
from analytics.models import Content
from analytics.schemas import ContentAnswer, ContentPut
from backoffice.core.wire import path_reference
from backoffice.projects.api import PlatformRequest

router = Router(tags=["Contents"])


@router.put(
    "/contents/{content_id}",
    response={200: ContentAnswer, 201: ContentAnswer},
    summary="Describe a content",
)
def put_content_by_id(
    request: PlatformRequest, content_id: str, body: ContentPut
) -> Status[ContentAnswer]:
    """The whole object is replaced. The id is the platform's own, up to 64 characters."""
    content = Content(
        project=request.auth.platform.project,
        reference=path_reference(content_id, name="content_id", longest=64),
        name=body.name,
        type=body.type,
        duration_seconds=body.duration_seconds or None,
        status=body.status,
        url=body.url,
        image_url=body.image_url,
    )
    is_new = put_content(content, now=timezone.now())
    return Status(
        201 if is_new else 200,
        ContentAnswer(
            id=content.reference,
            name=content.name,
            type=content.type,
            duration_seconds=content.duration_seconds,
            status=content.status,
            url=content.url,
            image_url=content.image_url,
        ),
    )
