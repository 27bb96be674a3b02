"""Deleting users: what goes and what stays, the confirmation, and the receipt."""

from collections.abc import Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

from backoffice.core.addresses import with_parameters
from backoffice.core.formatting import hours_text, number
from backoffice.core.permissions import Permission
from backoffice.staff.pages import StaffPage
from subscriptions.models import Provider
from users.deletion import (
    ChangedSincePreview,
    Preview,
    Sums,
    carry_out,
    confirm,
    is_connected,
    preview,
    preview_of,
)
from users.filters import UserFilter
from users.forms import DeletionForm
from users.models import Deletion, User
from users.views.profile import FromList, UserPage
from users.views.user_list import FilteredUsers, public_ids

# The session that previewed may confirm; it remembers so many previews.
PREVIEWS = "deletion_previews"
PREVIEWS_KEPT = 20
# So many names stand on the page; the rest is a number.
NAMES_SHOWN = 10


class DeletionPage(StaffPage):
    """What deleting one and several share: what is said before, and the way to the receipt."""

    permission_required = Permission.USERS_DELETE
    http_method_names = ("get", "head", "post")

    @property
    def language(self) -> str:
        return get_language() or "en"

    def question(
        self,
        form: DeletionForm,
        shown: Preview,
        user_ids: Sequence[int],
        *,
        status: int = HTTPStatus.OK,
        warning: str = "",
    ) -> HttpResponse:
        """Return the page that says what goes and what stays, and asks."""
        users = User.objects.filter(pk__in=user_ids).order_by("sort_name", "pk")
        names = [user.shown_name(sees_identity=True) for user in users[:NAMES_SHOWN]]
        title = ngettext("Delete %(n)s user", "Delete %(n)s users", shown.users)
        context = {
            "title": title % {"n": number(shown.users, self.language)},
            "warning": warning,
            "names": names,
            "more": number(shown.users - len(names), self.language)
            if shown.users > len(names)
            else "",
            "goes": self._what_goes(shown),
            "stays": self._what_stays(shown),
            "charges": self._charges(shown),
            "form": form,
            "form_url": self.form_url(),
            "back_url": self.back_url(),
        }
        return TemplateResponse(self.request, "users/delete.html", context, status=status)

    def form_url(self) -> str:
        """Return where the answer is sent; without a filter, which the preview has frozen."""
        return self.request.path

    def back_url(self) -> str:
        """Return where somebody goes who does not delete."""
        return with_parameters(reverse("users:list"), [("project", self.project.slug)])

    def carry_out(self, deletion: Deletion) -> Deletion:
        """Do what was confirmed, unless a job does it."""
        if deletion.finished_at is None and deletion.job_id is None:
            return carry_out(deletion=deletion, actor=self.request.user, now=lambda: self.now)
        return deletion

    def to_receipt(
        self, deletion: Deletion, carried: Sequence[tuple[str, str]] = ()
    ) -> HttpResponse:
        address = with_parameters(reverse("users:deleted", args=[deletion.pk]), carried)
        return HttpResponseRedirect(address, status=HTTPStatus.SEE_OTHER)

    def _what_goes(self, shown: Preview) -> list[str]:
        sessions = ngettext("%(n)s device session", "%(n)s device sessions", shown.device_sessions)
        return [
            _("Names, e-mail, password, language and sign-up fields"),
            sessions % {"n": number(shown.device_sessions, self.language)},
            _("Who watched what, and when"),
            _("All access that runs: subscriptions, packs, gifts received and free copies"),
        ]

    def _what_stays(self, shown: Preview) -> list[str]:
        watched = kept_text(shown.views, shown.viewing_seconds, shown.contents, self.language)
        payments = ngettext(
            "%(n)s payment record without name or address, as long as invoices must be kept",
            "%(n)s payment records without names or addresses, as long as invoices must be kept",
            shown.payments,
        )
        return [
            watched,
            payments % {"n": number(shown.payments, self.language)},
            _(
                "One nameless place in past figures: when and on which platform there was an"
                " account, and when it had access"
            ),
            _("The identifier, in the audit trail alone"),
        ]

    def _charges(self, shown: Preview) -> list[str]:
        lines = []
        if shown.at_stripe:
            words = ngettext(
                "%(n)s subscription runs with Stripe.",
                "%(n)s subscriptions run with Stripe.",
                shown.at_stripe,
            )
            lines.append(words % {"n": number(shown.at_stripe, self.language)})
            if not is_connected(self.project):
                lines.append(
                    _("The project is not connected to Stripe: nothing is cancelled there.")
                )
        for store, n in sorted(shown.at_stores.items()):
            words = ngettext(
                "%(n)s subscription runs with %(store)s: it is not ours to cancel. Its customer"
                " cancels it in the store, which goes on charging until then.",
                "%(n)s subscriptions run with %(store)s: they are not ours to cancel. Their"
                " customers cancel them in the store, which goes on charging until then.",
                n,
            )
            name = str(Provider(store).label)
            lines.append(words % {"n": number(n, self.language), "store": name})
        if shown.elsewhere:
            words = ngettext(
                "%(n)s other subscription ends here.",
                "%(n)s other subscriptions end here.",
                shown.elsewhere,
            )
            lines.append(words % {"n": number(shown.elsewhere, self.language)})
        return lines


