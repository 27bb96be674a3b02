"""One person: what they watched, who they are, what they pay."""

from functools import cached_property
from typing import Any

from django.http import Http404
from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from analytics.selectors import ViewingSums, viewing_in, viewing_so_far
from backoffice.core.formatting import duration_text, instant_text, money_text, number
from backoffice.core.masking import mask_email, mask_name
from backoffice.core.periods import Month
from backoffice.core.permissions import Permission
from backoffice.staff.pages import StaffPage
from subscriptions.models import Provider, Purchase, Subscription
from subscriptions.selectors import purchases_of, subscriptions_of
from subscriptions.spans import refresh_statuses
from users.models import User
from users.selectors import custom_fields
from users.views.user_rows import RowWriter, acts_allowed

# Ours for what the provider says: the seed knows two words, the precise one stands beside.
HELD = {
    Subscription.Status.TRIALING,
    Subscription.Status.ACTIVE,
    Subscription.Status.PAST_DUE,
}


class UserPage(StaffPage):
    """A page about one user, in the user's own project; anybody else's is a 404."""

    @cached_property
    def user(self) -> User:
        """The user that the address names; a deleted one is nobody."""
        found = User.objects.present().filter(public_id=self.kwargs["public_id"])
        user = found.select_related("project", "platform").first()
        if user is None:
            raise Http404
        return user

    def project_of_object(self) -> int | None:
        return self.user.project_id


class Profile(UserPage, TemplateView):  # type: ignore[misc]  # The request is narrower here.
    """Everything about one person on one page."""

    permission_required = Permission.USERS_VIEW
    template_name = "users/profile.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        refresh_statuses(project_id=self.project.pk, now=self.now)
        self.user.refresh_from_db(fields=["status", "status_until"])
        return super().get_context_data(**kwargs) | {
            "title": self._title(),
            "row": self._row(),
            "list_url": reverse("users:list"),
            "zone_name": self.zone.key,
            "cards": self._cards(),
            "facts": self._facts(),
            "subscriptions": [self._subscription(row) for row in subscriptions_of(self.user.pk)],
            "purchases": [self._purchase(row) for row in purchases_of(self.user.pk)],
        }

    @property
    def language(self) -> str:
        return get_language() or "en"

    @property
    def sees_identity(self) -> bool:
        return self.may(Permission.USERS_SEE_IDENTITY)

    def _title(self) -> str:
        name = f"{self.user.first_name} {self.user.last_name}".strip()
        email = self.user.email if self.sees_identity else mask_email(self.user.email)
        return (name if self.sees_identity else mask_name(name)) or email

    def _row(self) -> dict[str, Any]:
        """The user as the list shows it: status, reason and what can be done."""
        writer = RowWriter(
            now=self.now,
            zone=self.zone,
            language=self.language,
            sees_identity=self.sees_identity,
            platform_names={self.user.platform_id: self.user.platform.name},
            actions=list(acts_allowed(self.permissions)),
        )
        return writer.rows([self.user])[0]

    def _cards(self) -> list[dict[str, str]]:
        month = Month.of(self.now.astimezone(self.zone).date()).period(self.zone)
        so_far = viewing_so_far(self.user.pk)
        this_month = viewing_in(
            self.user.pk,
            month.until(self.now),
            minimum_seconds=self.project.minimum_view_seconds,
        )
        return [
            self._media(_("Media viewed"), so_far),
            self._media(_("Media viewed this month"), this_month),
            {"label": _("Viewing time"), "value": duration_text(so_far.seconds), "note": ""},
            {
                "label": _("Viewing time this month"),
                "value": duration_text(this_month.seconds),
                "note": "",
            },
        ]

    def _media(self, label: str, sums: ViewingSums) -> dict[str, str]:
        words = ngettext("%(n)s view", "%(n)s views", sums.views)
        note = words % {"n": number(sums.views, self.language)}
        return {"label": label, "value": number(sums.media, self.language), "note": note}

    def _facts(self) -> list[tuple[str, str]]:
        user = self.user
        shown = mask_name if not self.sees_identity else str
        changed = user.password_changed_at
        facts = [
            (_("First name"), shown(user.first_name)),
            (_("Last name"), shown(user.last_name)),
            (_("E-mail"), user.email if self.sees_identity else mask_email(user.email)),
            (_("Unique identifier"), str(user.public_id)),
            (_("Registration date"), self._instant(user.registered_at)),
            (_("Modification date"), self._instant(user.modified_at)),
            (_("Password modification"), self._instant(changed) if changed else ""),
            (_("Platform"), user.platform.name),
            (_("Country"), user.country),
            (_("Language"), user.language),
        ]
        fields = custom_fields(self.project.pk)
        return facts + [
            (field.label(self.language), str(user.custom[field.key]))
            for field in fields
            if field.key in user.custom
        ]

    def _instant(self, instant: Any) -> str:
        return instant_text(instant, self.zone, self.language) if instant else ""

    def _subscription(self, row: Subscription) -> dict[str, str]:
        is_held = row.status in HELD and (row.access_end is None or row.access_end > self.now)
        return {
            "status": "active" if is_held else "cancelled",
            "status_label": _("Active") if is_held else _("Cancelled"),
            "precise": str(Subscription.Status(row.status).label),
            "payment": str(Provider(row.provider).label),
            "offer": row.offer.name if row.offer else "",
            "price": money_text(row.price_minor, row.currency, self.language),
            "start": self._instant(row.first_paid_at or row.started_at),
            "end": self._instant(row.access_end),
        }

    def _purchase(self, row: Purchase) -> dict[str, str]:
        status = Purchase.Status(row.status)
        if status == Purchase.Status.ACTIVE and row.expires_at and row.expires_at <= self.now:
            status = Purchase.Status.EXPIRED
        return {
            "status": "active" if status == Purchase.Status.ACTIVE else "cancelled",
            "status_label": str(status.label),
            "offer": row.offer.name if row.offer else "",
            "type": str(Purchase.Type(row.type).label),
            "price": money_text(row.price_minor, row.currency, self.language),
            "date": self._instant(row.purchased_at),
        }
