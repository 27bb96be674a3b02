"""
What staff write to connect a project with a provider; one frame for the three.

A secret is never shown again. While one is kept, its field may stay empty: that keeps it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from backoffice.env import env_list
from subscriptions.accounts import (
    GoogleSecrets,
    SecretsRefused,
    StripeSecrets,
    apple_secrets,
    connect_apple,
    connect_google,
    connect_stripe,
    google_secrets,
    root_certificates,
    stripe_secrets,
)
from subscriptions.models import Provider, ProviderAccount
from subscriptions.providers.apple import AppleSecrets, certificate_name, root_certificate

# A key file has two or three kilobytes.
LARGEST_FILE: Final = 64 * 1024
LONGEST: Final = 255


class SecretText(forms.CharField):
    """A secret that is typed; never written into a page."""

    def __init__(self, **kwargs: Any) -> None:
        # "off" is passed over by browsers, which would offer the reader's own password.
        widget = forms.PasswordInput(
            attrs={"class": "form-control", "autocomplete": "new-password"}
        )
        super().__init__(widget=widget, **kwargs)


class SecretFile(forms.FileField):
    """A small file; its cleaned value is its content, empty if none was chosen."""

    widget = forms.FileInput(attrs={"class": "form-control"})

    def clean(self, data: Any, initial: Any = None) -> bytes:
        file = super().clean(data, initial)
        if not file:
            return b""
        if file.size > LARGEST_FILE:
            raise ValidationError(_("This file is too large for a key."))
        return bytes(file.read())


def name_field(**kwargs: Any) -> forms.CharField:
    """Return a field for what the provider calls something: no secret, shown again."""
    widget = forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"})
    return forms.CharField(max_length=LONGEST, widget=widget, **kwargs)


class ConnectForm(forms.Form):
    """What opens the project's account with one provider."""

    secret_names: ClassVar[tuple[str, ...]]
    """The fields that may stay empty while their secret is kept."""

    def __init__(self, *args: Any, kept: Any, **kwargs: Any) -> None:
        """
        Take note of the secrets that are kept.

        :param kept: none if there are none, or if they cannot be read any more.
        """
        super().__init__(*args, **kwargs)
        self.kept = kept
        for name in self.secret_names:
            field = self.fields[name]
            field.required = kept is None
            if kept is not None:
                field.help_text = _("Empty: the one that is kept stays.")

    @staticmethod
    def shown(account: ProviderAccount, kept: Any) -> dict[str, Any]:
        """Return what the form shows at first of a connected account."""
        raise NotImplementedError

    def values(self) -> dict[str, Any]:
        """Return what the account is connected with."""
        raise NotImplementedError


class StripeForm(ConnectForm):
    """The secrets of an account with Stripe."""

    secret_names = ("secret_key", "webhook_secrets")
    kept: StripeSecrets | None

    secret_key = SecretText(
        label=_("Secret key"),
        max_length=LONGEST,
        help_text=_("From the developers' pages of Stripe; it begins with sk_ or rk_."),
    )
    webhook_secrets = SecretText(
        label=_("Webhook secrets"),
        max_length=800,
        help_text=_("The endpoint's secret. While it rotates: the old one, a comma, the new one."),
    )

    @staticmethod
    def shown(_account: ProviderAccount, _kept: StripeSecrets) -> dict[str, Any]:
        return {}

    def values(self) -> dict[str, Any]:
        given = self.cleaned_data
        webhook_secrets = [one.strip() for one in given["webhook_secrets"].split(",")]
        if self.kept and not given["webhook_secrets"]:
            webhook_secrets = list(self.kept.webhook_secrets)
        secret_key = given["secret_key"] or (self.kept.secret_key if self.kept else "")
        return {"secret_key": secret_key, "webhook_secrets": webhook_secrets}


class GoogleForm(ConnectForm):
    """What opens an app in Google Play, and what proves its pushes."""

    secret_names = ("service_account",)
    kept: GoogleSecrets | None

    package_name = name_field(
        label=_("Package of the app"), help_text=_("As in Google Play: com.example.films.")
    )
    service_account = SecretFile(
        label=_("Key of the service account"),
        help_text=_("The JSON file of a service account that may read purchases and orders."),
    )
    audience = name_field(
        label=_("Audience of the pushes"),
        help_text=_("As set up with the push subscription; usually the address itself."),
    )
    sender = name_field(
        label=_("Sender of the pushes"),
        help_text=_("The e-mail of the service account that the push subscription signs with."),
    )

    @staticmethod
    def shown(account: ProviderAccount, kept: GoogleSecrets) -> dict[str, Any]:
        return {
            "package_name": account.reference,
            "audience": kept.audience,
            "sender": kept.sender,
        }

    def clean_service_account(self) -> str:
        return as_text(self.cleaned_data["service_account"])

    def values(self) -> dict[str, Any]:
        given = dict(self.cleaned_data)
        key = given.pop("service_account")
        kept = self.kept.service_account_json if self.kept else ""
        return given | {"service_account_json": key or kept}


