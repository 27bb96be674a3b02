"""The measurements compare like with like: on little data, both ways give the same answers."""

from datetime import UTC, datetime

import pytest
from django.db import transaction

from analytics.demo.load import Size, load
from backoffice.projects.models import Project
from bench import dashboard, files, harness, lists, render
from subscriptions.spans import refresh_statuses
from users.models import User

NOW = datetime(2026, 11, 17, 20, 30, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 7, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def demo(django_db_setup, django_db_blocker):
    """A small service; whatever is left of it is rolled back."""
    with django_db_blocker.unblock(), transaction.atomic():
        load(Size(users=400, viewings=6_000, months=6, seed=3), now=NOW, progress=lambda _: None)
        yield
        transaction.set_rollback(True)


@pytest.fixture
def project(demo, db):
    return harness.largest_project()


def test_the_project_with_the_most_accounts_is_measured(project):
    counts = {p.pk: User.objects.filter(project=p).count() for p in Project.objects.all()}

    assert counts[project.pk] == max(counts.values())


@pytest.mark.parametrize("query", ["period=month", "period=month&platform=web", "period=week"])
def test_the_usual_way_counts_what_the_page_shows(project, query):
    refresh_statuses(project_id=project.pk, now=LATER)

    ours = dashboard.our_answers(project, LATER, query)

    assert ours == dashboard.usual_answers(project, LATER, query)
    assert ours["active"][0] > 0
    assert ours["viewers"] > 0
    assert len(ours["rows"]) > 0


@pytest.mark.parametrize("sort", ["registered", "-modified", "name", "-email", "status"])
def test_the_last_page_by_key_is_the_one_by_offset(project, sort):
    asked = harness.asked_of(project, NOW, f"period=all&sort={sort}")

    by_key = lists.page(asked, NOW, lists.place_before_last(asked))

    assert len(by_key) == lists.PAGE
    assert [user.pk for user in by_key] == lists.offset_page(asked, asked.totals().total)


def test_what_icontains_finds_is_found(project):
    name = User.objects.filter(project=project, first_name__regex="^[A-Za-z]{4}").first()
    text = name.first_name[:4].lower()

    lists.compare(project, NOW, text)

    total, ids = lists.found(project, NOW, text)
    assert total >= len(ids) > 0


def test_the_roll_up_holds_what_a_pass_over_the_raw_viewings_finds(project):
    files.compare_raw(project)


def test_the_table_has_the_rows_of_a_page(project):
    assert len(render.table_context(project, NOW)["table"]["rows"]) == lists.PAGE


def test_answers_that_differ_end_the_measurement():
    with pytest.raises(harness.Different, match="total: 1 is not 2"):
        harness.same("total", 1, 2)


def test_of_a_hundred_times_the_fifth_longest_is_the_p95():
    times = harness.Times(tuple(float(n) for n in range(100, 0, -1)))

    assert (times.median, times.p95) == (50.5, 96.0)


def test_a_goal_is_met_up_to_its_limit_and_missed_beyond(capsys):
    report = harness.Report()

    report.at_most("page", 150.0, 150, "ms")
    report.at_most("page", 150.5, 150, "ms")
    report.at_least("gain", 99.0, 100, "×")

    assert [line[-1] for line in report.lines] == ["met", "MISSED", "MISSED"]
    assert report.missed == 2
    assert "| page | 150 ms | ≤ 150 ms | met |" in report.table()
