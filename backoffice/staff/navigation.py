"""The menu: what there is, where it leads and who may go there, in the order shown."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from backoffice.core.permissions import Permission


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu; shown only if its page exists and is allowed."""

    label: StrOrPromise
    url_name: str
    permission: Permission
    period: str = ""
    """The value of `period` that the address carries, if any."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line as a template shows it."""

    label: StrOrPromise
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Section:
    """One heading of the menu and its lines."""

    label: StrOrPromise
    items: tuple[Item, ...]


MENU: tuple[tuple[StrOrPromise, tuple[Entry, ...]], ...] = (
    (
        _("Analytics"),
        (
            Entry(_("Users"), "users:list", Permission.ANALYTICS_VIEW),
            Entry(_("Sales"), "subscriptions:sales", Permission.ANALYTICS_VIEW),
        ),
    ),
    (
        _("Offer management"),
        (
            Entry(_("Users"), "users:list", Permission.USERS_VIEW, period="all"),
            Entry(_("Offers"), "subscriptions:offers", Permission.SUBSCRIPTIONS_VIEW),
            Entry(_("Subscriptions"), "subscriptions:list", Permission.SUBSCRIPTIONS_VIEW),
            Entry(
                _("Purchases and rentals"),
                "subscriptions:purchases",
                Permission.SUBSCRIPTIONS_VIEW,
            ),
            Entry(_("Free copies"), "subscriptions:free-copies", Permission.SUBSCRIPTIONS_VIEW),
            Entry(_("Gifts"), "subscriptions:gifts", Permission.SUBSCRIPTIONS_VIEW),
        ),
    ),
    (
        _("Work"),
        (
            Entry(_("Imports"), "users:imports", Permission.USERS_IMPORT),
            Entry(_("Exports"), "jobs:exports", Permission.USERS_EXPORT),
            Entry(_("Jobs"), "jobs:list", Permission.SETTINGS_VIEW),
            Entry(_("Mail"), "jobs:mail", Permission.SETTINGS_VIEW),
            Entry(_("Audit"), "audit", Permission.AUDIT_VIEW_OWN),
        ),
    ),
    (
        _("Settings"),
        (
            Entry(_("Project"), "projects:settings", Permission.SETTINGS_VIEW),
            Entry(_("Platforms and keys"), "projects:platforms", Permission.SETTINGS_VIEW),
            Entry(_("Sign-up fields"), "users:fields", Permission.SETTINGS_VIEW),
            Entry(_("Payments"), "subscriptions:payment-settings", Permission.SETTINGS_VIEW),
            Entry(_("Staff and roles"), "staff:list", Permission.STAFF_MANAGE),
        ),
    ),
)


def menu_for(request: HttpRequest, permissions: frozenset[Permission]) -> list[Section]:
    """Return the sections that hold something this reader may open, without empty ones."""
    sections = (
        Section(label, tuple(_items(entries, request, permissions))) for label, entries in MENU
    )
    return [section for section in sections if section.items]


def help_address() -> str:
    """Return where the help is; nothing where the pages about users are not mounted."""
    try:
        return reverse("users:help")
    except NoReverseMatch:
        return ""


def _items(
    entries: tuple[Entry, ...], request: HttpRequest, permissions: frozenset[Permission]
) -> Iterator[Item]:
    for entry in entries:
        if entry.permission not in permissions:
            continue
        try:
            path = reverse(entry.url_name)
        except NoReverseMatch:
            continue  # The page is not built yet.
        yield Item(
            label=entry.label,
            url=f"{path}?period={entry.period}" if entry.period else path,
            is_current=request.path == path and _period_fits(entry, request),
        )


def _period_fits(entry: Entry, request: HttpRequest) -> bool:
    """Two entries lead to the Users page: the one whose dates are shown is the current one."""
    try:
        asked = request.GET.get("period", "")
    except TooManyFieldsSent:
        asked = ""  # The page that refuses such an address has a menu too.
    return asked == entry.period or (not entry.period and asked != "all")
