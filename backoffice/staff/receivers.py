"""The session's clocks start with the sign-in, however it came about."""

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from backoffice.staff.proof import stamp_sign_in


@receiver(user_logged_in)
def start_clocks(request: HttpRequest, **_: Any) -> None:
    stamp_sign_in(request.session, timezone.now())
