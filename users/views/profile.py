"""One person: what they watched, who they are, what they pay, and why they have access or not."""

from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from babel import Locale
from django.http import Http404, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.generic import View

from analytics.filters import ViewedFilter
from analytics.models import Device
from analytics.selectors import ViewingSoFar, viewing_in, viewing_so_far
from backoffice.core.addresses import pairs_of, with_parameters
from backoffice.core.formatting import instant_text
from backoffice.core.masking import mask_email, mask_name
from backoffice.core.periods import Month
from backoffice.core.permissions import Permission
from backoffice.jobs.mailing import failed_mails_of
from backoffice.jobs.models import Mail
from backoffice.staff.pages import StaffPage
from subscriptions.selectors import Sources, sources_of
from users.filters import Viewpoint
from users.models import CustomField, DeviceSession, User
from users.selectors import custom_fields, device_sessions_of
from users.views.filter_bar import PLACE
from users.views.payments import PaymentWriter
from users.views.status_reason import StatusReason
from users.views.user_rows import RowWriter, acts_allowed, one_click_acts
from users.views.viewing import ViewingWriter

# A longer filter of the list is not carried along.
LONGEST_LIST_QUERY = 2000


class Fact(NamedTuple):
    """One line of the personal information."""

    label: str
    value: str


class Notice(NamedTuple):
    """A sentence at the top of the page, and what can be done about it, by POST."""

    text: str
    action: str = ""
    url: str = ""


class FromList(StaffPage):
    """A page that knows the way back to the list of users, as its reader left it."""

    @cached_property
    def list_asked(self) -> str:
        """
        The filter of the list that the reader came from, however long, without the place in it.

        From the address, else from the page that led here.
        """
        given = self.request.GET.get("list")
        if given is None:
            came_from = urlsplit(self.request.headers.get("Referer", ""))
            is_list = came_from.path == reverse("users:list")
            given = came_from.query if is_list else ""
        # Read without a QueryDict, which refuses what has very many parameters.
        return urlencode([(name, value) for name, value in parse_qsl(given) if name not in PLACE])

    @property
    def list_query(self) -> str:
        """The filter of the list for the way back; nothing without one that is fit for it."""
        return self.list_asked if len(self.list_asked) <= LONGEST_LIST_QUERY else ""

    @property
    def list_url(self) -> str:
        """The list as the reader left it, from its first page on."""
        return with_parameters(reverse("users:list"), parse_qsl(self.list_query))

    @property
    def carried(self) -> list[tuple[str, str]]:
        """What an address takes along so that the page there knows the way back too."""
        return [("list", self.list_query)]


class UserPage(FromList):
    """A page about one user, in the user's own project; anybody else's is a 404."""

    @cached_property
    def user(self) -> User:
        """The user that the address names; a deleted one is nobody."""
        found = User.objects.present().filter(public_id=self.kwargs["public_id"])
        user = found.select_related("project", "platform", "viewing").first()
        if user is None:
            raise Http404
        return user

    def project_of_object(self) -> int | None:
        return self.user.project_id

    @property
    def language(self) -> str:
        return get_language() or "en"

    @property
    def sees_identity(self) -> bool:
        return self.may(Permission.USERS_SEE_IDENTITY)

    @property
    def viewpoint(self) -> Viewpoint:
        return Viewpoint(project=self.project, now=self.now, sees_identity=self.sees_identity)

    def name(self) -> str:
        """Return what the user is called, masked where it must be."""
        return self.user.shown_name(sees_identity=self.sees_identity)

    def address(self, name: str, *more: UUID) -> str:
        """Return the address of another page about the user, which knows the way back too."""
        path = reverse(name, args=[self.user.public_id, *more])
        return with_parameters(path, self.carried)

    @property
    def profile_url(self) -> str:
        return self.address("users:profile")


