"""The files: over HTTP to the last byte, against psql's COPY, import-export and raw viewings."""

import csv
import hashlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from datetime import datetime
from io import StringIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.harness import (
    MIB,
    Report,
    Site,
    Times,
    clock,
    elapsed,
    largest_project,
    load,
    same,
)

RUNS = 3
SAMPLE = 10_000
BLOCK = 256 * 1024

# The usual pass over the raw rows: one scan, grouped by user.
FROM_RAW = """
    SELECT v.user_id,
           (array_agg(v.content_id ORDER BY v.started_at, v.id))[1],
           min(v.started_at),
           (array_agg(v.content_id ORDER BY v.started_at DESC, v.id DESC))[1],
           max(v.started_at),
           sum(v.watched_seconds), count(DISTINCT v.content_id)
    FROM analytics_viewing AS v
    JOIN analytics_device AS d ON d.id = v.device_id
    WHERE v.project_id = {project} AND v.watched_seconds >= {least}
      AND d.hardware_type <> 'bot'
    GROUP BY v.user_id
"""

ROLLED_UP = """
    SELECT user_id, first_content_id, first_viewed_at, last_content_id, last_viewed_at,
           viewing_seconds, media_viewed
    FROM analytics_userviewing
    WHERE project_id = {project}
"""


def measure(site: Site, report: Report, now: datetime, *, with_raw: bool = True) -> None:
    """Time both files of everybody; then what they are measured against."""
    project = largest_project()
    http = {}
    warm_up(site, project)
    with TemporaryDirectory(prefix="bench-") as folder:
        for kind in ("basic", "complete"):
            path = Path(folder) / kind
            http[kind] = measure_file(site, report, project, now, kind, path)
            if kind == "basic":
                report_import_export(report, project, path, http[kind])
            path.unlink()
    if with_raw:
        raw = raw_pass(project)
        report.at_least(
            "complete file against one pass over raw viewings",
            raw / http["complete"],
            8,
            "×",
            note=f"{raw / 1000:.1f} s, {load()}",
        )


def warm_up(site: Site, project: Any) -> None:
    """Let every web process make files, so that its base holds all that is loaded for them."""
    for kind in ("basic", "complete"):
        for _ in range(20):
            site.hang_up()
            site.get(f"/users/export/{kind}.csv?project={project.slug}&q=nobody-at-all&period=all")


def measure_file(
    site: Site, report: Report, project: Any, now: datetime, kind: str, ours: Path
) -> float:
    """Report one file's speed and memory, leave it at the path; return its milliseconds."""
    address = f"/users/export/{kind}.csv?project={project.slug}&period=all"
    statement = copy_statement(project, now, kind)
    theirs = ours.with_suffix(".copy")
    base = site.memory("VmRSS")
    download(site, address, ours)
    run_psql(project, statement, theirs)
    same(f"{kind} file", digest_of(rows_of(ours, skip=1)), digest_of(rows_of(theirs)))
    theirs.unlink()
    site.reset_peaks()
    # In turns, so that a busy minute of the machine falls on both.
    pairs = [
        (
            elapsed(lambda: download(site, address, Path(os.devnull))),
            elapsed(lambda: run_psql(project, statement, Path(os.devnull))),
        )
        for _ in range(RUNS)
    ]
    peaks = site.memory("VmHWM")
    http, copied = (Times(values) for values in zip(*pairs, strict=True))
    size = ours.stat().st_size / MIB
    note = (
        f"{http.median / 1000:.2f} s, COPY {copied.median / 1000:.2f} s, {size:.0f} MiB, {load()}"
    )
    report.at_least(
        f"{kind} file over HTTP, speed of COPY", copied.median / http.median, 0.6, "×", note=note
    )
    grown = max(peaks[worker] - base[worker] for worker in base)
    report.at_most(
        f"{kind} file, peak of a web process over its base",
        grown,
        30,
        "MiB",
        note=f"base {max(base.values()):.0f} MiB",
    )
    return http.median


def download(site: Site, address: str, path: Path) -> None:
    response = site.ask(address)
    with path.open("wb") as file:
        while block := response.read(BLOCK):
            file.write(block)


# --- COPY of the same SELECT ---------------------------------------------------------------


def copy_statement(project: Any, now: datetime, kind: str) -> str:
    """Return the statement that the file is made by."""
    from django.db import connection
    from django.http import QueryDict

    from users.exports import BASIC, COMPLETE, columns_asked
    from users.filters import Viewpoint

    of_kind = {"basic": BASIC, "complete": COMPLETE}[kind]
    viewpoint = Viewpoint(project=project, now=now, sees_identity=True)
    asked = of_kind.filterset(QueryDict("period=all"), viewpoint=viewpoint)
    if not asked.form.is_valid():
        raise ValueError(asked.form.errors)
    cells = [column.expression for column in columns_asked(of_kind, asked, language="en")]
    rows = asked.rows.order_by(*asked.ordering.order_by()).values_list(*cells)
    composed = connection.ops.compose_sql(*rows.query.sql_with_params())  # type: ignore[attr-defined]
    return f"COPY ({composed}) TO STDOUT (FORMAT csv)"