class AppleForm(ConnectForm):
    """What opens an app in the App Store, and what proves its messages."""

    secret_names = ("private_key", "root_certificate")
    kept: AppleSecrets | None

    environment = forms.ChoiceField(
        label=_("Environment"),
        choices=[("live", _("Production")), ("sandbox", _("Sandbox"))],
    )
    bundle_id = name_field(
        label=_("Bundle of the app"), help_text=_("As in App Store Connect: com.example.films.")
    )
    app_id = forms.IntegerField(
        label=_("Number of the app"),
        min_value=1,
        max_value=2**53,
        required=False,
        widget=forms.NumberInput(attrs={"class": "form-control"}),
        help_text=_("The Apple ID of the app. It may be missing in the sandbox."),
    )
    issuer_id = name_field(
        label=_("Issuer of the key"),
        help_text=_("From Users and Access → Integrations → In-App Purchase."),
    )
    key_id = name_field(label=_("Id of the key"))
    private_key = SecretFile(
        label=_("Private key"), help_text=_("The file that Apple gives once (.p8).")
    )
    root_certificate = SecretFile(
        label=_("Root certificate of Apple"),
        help_text=_("AppleRootCA-G3.cer from Apple's page of certificates."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            roots = self._roots()
        except SecretsRefused:
            # Asked for here then.
            roots = ()
        if roots:
            field = self.fields["root_certificate"]
            field.required = False
            field.help_text = _("Empty: this one stays: %(names)s.") % {
                "names": ", ".join(map(certificate_name, roots))
            }

    @staticmethod
    def shown(_account: ProviderAccount, kept: AppleSecrets) -> dict[str, Any]:
        return {
            "environment": "live" if kept.is_live else "sandbox",
            "bundle_id": kept.bundle_id,
            "app_id": kept.app_id or None,
            "issuer_id": kept.issuer_id,
            "key_id": kept.key_id,
        }

    def clean_private_key(self) -> str:
        return as_text(self.cleaned_data["private_key"])

    def clean_root_certificate(self) -> bytes:
        content: bytes = self.cleaned_data["root_certificate"]
        try:
            return root_certificate(content) if content else b""
        except ValueError as error:
            raise ValidationError(_("This is no root certificate.")) from error

    def values(self) -> dict[str, Any]:
        given = self.cleaned_data
        root = given["root_certificate"]
        secrets = AppleSecrets(
            bundle_id=given["bundle_id"],
            app_id=given["app_id"] or 0,
            is_live=given["environment"] == "live",
            issuer_id=given["issuer_id"],
            key_id=given["key_id"],
            private_key=given["private_key"] or (self.kept.private_key if self.kept else ""),
            root_certificates=(root,) if root else self._roots(),
        )
        return {"secrets": secrets}

    def _roots(self) -> tuple[bytes, ...]:
        """Return the roots that stand without a new one: those kept, else the operator's."""
        if self.kept:
            return self.kept.root_certificates
        return root_certificates(env_list("APPLE_ROOT_CERTIFICATES"))


def as_text(content: bytes) -> str:
    """
    Return the text of a key file.

    :raises ValidationError: if it is none.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValidationError(_("This is no text: choose the file as it was given.")) from error


@dataclass(frozen=True, slots=True)
class Connection:
    """How a project is connected with one provider."""

    title: str
    """The provider's service, by its own name."""
    form: type[ConnectForm]
    kept: Callable[[ProviderAccount], Any]
    """Reads the secrets of an account; raises NotConnected if they cannot be read."""
    connect: Callable[..., ProviderAccount]
    """Keeps the values of the form; raises SecretsRefused."""
    what_to_do: StrOrPromise
    """What to do with the address for notifications."""


CONNECTIONS: Final = {
    Provider.STRIPE: Connection(
        "Stripe",
        StripeForm,
        stripe_secrets,
        connect_stripe,
        _("Add it in Stripe as the endpoint of a webhook; its signing secret is asked for here."),
    ),
    Provider.GOOGLE: Connection(
        "Google Play",
        GoogleForm,
        google_secrets,
        connect_google,
        _(
            "Let a Pub/Sub subscription with authentication push to it, of the topic that the"
            " Play Console names for real-time developer notifications."
        ),
    ),
    Provider.APPLE: Connection(
        "App Store",
        AppleForm,
        apple_secrets,
        connect_apple,
        _("Enter it in App Store Connect for server notifications, version 2."),
    ),
}
