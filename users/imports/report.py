"""What an import's pages and its file of refused rows show."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from backoffice.core.csv_guard import guarded
from backoffice.core.exports import BOM, CsvFile
from backoffice.core.formatting import instant_text
from backoffice.core.pagination import Ordering
from backoffice.projects.models import Platform
from subscriptions.models import Offer
from users.imports.columns import REFUSED_LINE, REFUSED_REASON
from users.imports.sources import guarded_again, opened, text_of
from users.imports.words import why_row
from users.models import ImportRow, UserImport
from users.resources import ImportResource
from users.selectors import custom_fields

Verdict = ImportRow.Verdict

BY_LINE: Final = Ordering("line", ("line",))
VERDICTS: Final[Mapping[str, ImportRow.Verdict]] = {
    "new": Verdict.NEW,
    "changed": Verdict.CHANGED,
    "unchanged": Verdict.UNCHANGED,
    "refused": Verdict.REFUSED,
}
# So many rows stand beside the columns before they are matched.
SAMPLE_ROWS: Final = 3
_PLAIN: Final = ("email", "first_name", "last_name", "language", "country")


@dataclass(frozen=True, slots=True)
class Difference:
    """What one column holds and held."""

    label: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One row of a file with its verdict."""

    line: int
    verdict: str
    """As in the address: new, changed, unchanged, refused."""
    email: str
    public_id: str
    """Of a user who is there; empty for nobody."""
    differences: list[Difference]
    reason: str


def rows_with(user_import: UserImport, verdict: ImportRow.Verdict) -> QuerySet[ImportRow]:
    """Return the rows with the verdict, in no order."""
    return ImportRow.objects.filter(user_import=user_import, verdict=verdict)


class RowWords:
    """Says rows of one import in words; reads names of platforms and offers once."""

    def __init__(self, user_import: UserImport, language: str) -> None:
        project = user_import.project
        self.user_import = user_import
        self.zone = project.zone
        self.language = language
        self.platforms = dict(Platform.objects.filter(project=project).values_list("pk", "name"))
        self.offers = dict(Offer.objects.filter(project=project).values_list("pk", "name"))
        self.fields = {field.key: field.label(language) for field in custom_fields(project.pk)}
        self.words = {name: ImportResource.fields[name].label for name in ImportResource.fields}

    def shown(self, row: ImportRow) -> ShownRow:
        names = {verdict: name for name, verdict in VERDICTS.items()}
        is_there = row.user_key is not None or self.user_import.state == "APPLIED"
        return ShownRow(
            line=row.line,
            verdict=names[Verdict(row.verdict)],
            email=row.email,
            public_id=str(row.public_id) if row.public_id and is_there else "",
            differences=list(self._differences(row)),
            reason=why_row(row.reasons) if row.reasons else "",
        )

    def _differences(self, row: ImportRow) -> Iterator[Difference]:
        if row.verdict not in {Verdict.NEW, Verdict.CHANGED}:
            return
        before: dict[str, Any] | None = row.before
        if row.verdict == Verdict.NEW:
            before = {"registered_at": "", "platform_key": None, "custom": {}} | dict.fromkeys(
                _PLAIN[1:], ""
            )
        yield from self._profile(row, before or {})
        if row.offer_key is not None:
            days = _("%(days)s days of %(offer)s") % {
                "days": row.free_copy_days,
                "offer": self.offers.get(row.offer_key, ""),
            }
            yield Difference(_("Free copy"), "", days)

    def _profile(self, row: ImportRow, before: Mapping[str, Any]) -> Iterator[Difference]:
        for name in _PLAIN:
            if name in before and (before[name] or getattr(row, name)):
                yield Difference(str(self.words[name]), before[name], getattr(row, name))
        if "platform_key" in before:
            old, new = (
                self.platforms.get(key or 0, "")
                for key in (before["platform_key"], row.platform_key)
            )
            yield Difference(str(self.words["platform"]), old, new)
        if "registered_at" in before and row.registered_at:
            text = before["registered_at"]
            old = self._instant(datetime.fromisoformat(text)) if text else ""
            new = self._instant(row.registered_at)
            yield Difference(str(self.words["registered_at"]), old, new)
        if "custom" in before:
            yield from self._custom(before["custom"], row.custom or {})

    def _custom(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
        for key, value in new.items():
            if old.get(key) != value:
                yield Difference(self.fields.get(key, key), _said(old.get(key)), _said(value))

    def _instant(self, instant: datetime) -> str:
        return instant_text(instant, self.zone, self.language)


def _said(value: Any) -> str:
    """Return a sign-up field's value as people read it."""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    return "" if value is None else str(value)


def sample_of(user_import: UserImport) -> list[list[str]]:
    """Return for each column of the file its first cells, as far as they are short."""
    width = len(user_import.headings)
    with opened(user_import) as rows:
        records = [cells for _line, cells in islice(rows, 1, 1 + SAMPLE_ROWS)]
    return [
        [text_of(cells[place], user_import)[:60] for cells in records if place < len(cells)]
        for place in range(width)
    ]


def write_refused(user_import: UserImport) -> CsvFile:
    """
    Return a CSV file of the refused rows as they were, each after its line and what was wrong.

    It can be imported as it is: the two columns in front are ignored by name. Cells are guarded
    against formulas; the import takes the guard off.
    """
    separator = user_import.separator or ","
    made = CsvFile(tempfile.TemporaryFile(dir=settings.EXPORT_DIR))  # noqa: SIM115  # sent later
    try:
        headings = [REFUSED_LINE, REFUSED_REASON, *map(guarded, user_import.headings)]
        made.write(BOM + _csv_line(headings, separator))
        for line, reasons, cells in _refused(user_import):
            said = [str(line), guarded(why_row(reasons))]
            again = [guarded_again(cell, user_import) for cell in cells]
            made.write(_csv_line([*said, *again], separator))
            made.rows += 1
        made.file.seek(0)
    except BaseException:
        made.file.close()
        raise
    return made


def _refused(user_import: UserImport) -> Iterator[tuple[int, Sequence[Any], list[str]]]:
    """Yield line, reasons and cells of each refused row, in the order of the file."""
    refused = rows_with(user_import, Verdict.REFUSED).order_by("line")
    wanted = refused.values_list("line", "reasons").iterator(chunk_size=2_000)
    with opened(user_import) as rows:
        next(rows)
        for line, reasons in wanted:
            cells = next(cells for at, cells in rows if at == line)
            yield line, reasons or [], cells


def _csv_line(cells: Sequence[str], separator: str) -> bytes:
    special = ('"', separator, "\r", "\n")
    quoted = [
        '"' + cell.replace('"', '""') + '"' if any(one in cell for one in special) else cell
        for cell in cells
    ]
    return (separator.join(quoted) + "\r\n").encode()
