"""
Apple's App Store: the one module that speaks to it, and that knows the shapes of its objects.

Everything that Apple says is signed: a chain of certificates leads to a root that the operator
has put here, never to one that came with the message.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import requests
from appstoreserverlibrary.api_client import APIException, AppStoreServerAPIClient
from appstoreserverlibrary.models.Environment import Environment
from appstoreserverlibrary.models.JWSRenewalInfoDecodedPayload import JWSRenewalInfoDecodedPayload
from appstoreserverlibrary.models.JWSTransactionDecodedPayload import JWSTransactionDecodedPayload
from appstoreserverlibrary.signed_data_verifier import (
    SignedDataVerifier,
    VerificationException,
    VerificationStatus,
)
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from django.conf import settings

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

LONGEST_ID: Final = 255
_Status = Subscription.Status
_Subject = ProviderEvent.Subject

# --- What Apple's words are in ours --------------------------------------------------------

REVOKED: Final = 5
# By the number of the state.
STATUSES: Final[Mapping[int, Subscription.Status]] = {
    1: _Status.ACTIVE,
    2: _Status.CANCELED,
    # Tries to collect, without access: the project grants no grace period in the store.
    3: _Status.UNPAID,
    # Tries to collect, with access.
    4: _Status.PAST_DUE,
    # Given back, or taken from a family.
    REVOKED: _Status.CANCELED,
}
# By the number of the intent with which it expires.
REASONS: Final[Mapping[int, StopReason]] = {
    1: StopReason.ASKED,
    2: StopReason.NOT_PAID,
    3: StopReason.ASKED,
    4: StopReason.PROVIDER,
}
# How money, or a share in a family's purchase, is taken back. A part leaves the purchase.
PARTLY: Final = "REFUND_PRORATED"
FROM_FAMILY: Final = "FAMILY_REVOKE"
SUBSCRIPTION_TYPE: Final = "Auto-Renewable Subscription"
# The message is Apple's, about another app or from the other environment.
NOT_OURS: Final = frozenset(
    {VerificationStatus.INVALID_APP_IDENTIFIER, VerificationStatus.INVALID_ENVIRONMENT}
)
UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class AppleSecrets:
    """What opens one app in the App Store, and what proves its messages."""

    bundle_id: str
    app_id: int
    is_live: bool
    issuer_id: str
    key_id: str
    private_key: str
    root_certificates: tuple[bytes, ...]
    """In DER."""

    @property
    def environment(self) -> Environment:
        return Environment.PRODUCTION if self.is_live else Environment.SANDBOX


def check_private_key(text: str) -> None:
    """
    Let pass a key as the App Store gives it (.p8).

    :raises ValueError: if it is anything else.
    """
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("This is no private key.") from error
    is_theirs = isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
    if not is_theirs:
        raise ValueError("This is a private key of another kind.")


def root_certificate(content: bytes) -> bytes:
    """
    Return a root certificate in DER, whichever of the two forms it comes in.

    :raises ValueError: if it is none: no certificate at all, or one that others vouch for.
    """
    is_pem = content.startswith(b"-----")
    read = x509.load_pem_x509_certificate if is_pem else x509.load_der_x509_certificate
    certificate = read(content)
    if certificate.issuer != certificate.subject:
        raise ValueError("Others vouch for this certificate: it is no root.")
    return certificate.public_bytes(Encoding.DER)


def certificate_name(der: bytes) -> str:
    """Return what a certificate calls itself, and until when it holds."""
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if names else certificate.subject.rfc4514_string()
    return f"{name} ({certificate.not_valid_after_utc:%Y-%m-%d})"


# --- What comes by itself ------------------------------------------------------------------


def read_notification(body: bytes, secrets: AppleSecrets) -> EventReport:
    """
    Return what is kept of a notification, if Apple signed it.

    One about another app, or from the other environment, names that and no object.

    :raises SignatureRefused: if the chain does not lead to the root kept here.
    :raises Unreachable: if Apple's own word on its certificates cannot be had.
    :raises BodyRefused: if it is no notification.
    """
    try:
        signed = json.loads(body)["signedPayload"]
        if not isinstance(signed, str):
            raise BodyRefused
    except (*UNREADABLE, RecursionError) as error:
        raise BodyRefused from error
    verifier = _verifier(secrets)
    try:
        told = verifier.verify_and_decode_notification(signed)
        if not told.data or not told.data.signedTransactionInfo:
            return _report(told.rawNotificationType, told.notificationUUID, told.signedDate)
        transaction = verifier.verify_and_decode_signed_transaction(
            told.data.signedTransactionInfo
        )
    except VerificationException as error:
        if error.status == VerificationStatus.RETRYABLE_VERIFICATION_FAILURE:
            raise Unreachable from error
        if error.status in NOT_OURS:
            return _not_ours(verifier, signed)
        raise SignatureRefused from error
    except UNREADABLE as error:
        raise BodyRefused from error
    is_subscription = transaction.rawType == SUBSCRIPTION_TYPE
    return _report(
        ".".join(filter(None, [told.rawNotificationType, told.rawSubtype])),
        told.notificationUUID,
        told.signedDate,
        kind=_Subject.SUBSCRIPTION if is_subscription else _Subject.PURCHASE,
        subject=transaction.originalTransactionId
        if is_subscription
        else transaction.transactionId,
    )


def _report(
    type_: str | None,
    event_id: str | None,
    signed_date: int | None,
    *,
    kind: str = "",
    subject: str | None = "",
    account: str = "",
    is_live: bool | None = None,
) -> EventReport:
    try:
        return EventReport(
            event_id=_id(event_id),
            type=str(type_ or "other")[:100],
            subject_kind=kind,
            subject=_id(subject) if kind else "",
            happened_at=_instant(signed_date),
            account=account,
            is_live=is_live,
        )
    except UNREADABLE as error:
        raise BodyRefused from error


def _not_ours(verifier: SignedDataVerifier, signed: str) -> EventReport:
    """Return the report of a message whose signature is Apple's, but which is not for this app."""
    told = verifier._decode_signed_object(signed)  # noqa: SLF001  # verified, and not compared
    data = told.get("data") or {}
    bundle = str(data.get("bundleId") or "")[:LONGEST_ID]
    return _report(
        str(told.get("notificationType")),
        told.get("notificationUUID"),
        told.get("signedDate"),
        account=bundle,
        is_live=data.get("environment") == Environment.PRODUCTION.value,
    )


