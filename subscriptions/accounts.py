"""Accounts of projects with providers: connected here, their secrets kept encrypted."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.core.sealing import SealBroken, seal, unseal
from backoffice.projects.models import Project
from subscriptions.models import Provider, ProviderAccount, ProviderSync
from subscriptions.providers.apple import (
    AppleGateway,
    AppleSecrets,
    check_private_key,
    root_certificate,
)
from subscriptions.providers.google import GoogleGateway, key_id_of
from subscriptions.providers.stripe import StripeGateway, is_live_key

PURPOSE: Final = "subscriptions.accounts secrets"
HINT_LENGTH: Final = 4
LONGEST_SECRET: Final = 255
# The old and the new one while rotating.
MOST_WEBHOOK_SECRETS: Final = 3


class NotConnected(Exception):
    """The project has no account with the provider, or its secrets cannot be read any more."""


class SecretsRefused(Exception):
    """
    The secrets cannot be as given; `said` says why, `field` is which of them.

    :param said: marked for translation.
    """

    def __init__(self, said: StrOrPromise, *, field: str = "secret_key") -> None:
        super().__init__(said)
        self.said = said
        self.field = field


@dataclass(frozen=True, slots=True)
class StripeSecrets:
    """What opens one account with Stripe."""

    secret_key: str
    webhook_secrets: tuple[str, ...]


@transaction.atomic
def connect_stripe(
    *,
    project: Project,
    secret_key: str,
    webhook_secrets: Sequence[str],
    actor: Actor,
    now: datetime,
) -> ProviderAccount:
    """
    Keep the secrets of the project's account with Stripe, in place of those there were.

    :param webhook_secrets: any of them proves an event; two while one replaces the other.
    :raises SecretsRefused: if one is empty or cannot be a secret, or a test key would replace
        one that moves money (or the reverse).
    """
    secrets = [secret.strip() for secret in webhook_secrets]
    key = secret_key.strip()
    _check(key, secrets)
    return _connect(
        project,
        Provider.STRIPE,
        {"secret_key": key, "webhook_secrets": secrets},
        is_live=is_live_key(key),
        mode_field="secret_key",
        hint=key[-HINT_LENGTH:],
        actor=actor,
        now=now,
    )


@transaction.atomic
def connect_google(
    *,
    project: Project,
    package_name: str,
    audience: str,
    sender: str,
    service_account_json: str,
    actor: Actor,
    now: datetime,
) -> ProviderAccount:
    """
    Keep what opens the project's app in Google Play, in place of what there was.

    :param audience: for whom Google makes the tokens of its pushes, as set up there.
    :param sender: the e-mail of the service account that signs them.
    :param service_account_json: the key file of the account that may read purchases.
    :raises SecretsRefused: if something is missing or cannot be what it should.
    """
    for field, value, words in (
        ("package_name", package_name, _("Name the app's package, like com.example.films.")),
        ("audience", audience, _("Name the audience that pushes are made for.")),
        ("sender", sender, _("Name the sender of pushes: the e-mail of a service account.")),
    ):
        if not _is_secret(value) or (field == "sender" and "@" not in value):
            raise SecretsRefused(words, field=field)
    try:
        hint = key_id_of(service_account_json)[-HINT_LENGTH:]
    except ValueError as error:
        words = _("The service account's key is missing or no key file of Google.")
        raise SecretsRefused(words, field="service_account") from error
    return _connect(
        project,
        Provider.GOOGLE,
        {"audience": audience, "sender": sender, "service_account": service_account_json},
        reference=package_name,
        is_live=True,
        hint=hint,
        actor=actor,
        now=now,
    )


@transaction.atomic
def connect_apple(
    *, project: Project, secrets: AppleSecrets, actor: Actor, now: datetime
) -> ProviderAccount:
    """
    Keep what opens the project's app in the App Store, in place of what there was.

    :raises SecretsRefused: if something is missing or cannot be what it should.
    """
    if not secrets.root_certificates:
        words = _("Apple's root certificate is missing: nothing can be trusted.")
        raise SecretsRefused(words, field="root_certificate")
    for field, value, words in (
        ("bundle_id", secrets.bundle_id, _("Name the app's bundle, like com.example.films.")),
        ("issuer_id", secrets.issuer_id, _("Name the issuer of the key.")),
        ("key_id", secrets.key_id, _("Name the key's id.")),
    ):
        if not _is_secret(value):
            raise SecretsRefused(words, field=field)
    if secrets.is_live and secrets.app_id < 1:
        # Apple's messages name it, and without it each would seem another app's.
        raise SecretsRefused(
            _("Name the app's number: outside the sandbox it is checked."), field="app_id"
        )
    try:
        check_private_key(secrets.private_key)
    except ValueError as error:
        words = _("The private key is missing or no key (.p8) of the App Store.")
        raise SecretsRefused(words, field="private_key") from error
    kept = asdict(secrets) | {
        "root_certificates": [base64.b64encode(one).decode() for one in secrets.root_certificates]
    }
    return _connect(
        project,
        Provider.APPLE,
        kept,
        reference=secrets.bundle_id,
        is_live=secrets.is_live,
        mode_field="environment",
        hint=secrets.key_id[-HINT_LENGTH:],
        actor=actor,
        now=now,
    )


def root_certificates(paths: Sequence[str]) -> tuple[bytes, ...]:
    """
    Return the root certificates of these files, in DER.

    :raises SecretsRefused: if one is none.
    """
    found = []
    for path in paths:
        try:
            found.append(root_certificate(Path(path).read_bytes()))
        except (OSError, ValueError) as error:
            words = _("%(file)s is no root certificate.") % {"file": Path(path).name}
            raise SecretsRefused(words, field="root_certificate") from error
    return tuple(found)


@transaction.atomic
def disconnect(*, project: Project, provider: Provider, actor: Actor, now: datetime) -> None:
    """
    Forget what opens the project's account with the provider; what it reported stays.

    :raises NotConnected: if there is none.
    """
    rows = ProviderAccount.objects.select_for_update()
    account = rows.filter(project=project, provider=provider).first()
    if account is None:
        raise NotConnected
    record(
        AuditEvent.Kind.PROVIDER_DISCONNECTED,
        actor=actor,
        now=now,
        project=project,
        target=account,
        data={"provider": str(provider.label), "hint": account.hint},
    )
    # The place that a comparison had come to is one in this account.
    ProviderSync.objects.filter(project=project, provider=provider).delete()
    account.delete()


def _connect(
    project: Project,
    provider: Provider,
    secrets: Mapping[str, Any],
    *,
    is_live: bool | None,
    hint: str,
    actor: Actor,
    now: datetime,
    reference: str = "",
    mode_field: str = "",
) -> ProviderAccount:
    known = (
        ProviderAccount.objects.select_for_update()
        .filter(project=project, provider=provider)
        .first()
    )
    if known and None not in {known.is_live, is_live} and known.is_live != is_live:
        words = _(
            "The project is connected to the other mode (test or live) of %(provider)s: a project"
            " keeps to one."
        )
        raise SecretsRefused(words % {"provider": provider.label}, field=mode_field)
    account, _is_new = ProviderAccount.objects.update_or_create(
        project=project,
        provider=provider,
        defaults={
            "reference": reference,
            "is_live": is_live,
            "sealed": seal(json.dumps(secrets), purpose=PURPOSE),
            "hint": hint,
            "connected_at": now,
            "resting_until": None,
            "failures": 0,
        },
    )
    record(
        AuditEvent.Kind.PROVIDER_CONNECTED,
        actor=actor,
        now=now,
        project=project,
        target=account,
        data={"provider": str(provider.label), "hint": hint},
    )
    return account


def account_of(project: Project, provider: Provider) -> ProviderAccount:
    """
    Return the project's account with the provider.

    :raises NotConnected: if there is none.
    """
    account = ProviderAccount.objects.filter(project=project, provider=provider).first()
    if account is None:
        raise NotConnected
    account.project = project
    return account


def stripe_secrets(account: ProviderAccount) -> StripeSecrets:
    """
    Return the secrets of an account with Stripe.

    :raises NotConnected: if they cannot be read.
    """
    opened = _opened(account)
    return StripeSecrets(opened["secret_key"], tuple(opened["webhook_secrets"]))


def stripe_gateway(account: ProviderAccount) -> StripeGateway:
    """
    Return the way to an account with Stripe.

    :raises NotConnected: if its secrets cannot be read.
    """
    return StripeGateway(stripe_secrets(account).secret_key)


@dataclass(frozen=True, slots=True)
class GoogleSecrets:
    """What proves the pushes of one app, and what opens its purchases."""

    audience: str
    sender: str
    service_account_json: str


def google_secrets(account: ProviderAccount) -> GoogleSecrets:
    """
    Return the secrets of an app in Google Play.

    :raises NotConnected: if they cannot be read.
    """
    opened = _opened(account)
    return GoogleSecrets(opened["audience"], opened["sender"], opened["service_account"])


def google_gateway(account: ProviderAccount) -> GoogleGateway:
    """
    Return the way to an app in Google Play.

    :raises NotConnected: if its secrets cannot be read.
    """
    return GoogleGateway(
        package_name=account.reference,
        service_account_json=google_secrets(account).service_account_json,
    )


def apple_secrets(account: ProviderAccount) -> AppleSecrets:
    """
    Return the secrets of an app in the App Store.

    :raises NotConnected: if they cannot be read.
    """
    opened = dict(_opened(account))
    roots = tuple(base64.b64decode(one) for one in opened.pop("root_certificates"))
    return AppleSecrets(**opened, root_certificates=roots)


def apple_gateway(account: ProviderAccount) -> AppleGateway:
    """
    Return the way to an app in the App Store.

    :raises NotConnected: if its secrets cannot be read.
    """
    return AppleGateway(apple_secrets(account))


def _opened(account: ProviderAccount) -> Mapping[str, Any]:
    try:
        opened: dict[str, Any] = json.loads(unseal(account.sealed, purpose=PURPOSE))
    except SealBroken as error:
        raise NotConnected from error
    return opened


def _check(secret_key: str, webhook_secrets: Sequence[str]) -> None:
    if not _is_secret(secret_key):
        raise SecretsRefused(_("The secret key is missing or no key: it begins with sk_ or rk_."))
    if secret_key.startswith("pk_"):
        raise SecretsRefused(_("This is the publishable key: use the secret one."))
    if not webhook_secrets or not all(map(_is_secret, webhook_secrets)):
        raise SecretsRefused(
            _("A webhook secret is missing or none: without one no event can be trusted."),
            field="webhook_secrets",
        )
    if len(set(webhook_secrets)) > MOST_WEBHOOK_SECRETS:
        raise SecretsRefused(
            _("Too many webhook secrets: keep the old and the new one."), field="webhook_secrets"
        )


def _is_secret(text: str) -> bool:
    return (
        0 < len(text) <= LONGEST_SECRET
        and text.isascii()
        and text.isprintable()
        and " " not in text
    )
