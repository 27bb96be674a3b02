"""
Spreadsheets: a sheet of as many users as the database has, up to a million, and its memory.

    python -m bench.sheets --database-url postgresql://…/bench_1m

XlsxWriter, if it is installed, writes a part of the same rows for comparison.
"""

import argparse
import os
import resource
import sys
from tempfile import TemporaryFile
from typing import Any
from zoneinfo import ZoneInfo

from bench.harness import MIB, Report, elapsed, load, use_database

MOST = 1_000_000
SAMPLE = 50_000
ZONE = ZoneInfo("Europe/Paris")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.sheets")
    parser.add_argument("--database-url", help="instead of DATABASE_URL")
    use_database(parser.parse_args().database_url)
    report = Report()
    measure(report)
    print(f"\n{report.table()}")
    return 1 if report.missed else 0


def measure(report: Report) -> None:
    """Time one sheet, and how much more memory it takes than a sheet of a hundredth."""
    written(MOST // 100)
    small = peak()
    rows, size, milliseconds = written(MOST)
    grown = peak() - small
    report.at_most(
        "sheet, peak memory over that of a hundredth of its rows",
        grown,
        30,
        "MiB",
        note=f"{rows:,} rows, {size / MIB:.0f} MiB",
    )
    report.fact("sheet, time", milliseconds / 1000, "s", note=load())
    if usual := usual_milliseconds():
        report.at_least(
            "the same by XlsxWriter in constant memory",
            usual / SAMPLE * rows / milliseconds,
            3,
            "×",
            note=f"extrapolated from {SAMPLE:,} rows",
        )


def peak() -> float:
    """Return the most memory that this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cells() -> tuple[list[Any], Any]:
    """Return the columns of the basic list, and everybody as its rows have them."""
    from users.models import User
    from users.resources import BasicResource, columns_of

    columns = columns_of(BasicResource)
    return columns, User.objects.filter(deleted_at=None).order_by("pk")


def written(most: int) -> tuple[float, float, float]:
    """Write a sheet; return its rows, bytes and milliseconds."""
    from backoffice.core.exports import Making
    from backoffice.core.sheets import sheet_cell, write_sheet

    columns, users = cells()
    rows = users.values_list(*(sheet_cell(one.expression, one.cell) for one in columns))[:most]
    making = Making(into=TemporaryFile, limit_ms=600_000, on_rows=lambda _rows: None)
    made: list[Any] = []
    milliseconds = elapsed(
        lambda: made.append(
            write_sheet(
                [str(one.label) for one in columns],
                [one.cell for one in columns],
                rows,
                zone=ZONE,
                making=making,
            )
        )
    )
    with made[0].file:
        return made[0].rows, made[0].size, milliseconds


def usual_milliseconds() -> float:
    """Return how long XlsxWriter takes over some of the rows; 0 without it."""
    try:
        import xlsxwriter
    except ImportError:
        return 0

    columns, users = cells()
    rows = users.values_list(*(one.expression for one in columns))[:SAMPLE]

    def write() -> None:
        with xlsxwriter.Workbook(os.devnull, {"constant_memory": True}) as book:
            sheet = book.add_worksheet()
            for number, row in enumerate(rows.iterator()):
                sheet.write_row(number, 0, [str(value) for value in row])

    return elapsed(write)


if __name__ == "__main__":
    sys.exit(main())
