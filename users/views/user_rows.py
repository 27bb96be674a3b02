"""The rows of the users table, prepared here: template tags would cost more than the SQL."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from backoffice.core.addresses import with_parameters
from backoffice.core.formatting import instant_text, short_day
from backoffice.core.masking import mask_email
from backoffice.core.permissions import Permission
from backoffice.projects.models import Project
from subscriptions.models import Subscription
from subscriptions.selectors import Holding, holdings_of
from users.models import User

# Resolving an address costs more than a whole row: each is resolved once, for this id.
NOBODY = "00000000-0000-0000-0000-000000000000"

STATUS_WORD = {
    User.Status.ACTIVE: "active",
    User.Status.REGISTERED: "registered",
    User.Status.CANCELLED: "cancelled",
}


def acts_allowed(permissions: Container[Permission]) -> Iterator[tuple[str, str]]:
    """Yield the label and address name of what may be done with a user, in the menu's order."""
    acts = (
        (_("Edit"), "users:edit", Permission.USERS_EDIT),
        (_("Impersonate"), "users:impersonate", Permission.USERS_IMPERSONATE),
        (_("Delete"), "users:delete", Permission.USERS_DELETE),
    )
    return ((label, name) for label, name, permission in acts if permission in permissions)


@dataclass(frozen=True, slots=True)
class _Words:
    """What is the same in every row, looked up once a page."""

    statuses: dict[int, str]
    actions_for: str
    profile: str
    actions: list[tuple[str, str, bool]]


@dataclass(frozen=True, slots=True)
class RowWriter:
    """Turns users into table rows, in one language and zone, as one reader may see them."""

    now: datetime
    zone: ZoneInfo
    language: str
    sees_identity: bool
    platform_names: dict[int, str]
    actions: Sequence[tuple[str, str]]
    """Label and address name of what the reader may do with a user, in order."""
    posted: frozenset[str] = frozenset()
    """The address names of those that are done at once, by POST and in a new tab."""
    carried: Sequence[tuple[str, str]] = ()
    """The parameters that the addresses of actions take along: the way back."""

    def rows(
        self, users: Sequence[User], holdings: Mapping[int, Sequence[Holding]] | None = None
    ) -> list[dict[str, Any]]:
        """
        Return the rows in the users' order, with each status's reason.

        :param holdings: by user id, as `holdings_of` gives them; three queries without them.
        """
        if holdings is None:
            holdings = holdings_of([user.pk for user in users])
        words = _Words(
            statuses={status.value: str(status.label) for status in User.Status},
            actions_for=_("Actions for %(name)s"),
            profile=address_pattern("users:profile"),
            actions=[
                (label, with_parameters(pattern, self.carried), name in self.posted)
                for label, name in self.actions
                if (pattern := address_pattern(name))
            ],
        )
        return [self._row(user, holdings[user.pk], words) for user in users]

    def _row(self, user: User, holdings: Sequence[Holding], words: "_Words") -> dict[str, Any]:
        status = User.Status(user.status)
        public_id = str(user.public_id)
        email = user.email if self.sees_identity else mask_email(user.email)
        name = user.shown_name(sees_identity=self.sees_identity)
        return {
            "id": public_id,
            "url": words.profile.replace(NOBODY, public_id),
            "status": STATUS_WORD[status],
            "status_label": words.statuses[status],
            "reason": self._reason(status, holdings),
            "name": name,
            "email": email,
            "platform": self.platform_names[user.platform_id],
            "registered_iso": user.registered_at.isoformat(),
            "registered_text": instant_text(user.registered_at, self.zone, self.language),
            "modified_iso": user.modified_at.isoformat(),
            "modified_text": instant_text(user.modified_at, self.zone, self.language),
            "actions_label": words.actions_for % {"name": name},
            "actions": [
                {"label": label, "url": pattern.replace(NOBODY, public_id), "is_post": is_post}
                for label, pattern, is_post in words.actions
            ],
        }

    def _reason(self, status: User.Status, holdings: Iterable[Holding]) -> str:
        if status == User.Status.ACTIVE:
            return self._reason_active([h for h in holdings if _is_held(h, self.now)])
        if status == User.Status.CANCELLED:
            return self._reason_cancelled([h for h in holdings if h.end and h.end <= self.now])
        return ""

    def _reason_active(self, held: Sequence[Holding]) -> str:
        """Say what gives access longest; a plain subscription needs no words."""
        longest = max(held, key=_end_or_never, default=None)
        if longest is None:
            return ""
        if longest.source == "subscription":
            return self._reason_subscribed(longest)
        if longest.end is None:
            return {"pack": _("pack"), "gift": _("gift"), "free_copy": _("free copy")}[
                longest.source
            ]
        words = {
            "pack": _("pack until %(day)s"),
            "gift": _("gift until %(day)s"),
            "free_copy": _("free copy until %(day)s"),
        }
        return words[longest.source] % {"day": self._day(longest.end)}

    def _reason_subscribed(self, held: Holding) -> str:
        if held.status == Subscription.Status.PAST_DUE:
            return _("payment late")
        if held.end:
            return _("ends %(day)s") % {"day": self._day(held.end)}
        if held.trial_end and held.trial_end > self.now:
            return _("trial, ends %(day)s") % {"day": self._day(held.trial_end)}
        return ""

    def _reason_cancelled(self, ended: Sequence[Holding]) -> str:
        last = max(ended, key=_end_or_never, default=None)
        if last is None or last.end is None:
            return ""
        if last.status in {Subscription.Status.UNPAID, Subscription.Status.PAST_DUE}:
            return _("payment failed")
        words = {
            "subscription": _("stopped %(day)s"),
            "pack": _("pack ended %(day)s"),
            "gift": _("gift ended %(day)s"),
            "free_copy": _("free copy ended %(day)s"),
        }
        return words[last.source] % {"day": self._day(last.end)}

    def _day(self, instant: datetime) -> str:
        return short_day(instant.astimezone(self.zone).date(), self.language)


def one_click_acts(project: Project) -> frozenset[str]:
    """Return the acts, by address name, that menus do at once: nothing is left to ask."""
    is_asked = project.impersonation_reason != Project.ReasonRule.OFF
    return frozenset() if is_asked else frozenset({"users:impersonate"})


def _is_held(holding: Holding, now: datetime) -> bool:
    return holding.start <= now and (holding.end is None or holding.end > now)


def _end_or_never(holding: Holding) -> float:
    return holding.end.timestamp() if holding.end else float("inf")


def address_pattern(name: str) -> str:
    """Return the page's address with `NOBODY` for the user's id; none while it does not exist."""
    try:
        return reverse(name, args=[NOBODY])
    except NoReverseMatch:
        return ""
