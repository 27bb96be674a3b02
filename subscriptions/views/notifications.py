"""Where providers say that something changed: checked, stored, answered; applied afterwards."""

from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from backoffice.core.bodies import read_to_the_end
from backoffice.projects.models import Project
from subscriptions.accounts import (
    NotConnected,
    account_of,
    apple_secrets,
    google_secrets,
    stripe_secrets,
)
from subscriptions.models import Provider, ProviderAccount
from subscriptions.providers.apple import read_notification
from subscriptions.providers.google import check_token, read_push
from subscriptions.providers.reports import (
    BodyRefused,
    EventReport,
    ProviderTrouble,
    SignatureRefused,
)
from subscriptions.providers.stripe import check_signature, read_event
from subscriptions.tasks import apply_one_event
from subscriptions.webhooks import store_event


@method_decorator([csrf_exempt, login_not_required, read_to_the_end], name="dispatch")
class Notification(View):
    """One event of a provider, for one project."""

    http_method_names = ("post",)
    provider: ClassVar[Provider]

    def post(self, request: HttpRequest, *, project: str) -> JsonResponse:
        now = timezone.now()
        if _length(request) > settings.WEBHOOK_MAX_BYTES:
            return refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")
        found = Project.objects.filter(slug=project).first()
        if found is None:
            return refused(HTTPStatus.NOT_FOUND, "not_found")
        return self._answer(request, found, now=now)

    def _answer(self, request: HttpRequest, project: Project, *, now: datetime) -> JsonResponse:
        try:
            account = account_of(project, self.provider)
            report = self.read(request, account, now=now)
        except NotConnected:
            return refused(HTTPStatus.SERVICE_UNAVAILABLE, "not_connected")
        except SignatureRefused:
            return refused(HTTPStatus.BAD_REQUEST, "bad_signature")
        except BodyRefused:
            return refused(HTTPStatus.BAD_REQUEST, "no_event")
        except ProviderTrouble:
            return refused(HTTPStatus.SERVICE_UNAVAILABLE, "cannot_check")
        with transaction.atomic():
            event_id = store_event(account, report, now=now)
            if event_id is not None:
                apply_one_event.defer(event_id=event_id)
        return JsonResponse({"received": True})

    def read(self, request: HttpRequest, account: ProviderAccount, *, now: Any) -> EventReport:
        """
        Return what is kept of the event.

        :raises NotConnected: if there is nothing to prove it by.
        :raises SignatureRefused: if it was not the provider who sent it.
        :raises BodyRefused: if it is no event.
        """
        raise NotImplementedError


class StripeNotification(Notification):
    """Stripe's, proved by a signature of the body as it came."""

    provider = Provider.STRIPE

    def read(self, request: HttpRequest, account: ProviderAccount, *, now: Any) -> EventReport:
        secrets = stripe_secrets(account).webhook_secrets
        signature = request.headers.get("Stripe-Signature", "")
        check_signature(request.body, signature, secrets, now=now)
        return read_event(request.body, now=now)


class GoogleNotification(Notification):
    """Google Play's, proved by the token that Pub/Sub sends with it."""

    provider = Provider.GOOGLE

    def read(self, request: HttpRequest, account: ProviderAccount, *, now: Any) -> EventReport:
        secrets = google_secrets(account)
        authorization = request.headers.get("Authorization", "")
        check_token(authorization, audience=secrets.audience, sender=secrets.sender)
        return read_push(request.body)


class AppleNotification(Notification):
    """The App Store's, proved by its own signature."""

    provider = Provider.APPLE

    def read(self, request: HttpRequest, account: ProviderAccount, *, now: Any) -> EventReport:
        return read_notification(request.body, apple_secrets(account))


def refused(status: HTTPStatus, code: str) -> JsonResponse:
    """Return the answer to what is not accepted, as the API words it."""
    return JsonResponse(
        {"error": {"code": code, "message": MESSAGES[code], "fields": {}}}, status=status
    )


MESSAGES = {
    "not_found": "There is no such project.",
    "too_large": "An event may have 1 MB at most.",
    "not_connected": "No secret is configured to check events by: nothing is accepted.",
    "cannot_check": "The signature cannot be checked now. Send the event again.",
    "bad_signature": "The signature does not fit the body, or is too old.",
    "no_event": "The body is no event.",
}


def _length(request: HttpRequest) -> int:
    text = request.headers.get("Content-Length") or ""
    return int(text) if text.isascii() and text.isdigit() else 0
