"""One person's page and file: a heavy user against a typical one, COPY against select_related."""

import csv
import io
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from bench.harness import (
    Different,
    Report,
    Site,
    Times,
    elapsed,
    largest_project,
    load,
    same,
)

RUNS = 15
ROWS = 5_000


def measure(site: Site, report: Report) -> None:
    """Time both pages by turns over HTTP; then the file of 5,000 rows and the usual way."""
    project = largest_project()
    heavy, typical = watchers(project)
    pages(site, report, heavy, typical)
    files(site, report, project, heavy)


def watchers(project: Any) -> tuple[Any, Any]:
    """Return the user of the project with the most views, and one with about fifty."""
    from users.models import User

    rows = User.objects.present().filter(project=project, viewing__isnull=False)
    rows = rows.select_related("viewing")
    heavy = rows.order_by("-viewing__views").first()
    typical = rows.filter(viewing__views__lte=50).order_by("-viewing__views").first()
    if heavy is None or typical is None:
        raise Different("nobody has watched enough to be compared")
    return heavy, typical


def pages(site: Site, report: Report, heavy: Any, typical: Any) -> None:
    """Report the page of the heavy user against the typical one's, as it opens."""
    addresses = [f"/users/{user.public_id}/" for user in (heavy, typical)]
    for address in addresses * 3:
        site.get(address)
    pairs = [tuple(elapsed(lambda a=a: site.get(a)) for a in addresses) for _ in range(RUNS)]
    slow, usual = (Times(values).median for values in zip(*pairs, strict=True))
    views = [user.viewing.views for user in (heavy, typical)]
    note = f"{slow:.0f} ms with {views[0]:,} views, {usual:.0f} ms with {views[1]}, {load()}"
    report.at_most(
        "profile of a heavy user against a typical one", slow / usual, 2, "×", note=note
    )


def files(site: Site, report: Report, project: Any, heavy: Any) -> None:
    """Report the file of so many days as have 5,000 views against rows made one by one."""
    from analytics.models import Viewing

    views = Viewing.objects.of_user(heavy.pk).views(project.minimum_view_seconds)
    starts = views.order_by("-started_at", "-id").values_list("started_at", flat=True)
    first = starts[min(ROWS, views.count()) - 1].astimezone(project.zone).date()
    address = f"/users/{heavy.public_id}/viewing.csv?from={first}"
    body = site.get(address)[1].decode("utf-8-sig")
    ours = list(csv.reader(io.StringIO(body, newline="")))[1:]
    theirs = usual_rows(project, views, first)
    same("rows of the file", [row[:7] for row in ours], [row[:7] for row in theirs])
    base = site.memory("VmRSS")
    site.reset_peaks()
    pairs = [
        (
            elapsed(lambda: site.get(address)),
            elapsed(lambda: usual_file(usual_rows(project, views, first))),
        )
        for _ in range(RUNS)
    ]
    peaks = site.memory("VmHWM")
    copied, usual = (Times(values).median for values in zip(*pairs, strict=True))
    note = f"{copied:.0f} ms over HTTP, {usual:.0f} ms without it, {len(ours):,} rows, {load()}"
    report.at_least("13-column file against select_related", usual / copied, 4, "×", note=note)
    grown = max(peaks[worker] - base[worker] for worker in base)
    report.at_most("13-column file, peak of a web process over its base", grown, 30, "MiB")


def usual_rows(project: Any, views: Any, first: Any) -> list[list[str]]:
    """Return the rows as they are usually made: an object each, with everything joined."""
    from backoffice.core.periods import midnight

    rows = views.filter(started_at__gte=midnight(first, project.zone)).select_related(
        "content", "device", "platform"
    )
    made = []
    for row in rows.order_by("-started_at", "-id"):
        content, device = row.content, row.device
        seconds = content.duration_seconds
        share = percent_of(row.watched_seconds, seconds) if seconds else ""
        made.append(
            [
                project.slug, content.reference, content.name or content.reference,
                str(row.watched_seconds), "" if seconds is None else str(seconds), share,
                row.started_at.astimezone(project.zone).isoformat(timespec="seconds"),
                row.country, device.hardware_type, device.hardware, device.os, device.browser,
                row.platform.slug,
            ]
        )  # fmt: skip
    return made


def percent_of(part: int, whole: int) -> str:
    return str((Decimal(part * 100) / whole).quantize(Decimal("0.1"), ROUND_HALF_UP))


def usual_file(rows: list[list[str]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()
