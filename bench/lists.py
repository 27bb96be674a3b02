"""The list: first against deepest page, against OFFSET; searches with their exact totals."""

from datetime import datetime
from typing import Any

from bench.harness import (
    Report,
    Times,
    asked_of,
    clock,
    dice,
    elapsed,
    largest_project,
    load,
    same,
)

PAGE = 50
RUNS = 25
SORTS = ("registered", "modified", "name", "email", "status")
FEW_HITS = 50_000
WORDS = 400


def measure(report: Report, now: datetime) -> None:
    """Time pages and searches as the view makes them: total and rows, without the template."""
    project = largest_project()
    depths(report, project, now)
    searches(report, project, now)


# --- Depth ---------------------------------------------------------------------------------


def depths(report: Report, project: Any, now: datetime) -> None:
    worst, offset_ms, keyset_ms = 0.0, 0.0, 0.0
    for sort in (f"{sign}{name}" for name in SORTS for sign in ("", "-")):
        asked = asked_of(project, now, f"period=all&sort={sort}")
        deep = place_before_last(asked)
        first, deepest = in_turns(asked, now, deep)
        total = asked.totals().total
        by_offset: list[Any] = []
        ms = clock(
            lambda a=asked, t=total, found=by_offset: found.append(offset_page(a, t)),
            runs=1, warm=0,
        ).median  # fmt: skip
        same(f"last page by {sort}", [user.pk for user in page(asked, now, deep)], by_offset[-1])
        print(f"    {sort}: first {first:.1f}, deepest {deepest:.1f}, OFFSET {ms:.0f} ms")
        worst = max(worst, deepest / first)
        offset_ms, keyset_ms = max(offset_ms, ms), max(keyset_ms, deepest)
    report.at_most("deepest page against the first, worst sort", worst, 1.5, "×", note=load())
    report.fact("the same page by OFFSET, worst sort", offset_ms / keyset_ms, "× ours")


def in_turns(asked: Any, now: datetime, deep: Any) -> tuple[float, float]:
    """Return the medians of the first and the deepest page, timed by turns."""
    page(asked, now, deep)
    pairs = [
        (elapsed(lambda: page(asked, now)), elapsed(lambda: page(asked, now, deep)))
        for _ in range(RUNS)
    ]
    first, deepest = (Times(values).median for values in zip(*pairs, strict=True))
    return first, deepest


def place_before_last(asked: Any) -> Any:
    """Return the cursor behind which exactly the list's last page lies."""
    from backoffice.core.pagination import Cursor

    backwards = asked.rows.order_by(*asked.ordering.order_by(backwards=True))
    edge = backwards[PAGE : PAGE + 1].get()
    values = tuple(getattr(edge, field) for field in asked.ordering.fields)
    return Cursor(asked.ordering.name, edge.registered_at, 0, values)


def page(asked: Any, now: datetime, after: Any = None) -> list[Any]:
    """Return the rows of a page as the view reads them."""
    from backoffice.core.pagination import keyset_page
    from users.models import User
    from users.views.user_list import ROW_FIELDS

    keys = asked.keys
    rows = asked.rows if keys is None else User.objects.all()
    return keyset_page(
        rows.only(*ROW_FIELDS),
        asked.ordering,
        of="users",
        per_page=PAGE,
        at=now,
        after=after,
        keys=keys,
    ).rows


def offset_page(asked: Any, total: int) -> list[int]:
    rows = asked.rows.order_by(*asked.ordering.order_by())
    return [user.pk for user in rows[total - PAGE : total]]


# --- Search --------------------------------------------------------------------------------


def searches(report: Report, project: Any, now: datetime) -> None:
    by_hits = texts_by_hits(project, now)
    few = [text for text, hits in by_hits.items() if hits <= FEW_HITS]
    many = [text for text, hits in by_hits.items() if hits > FEW_HITS]
    for text in (*few[-3:], *many[:1]):
        compare(project, now, text)
    for what, texts, goal in (
        (f"search of 3 letters or more, up to {FEW_HITS:,} hits, the slowest", few, 60),
        ("search of 3 letters or more, more hits, the slowest", many, 400),
    ):
        if texts:
            slowest(report, project, now, what, texts, goal)
    slowest(report, project, now, "search of 1 or 2 letters, the slowest", short_texts(), 400)


def slowest(
    report: Report, project: Any, now: datetime, what: str, texts: list[str], goal: float
) -> None:
    times = {text: clock(lambda t=text: found(project, now, t), runs=5).median for text in texts}
    text = max(times, key=lambda one: times[one])
    note = f"“{text}”, {found(project, now, text)[0]:,} hits, {load()}"
    report.at_most(what, times[text], goal, "ms", note=note)


def found(project: Any, now: datetime, text: str) -> tuple[int, list[int]]:
    """Return the total and the ids of the first page of a search, as the view reads them."""
    asked = asked_of(project, now, f"q={text}")
    return asked.totals().total, [user.pk for user in page(asked, now)]


def compare(project: Any, now: datetime, text: str) -> None:
    """
    Search the usual way too: case alone is ignored there, so among plain ASCII rows.

    :raises Different: if a row that icontains finds is not found by us.
    """
    from bench import usual

    asked = asked_of(project, now, f"q={text}")
    missed = usual.search(asked.scope, text).exclude(pk__in=asked.rows.values("pk"))
    same(f"rows that only icontains finds for “{text}”", list(missed[:5]), [])


def texts_by_hits(project: Any, now: datetime) -> dict[str, int]:
    """Return parts of words of real rows with their number of hits, a spread of sizes."""
    from users.models import UserSearch

    chance = dice()
    rows = UserSearch.objects.filter(project=project)
    words = set()
    for text in rows.order_by("-user_id").values_list("text", flat=True)[:WORDS]:
        word = chance.choice(text.split())
        if word.isascii() and word.isalnum() and len(word) > 3:  # noqa: PLR2004
            start = chance.randint(0, len(word) - 3)
            words.add(word[start : start + chance.randint(3, 8)])
    words |= {"mar", "martin", "com", "zzz", "son"}
    chosen = chance.sample(sorted(words), min(len(words), 40))
    hits = {text: asked_of(project, now, f"q={text}").totals().total for text in chosen}
    return dict(sorted(hits.items(), key=lambda item: item[1]))


def short_texts() -> list[str]:
    return ["a", "m", "xq", "an", "zz", "jo"]
