"""
Google Play: the one module that speaks to it, and that knows the shapes of its objects.

Shapes are `SubscriptionPurchaseV2` and `ProductPurchaseV2` of the Android Publisher API v3,
revision 20261026. Its notices come by a Pub/Sub push, whose token says who sent it. A notice is
a hint: what it is about is asked for.
"""

import base64
import binascii
import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import requests
from django.conf import settings
from google.auth import exceptions as google_errors
from google.auth import jwt
from google.auth.transport.requests import AuthorizedSession
from google.oauth2 import service_account

from backoffice.core.instants import FIRST_INSTANT, LAST_INSTANT
from backoffice.core.money import decimals
from subscriptions.models import ProviderEvent, Purchase, StopReason, Subscription
from subscriptions.providers.reports import (
    BodyRefused,
    CustomerReport,
    EventReport,
    Found,
    KeyRefused,
    Limited,
    NotFound,
    ProviderTrouble,
    PurchaseReport,
    SignatureRefused,
    SubscriptionReport,
    Unreachable,
)

SCOPE: Final = "https://www.googleapis.com/auth/androidpublisher"
ISSUERS: Final = frozenset({"accounts.google.com", "https://accounts.google.com"})
# Where a service account proves itself; a key file may name nothing else.
TOKEN_ADDRESSES: Final = frozenset(
    {"https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token"}
)
TIMEOUT_SECONDS: Final = (5, 15)
# Google changes the keys that sign its tokens every few days.
CERTIFICATES_SECONDS: Final = 3600
LONGEST_TOKEN: Final = 500
LONGEST_ID: Final = 255

_Status = Subscription.Status
_Subject = ProviderEvent.Subject

# --- What Google's words are in ours -------------------------------------------------------

STATUSES: Final[Mapping[str, Subscription.Status]] = {
    "SUBSCRIPTION_STATE_ACTIVE": _Status.ACTIVE,
    "SUBSCRIPTION_STATE_IN_GRACE_PERIOD": _Status.PAST_DUE,
    "SUBSCRIPTION_STATE_ON_HOLD": _Status.UNPAID,
    "SUBSCRIPTION_STATE_PAUSED": _Status.PAUSED,
    # Asked to stop, paid until it expires.
    "SUBSCRIPTION_STATE_CANCELED": _Status.ACTIVE,
    "SUBSCRIPTION_STATE_EXPIRED": _Status.CANCELED,
}
# Waiting for money, or given up before it came: neither order nor dates are told.
NEVER_BEGUN: Final = frozenset(
    {"SUBSCRIPTION_STATE_PENDING", "SUBSCRIPTION_STATE_PENDING_PURCHASE_CANCELED"}
)
# In these the access ended when the paid time did.
OVER: Final = frozenset({_Status.UNPAID, _Status.PAUSED, _Status.CANCELED})
REASONS: Final[Mapping[str, StopReason]] = {
    "userInitiatedCancellation": StopReason.ASKED,
    "systemInitiatedCancellation": StopReason.NOT_PAID,
    "developerInitiatedCancellation": StopReason.PROVIDER,
    "replacementCancellation": StopReason.REPLACED,
}
PURCHASE_STATUSES: Final[Mapping[str, Purchase.Status]] = {
    "PURCHASED": Purchase.Status.ACTIVE,
    "CANCELLED": Purchase.Status.CANCELLED,
}
# What kind of notice it is, by the name of its part.
NOTICES: Final[Mapping[str, ProviderEvent.Subject]] = {
    "subscriptionNotification": _Subject.SUBSCRIPTION,
    "oneTimeProductNotification": _Subject.PURCHASE,
}
VOIDED_SUBSCRIPTION: Final = 1
# Words of a refusal that only says "too often".
LIMITS: Final = ("ateLimitExceeded", "quotaExceeded", "RATE_LIMIT_EXCEEDED")

UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError)


# --- What comes by itself ------------------------------------------------------------------