def _verifier(secrets: AppleSecrets) -> SignedDataVerifier:
    return SignedDataVerifier(
        list(secrets.root_certificates),
        settings.APPLE_ONLINE_CHECKS,
        secrets.environment,
        secrets.bundle_id,
        secrets.app_id,
    )


# --- What is asked for ---------------------------------------------------------------------


class _Client(AppStoreServerAPIClient):
    """Apple's client; another server may stand in for Apple's."""

    def __init__(self, secrets: AppleSecrets) -> None:
        super().__init__(
            secrets.private_key.encode(),
            secrets.key_id,
            secrets.issuer_id,
            secrets.bundle_id,
            secrets.environment,
        )
        if settings.APPLE_API_BASE:
            self._base_url = settings.APPLE_API_BASE


class AppleGateway:
    """The way to one app in the App Store."""

    def __init__(self, secrets: AppleSecrets) -> None:
        self._secrets = secrets

    def look_up(self, kind: str, reference: str) -> Found:
        with _asking():
            client, verifier = _Client(self._secrets), _verifier(self._secrets)
            if kind == _Subject.PURCHASE:
                signed = client.get_transaction_info(reference).signedTransactionInfo
                transaction = verifier.verify_and_decode_signed_transaction(str(signed))
                return Found(purchases=(purchase_report(transaction),))
            answer = client.get_all_subscription_statuses(reference)
            return Found(
                subscriptions=tuple(
                    subscription_report(
                        int(one.rawStatus or 0),
                        verifier.verify_and_decode_signed_transaction(
                            str(one.signedTransactionInfo)
                        ),
                        verifier.verify_and_decode_renewal_info(str(one.signedRenewalInfo)),
                    )
                    for group in answer.data or []
                    for one in group.lastTransactions or []
                )
            )

    def customer(self, reference: str) -> CustomerReport:
        kind, _colon, value = reference.partition(":")
        return CustomerReport(reference, user=value if kind == "account" else "")

    def of_customer(self, reference: str) -> Found:
        """Return what was bought in the line of transactions that names the customer."""
        kind, _colon, value = reference.partition(":")
        return self.look_up(_Subject.SUBSCRIPTION, value) if kind == "transaction" else Found()

    def first_payment_of(self, reference: str) -> datetime | None:  # told at once
        return None


# --- Objects in our words ------------------------------------------------------------------


