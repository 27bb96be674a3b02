"""Imports: 100,000 rows against COPY and import-export; a million beside pages that are read."""

import csv
import io
import multiprocessing
import os
import time
import uuid
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.harness import (
    Report,
    Site,
    Times,
    dice,
    elapsed,
    largest_project,
    load,
    memory_of,
    same,
)

ROWS = 100_000
MANY = 1_000_000
# import-export's time for each row grows with the rows, so that a sample favours it.
SAMPLE = 500
HEADINGS = (
    "email", "first_name", "last_name", "language", "country", "platform", "registered_at",
)  # fmt: skip
FIRST = ("Ada", "Grace", "José", "Marie", "Jean-Luc", "Siobhán", "Lin", "Omar", "Zoë")
LAST = ("Lovelace", "Hopper", "Muñoz", "Lefèvre", "O’Neil", "Nguyễn", "Smith")


def measure(site: Site, report: Report, now: datetime, *, with_million: bool = True) -> None:
    """Time the import of 100,000 rows, then what it is measured against; then a million."""
    project = largest_project()
    with TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "rows.csv"
        # In turns, so that a busy minute of the machine falls on both.
        turns = [(import_rows(path, project, now), copy_rows(project)) for _ in range(3)]
        ours, copied = zip(*turns, strict=True)
        seconds = Times(ours).median / 1000
        limit = Times(copied).median / 1000
        report.at_least(
            "import of 100,000 rows, half new, half changed, against COPY into the same tables",
            limit / seconds,
            0.5,
            "×",
            note=f"{seconds:.1f} s, COPY of as many new rows {limit:.1f} s, {load()}",
        )
        theirs = import_export(project) / SAMPLE * ROWS / 1000
        report.at_least(
            "… against import-export as it comes, extrapolated from 500 rows",
            theirs / seconds,
            40,
            "×",
            note=f"{theirs:.0f} s, {load()}",
        )
        if with_million:
            write_rows(path, project, MANY)
            measure_million(site, report, project, path, now)


def measure_million(site: Site, report: Report, project: Any, path: Path, now: datetime) -> None:
    """Report time and memory of a million rows, and how fast pages are meanwhile."""
    address = f"/users/?project={project.slug}"
    idle = pages(site, address, seconds=15)
    peak = multiprocessing.Value("d", 0.0)
    worker = multiprocessing.get_context("fork").Process(
        target=import_apart, args=(path, project.pk, now, peak)
    )
    from django.db import connections

    connections.close_all()
    began = time.perf_counter()
    worker.start()
    busy = []
    while worker.is_alive():
        busy += pages(site, address, seconds=2).values
    seconds = time.perf_counter() - began
    worker.join()
    report.at_most("import of a million rows", seconds, 180, "s", note=load())
    report.at_most("… peak of its process above its base", peak.value, 60, "MiB")
    p95 = Times(tuple(busy)).p95
    report.at_most(
        "… pages meanwhile against idle, p95",
        p95 / idle.p95,
        2,
        "×",
        note=f"{p95:.0f} ms, idle {idle.p95:.0f} ms, {load()}",
    )