def run_psql(project: Any, statement: str, path: Path) -> None:
    """Run COPY by psql into a file, in the project's zone like ours."""
    with path.open("wb") as file:
        subprocess.run(
            ["psql", "--no-psqlrc", "--quiet", os.environ["DATABASE_URL"], "-c", statement],  # noqa: S607
            stdout=file,
            check=True,
            env=os.environ | {"PGTZ": project.time_zone},
        )


def rows_of(path: Path, *, skip: int = 0) -> Iterator[list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.reader(file)):
            if number >= skip:
                yield row


def digest_of(rows: Iterable[Iterable[Any]]) -> tuple[int, str]:
    """Return how many rows there are and a checksum of them in their order."""
    digest, count = hashlib.sha256(), 0
    for row in rows:
        digest.update(repr(row).encode())
        count += 1
    return count, digest.hexdigest()


# --- import-export -------------------------------------------------------------------------


def cell_of(value: Any) -> str:
    """Return a value of a custom field as both files write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def usual_resource(project: Any) -> Any:
    """Return the basic file as it is usually declared for import-export."""
    from import_export import fields, resources

    from users.models import User

    fields_asked = project.custom_fields.filter(archived_at=None).order_by("position", "pk")
    keys = list(fields_asked.values_list("key", flat=True))
    words = {0: "active", 1: "registered", 2: "cancelled"}

    class OfCustom(fields.Field):
        def get_value(self, instance: Any) -> str:
            return cell_of(instance.custom.get(self.column_name))

    class Usual(resources.ModelResource):
        id = fields.Field(attribute="public_id", column_name="id")
        platform = fields.Field(attribute="platform__slug", column_name="platform")

        class Meta:
            model = User
            fields = (
                "id",
                "status",
                "first_name",
                "last_name",
                "email",
                "registered_at",
                "modified_at",
                "language",
                "country",
                "platform",
            )

        def dehydrate_status(self, user: Any) -> str:
            return words[user.status]

        def dehydrate_registered_at(self, user: Any) -> str:
            return written(user.registered_at)

        def dehydrate_modified_at(self, user: Any) -> str:
            return written(user.modified_at)

    def written(instant: datetime) -> str:
        return instant.astimezone(project.zone).isoformat(timespec="seconds")

    made = Usual()
    for key in keys:
        made.fields[key] = OfCustom(column_name=key)
    return made


def report_import_export(report: Report, project: Any, ours: Path, ours_ms: float) -> None:
    """Compare speeds a row: import-export holds all rows in memory, so a sample stands for all."""
    from users.models import User

    present = User.objects.filter(project=project, deleted_at=None)
    total, sample = present.count(), min(SAMPLE, present.count())
    rows = present.order_by("-registered_at", "-pk")
    resource = usual_resource(project)
    # As import-export comes, and with the join that somebody may have added by hand.
    for way, queryset in (
        ("import-export", rows),
        ("import-export with select_related", rows.select_related("platform")),
    ):
        made = []
        ms = clock(
            lambda queryset=queryset, made=made: made.append(
                resource.export(queryset.all()[:sample]).csv
            ),
            runs=RUNS,
            warm=1,
        ).median
        compare_import_export(ours, made[-1], sample)
        whole = ms * total / sample
        note = f"{whole / 1000:.0f} s, extrapolated from {sample:,} rows in {ms / 1000:.2f} s"
        figure = f"basic file against {way}"
        if queryset is rows:
            report.at_least(figure, whole / ours_ms, 50, "×", note=note)
        else:
            report.fact(figure, whole / ours_ms, "×", note=note)


def compare_import_export(ours: Path, theirs: str, sample: int) -> None:
    """
    Compare the first rows of both, our guard against formulas taken off.

    :raises Different: if a cell differs.
    """
    from backoffice.core.csv_guard import unguarded

    first = islice(rows_of(ours), sample + 1)
    for number, (row, their_row) in enumerate(
        zip(first, csv.reader(StringIO(theirs, newline="")), strict=True)
    ):
        same(f"row {number} of import-export", [unguarded(cell) for cell in row], their_row)


# --- Raw viewings --------------------------------------------------------------------------


def raw_pass(project: Any) -> float:
    """Return the milliseconds of one pass over the raw viewings, its rows thrown away."""
    statement = f"COPY ({filled(FROM_RAW, project)}) TO STDOUT (FORMAT csv)"
    return elapsed(lambda: run_psql(project, statement, Path(os.devnull)))


def compare_raw(project: Any) -> None:
    """Compare the roll-up with the raw rows; `check_figures` does the same for every table."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"{filled(FROM_RAW, project)} ORDER BY 1")
        raw = cursor.fetchall()
        cursor.execute(f"{filled(ROLLED_UP, project)} ORDER BY 1")
        same("figures per user", cursor.fetchall(), raw)


def filled(statement: str, project: Any) -> str:
    return statement.format(project=int(project.pk), least=int(project.minimum_view_seconds))
