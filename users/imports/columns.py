"""What the columns of an uploaded file mean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.conf import settings
from django.db.models import Count, QuerySet
from django.utils.translation import override

from backoffice.core.csv_guard import unguarded
from backoffice.core.text import fold
from backoffice.projects.models import Platform, Project
from subscriptions.models import Offer
from users.models import CustomField, ImportHeading
from users.resources import Heading, ImportResource, custom_column
from users.selectors import custom_fields

IGNORE = "ignore"
# What the file of refused rows begins with, so that it can be imported as it is.
REFUSED_LINE, REFUSED_REASON = "refused_line", "refused_reason"
CUSTOM = "custom."
# Comparable headings of what no file should hold: somebody looks at them each time.
NEVER_GUESSED = frozenset(
    {
        "password",
        "passwd",
        "pwd",
        "password hash",
        "mot de passe",
        "is staff",
        "is superuser",
        "is active",
        "is admin",
        "role",
        "roles",
        "groups",
        "permissions",
        "token",
        "api key",
    }
)


class ColumnsRefused(Exception):
    """
    The columns cannot be matched so; nothing was checked.

    :param problems: pairs of the number of the column, from 1 (0: none in particular), and a
        code of `users.imports.words`.
    """

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        super().__init__(problems)
        self.problems = problems


@dataclass(frozen=True)
class ImportColumns:
    """The columns that an import of one project knows, at one instant."""

    project: Project
    now: datetime

    @cached_property
    def by_name(self) -> Mapping[str, Heading]:
        """The columns by name, in the order of the basic list; sign-up fields by their keys."""
        offers = Offer.objects.filter(project=self.project)
        platforms = Platform.objects.filter(project=self.project)
        resource = ImportResource(
            project=self.project,
            now=self.now,
            platforms=dict(platforms.values_list("slug", "pk")),
            offers=_named_once(offers) | dict(offers.values_list("reference", "pk")),
        )
        columns = {
            column.column_name: column
            for column in resource.get_import_fields()
            if column.column_name not in ImportResource.ignored
        }
        return columns | {
            name: custom_column(field, "en") for name, field in self.custom_by_name.items()
        }

    @cached_property
    def custom_by_name(self) -> Mapping[str, CustomField]:
        """The live sign-up fields by their key; one that is called like a column by "custom.…"."""
        live = (field for field in custom_fields(self.project.pk) if field.archived_at is None)
        taken = ImportResource.fields
        return {f"{CUSTOM}{f.key}" if f.key in taken else f.key: f for f in live}

    @cached_property
    def meanings(self) -> Mapping[str, str]:
        """What a heading, made comparable, stands for: the name of a column, or "ignore"."""
        found: dict[str, str] = {}
        for heading, name in self._spellings():
            found.setdefault(comparable(heading), name)
        return found

    def guess(self, headings: Sequence[str]) -> list[str]:
        """
        Return what each heading stands for, as far as it is declared or was matched before.

        A declared one always means itself, so that every file of ours comes back as it is.
        """
        keys = [comparable(heading) for heading in headings]
        remembered = dict(
            ImportHeading.objects.filter(project=self.project, heading__in=keys).values_list(
                "heading", "column"
            )
        )
        known = self.by_name
        return [
            self.meanings.get(key, "") or (remembered[key] if remembered.get(key) in known else "")
            for key in keys
        ]

    def may_be_remembered(self, key: str) -> bool:
        """Return whether a comparable heading that was matched by hand may mean that again."""
        return (
            bool(key) and key not in self.meanings and key not in NEVER_GUESSED and "@" not in key
        )

    def check(self, columns: Sequence[str]) -> None:
        """
        Refuse a choice of columns that no import can follow.

        :raises ColumnsRefused: with every problem.
        """
        problems = []
        for number, name in enumerate(columns, start=1):
            if not name:
                problems.append((number, "undeclared"))
            elif name != IGNORE and name not in self.by_name:
                problems.append((number, "unknown-column"))
            elif name != IGNORE and name in columns[: number - 1]:
                problems.append((number, "column-twice"))
        if "email" not in columns:
            problems.append((0, "no-email-column"))
        if problems:
            raise ColumnsRefused(problems)

    def _spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the headings that are known and what they stand for, names before words."""
        for name in self.by_name:
            yield name, name
        for name in (*ImportResource.ignored, REFUSED_LINE, REFUSED_REASON):
            yield name, IGNORE
        for language, _name in settings.LANGUAGES:
            with override(language):
                for name, column in ImportResource.fields.items():
                    yield str(column.label), IGNORE if name in ImportResource.ignored else name
        for name, column in ImportResource.fields.items():
            for heading in column.also:
                yield heading, name
        for name, field in self.custom_by_name.items():
            for label in field.labels.values():
                yield str(label), name


def comparable(heading: str) -> str:
    """Return what spellings of one heading share: no case, accents, hyphens or underscores."""
    plain = fold(unguarded(heading)).replace("_", " ").replace("-", " ")
    return " ".join(plain.split())[:200]


def _named_once(offers: QuerySet[Offer]) -> dict[str, int]:
    """Return the offers whose name no other offer has, by name."""
    names = offers.order_by().values("name").annotate(n=Count("pk")).filter(n=1)
    return dict(offers.filter(name__in=names.values("name")).values_list("name", "pk"))