def subscription_report(
    state: int,
    transaction: JWSTransactionDecodedPayload,
    renewal: JWSRenewalInfoDecodedPayload,
) -> SubscriptionReport:
    """
    Return the subscription in our words.

    :raises ProviderTrouble: for a state that is not known here: nothing is guessed.
    """
    status = STATUSES.get(state)
    if status is None:
        raise ProviderTrouble("unknown-state")
    in_trial = transaction.rawOfferDiscountType == "FREE_TRIAL"
    if in_trial and status == _Status.ACTIVE:
        status = _Status.TRIALING
    started_at = _instant(transaction.originalPurchaseDate)
    expires = _instant(transaction.expiresDate)
    revoked = _maybe(transaction.revocationDate)
    renews = bool(renewal.rawAutoRenewStatus)
    is_over = status in {_Status.CANCELED, _Status.UNPAID}
    is_running = status in {_Status.ACTIVE, _Status.TRIALING}
    currency = str(transaction.currency or "")
    return SubscriptionReport(
        reference=_id(transaction.originalTransactionId),
        customer=_customer(transaction),
        status=status,
        price_minor=_minor(transaction.price, currency) if currency else None,
        currency=currency,
        started_at=started_at,
        products=(_id(transaction.productId),),
        first_paid_at=None if in_trial else _instant(transaction.purchaseDate),
        current_period_end=expires,
        trial_ends_at=expires if in_trial else None,
        cancel_at=expires if is_running and not renews else None,
        ended_at=revoked or expires if is_over else None,
        cancel_reason=_reason_to_revoke(transaction)
        if state == REVOKED
        else _reason(renewal, is_stopping=is_running and not renews),
    )


def purchase_report(transaction: JWSTransactionDecodedPayload) -> PurchaseReport:
    """Return the single purchase in our words."""
    is_undone = transaction.revocationDate is not None and transaction.rawRevocationType != PARTLY
    currency = str(transaction.currency or "")
    return PurchaseReport(
        reference=_id(transaction.transactionId),
        customer=_customer(transaction),
        status=Purchase.Status.CANCELLED if is_undone else Purchase.Status.ACTIVE,
        price_minor=_minor(transaction.price, currency) if currency else None,
        currency=currency,
        purchased_at=_instant(transaction.purchaseDate),
        products=(_id(transaction.productId),),
        expires_at=_maybe(transaction.expiresDate),
    )


def _reason(renewal: JWSRenewalInfoDecodedPayload, *, is_stopping: bool) -> str:
    intent = REASONS.get(int(renewal.rawExpirationIntent or 0))
    if intent is None and is_stopping:
        intent = StopReason.ASKED
    return str(intent or "")


def _reason_to_revoke(transaction: JWSTransactionDecodedPayload) -> str:
    is_familys = transaction.rawRevocationType == FROM_FAMILY
    return str(StopReason.PROVIDER if is_familys else StopReason.REFUNDED)


def _customer(transaction: JWSTransactionDecodedPayload) -> str:
    if transaction.appAccountToken:
        return f"account:{_id(transaction.appAccountToken)}"
    return f"transaction:{_id(transaction.originalTransactionId)}"


def _minor(thousandths: int | None, currency: str) -> int:
    return int((thousandths or 0) * 10 ** decimals(currency) // 1000)


def _id(named: Any) -> str:
    text = str(named or "")
    if not 0 < len(text) <= LONGEST_ID or not text.isascii() or not text.isprintable():
        raise ValueError("No id.")
    return text


def _maybe(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else _instant(milliseconds)


def _instant(milliseconds: int | None) -> datetime:
    instant = datetime.fromtimestamp(int(milliseconds or 0) // 1000, UTC)
    if not FIRST_INSTANT <= instant < LAST_INSTANT:
        raise ValueError("An instant out of bounds.")
    return instant


@contextmanager
def _asking() -> Iterator[None]:
    """Say in our words what went wrong; an answer that cannot be read is trouble as well."""
    try:
        yield
    except APIException as error:
        raise _trouble_of(error.http_status_code) from error
    except VerificationException as error:
        raise ProviderTrouble from error
    except requests.JSONDecodeError as error:
        raise ProviderTrouble from error
    except requests.RequestException as error:
        raise Unreachable from error
    except UNREADABLE as error:
        raise ProviderTrouble from error


def _trouble_of(status: int) -> Exception:
    if status == 404:  # noqa: PLR2004
        return NotFound()
    if status in {401, 403}:
        return KeyRefused()
    if status == 429:  # noqa: PLR2004
        return Limited()
    return Unreachable() if status >= 500 else ProviderTrouble()  # noqa: PLR2004