@dataclass(slots=True)
class _Certificates:
    """Google's certificates by key, and when they were fetched (seconds, monotonic)."""

    by_key: dict[str, str]
    fetched: float


_kept: dict[str, _Certificates] = {}


def check_token(authorization: str, *, audience: str, sender: str) -> None:
    """
    Let pass a push whose token Google made for this audience and this service account.

    :param authorization: the header, "Bearer …".
    :raises SignatureRefused: otherwise.
    :raises Unreachable: if Google's certificates cannot be had.
    """
    kind, _space, token = authorization.partition(" ")
    if kind != "Bearer" or not token or not audience or not sender:
        raise SignatureRefused
    try:
        claims = jwt.decode(  # type: ignore[no-untyped-call]
            token, certs=certificates(), audience=audience, clock_skew_in_seconds=10
        )
    except (google_errors.GoogleAuthError, ValueError, TypeError) as error:
        raise SignatureRefused from error
    is_theirs = claims.get("iss") in ISSUERS and claims.get("email_verified") is True
    if not is_theirs or claims.get("email") != sender:
        raise SignatureRefused


def certificates() -> dict[str, str]:
    """
    Return the certificates that Google signs its tokens with, by key; kept for an hour.

    :raises Unreachable: if they cannot be had.
    """
    address = settings.GOOGLE_CERTIFICATES_URL
    kept = _kept.get(address)
    if kept is None or time.monotonic() - kept.fetched > CERTIFICATES_SECONDS:
        with _asking():
            answer = requests.get(address, timeout=TIMEOUT_SECONDS)
            answer.raise_for_status()
            kept = _kept[address] = _Certificates(dict(answer.json()), time.monotonic())
    return kept.by_key


def read_push(body: bytes) -> EventReport:
    """
    Return what is kept of a push that was let pass.

    :raises BodyRefused: if it is no notice of Google Play.
    """
    try:
        message = json.loads(body)["message"]
        notice = json.loads(base64.b64decode(message["data"], validate=True))
        kind, part, subject = _subject_of(notice)
        return EventReport(
            event_id=_text(message["messageId"], LONGEST_ID),
            type=_type_of(kind, part),
            subject_kind=kind,
            subject=subject,
            happened_at=_from_seconds(int(notice["eventTimeMillis"]) // 1000),
            account=_text(notice["packageName"], LONGEST_ID),
        )
    except (*UNREADABLE, binascii.Error, RecursionError) as error:
        raise BodyRefused from error


def _subject_of(notice: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], str]:
    """Return the kind of object, the part of the notice about it, and its token."""
    for name, kind in NOTICES.items():
        if part := notice.get(name):
            return kind, part, _text(part["purchaseToken"], LONGEST_TOKEN)
    if part := notice.get("voidedPurchaseNotification"):
        is_subscription = part.get("productType") == VOIDED_SUBSCRIPTION
        kind = _Subject.SUBSCRIPTION if is_subscription else _Subject.PURCHASE
        return kind, part, _text(part["purchaseToken"], LONGEST_TOKEN)
    return _Subject.NONE, {}, ""


def _type_of(kind: str, part: Mapping[str, Any]) -> str:
    number = part.get("notificationType", "voided")
    return f"{kind or 'other'}.{str(number)[:20]}"


# --- What is asked for ---------------------------------------------------------------------


def key_id_of(service_account_json: str) -> str:
    """
    Return the id of a service account's key.

    :raises ValueError: if it is not the file that Google gives, or would prove itself to
        anybody but Google.
    """
    try:
        key = json.loads(service_account_json)
        service_account.Credentials.from_service_account_info(key)  # type: ignore[no-untyped-call]
        key_id, address = str(key["private_key_id"]), str(key["token_uri"])
    except UNREADABLE as error:
        raise ValueError("This is no key of a service account.") from error
    if address not in TOKEN_ADDRESSES and not address.startswith(f"{settings.GOOGLE_API_BASE}/"):
        raise ValueError("The key would be shown to somebody else than Google.")
    return key_id