class Profile(UserPage, View):
    """Everything about one person on one page."""

    permission_required = Permission.USERS_VIEW
    http_method_names: tuple[str, ...] = ("get", "head")
    template_name = "users/profile.html"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        status = 200 if self.asked.form.is_valid() else 400
        return TemplateResponse(self.request, self.template_name, self.content(), status=status)

    @cached_property
    def asked(self) -> ViewedFilter:
        """The filter of the viewing; it carries the one of the list along."""
        data = self.request.GET.copy()
        # One in the address that is too long is refused in words.
        data["list"] = self.list_asked if "list" in data else self.list_query
        return ViewedFilter(
            data,
            viewpoint=self.viewpoint,
            user=self.user,
            last_viewed_at=self._so_far.last_viewed_at,
        )

    @cached_property
    def _so_far(self) -> ViewingSoFar:
        return viewing_so_far(self.user)

    @cached_property
    def custom_fields(self) -> list[CustomField]:
        """The project's sign-up fields."""
        return custom_fields(self.project.pk)

    def content(self) -> dict[str, Any]:
        """Return what the template shows; the query count depends on nothing."""
        sources = sources_of(self.user.pk)
        # As of now: what is kept on the row may be due.
        self.user.status = sources.status_at(self.now)
        return {
            "title": self.name(),
            "list_url": self.list_url,
            "profile_url": self.profile_url,
            "zone_name": self.zone.key,
            **self._head(sources),
            **self._person(),
            **self._payments(sources),
            **self._viewing(),
        }

    def _head(self, sources: Sources) -> dict[str, Any]:
        """Return name, status with its reason, and what can be done."""
        writer = RowWriter(
            now=self.now,
            zone=self.zone,
            language=self.language,
            sees_identity=self.sees_identity,
            platform_names={self.user.platform_id: self.user.platform.name},
            actions=list(acts_allowed(self.permissions)),
            posted=one_click_acts(self.project),
            carried=self.carried,
        )
        row = writer.rows([self.user], {self.user.pk: sources.holdings()})[0]
        reason = StatusReason(sources, self.now, self.zone, self.language)
        may_see_payments = self.may(Permission.SUBSCRIPTIONS_VIEW)
        return {
            "row": row,
            "reason": reason.sentence(self.user.status) if may_see_payments else row["reason"],
            "free_copy_url": self._link("users:free-copy", Permission.SUBSCRIPTIONS_EDIT),
            "notices": self._notices(),
        }

    def _notices(self) -> list[Notice]:
        """Return what is to be known before anything else is read."""
        notices = []
        if self.user.must_change_password:
            words = _("The password was set by staff: it must be changed at the next sign-in.")
            notices.append(Notice(words))
        if self.may(Permission.USERS_SEND_RESET):
            notices += [self._mail_notice(mail) for mail in failed_mails_of(self.user.public_id)]
        return notices

    def _mail_notice(self, mail: Mail) -> Notice:
        words = _("The mail “%(subject)s” of %(day)s could not be sent: %(reason)s")
        text = words % {
            "subject": mail.subject,
            "day": self._instant(mail.created_at),
            "reason": _(mail.failure),  # Marked where it was written.
        }
        return Notice(text, _("Send again"), reverse("jobs:mail-again", args=[mail.pk]))

    def _person(self) -> dict[str, Any]:
        """Return personal information and device sessions, and what can be done with them."""
        sessions = device_sessions_of(self.user.pk)
        return {
            "facts": self._facts(),
            "form": None,
            "edit_url": self._link("users:edit", Permission.USERS_EDIT),
            "password_url": self._link("users:password", Permission.USERS_SEND_RESET),
            "may_set_password": self.may(Permission.USERS_SET_PASSWORD),
            "sessions": [self._session(session) for session in sessions],
            "may_end_sessions": self.may(Permission.USERS_END_SESSION),
            "device_limit": self.project.device_limit,
            "looks_url": self._link("users:impersonate", Permission.USERS_IMPERSONATE),
            "end_all_url": self.address("users:end-sessions")
            if any(session.ended_at is None for session in sessions)
            else None,
        }

    def _facts(self) -> list[Fact]:
        user = self.user
        shown = str if self.sees_identity else mask_name
        return [
            Fact(_("First name"), shown(user.first_name)),
            Fact(_("Last name"), shown(user.last_name)),
            Fact(_("E-mail"), user.email if self.sees_identity else mask_email(user.email)),
            Fact(_("Unique identifier"), str(user.public_id)),
            Fact(_("Registration date"), self._instant(user.registered_at)),
            Fact(_("Modification date"), self._instant(user.modified_at)),
            Fact(_("Password modification"), self._password_words()),
            Fact(_("Platform"), user.platform.name),
            Fact(_("Country"), _named(user.country, "territories", self.language)),
            Fact(_("Language"), _named(user.language, "languages", self.language)),
            *(
                Fact(field.label(self.language), self._custom_words(user.custom[field.key]))
                for field in self.custom_fields
                if field.key in user.custom
            ),
        ]

    def _password_words(self) -> str:
        if not self.user.password:
            return _("no password yet")
        return self._instant(self.user.password_changed_at)

    def _custom_words(self, value: Any) -> str:
        if isinstance(value, bool):
            return _("Yes") if value else _("No")
        return str(value)

    def _session(self, session: DeviceSession) -> dict[str, Any]:
        reason = session.end_reason
        return {
            "id": str(session.id),
            "device": str(Device.HardwareType(session.device_type).label),
            "device_name": session.device_name,
            "platform": session.platform.name,
            "signed_in": self._instant(session.created_at),
            "last_seen": self._instant(session.last_seen_at),
            "ended": self._instant(session.ended_at),
            "reason": str(DeviceSession.EndReason(reason).label) if reason else "",
            "end_url": self.address("users:end-session", session.id),
        }

    def _payments(self, sources: Sources) -> dict[str, Any]:
        """Return both tables of payments, for whoever may see them."""
        if not self.may(Permission.SUBSCRIPTIONS_VIEW):
            return {"payments": None}
        writer = PaymentWriter(
            sources, self.now, self.zone, self.language, self.sees_identity, self.carried
        )
        return {
            "payments": {
                "subscriptions": writer.subscriptions(),
                "purchases": writer.purchases(),
            }
        }

    def _viewing(self) -> dict[str, Any]:
        """
        Return cards, latest contents, graph and list; the last two of a valid filter only.

        Who may not see what one person watched is shown the sums alone.
        """
        writer = ViewingWriter(self.user, self.asked, self.language)
        month = Month.of(self.viewpoint.today).period(self.zone)
        least = self.project.minimum_view_seconds
        this_month = viewing_in(self.user.pk, month, minimum_seconds=least)
        cards = writer.cards(self._so_far.sums, this_month)
        if not self.may(Permission.USERS_SEE_VIEWING):
            return {"cards": [card | {"url": ""} for card in cards]}
        shown = {
            "cards": cards,
            "last_viewed": writer.last_viewed(self._so_far.sums),
            "filter": self._filter(writer),
        }
        if not self.asked.form.is_valid():
            return shown
        graph, found = writer.graph()
        return shown | {
            "graph": graph,
            "viewed": writer.viewed(found),
            "period_words": writer.period_words(),
            "graph_csv_url": self._file("users:viewing-graph-file", Permission.ANALYTICS_EXPORT),
            "viewing_files": self._viewing_files(),
        }

    def _filter(self, writer: ViewingWriter) -> dict[str, Any] | None:
        """Return the form of the period, over graph and list alike."""
        form, data = self.asked.form, self.asked.data
        primary = [form[name] for name in ("period", "from", "to", "short")]
        return {
            "primary": primary,
            "hidden": [
                (name, data[name])
                for name in ("project", "sort", "measure", "per_page", "list")
                if data.get(name)
            ],
            "errors": [
                str(message)
                for name, messages in form.errors.items()
                if name not in {field.name for field in primary}
                for message in messages
            ],
            "shown": writer.period_words() if form.is_valid() else "",
        }

    def _viewing_files(self) -> list[tuple[str, str]]:
        """Return label and address of the files of the list, for whoever may take them."""
        if not self.sees_identity:
            return []
        files = (("CSV", "users:viewing-file"), ("Excel", "users:viewing-sheet"))
        addresses = [
            (label, self._file(name, Permission.USERS_EXPORT, "short")) for label, name in files
        ]
        return [(label, address) for label, address in addresses if address]

    def _file(self, name: str, permission: Permission, *more: str) -> str | None:
        """Return the address of a file of what is shown, if it may be taken."""
        if not self.may(permission):
            return None
        data = self.asked.data
        kept = pairs_of(data, without=set(data) - {"project", "period", "from", "to", *more})
        return with_parameters(reverse(name, args=[self.user.public_id]), kept)

    def _link(self, name: str, permission: Permission) -> str | None:
        """Return the address of a page about the user if it exists and is allowed."""
        if not self.may(permission):
            return None
        try:
            return self.address(name)
        except NoReverseMatch:
            return None

    def _instant(self, instant: datetime | None) -> str:
        return instant_text(instant, self.zone, self.language) if instant else ""


def _named(code: str, kind: str, language: str) -> str:
    """Return a code of a country or language with its name in the reader's language."""
    locale = Locale("fr" if language.startswith("fr") else "en")
    name = getattr(locale, kind).get(code.replace("-", "_"))
    return f"{name} ({code})" if name else code
