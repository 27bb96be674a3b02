"""What mails say: one letter for each kind, its text and its HTML made from the same words."""

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext, gettext_noop

from backoffice.core.permissions import Role
from backoffice.jobs.models import Mail


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one kind of mail; %(name)s stands for one of its values."""

    subject: str
    paragraphs: tuple[str, ...]
    link: str = ""
    """What the link does; a mail without link shows none."""
    after: str = ""
    """What is said below the link."""


Kind = Mail.Kind

WORDS: Final[dict[str, Words]] = {
    Kind.PASSWORD_RESET: Words(
        subject=gettext_noop("Choose a new password for %(project)s"),
        paragraphs=(gettext_noop("Somebody asked for a new password for your account."),),
        link=gettext_noop("Choose a new password"),
        after=gettext_noop(
            "The link works once, for %(minutes)s minutes. If it was not you who asked, do "
            "nothing: your password stays as it is."
        ),
    ),
    Kind.INVITATION: Words(
        subject=gettext_noop("Your account for %(project)s"),
        paragraphs=(
            gettext_noop("An account for %(project)s was created for you, under this address."),
        ),
        link=gettext_noop("Choose your password"),
        after=gettext_noop(
            "The link works once, for %(days)s days. Later, ask for a new password on %(home)s."
        ),
    ),
    Kind.FREE_COPY: Words(
        subject=gettext_noop("Free access to %(project)s"),
        paragraphs=(
            gettext_noop("%(project)s gives you free access for %(days)s days: %(offer)s."),
        ),
        link=gettext_noop("Watch now"),
    ),
    Kind.GIFT: Words(
        subject=gettext_noop("A gift for you: %(project)s"),
        paragraphs=(
            gettext_noop("Somebody gave you a gift: %(offer)s."),
            gettext_noop("It belongs to the account with this address; create one to use it."),
        ),
        link=gettext_noop("Watch now"),
    ),
    Kind.EXPORT_READY: Words(
        subject=gettext_noop("Your file is ready"),
        paragraphs=(
            gettext_noop("The file that you asked for in the back office is ready."),
            gettext_noop("It is kept for 24 hours."),
        ),
        link=gettext_noop("Open the exports"),
    ),
    Kind.STAFF_INVITATION: Words(
        subject=gettext_noop("Your access to the back office of %(project)s"),
        paragraphs=(
            gettext_noop("You were invited to the back office of %(project)s."),
            gettext_noop("Your role: %(role)s."),
        ),
        link=gettext_noop("Choose your password"),
        after=gettext_noop("The link works once, for %(days)s days."),
    ),
}
# Kinds that make no sense without their secret link.
WITH_SECRET: Final = frozenset({Kind.PASSWORD_RESET, Kind.INVITATION, Kind.STAFF_INVITATION})


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as it leaves, in the recipient's language."""

    subject: str
    text: str
    html: str


def language_for(wanted: str, project_languages: list[str]) -> str:
    """Return the language of texts that comes closest: "fr" for "fr-CH", else the project's."""
    known = {code for code, _name in settings.LANGUAGES}
    for one in (wanted, *project_languages):
        code = one.lower().replace("_", "-").partition("-")[0]
        if code in known:
            return code
    return settings.LANGUAGE_CODE


def subject_of(mail: Mail) -> str:
    """Return the subject in the mail's language, on one line."""
    with translation.override(mail.language):
        return " ".join(_fill(WORDS[mail.kind].subject, mail).split())


def letter_of(mail: Mail, *, link: str) -> Letter:
    """
    Return the mail as it leaves, or as it is shown.

    :param link: where its link leads; empty for a mail that has none.
    """
    words = WORDS[mail.kind]
    with translation.override(mail.language):
        context = {
            "project": mail.project.name,
            "language": mail.language,
            "subject": mail.subject,
            "paragraphs": [_fill(one, mail) for one in words.paragraphs],
            "link": link,
            "link_words": gettext(words.link) if words.link else "",
            "after": _fill(words.after, mail) if words.after else "",
        }
        return Letter(
            subject=mail.subject,
            text=render_to_string("mail/letter.txt", context),
            html=render_to_string("mail/letter.html", context),
        )


class _Values(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "?"


def _fill(message: str, mail: Mail) -> str:
    values = _Values(mail.values, project=mail.project.name)
    if role := values.get("role"):
        values["role"] = str(Role(role).label)
    return gettext(message) % values
