"""Calls of platforms about staff members who see them as one of their users does."""

from uuid import UUID

from django.utils import timezone
from ninja import Router
from ninja.responses import Status

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.core.wire import ApiError, instant_text, missing
from backoffice.projects.api import PlatformRequest, idempotent
from users.api import present_user
from users.impersonation import TicketRefused, end, impersonations_of, running
from users.impersonation import redeem as redeem_ticket
from users.models import Impersonation
from users.schemas import (
    ImpersonationAnswer,
    ImpersonationCheck,
    ImpersonationRedeem,
    PastImpersonation,
    PastImpersonationsAnswer,
)

router = Router(tags=["Impersonations"])

GONE_STATUS = 410
GONE = {
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


@router.post(
    "/impersonations/redeem",
    response=ImpersonationAnswer,
    summary="Redeem an impersonation ticket",
    openapi_extra={
        "responses": {410: {"description": "Used, late, unknown, another platform's", **GONE}}
    },
)
def redeem(request: PlatformRequest, body: ImpersonationRedeem) -> Status[ImpersonationAnswer]:
    """
    Works once, within a minute, with a key of the platform where the user's account was created.

    Show the home page as that user until `expires_at`, with a banner that names `actor`; send
    `impersonation` with each viewing. 410 for a ticket that was used, is late, unknown or another
    platform's.
    """
    try:
        answer: Status[ImpersonationAnswer] = _redeem(request, body)
    except ApiError as error:
        if error.status == GONE_STATUS:
            # Outside of the kept answer, whose transaction has been undone.
            record(
                AuditEvent.Kind.IMPERSONATION_REFUSED,
                actor=request.auth,
                now=timezone.now(),
                project=request.auth.platform.project,
                outcome=AuditEvent.Outcome.REFUSED,
            )
        raise
    return answer


@router.post(
    "/impersonations/check",
    response=ImpersonationAnswer,
    summary="Check an impersonation",
    openapi_extra={"responses": {410: {"description": "It has ended, or never was", **GONE}}},
)
def check(request: PlatformRequest, body: ImpersonationCheck) -> ImpersonationAnswer:
    """
    410 as soon as it has ended: stopped, out of time, the user deleted, the staff member without
    the right to it, or impersonation switched off. Ask before each page.
    """
    marker = _marker(body.impersonation)
    row = marker and running(marker=marker, platform=request.auth.platform, now=timezone.now())
    if not row:
        raise _gone()
    return _answer(row)


@router.delete(
    "/impersonations/{impersonation}", response={204: None}, summary="End an impersonation"
)
def stop(request: PlatformRequest, impersonation: str) -> Status[None]:
    """The same answer for one that has ended already."""
    marker = _marker(impersonation)
    if marker is None or not end(
        marker=marker, platform=request.auth.platform, actor=request.auth, now=timezone.now()
    ):
        raise missing("impersonation")
    return Status(204, None)


@router.get(
    "/users/{user_id}/impersonations",
    response=PastImpersonationsAnswer,
    summary="Who looked at a user's account",
)
def looked(request: PlatformRequest, user_id: str) -> PastImpersonationsAnswer:
    """For the user's own account page, newest first."""
    user = present_user(request.auth.platform.project, user_id)
    now = timezone.now()
    return PastImpersonationsAnswer(
        impersonations=[
            PastImpersonation(
                # By name, never by e-mail: the users read it.
                actor=row.staff.name or row.project.name,
                mode=row.mode,
                began_at=str(instant_text(row.redeemed_at)),
                ended_at=instant_text(row.ended_by(now)),
            )
            for row in impersonations_of(user)
        ]
    )


@idempotent
def _redeem(request: PlatformRequest, body: ImpersonationRedeem) -> Status[ImpersonationAnswer]:
    try:
        row = redeem_ticket(
            ticket=body.ticket,
            platform=request.auth.platform,
            actor=request.auth,
            now=timezone.now(),
        )
    except TicketRefused as error:
        raise _gone() from error
    return Status(200, _answer(row))


def _answer(row: Impersonation) -> ImpersonationAnswer:
    return ImpersonationAnswer(
        user=str(row.user.public_id),
        actor=str(row.staff),
        mode=row.mode,
        expires_at=str(instant_text(row.expires_at)),
        impersonation=str(row.pk),
    )


def _marker(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _gone() -> ApiError:
    return ApiError(410, "gone", "This ticket or impersonation does not work, or does no more.")
