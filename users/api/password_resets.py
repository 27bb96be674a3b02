"""Calls of platforms about passwords that were forgotten."""

from django.utils import timezone
from ninja import Router
from ninja.responses import Status

from backoffice.core.wire import ApiError
from backoffice.projects.api import PlatformRequest, idempotent
from users.actions import ResetGone, redeem_password_reset, request_password_reset
from users.api.hashing import hash_or_refuse
from users.schemas import PasswordResetPost, PasswordResetRedeem
from users.selectors import live_reset

router = Router(tags=["Password resets"])

GONE = {
    "description": "The token was used, is older than an hour or never was",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


@router.post("/password-resets", response={202: None}, summary="Ask for a reset link")
@idempotent
def ask(request: PlatformRequest, body: PasswordResetPost) -> Status[None]:
    """
    Always 202, whether anybody has the e-mail or not.

    The link in the mail leads to the platform's `password_reset_url`, with the token in the
    fragment; it works once, within an hour. One e-mail is sent three of them in an hour.
    """
    request_password_reset(platform=request.auth.platform, email=body.email, now=timezone.now())
    return Status(202, None)


@router.post(
    "/password-resets/redeem",
    response={204: None},
    summary="Choose a new password",
    openapi_extra={"responses": {410: GONE}},
)
@idempotent
def redeem(request: PlatformRequest, body: PasswordResetRedeem) -> Status[None]:
    """
    All device sessions of the user end, and all other reset links.

    410 if the token was used, is older than an hour or never was; a password that will not do is
    a 422, and the token still works.
    """
    now = timezone.now()
    # Looked up first: who has no token makes nobody hash.
    reset = live_reset(request.auth.platform.project, body.token, now=now)
    if reset is None:
        raise _gone()
    password_hash = hash_or_refuse(body.password)
    try:
        redeem_password_reset(
            reset=reset, password_hash=password_hash, actor=request.auth, now=now
        )
    except ResetGone as error:
        raise _gone() from error
    return Status(204, None)


def _gone() -> ApiError:
    return ApiError(410, "gone", "This reset link does not work any more: ask for a new one.")
