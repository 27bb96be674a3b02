"""What django-allauth asks of its host: sign-up closed, failures throttled and recorded."""

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.translation import gettext_lazy as _

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import NOBODY, record
from backoffice.core.client_address import client_address
from backoffice.staff.models import StaffMember


class AccountAdapter(DefaultAccountAdapter):
    """Sign-in of staff members; accounts are made by those who may, never by signing up."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": _("This e-mail and password do not belong together."),
        "incorrect_password": _("This is not your password."),
        "too_many_login_attempts": _(
            "Too many failed attempts. Wait five minutes, then try again."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Say nothing: the page that follows shows what happened."""

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Record the failure, with the account it aimed at if there is one."""
        refuse(request, StaffMember.objects.filter(email=credentials["email"].lower()).first())

    @transaction.atomic
    def login(self, request: HttpRequest, user: StaffMember) -> None:
        super().login(request, user)
        record(AuditEvent.Kind.SIGNED_IN, actor=user, now=timezone.now())


def refuse(request: HttpRequest, aimed_at: StaffMember | None) -> None:
    """Record that somebody failed to prove that they are this member, or anybody."""
    inside = request.user if isinstance(request.user, StaffMember) else None
    record(
        AuditEvent.Kind.STEP_UP_REFUSED if inside else AuditEvent.Kind.SIGN_IN_REFUSED,
        actor=inside or NOBODY,
        now=timezone.now(),
        target=aimed_at,
        outcome=AuditEvent.Outcome.REFUSED,
    )


class SecondFactorAdapter(DefaultMFAAdapter):
    """Keeps the secrets of second factors encrypted; a dump of the database makes no codes."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def _cipher() -> MultiFernet:
    """Return the cipher of the secret key; the keys before it still decrypt."""
    return MultiFernet(
        [Fernet(_derived(key)) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    )


def _derived(key: str | bytes) -> bytes:
    derivation = HKDF(SHA256(), length=32, salt=None, info=b"backoffice second factor")
    return base64.urlsafe_b64encode(derivation.derive(force_bytes(key)))