@cache
def _session(service_account_json: str) -> AuthorizedSession:
    """Return connections of one service account; its token for the API is made when needed."""
    credentials = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
        json.loads(service_account_json), scopes=[SCOPE]
    )
    return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]


class GoogleGateway:
    """The way to one app in Google Play."""

    def __init__(self, *, package_name: str, service_account_json: str) -> None:
        self._package = package_name
        self._key = service_account_json

    def look_up(self, kind: str, reference: str) -> Found:
        if kind == _Subject.PURCHASE:
            found = self._get("productsv2", reference)
            with _asking():
                return Found(
                    purchases=(purchase_report(found, reference),) if was_bought(found) else (),
                    # Set, though empty, for what costs nothing.
                    is_live="testPurchaseContext" not in found,
                )
        found = self._get("subscriptionsv2", reference)
        reports = self._reports(found, reference)
        if replaced := found.get("linkedPurchaseToken"):
            # What it took the place of ended by that.
            reports = self._replaced(replaced) + reports
        return Found(subscriptions=reports, is_live="testPurchase" not in found)

    def _replaced(self, token: str) -> tuple[SubscriptionReport, ...]:
        try:
            return self._reports(self._get("subscriptionsv2", token), token)
        except NotFound:
            return ()

    def _reports(self, found: Mapping[str, Any], token: str) -> tuple[SubscriptionReport, ...]:
        """Return the subscription, or nothing of one that was never paid for."""
        with _asking():
            is_begun = found["subscriptionState"] not in NEVER_BEGUN
            return (subscription_report(found, token),) if is_begun else ()

    def customer(self, reference: str) -> CustomerReport:
        return CustomerReport(reference, user=user_of(reference))

    def of_customer(self, reference: str) -> Found:  # Google knows no customers
        return Found()

    def first_payment_of(self, reference: str) -> datetime | None:  # told at once
        return None

    def _get(self, kind: str, token: str) -> Mapping[str, Any]:
        path = f"/androidpublisher/v3/applications/{self._package}/purchases/{kind}/tokens/{token}"
        with _asking():
            session = _session(self._key)
            answer = session.get(settings.GOOGLE_API_BASE + path, timeout=TIMEOUT_SECONDS)
            answer.raise_for_status()
            found: Mapping[str, Any] = answer.json()
            return found


def user_of(reference: str) -> str:
    """Return the id that the app left with the store, from the name of a customer."""
    kind, _colon, value = reference.partition(":")
    return value if kind == "account" else ""


# --- Objects in our words ------------------------------------------------------------------


def subscription_report(found: Mapping[str, Any], token: str) -> SubscriptionReport:
    """
    Return the subscription in our words.

    :raises ProviderTrouble: for a state that is not known here: nothing is guessed.
    """
    status = STATUSES.get(found["subscriptionState"])
    if status is None:
        raise ProviderTrouble("unknown-state")
    # One that replaces another later is not owned yet, and has no order.
    items = [item for item in found["lineItems"] if item.get("latestSuccessfulOrderId")] or found[
        "lineItems"
    ]
    expires = max(
        (_instant(item["expiryTime"]) for item in items if "expiryTime" in item), default=None
    )
    order = str(items[0].get("latestSuccessfulOrderId") or "")
    # "GPA.1-2-3..4" is the fifth payment of "GPA.1-2-3".
    reference = _text(order.partition("..")[0] or token[:LONGEST_ID], LONGEST_ID)
    in_trial = any("freeTrial" in (item.get("offerPhase") or {}) for item in items)
    if in_trial and status == _Status.ACTIVE:
        status = _Status.TRIALING
    is_stopping = found["subscriptionState"] == "SUBSCRIPTION_STATE_CANCELED"
    price: Mapping[str, Any] = next(
        (plan["recurringPrice"] for plan in map(_plan, items) if plan.get("recurringPrice")), {}
    )
    currency = str(price.get("currencyCode") or "")
    started_at = _instant(found["startTime"])
    return SubscriptionReport(
        reference=reference,
        customer=_customer(found.get("externalAccountIdentifiers") or {}, reference),
        status=status,
        price_minor=_minor(price, currency) if currency else None,
        currency=currency,
        started_at=started_at,
        products=tuple(_text(item["productId"], LONGEST_ID) for item in items),
        first_paid_at=None if in_trial else started_at,
        current_period_end=expires,
        trial_ends_at=expires if in_trial else None,
        cancel_at=expires if is_stopping else None,
        ended_at=expires if status in OVER else None,
        cancel_reason=_reason(found.get("canceledStateContext") or {}),
    )


