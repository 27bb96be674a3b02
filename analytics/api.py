"""Calls of platforms about contents and viewings."""

from typing import Any

from django.utils import timezone
from ninja import Router
from ninja.responses import Status

from analytics.actions import put_content
from analytics.ingest import prepare, store
from analytics.models import Content
from analytics.schemas import (
    ContentAnswer,
    ContentPut,
    ViewingsAnswer,
    ViewingsPost,
    load,
    read_viewings,
    refuse_unknown,
)
from backoffice.core.wire import path_reference
from backoffice.projects.api import PlatformRequest, idempotent

router = Router(tags=["Contents and viewings"])

# Bodies that are read without ninja, for their description.
BODIES = (ViewingsPost,)


@router.put(
    "/contents/{rest:content_id}",
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


def described_body(body: type[ViewingsPost]) -> dict[str, Any]:
    """Return what OpenAPI says of a call whose body is read without ninja."""
    reference = {"$ref": f"#/components/schemas/{body.__name__}"}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": reference}}}
    }


@router.post(
    "/viewings",
    response={200: ViewingsAnswer},
    summary="Report viewings",
    openapi_extra=described_body(ViewingsPost),
)
def post_viewings(request: PlatformRequest) -> Any:
    """
    Each item says how things stand by now: the greatest seconds win, in any order, any number of
    times. An item that is not valid is refused with its place; the others are kept.
    """
    now = timezone.now()
    read = read_viewings(load(request.body), now=now)
    beats = [beat for _, beat in read.beats]
    # Outside of the transaction that an idempotency key brings: see `prepare`.
    batch = prepare(beats, platform=request.auth.platform, now=now)

    @idempotent
    def store_once(_request: PlatformRequest) -> Status[ViewingsAnswer]:
        return Status(200, refuse_unknown(read, store(batch)))

    return store_once(request)
