"""Calls of platforms about signing in and out on devices."""

from uuid import UUID

from django.utils import timezone
from ninja import Router
from ninja.responses import Status

from backoffice.core.client_address import client_address
from backoffice.core.passwords import HashingBusy
from backoffice.core.wire import ApiError, missing, too_many
from backoffice.projects.api import PlatformRequest, idempotent
from users.actions import (
    PasswordChanged,
    end_device_session,
    open_device_session,
    use_device_session,
)
from users.models import DeviceSession, User
from users.proof import TooManyFailures, WrongPair, prove
from users.schemas import (
    DeviceSessionAnswer,
    DeviceSessionCheck,
    DeviceSessionPost,
    LiveSessionAnswer,
)

router = Router(tags=["Device sessions"])

# The first kind of which a word stands in the user agent.
DEVICE_WORDS = {
    "tv": ("smart-tv", "smarttv", "hbbtv", "appletv", "googletv", "android tv", "bravia", "roku"),
    "console": ("playstation", "xbox", "nintendo"),
    "tablet": ("ipad", "tablet", "kindle"),
    "phone": ("iphone", "ipod", "mobile"),
    "computer": ("windows", "macintosh", "x11", "cros"),
}


@router.post("/device-sessions", response={201: DeviceSessionAnswer}, summary="Sign a user in")
def sign_in(request: PlatformRequest, body: DeviceSessionPost) -> Status[DeviceSessionAnswer]:
    """
    Beyond the project's limit of devices, the oldest device session ends.

    A wrong pair is a 401, the same for an e-mail that nobody has. Failures of one e-mail, and of
    one address of the network, are counted: beyond their limit, 429.
    """
    # Outside of the kept answer: a failure counts whatever the call is named, and whoever repeats
    # one proves the password again.
    answer: Status[DeviceSessionAnswer] = _open(request, body, _proved(request, body))
    return answer


@router.post(
    "/device-sessions/check", response=LiveSessionAnswer, summary="Check a device session"
)
def check(request: PlatformRequest, body: DeviceSessionCheck) -> LiveSessionAnswer:
    """Who is signed in; 401 as soon as the device session has ended, whatever was said before."""
    session = use_device_session(
        project=request.auth.platform.project, token=body.token, now=timezone.now()
    )
    if session is None:
        raise ApiError(401, "signed_out", "This token belongs to no live device session.")
    return LiveSessionAnswer(id=str(session.id), user=str(session.user.public_id))


@router.delete("/device-sessions/{session_id}", response={204: None}, summary="Sign a user out")
def sign_out(request: PlatformRequest, session_id: str) -> Status[None]:
    """The same answer for one that has ended already."""
    try:
        session = DeviceSession.objects.get(
            id=UUID(session_id), project=request.auth.platform.project
        )
    except (ValueError, DeviceSession.DoesNotExist) as error:
        raise missing("device session") from error
    end_device_session(
        session=session, reason=DeviceSession.EndReason.SIGNED_OUT, now=timezone.now()
    )
    return Status(204, None)


def _proved(request: PlatformRequest, body: DeviceSessionPost) -> User:
    try:
        return prove(
            project=request.auth.platform.project,
            email=body.email,
            password=body.password,
            address=client_address(request),
            now=timezone.now(),
        )
    except WrongPair as error:
        raise _wrong_pair() from error
    except TooManyFailures as error:
        raise too_many("Signing in failed too often.", seconds=error.seconds) from error
    except HashingBusy as error:
        raise too_many("Too many people sign in at once.", seconds=1) from error


@idempotent
def _open(
    request: PlatformRequest, body: DeviceSessionPost, user: User
) -> Status[DeviceSessionAnswer]:
    try:
        session, token = open_device_session(
            user=user,
            platform=request.auth.platform,
            device_type=_device_type(body.user_agent),
            device_name=body.device_name,
            now=timezone.now(),
        )
    except PasswordChanged as error:
        raise _wrong_pair() from error
    return Status(
        201,
        DeviceSessionAnswer(
            id=str(session.id),
            token=token,
            user=str(user.public_id),
            must_change_password=user.must_change_password,
        ),
    )


def _wrong_pair() -> ApiError:
    return ApiError(401, "wrong_pair", "No user has this e-mail and this password.")


def _device_type(user_agent: str) -> str:
    """Return the hardware type that the string speaks of, as analytics.models.Device names it."""
    text = user_agent.lower()
    for kind, words in DEVICE_WORDS.items():
        if any(word in text for word in words):
            return kind
    return "other"
