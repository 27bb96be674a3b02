"""What every call of a platform passes: its key, its allowance, its idempotency key."""

import functools
import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.fernet import MultiFernet
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from ninja.responses import Status
from ninja.security import HttpBearer

from backoffice.core.sealing import fernet
from backoffice.core.wire import ApiError
from backoffice.projects.models import ApiKey, StoredAnswer
from backoffice.projects.selectors import authenticate_key


class PlatformRequest(HttpRequest):
    """A request that came with a live key."""

    auth: ApiKey


# --- Key and allowance ---------------------------------------------------------------------

# Refill by the time since the last count, then take one, if there is one: in one statement, so
# that two requests at once cannot take the same.
TAKE_REQUEST = """
    INSERT INTO projects_keyallowance AS a (api_key_id, requests_left, counted_at)
    VALUES (%(key)s, %(most)s - 1, %(now)s)
    ON CONFLICT (api_key_id) DO UPDATE SET
        requests_left = least(%(most)s, a.requests_left + %(rate)s * greatest(0,
            extract(epoch FROM excluded.counted_at - a.counted_at))) - 1,
        counted_at = greatest(a.counted_at, excluded.counted_at)
    WHERE least(%(most)s, a.requests_left + %(rate)s * greatest(0,
            extract(epoch FROM excluded.counted_at - a.counted_at))) >= 1
    RETURNING requests_left
"""


class PlatformKey(HttpBearer):
    """The key of a platform, sent as `Authorization: Bearer <key>`."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiKey | None:
        now = timezone.now()
        key = authenticate_key(token, now=now)
        if key is not None and not take_request(key, now=now):
            raise ApiError(
                429,
                "too_many_requests",
                f"One key may send {settings.API_REQUESTS_PER_SECOND} requests a second.",
                headers={"Retry-After": "1"},
            )
        return key


def take_request(key: ApiKey, *, now: datetime) -> bool:
    """Take one request from the key's allowance; return False if none is left."""
    rate = settings.API_REQUESTS_PER_SECOND
    values: dict[str, int | float | datetime] = {
        "key": key.pk,
        "now": now,
        "rate": rate,
        "most": float(rate * settings.API_BURST_SECONDS),
    }
    with connection.cursor() as cursor:
        cursor.execute(TAKE_REQUEST, values)
        return cursor.fetchone() is not None


# --- Idempotency ---------------------------------------------------------------------------

ANSWERS_LAST: Final = timedelta(hours=24)
LONGEST_IDEMPOTENCY_KEY: Final = 255
# A refusal that the same body may meet again or not, depending on what is there.
KEPT_REFUSALS: Final = frozenset({404, 409})

INTERNAL: Final = ApiError(500, "internal", "Something went wrong.")

TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"

# A few at a time: every new answer removes more than it adds.
FORGET_ANSWERS = """
    DELETE FROM projects_storedanswer WHERE id IN (
        SELECT id FROM projects_storedanswer WHERE created_at <= %(before)s
        ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED
    )
"""


def idempotent(view: Callable[..., Status[Any]]) -> Callable[..., Any]:
    """
    Let the call be repeated safely with the header `Idempotency-Key`, for 24 hours.

    Four rules, as people know them from Stripe. The key has up to 255 characters. The first
    answer is kept and given again, an error of ours included. The same key with another body
    is refused. Nothing is kept where the body was refused, or while a twin is still running.
    """

    @functools.wraps(view)
    def once(request: PlatformRequest, *args: Any, **kwargs: Any) -> Any:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return view(request, *args, **kwargs)
        if not 0 < len(key) <= LONGEST_IDEMPOTENCY_KEY:
            raise ApiError(
                400,
                "malformed",
                f"An Idempotency-Key has 1 to {LONGEST_IDEMPOTENCY_KEY} characters.",
            )
        return _once(request, key, functools.partial(view, request, *args, **kwargs))

    return once


def _once(request: PlatformRequest, key: str, call: Callable[[], Status[Any]]) -> Any:
    now = timezone.now()
    platform = request.auth.platform
    key_hash = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        _lock_or_refuse(f"idempotency {platform.pk} {key_hash}")
        same = StoredAnswer.objects.filter(platform=platform, key_hash=key_hash)
        known = same.filter(created_at__gt=now - ANSWERS_LAST).first()
        if known is not None:
            return _again(known, fingerprint, _seal(request, key))
        same.delete()
        answer, body, failure = _run(call)
        answer.body = _seal(request, key).encrypt(json.dumps(body).encode()).decode()
        answer.platform, answer.key_hash = platform, key_hash
        answer.fingerprint, answer.created_at = fingerprint, now
        answer.save(force_insert=True)
        with connection.cursor() as cursor:
            cursor.execute(FORGET_ANSWERS, {"before": now - ANSWERS_LAST})
    if failure is not None:
        raise failure
    return _response(body, answer.status)


def _run(
    call: Callable[[], Status[Any]],
) -> tuple[StoredAnswer, dict[str, Any] | None, Exception | None]:
    """
    Return what is to be kept of the call, unsaved and without its body; the body, if it has one;
    and the error to go on with, if any.
    """
    try:
        with transaction.atomic():
            result = call()
    except ApiError as error:
        if error.status not in KEPT_REFUSALS:
            raise
        return StoredAnswer(status=error.status), error.body, error
    except DatabaseError:
        # Where the database failed, nothing can be kept, and the next try may go well.
        raise
    except Exception as error:  # noqa: BLE001 (kept, then raised again)
        return StoredAnswer(status=500), INTERNAL.body, error
    answer = StoredAnswer(status=result.status_code)
    if result.value is None:
        return answer, None, None
    body = result.value.model_dump(mode="json")
    answer.target_id = body.get("user", body.get("id"))
    return answer, body, None


def _again(known: StoredAnswer, fingerprint: str, seal: MultiFernet) -> HttpResponse:
    if not constant_time_compare(known.fingerprint, fingerprint):
        raise ApiError(
            422,
            "idempotency_key_reused",
            "This Idempotency-Key came with another body before.",
        )
    response = _response(json.loads(seal.decrypt(known.body)), known.status)
    response["Idempotent-Replayed"] = "true"
    return response


def _response(body: dict[str, Any] | None, status: int) -> HttpResponse:
    return HttpResponse(status=status) if body is None else JsonResponse(body, status=status)


def _lock_or_refuse(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(TRY_LOCK, [name])
        (is_locked,) = cursor.fetchone()
    if not is_locked:
        raise ApiError(
            409, "idempotency_key_in_use", "A request with this Idempotency-Key is running."
        )


def _fingerprint(request: HttpRequest) -> str:
    """Return a keyed hash of the request: the body may hold a password."""
    return salted_hmac("backoffice.projects.api", _asked(request), algorithm="sha256").hexdigest()


def _seal(request: HttpRequest, key: str) -> MultiFernet:
    """
    Return what closes an answer, and opens it for the same request alone: an answer may hold
    the token of a device session, which nobody who reads the table is to have.
    """
    asked = _asked(request) + b"\n" + key.encode("utf-8", "surrogatepass")
    return fernet("backoffice.projects.api answer", asked)


def _asked(request: HttpRequest) -> bytes:
    return b"\n".join([str(request.method).encode(), request.path.encode(), request.body])


def too_large() -> ApiError:
    """Return the answer to a body beyond the limit."""
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // (1024 * 1024)
    return ApiError(413, "too_large", f"A body may have {most} MB at most.")