def was_bought(found: Mapping[str, Any]) -> bool:
    """Tell whether a single purchase was ever paid for: till then it has no date."""
    return "purchaseCompletionTime" in found


def purchase_report(found: Mapping[str, Any], token: str) -> PurchaseReport:
    """Return the single purchase in our words; Google tells no price of it."""
    state = (found.get("purchaseStateContext") or {}).get("purchaseState")
    # What was given away has no order.
    reference = _text(found.get("orderId") or token[:LONGEST_ID], LONGEST_ID)
    return PurchaseReport(
        reference=reference,
        customer=_customer(found, reference),
        status=PURCHASE_STATUSES.get(str(state), Purchase.Status.UNKNOWN),
        price_minor=None,
        currency="",
        purchased_at=_instant(found["purchaseCompletionTime"]),
        products=tuple(_text(one["productId"], LONGEST_ID) for one in found["productLineItem"]),
    )


def _plan(item: Mapping[str, Any]) -> Mapping[str, Any]:
    plan: Mapping[str, Any] = item.get("autoRenewingPlan") or {}
    return plan


def _reason(context: Mapping[str, Any]) -> str:
    return next((str(REASONS[name]) for name in REASONS if name in context), "")


def _customer(named: Mapping[str, Any], reference: str) -> str:
    account = named.get("obfuscatedExternalAccountId")
    return f"account:{_text(account, 64)}" if account else f"order:{reference[:200]}"


def _minor(price: Mapping[str, Any], currency: str) -> int:
    """Return whole units and billionths of them in minor units."""
    nanos = int(price.get("units") or 0) * 10**9 + int(price.get("nanos") or 0)
    return int(nanos * 10 ** decimals(currency) // 10**9)


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise ValueError("No id.")
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise ValueError("No id.")
    return value


def _instant(text: Any) -> datetime:
    instant = datetime.fromisoformat(str(text)).astimezone(UTC).replace(microsecond=0)
    if not FIRST_INSTANT <= instant < LAST_INSTANT:
        raise ValueError("An instant out of bounds.")
    return instant


def _from_seconds(seconds: int) -> datetime:
    return _instant(datetime.fromtimestamp(seconds, UTC).isoformat())


@contextmanager
def _asking() -> Iterator[None]:
    """Say in our words what went wrong; an answer that cannot be read is trouble as well."""
    try:
        yield
    except requests.HTTPError as error:
        raise _trouble_of(error.response) from error
    except google_errors.TransportError as error:
        raise Unreachable from error
    except google_errors.GoogleAuthError as error:
        raise KeyRefused from error
    except requests.JSONDecodeError as error:
        raise ProviderTrouble from error
    except requests.RequestException as error:
        raise Unreachable from error
    except UNREADABLE as error:
        raise ProviderTrouble from error


def _trouble_of(answer: requests.Response | None) -> Exception:
    """Return in our words what an answer says that is none."""
    if answer is None:
        return Unreachable()
    text = answer.headers.get("Retry-After", "")
    retry_after = int(text) if text.isascii() and text.isdigit() else None
    status = answer.status_code
    if status in {404, 410}:
        return NotFound()
    if status == 429 or (status == 403 and any(word in answer.text for word in LIMITS)):  # noqa: PLR2004
        return Limited(retry_after=retry_after)
    if status in {401, 403}:
        return KeyRefused()
    return Unreachable(retry_after=retry_after) if status >= 500 else ProviderTrouble()  # noqa: PLR2004