class DeleteUser(DeletionPage, UserPage, View):
    """Delete one user."""

    def get(self, _request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        return self._ask()

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        deletion, shown = preview(
            user_ids=[self.user.pk], project=self.project, staff=self.request.user, now=self.now
        )
        form = DeletionForm(request.POST, shown=shown)
        # Without a version it is whatever is there: the address names whom.
        if request.POST.get("version", shown.fingerprint) != shown.fingerprint:
            deletion.delete()
            return self._ask(status=HTTPStatus.CONFLICT, warning=changed_text())
        if not form.is_valid():
            deletion.delete()
            return self.question(form, shown, [self.user.pk], status=HTTPStatus.BAD_REQUEST)
        deletion = confirm(
            deletion=deletion, mode=form.chosen_mode, staff=self.request.user, now=self.now
        )
        deletion = self.carry_out(deletion)
        sums = Sums(**deletion.sums)
        if sums.failed:
            deletion.delete()
            return self._ask(status=HTTPStatus.SERVICE_UNAVAILABLE, warning=not_cancelled_text())
        if deletion.finished_at and not sums.users:
            # Somebody else was faster.
            deletion.delete()
            raise Http404
        return self.to_receipt(deletion, self.carried)

    def form_url(self) -> str:
        return self.address("users:delete")

    def back_url(self) -> str:
        return self.profile_url

    def _ask(self, *, status: int = HTTPStatus.OK, warning: str = "") -> HttpResponse:
        shown = preview_of([self.user.pk], now=self.now)
        form = DeletionForm(initial={"version": shown.fingerprint}, shown=shown)
        return self.question(form, shown, [self.user.pk], status=status, warning=warning)


class DeleteUsers(DeletionPage, FilteredUsers, View):
    """Delete several users: those ticked one by one, or all that a filter finds."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Freeze what the filter finds now."""
        if not set(request.GET) - {"project"}:
            return self._refuse_choice([_("Nobody is chosen: tick users in the list first.")])
        asked = self.filter_by(UserFilter)
        if not asked.form.is_valid():
            return self._refuse_choice(
                [str(message) for texts in asked.form.errors.values() for message in texts]
            )
        return self._preview(list(asked.rows.order_by("pk").values_list("pk", flat=True)))

    def post(self, request: HttpRequest) -> HttpResponse:
        if "version" in request.POST:
            return self._confirm(self._previewed_here())
        try:
            chosen = public_ids(request.POST.getlist("user"))
        except ValueError:
            return self._refuse_choice([_("This is no user of the project.")])
        users = User.objects.of(self.project).present().filter(public_id__in=chosen)
        return self._preview(list(users.order_by("pk").values_list("pk", flat=True)))

    def _preview(
        self, user_ids: list[int], *, status: int = HTTPStatus.OK, warning: str = ""
    ) -> HttpResponse:
        if not user_ids:
            return self._refuse_choice([_("Nobody is chosen: tick users in the list first.")])
        deletion, shown = preview(
            user_ids=user_ids, project=self.project, staff=self.request.user, now=self.now
        )
        known = self.request.session.get(PREVIEWS, [])
        self.request.session[PREVIEWS] = [*known, str(deletion.pk)][-PREVIEWS_KEPT:]
        form = DeletionForm(initial={"version": str(deletion.pk)}, shown=shown)
        return self.question(form, shown, user_ids, status=status, warning=warning)

    def _previewed_here(self) -> Deletion | None:
        """Return the preview that this very session was shown, if there is one."""
        version = self.request.POST["version"]
        if version not in self.request.session.get(PREVIEWS, []):
            return None
        return Deletion.objects.filter(
            pk=version, project=self.project, staff_member=self.request.user
        ).first()

    def _confirm(self, deletion: Deletion | None) -> HttpResponse:
        if deletion is None:
            return self._refuse_choice(
                [_("This preview is not known here any more: choose the users again.")],
                status=HTTPStatus.CONFLICT,
            )
        if deletion.confirmed_at is None:
            shown = preview_of(deletion.user_ids, now=self.now)
            form = DeletionForm(self.request.POST, shown=shown)
            if not form.is_valid():
                return self.question(form, shown, deletion.user_ids, status=HTTPStatus.BAD_REQUEST)
            try:
                deletion = confirm(
                    deletion=deletion, mode=form.chosen_mode, staff=self.request.user, now=self.now
                )
            except ChangedSincePreview:
                return self._preview_anew(deletion)
        return self.to_receipt(self.carry_out(deletion))

    def _preview_anew(self, deletion: Deletion) -> HttpResponse:
        present = User.objects.present().filter(pk__in=deletion.user_ids).order_by("pk")
        user_ids = list(present.values_list("pk", flat=True))
        deletion.delete()
        return self._preview(user_ids, status=HTTPStatus.CONFLICT, warning=changed_text())

    def _refuse_choice(
        self, reasons: Sequence[str], *, status: int = HTTPStatus.BAD_REQUEST
    ) -> HttpResponse:
        context = {
            "title": _("Nobody was deleted"),
            "reasons": reasons,
            "back_url": self.back_url(),
        }
        return TemplateResponse(self.request, "users/delete_refused.html", context, status=status)


class Deleted(FromList, TemplateView):  # type: ignore[misc]  # The request is narrower here.
    """The receipt of a deletion: what went, what was kept and why; how far it is until then."""

    permission_required = Permission.USERS_DELETE
    http_method_names = ("get", "head")
    template_name = "users/deleted.html"

    @cached_property
    def deletion(self) -> Deletion:
        """The deletion that the address names, once it was confirmed."""
        confirmed = Deletion.objects.exclude(confirmed_at=None).select_related("job")
        deletion = confirmed.filter(pk=self.kwargs["deletion"]).first()
        if deletion is None:
            raise Http404
        return deletion

    def project_of_object(self) -> int | None:
        return self.deletion.project_id

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        language = get_language() or "en"
        sums = Sums(**self.deletion.sums)
        users = ngettext("%(n)s user deleted", "%(n)s users deleted", sums.users)
        return super().get_context_data(**kwargs) | {
            "title": users % {"n": number(sums.users, language)},
            "is_finished": self.deletion.finished_at is not None,
            "job": self.deletion.job,
            "progress": self._progress(language),
            "kept": kept_text(sums.views, sums.viewing_seconds, sums.contents, language),
            "lines": list(_receipt_lines(sums, language)),
            "list_url": self._list_of_project(),
        }

    def _list_of_project(self) -> str:
        """Return the list as the reader left it, in the project of the deletion."""
        project = ("project", self.project.slug)
        kept = [pair for pair in parse_qsl(self.list_query) if pair[0] != "project"]
        return with_parameters(reverse("users:list"), [project, *kept])

    def _progress(self, language: str) -> str:
        job = self.deletion.job
        if job is None or not job.total:
            return ""
        return _("%(done)s of %(total)s steps done") % {
            "done": number(job.done, language),
            "total": number(job.total, language),
        }


def kept_text(views: int, seconds: int, contents: int, language: str) -> str:
    """Return what stays of what was watched: the same words before and after."""
    hours = hours_text(seconds, language)
    # Halves of an hour are several.
    hours_count = int(hours) if hours.isdecimal() else 2
    return _("%(viewings)s, %(hours)s on %(contents)s kept without identity") % {
        "viewings": ngettext("%(n)s viewing", "%(n)s viewings", views)
        % {"n": number(views, language)},
        "hours": ngettext("%(n)s hour", "%(n)s hours", hours_count) % {"n": hours},
        "contents": ngettext("%(n)s content", "%(n)s contents", contents)
        % {"n": number(contents, language)},
    }


def _receipt_lines(sums: Sums, language: str) -> list[str]:
    counted = [
        (
            sums.payments,
            ngettext(
                "%(n)s payment record was kept without name or address: the law asks for it.",
                "%(n)s payment records were kept without names or addresses: the law asks for"
                " them.",
                sums.payments,
            ),
        ),
        (
            sums.cancelled,
            ngettext(
                "%(n)s subscription was cancelled with Stripe.",
                "%(n)s subscriptions were cancelled with Stripe.",
                sums.cancelled,
            ),
        ),
        (
            sums.left,
            ngettext(
                "%(n)s subscription was left as it is with Stripe, which goes on charging.",
                "%(n)s subscriptions were left as they are with Stripe, which goes on charging.",
                sums.left,
            ),
        ),
        (
            sums.at_stores,
            ngettext(
                "%(n)s subscription of a store is not ours to cancel: its customer does, in the"
                " store.",
                "%(n)s subscriptions of stores are not ours to cancel: their customers do, in the"
                " store.",
                sums.at_stores,
            ),
        ),
        (
            sums.failed,
            ngettext(
                "%(n)s user is still there, because Stripe did not cancel the subscription. Try"
                " again later.",
                "%(n)s users are still there, because Stripe did not cancel the subscription. Try"
                " again later.",
                sums.failed,
            ),
        ),
    ]
    return [words % {"n": number(n, language)} for n, words in counted if n]


def changed_text() -> str:
    return _("Something changed since you looked. Nobody was deleted. Look again.")


def not_cancelled_text() -> str:
    return _(
        "Stripe did not cancel the subscription, so nobody was deleted. Try again, or leave the"
        " subscription as it is."
    )