def import_apart(path: Path, project_id: int, now: datetime, peak: Any) -> None:
    """Import the file as a worker would; leave the growth of memory in MiB."""
    from backoffice.projects.models import Project

    project = Project.objects.get(pk=project_id)
    base = memory_of(os.getpid(), "VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    import_file(path, project, now)
    peak.value = memory_of(os.getpid(), "VmHWM") - base


def pages(site: Site, address: str, *, seconds: float) -> Times:
    """Return how long pages take, one after another with a breath between them."""
    values = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        values.append(elapsed(lambda: site.get(address)))
        time.sleep(0.1)
    return Times(tuple(values))


def rows(project: Any, count: int) -> list[list[str]]:
    """Return rows of a file: new people and, in between, other names for people who are there."""
    from users.models import User

    chance, run = dice(), uuid.uuid4().hex[:8]
    platforms = list(project.platforms.values_list("slug", flat=True))
    known = User.objects.filter(project=project, deleted_at=None).order_by("pk")
    addresses = list(known.values_list("email", flat=True)[: count // 2])

    def row(number: int) -> list[str]:
        place = number // 2
        is_known = number % 2 == 1 and place < len(addresses)
        rest = ["", ""] if is_known else [chance.choice(platforms), "2026-03-10T12:00:00+01:00"]
        return [
            addresses[place] if is_known else f"person.{run}.{number}@example.com",
            chance.choice(FIRST),
            f"{chance.choice(LAST)} {run}",
            chance.choice(("fr", "en")),
            chance.choice(("FR", "US", "BE")),
            *rest,
        ]

    return [row(number) for number in range(count)]


def write_rows(path: Path, project: Any, count: int) -> None:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(HEADINGS)
        writer.writerows(rows(project, count))


def import_rows(path: Path, project: Any, now: datetime) -> float:
    """Return the milliseconds of a whole import of other 100,000 rows: dry run and applying."""
    write_rows(path, project, ROWS)
    return elapsed(lambda: import_file(path, project, now))


def import_file(path: Path, project: Any, now: datetime) -> None:
    """Upload, check and apply the file as the pages and the worker do."""
    from backoffice.staff.models import StaffMember
    from users.imports.applying import apply
    from users.imports.checking import Silent, check
    from users.imports.uploading import upload
    from users.models import UserImport

    actor = StaffMember.objects.get(email="bench@example.com")
    with path.open("rb") as file:
        made = upload(file=file, name=path.name, project=project, actor=actor, now=now)
    for state, step in (("CHECKING", check), ("APPLYING", apply)):
        UserImport.objects.filter(pk=made.pk).update(state=state)
        step(user_import_id=made.pk, actor=actor, pulse=Silent(), now=now)
    made.refresh_from_db()
    same("rows", (made.state, made.refused, made.unchanged), ("APPLIED", 0, 0))


def copy_rows(project: Any) -> float:
    """
    Return the milliseconds of a COPY of as many new users with their words; nothing stays.

    Ready rows, in one transaction, with every index and what a commit would check of foreign
    keys. Not what only an import writes: verdicts, audit lines, counts by day, a report.
    """
    from django.db import connection, transaction

    from backoffice.core.text import email_key, name_sort_key, search_text

    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM users_user")
        first = cursor.fetchone()[0] + 1_000_000
    platform = project.platforms.first().pk
    at = "2026-03-10 11:00:00+00"
    users, words = io.StringIO(), io.StringIO()
    to_users, to_words = csv.writer(users), csv.writer(words)
    for place, cells in enumerate(rows(project, ROWS)):
        email, one, two, language, country = cells[:5]
        email = f"copied.{place}.{email}"
        to_users.writerow(
            [first + place, uuid.uuid4(), project.pk, platform, email, email_key(email), one, two,
             name_sort_key(one, two), language, country, at, at, "", "f", "{}", 1, 1]
        )  # fmt: skip
        to_words.writerow([first + place, project.pk, at, search_text(one, two, email)])

    def copy() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement, data in ((COPY_USERS, users), (COPY_WORDS, words)):
                with cursor.cursor.copy(statement) as into:
                    into.write(data.getvalue())
            # Deferred to the commit, which does not come.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            transaction.set_rollback(True)

    return elapsed(copy)


COPY_USERS = """
    COPY users_user (
        id, public_id, project_id, platform_id, email, email_key, first_name, last_name,
        sort_name, language, country, registered_at, modified_at, password,
        must_change_password, custom, version, status
    ) FROM STDIN (FORMAT csv, FORCE_NOT_NULL (password))
"""
COPY_WORDS = (
    "COPY users_usersearch (user_id, project_id, registered_at, text) FROM STDIN (FORMAT csv)"
)


def import_export(project: Any) -> float:
    """Return the milliseconds of import-export with a sample of such rows; nothing stays."""
    from django.db import transaction
    from import_export import resources
    from tablib import Dataset

    from backoffice.core.text import email_key
    from users.models import User

    class Plain(resources.ModelResource):
        class Meta:
            model = User
            import_id_fields = ("email_key",)
            fields = (*HEADINGS, "email_key", "project", "modified_at")

    keys = {platform.slug: platform.pk for platform in project.platforms.all()}
    at = "2026-03-10 11:00:00"
    data = Dataset(headers=[*HEADINGS, "email_key", "project", "modified_at"])
    for cells in rows(project, SAMPLE):
        email, *names, platform, _at = cells
        key = keys.get(platform, project.platforms.first().pk)
        data.append([email, *names, key, at, email_key(email), project.pk, at])

    def load_rows() -> None:
        with transaction.atomic():
            result = Plain().import_data(data, raise_errors=True)
            same("rows of import-export", result.total_rows, SAMPLE)
            transaction.set_rollback(True)

    return elapsed(load_rows)
