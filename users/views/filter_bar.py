"""The filter bar: which fields stand in the open, what is set, and how to take it off again."""

from collections.abc import Sequence
from typing import Any

from django.forms import BoundField
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice.core.addresses import pairs_of, with_parameters
from backoffice.core.figures import Counted
from users.filters import UserFilter

PRIMARY = ("q", "period", "from", "to", "platform", "status")
MORE = ("used", "country", "language", "offer", "provider")
# Set by links, not by hand; they survive a change of the other fields.
HIDDEN = ("counted", "month", "elapsed", "sort", "per_page", "grain")
# A link to another list begins at its first page.
PLACE = ("after", "before")


def filter_bar(asked: UserFilter, *, sees_identity: bool) -> dict[str, Any]:
    """Return what the template shows of the filter, valid or not."""
    form = asked.form
    primary = [form[name] for name in PRIMARY if sees_identity or name != "q"]
    more = [form[name] for name in MORE]
    more += [form[name] for name in form.fields if name.startswith("custom.")]
    return {
        "filter_primary": primary,
        "filter_more": more,
        "filter_hidden": [
            (name, asked.data[name]) for name in (*HIDDEN, "project") if asked.data.get(name)
        ],
        "filter_errors": _errors_elsewhere(asked, [*primary, *more]),
        "has_more": any(field.errors or asked.data.get(field.name) for field in more),
        "active_filters": _active(asked),
        "clear_url": _without(asked, set(asked.data) - {"project", "sort", "per_page"})
        if set(asked.data) - {"project", "sort", "per_page", *PLACE}
        else None,
    }


def _errors_elsewhere(asked: UserFilter, shown: Sequence[BoundField]) -> list[str]:
    """Return the errors that no visible field carries."""
    visible = {field.name for field in shown}
    return [
        str(message)
        for name, messages in asked.form.errors.items()
        if name not in visible
        for message in messages
    ]


def _active(asked: UserFilter) -> list[dict[str, str]]:
    """Return what is narrowed beyond the fields in the open, each with a link that undoes it."""
    if not asked.form.is_valid():
        return []
    active = []
    if counted := asked.values["counted"]:
        text = str(Counted(counted).label)
        if month := asked.values["month"]:
            text = f"{text} · {month}"
        if asked.values["elapsed"]:
            text = _("%(figure)s, up to the same time") % {"figure": text}
        active.append(
            {"text": text, "remove_url": _without(asked, {"counted", "month", "elapsed"})}
        )
    for name in (*MORE, *(n for n in asked.form.fields if n.startswith("custom."))):
        if values := asked.values.get(name):
            label = asked.form.fields[name].label or name.removeprefix("custom.")
            text = f"{label}: {', '.join(map(str, values))}"
            active.append({"text": text, "remove_url": _without(asked, {name})})
    return active


def _without(asked: UserFilter, names: set[str]) -> str:
    pairs = pairs_of(asked.data, without={*names, *PLACE})
    return with_parameters(reverse("users:list"), pairs)
