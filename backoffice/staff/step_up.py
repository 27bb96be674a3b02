"""Step-up: the question for the password before a grave act, and the way on after it."""

from datetime import datetime
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.staff.forms import ConfirmForm
from backoffice.staff.proof import stamp_proof

if TYPE_CHECKING:
    from backoffice.staff.models import StaffMember

# The fields of the question inside a form that is carried on; they must not meet its own.
CARRIED_PREFIX = "confirm"


def ask_or_accept(request: HttpRequest, *, now: datetime) -> HttpResponse | None:
    """
    Return the question for the password, or `None` if this very request answers it.

    A reader is led to the question and back to the full address. A form is kept within the
    question: once answered it arrives as it was, and the act goes on. One with files cannot be
    kept; it leads back to its page.
    """
    if getattr(request, "htmx", False):
        page = request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(_question(page))
    if request.method != "POST" or request.FILES:
        return HttpResponseRedirect(_question(request.get_full_path()))
    is_answer = f"{CARRIED_PREFIX}-password" in request.POST
    form = ConfirmForm(
        request.POST if is_answer else None,
        request=request,
        user=cast("StaffMember", request.user),
        prefix=CARRIED_PREFIX,
    )
    if is_answer and form.is_valid():
        accept(request, form, now=now)
        return None
    return TemplateResponse(
        request,
        "staff/confirm.html",
        {"form": form, "carried": _carried(request)},
    )


@transaction.atomic
def accept(request: HttpRequest, form: ConfirmForm, *, now: datetime) -> None:
    """Note the proof in the session, under a new key, and in the trail."""
    if "code" in form.fields:
        form.save()
    request.session.cycle_key()
    stamp_proof(request.session, now)
    record(AuditEvent.Kind.STEP_UP_DONE, actor=form.user, now=now)


def _question(address: str) -> str:
    return f"{reverse('confirm')}?{urlencode({'next': address})}"


def _carried(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the fields of the form in their order, without what belongs to the question."""
    return [
        (name, value)
        for name, values in request.POST.lists()
        if name != "csrfmiddlewaretoken" and not name.startswith(f"{CARRIED_PREFIX}-")
        for value in values
    ]
