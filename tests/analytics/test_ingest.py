"""Viewings as they come in: the greatest wins in any order, and the roll-ups follow."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction
from hypothesis import given
from hypothesis import strategies as st

from analytics.actions import move_viewers
from analytics.checks import checks
from analytics.ingest import Beat, lock_users, prepare, store
from analytics.known import forget_all
from analytics.models import (
    Content,
    UserViewing,
    ViewerDay,
    ViewerMonth,
    Viewing,
    ViewingDay,
)
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.users import UserFactory

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
START = datetime(2026, 3, 20, 9, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def wrong():
    """Return the roll-ups that differ from what the raw viewings give, with examples."""
    with transaction.atomic(), connection.cursor() as cursor:
        found = {check.name: check.compare(cursor) for check in checks()}
    return {name: differences for name, differences in found.items() if differences.count}


def id_of(number):
    return str(uuid.UUID(int=number))


def beat(user, number=1, **changes):
    """A minute on a film, three hours ago, by Firefox."""
    usual = {
        "id": id_of(number),
        "user": str(user.public_id),
        "content": "film",
        "started_at": START,
        "watched_seconds": 60,
        "user_agent": FIREFOX,
    }
    return Beat(**(usual | changes))


def send(platform, *beats, now=NOW):
    assert not store(prepare(beats, platform=platform, now=now))
    assert wrong() == {}


@pytest.fixture
def web(db):
    return PlatformFactory(project=ProjectFactory(minimum_view_seconds=5))


@pytest.fixture
def ada(web):
    return UserFactory(platform=web)


@pytest.fixture
def asked(monkeypatch):
    """The statements that are run from now on, by whichever cursor."""
    statements = []
    execute = psycopg.Cursor.execute

    def noted(cursor, statement, *args, **options):
        statements.append(statement)
        return execute(cursor, statement, *args, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    return statements


@pytest.fixture
def committed(transactional_db):
    """Rows are committed in this test; what Django does not know to empty is emptied here."""
    yield
    forget_all()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE analytics_viewing")


# --- By hand -------------------------------------------------------------------------------


def test_the_first_view_is_counted_everywhere(web, ada):
    send(web, beat(ada, watched_seconds=60, position_seconds=70))

    film = Content.objects.get()
    viewing = UserViewing.objects.get()
    assert (viewing.views, viewing.viewing_seconds, viewing.media_viewed) == (1, 60, 1)
    assert (viewing.first_content, viewing.last_content) == (film, film)
    assert viewing.first_viewed_at == viewing.last_viewed_at == START
    assert viewing.platform_ids == [web.pk]
    assert viewing.content_ids == [film.pk]
    assert (viewing.public_id, viewing.account_platform_id) == (ada.public_id, web.pk)
    month = ViewerMonth.objects.get()
    assert (month.month, month.account_platform_id) == (date(2026, 3, 1), web.pk)
    assert ViewerDay.objects.get().first_viewers == 1
    day = ViewingDay.objects.get()
    assert (day.day, day.views, day.viewing_seconds) == (date(2026, 3, 20), 1, 60)


def test_the_greatest_of_each_wins_whatever_comes_last(web, ada):
    send(web, beat(ada, watched_seconds=90, position_seconds=10, country="FR", has_ended=True))
    send(web, beat(ada, watched_seconds=60, position_seconds=500, country="BE", content="other"))

    viewing = Viewing.objects.get()
    assert (viewing.watched_seconds, viewing.position_seconds) == (90, 500)
    assert (viewing.has_ended, viewing.country) == (True, "FR")
    assert UserViewing.objects.get().viewing_seconds == 90


def test_beats_of_one_viewing_in_one_batch_are_one(web, ada):
    send(
        web,
        beat(ada, watched_seconds=30, position_seconds=40),
        beat(ada, watched_seconds=20, position_seconds=50, has_ended=True),
    )

    viewing = Viewing.objects.get()
    assert (viewing.watched_seconds, viewing.position_seconds) == (30, 50)
    assert viewing.has_ended
    assert UserViewing.objects.get().views == 1


def test_short_is_no_view_until_it_is_long_enough(web, ada):
    send(web, beat(ada, watched_seconds=4))
    assert Viewing.objects.count() == 1
    seen = UserViewing.objects.get()
    assert (seen.views, seen.viewing_seconds, seen.media_viewed) == (0, 0, 0)
    assert (seen.first_viewed_at, seen.last_viewed_at, seen.last_started_at) == (None, None, START)

    send(web, beat(ada, watched_seconds=5))
    assert UserViewing.objects.get().views == 1


def test_what_began_after_all_else_is_new_and_what_did_not_may_be_known(web, ada):
    before, after = START - timedelta(hours=1), START + timedelta(hours=1)
    send(web, beat(ada, watched_seconds=4))
    send(web, beat(ada, 2, started_at=after, watched_seconds=4))
    send(web, beat(ada, 3, started_at=before))

    send(
        web,
        *(
            beat(ada, n, started_at=at, watched_seconds=90)
            for n, at in ((1, START), (2, after), (3, before), (4, after))
        ),
    )

    assert Viewing.objects.count() == 4
    seen = UserViewing.objects.get()
    assert (seen.views, seen.viewing_seconds, seen.last_started_at) == (4, 360, after)


def test_a_bot_never_makes_a_view_and_takes_one_back(web, ada):
    send(web, beat(ada, watched_seconds=60), beat(ada, 2, content="other"))
    send(web, beat(ada, watched_seconds=61, user_agent=BOT))

    viewing = UserViewing.objects.get()
    assert (viewing.views, viewing.viewing_seconds, viewing.media_viewed) == (1, 60, 1)

    send(web, beat(ada, 2, watched_seconds=61, user_agent=BOT))
    viewing = UserViewing.objects.get()
    assert (viewing.views, viewing.viewing_seconds, viewing.content_ids) == (0, 0, [])
    assert (viewing.first_viewed_at, viewing.first_content, viewing.platform_ids) == (
        None,
        None,
        [],
    )
    assert not ViewerMonth.objects.exists()
    assert sum(ViewerDay.objects.values_list("first_viewers", flat=True)) == 0
    assert sum(ViewingDay.objects.values_list("views", flat=True)) == 0


def test_a_day_late_is_dated_by_its_start_and_moves_the_first_view(web, ada):
    send(web, beat(ada))
    send(web, beat(ada, 2, started_at=START - timedelta(days=1), content="other"))

    assert ViewerMonth.objects.get().first_viewed_at == START - timedelta(days=1)
    days = dict(ViewerDay.objects.values_list("day", "first_viewers"))
    assert days == {date(2026, 3, 19): 1, date(2026, 3, 20): 0}
    viewing = UserViewing.objects.select_related("first_content", "last_content").get()
    assert viewing.first_content.reference == "other"
    assert viewing.last_content.reference == "film"


def test_the_clock_may_be_wrong_by_years(web, ada):
    send(web, beat(ada, started_at=datetime(2000, 1, 1, tzinfo=UTC)))

    # One o'clock in Paris.
    assert ViewingDay.objects.get().day == date(2000, 1, 1)


def test_the_local_day_decides(web, ada):
    send(web, beat(ada, started_at=datetime(2026, 2, 28, 23, 30, tzinfo=UTC)))

    assert ViewingDay.objects.get().day == date(2026, 3, 1)
    assert ViewerMonth.objects.get().month == date(2026, 3, 1)


def test_two_devices_at_once_are_two_views(web, ada):
    send(web, beat(ada, 1, content="a"), beat(ada, 2, content="b"))
    send(web, beat(ada, 3, content="c"), beat(ada, 0, content="d"))

    viewing = UserViewing.objects.select_related("first_content", "last_content").get()
    assert (viewing.views, viewing.media_viewed) == (4, 4)
    # All at once: the ids decide.
    assert viewing.first_content.reference == "d"
    assert viewing.last_content.reference == "c"


@pytest.mark.parametrize(
    ("ahead", "sent", "kept"),
    [(-100, 500, 160), (-100, 160, 160), (-100, 159, 159), (30, 60, 30), (300, 60, 0)],
)
def test_seconds_are_cut_to_what_the_wall_clock_allows(web, ada, ahead, sent, kept):
    start = NOW + timedelta(seconds=ahead)

    send(web, beat(ada, started_at=start, watched_seconds=sent))

    assert Viewing.objects.get().watched_seconds == kept


def test_the_greatest_beat_takes_its_view_to_its_platform(web, ada):
    tv = PlatformFactory(project=web.project)
    send(web, beat(ada, watched_seconds=60))
    send(tv, beat(ada, watched_seconds=61))

    assert UserViewing.objects.get().platform_ids == [tv.pk]
    days = dict(ViewingDay.objects.values_list("platform_id", "viewing_seconds"))
    assert days == {web.pk: 0, tv.pk: 61}


def test_who_is_deleted_before_the_first_view_is_stored_is_left_out(web, ada):
    batch = prepare([beat(ada)], platform=web, now=NOW)
    type(ada).objects.filter(pk=ada.pk).update(
        deleted_at=NOW, email="", email_key="", first_name="", last_name="", sort_name=""
    )

    store(batch)

    assert not Viewing.objects.exists()
    assert not UserViewing.objects.exists()


def test_a_repeated_batch_changes_no_row(web, ada):
    send(web, beat(ada), beat(ada, 2, content="other"))
    before = versions()

    send(web, beat(ada), beat(ada, 2, content="other"))

    assert versions() == before


def versions():
    """Return the row versions of all that a viewing touches."""
    tables = ["viewing", "userviewing", "viewermonth", "viewerday", "viewingday"]
    with connection.cursor() as cursor:
        found = {}
        for table in tables:
            cursor.execute(f"SELECT ctid::text FROM analytics_{table} ORDER BY 1")
            found[table] = cursor.fetchall()
    return found


def test_a_batch_costs_the_same_statements_whatever_its_size(web, ada, asked):
    users = [ada, *UserFactory.create_batch(3, platform=web)]

    def beats(first, count):
        return [
            beat(users[n % 4], n, content=f"film {n % 7}", started_at=START - timedelta(hours=n))
            for n in range(first, first + count)
        ]

    send(web, *beats(0, 40))
    costs = []
    for first, count in [(100, 1), (200, 200)]:
        prepare(beats(first, count), platform=web, now=NOW)
        asked.clear()
        store(prepare(beats(first, count), platform=web, now=NOW))
        costs.append(len(asked))

    # Three look-ups, which are due to the test's own transaction; nine statements between a
    # savepoint and its release, five of them ready the tables; and a COPY that is not seen here.
    assert costs == [14, 14]


def test_contents_and_months_are_asked_about_once_by_a_process(committed, asked):
    web = PlatformFactory()
    ada = UserFactory(platform=web)
    prepare([beat(ada)], platform=web, now=NOW)
    asked.clear()
    prepare([beat(ada, 2)], platform=web, now=NOW)

    assert asked == []


# --- Any order, any number of times, any batches ---------------------------------------------

AGENTS = [FIREFOX, FIREFOX, BOT, ""]
STARTS = [
    START,
    START,
    START - timedelta(hours=12),
    # The last second of a month in Paris and the first of the next.
    datetime(2026, 2, 28, 22, 59, 59, tzinfo=UTC),
    datetime(2026, 2, 28, 23, tzinfo=UTC),
]
REPORTS = st.tuples(
    st.integers(0, 2),  # user
    st.integers(0, 1),  # platform
    st.integers(0, 3),  # id of the viewing
    st.sampled_from(STARTS),
    st.sampled_from([0, 4, 5, 6, 6, 300]),
    st.sampled_from([0, 10, 20]),
    st.sampled_from(["a", "a", "b"]),
    st.sampled_from(AGENTS),
    st.sampled_from(["", "FR"]),
    st.booleans(),
)


@st.composite
def deliveries(draw):
    """Reports, repeated and in any order, cut into batches."""
    reports = draw(st.lists(REPORTS, min_size=1, max_size=12))
    repeats = draw(st.lists(st.sampled_from(reports), max_size=6))
    in_order = draw(st.permutations(reports + repeats))
    return reports, [in_order[i::3] for i in range(3) if in_order[i::3]]


def agent_key(agent):
    return hashlib.sha256(agent.encode()).hexdigest()[:32]


def plain(reports):
    """Return each viewing of the reports, by hand: (user, start, id) to its figures."""
    viewings = {}
    for (
        user,
        platform,
        number,
        start,
        watched,
        position,
        content,
        agent,
        country,
        ended,
    ) in reports:
        viewings.setdefault((user, start, number), []).append(
            (watched, agent_key(agent), country, content, platform, agent, position, ended)
        )
    figures = {}
    for key, beats in viewings.items():
        watched, _, country, content, platform, agent, *_ = max(beats)
        figures[key] = {
            "watched": watched,
            "country": country,
            "content": content,
            "platform": platform,
            "is_view": watched >= 5 and agent != BOT,
            "position": max(b[6] for b in beats),
            "ended": any(b[7] for b in beats),
        }
    return figures


@pytest.mark.django_db
@given(delivery=deliveries())
def test_any_delivery_gives_the_figures_of_the_plain_recomputation(delivery):
    reports, batches = delivery
    project = ProjectFactory(minimum_view_seconds=5)
    platforms = [PlatformFactory(project=project), PlatformFactory(project=project)]
    users = [UserFactory(platform=platforms[n % 2]) for n in range(3)]
    for reported in batches:
        by_platform = [[report for report in reported if report[1] == n] for n in range(2)]
        for number, platform in enumerate(platforms):
            beats = [
                beat(
                    users[user],
                    viewing,
                    started_at=start,
                    watched_seconds=watched,
                    position_seconds=position,
                    content=content,
                    user_agent=agent,
                    country=country,
                    has_ended=ended,
                )
                for user, _, viewing, start, watched, position, content, agent, country, ended in (
                    by_platform[number]
                )
            ]
            if beats:
                send(platform, *beats)

    expected = plain(reports)
    references = dict(Content.objects.filter(project=project).values_list("id", "reference"))
    stored = {
        ([u.pk for u in users].index(v.user_id), v.started_at, v.id.int): {
            "watched": v.watched_seconds,
            "country": v.country,
            "content": references[v.content_id],
            "platform": [p.pk for p in platforms].index(v.platform_id),
            "position": v.position_seconds,
            "ended": v.has_ended,
        }
        for v in Viewing.objects.filter(project_id=project.pk)
    }
    without_word = {k: {n: x for n, x in f.items() if n != "is_view"} for k, f in expected.items()}
    assert stored == without_word
    views = {key: figures for key, figures in expected.items() if figures["is_view"]}
    seconds = Counter()
    contents = {}
    for (user, _, _), figures in views.items():
        seconds[users[user].pk] += figures["watched"]
        contents.setdefault(users[user].pk, set()).add(figures["content"])
    rows = {row.user_id: row for row in UserViewing.objects.filter(project_id=project.pk)}
    assert {pk: row.last_started_at for pk, row in rows.items()} == {
        user.pk: max(starts)
        for number, user in enumerate(users)
        if (starts := [start for one, start, _ in expected if one == number])
    }
    rows = {pk: row for pk, row in rows.items() if row.views}
    assert {pk: row.viewing_seconds for pk, row in rows.items()} == seconds
    assert {pk: row.media_viewed for pk, row in rows.items()} == {
        pk: len(found) for pk, found in contents.items()
    }
    assert sum(row.views for row in rows.values()) == len(views)
    assert sum(d.views for d in ViewingDay.objects.filter(project=project)) == len(views)


# --- At once ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("committed")
def test_batches_at_once_neither_deadlock_nor_lose():
    project = ProjectFactory(minimum_view_seconds=5)
    platforms = [PlatformFactory(project=project), PlatformFactory(project=project)]
    users = UserFactory.create_batch(12, platform=platforms[0])
    starts = [START - timedelta(days=n) for n in range(4)]
    failures = []

    def run(seed):
        chance = random.Random(seed)
        try:
            for _ in range(12):
                beats = [
                    beat(
                        chance.choice(users),
                        chance.randrange(3),
                        started_at=chance.choice(starts),
                        watched_seconds=chance.randrange(100),
                        content=f"film {chance.randrange(5)}",
                        user_agent=chance.choice([FIREFOX, FIREFOX, BOT]),
                    )
                    for _ in range(30)
                ]
                sent.extend(beats)
                store(prepare(beats, platform=chance.choice(platforms), now=NOW))
        except DatabaseError as error:
            failures.append(error)
        finally:
            connections.close_all()

    sent = []
    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert wrong() == {}
    greatest = Counter()
    for one in sent:
        key = one.user, one.started_at, one.id
        greatest[key] = max(greatest[key], one.watched_seconds)
    publics = {user.pk: str(user.public_id) for user in users}
    stored = {(publics[v.user_id], v.started_at, str(v.id)): v for v in Viewing.objects.all()}
    assert {key: v.watched_seconds for key, v in stored.items()} == greatest


@pytest.mark.usefixtures("committed")
def test_a_first_row_that_comes_while_another_is_waited_for_is_locked_too():
    web = PlatformFactory(project=ProjectFactory(minimum_view_seconds=5))
    ada, grace = UserFactory.create_batch(2, platform=web)
    send(web, beat(ada))

    def store_of(*beats):
        store(prepare(beats, platform=web, now=NOW))
        connection.close()

    both = threading.Thread(target=store_of, args=[beat(ada, 2), beat(grace, 2)])
    with transaction.atomic(), connection.cursor() as cursor:
        lock_users(cursor, [ada.pk])
        both.start()
        wait_for_waiting(cursor, both.is_alive)
        first = threading.Thread(target=store_of, args=[beat(grace)])
        first.start()
        first.join()
    both.join()

    assert dict(UserViewing.objects.values_list("user_id", "views")) == {ada.pk: 2, grace.pk: 2}
    assert wrong() == {}


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("how", ["batch", "move"])
def test_who_waits_for_one_row_holds_none_that_comes_after_it(how):
    web = PlatformFactory(project=ProjectFactory(minimum_view_seconds=5))
    later = UserFactory(platform=web, public_id=uuid.UUID(int=2))
    earlier = UserFactory(platform=web, public_id=uuid.UUID(int=1))
    send(web, beat(later), beat(earlier))

    def take():
        if how == "batch":
            send(web, beat(later, 2), beat(earlier, 2))
        else:
            move_viewers([later.pk, earlier.pk])
        connection.close()

    taking = threading.Thread(target=take)
    with transaction.atomic(), connection.cursor() as cursor:
        lock_users(cursor, [earlier.pk])
        taking.start()
        wait_for_waiting(cursor, taking.is_alive)
        free = UserViewing.objects.select_for_update(skip_locked=True).values_list("user_id")
        assert set(free) == {(later.pk,), (earlier.pk,)}
    taking.join()

    assert wrong() == {}


@pytest.mark.usefixtures("committed")
def test_an_account_that_moves_while_its_first_viewing_waits_is_counted_where_it_came_to():
    web = PlatformFactory(project=ProjectFactory(minimum_view_seconds=5))
    tv = PlatformFactory(project=web.project)
    grace = UserFactory(platform=web)
    batch = prepare([beat(grace)], platform=web, now=NOW)

    def store_it():
        store(batch)
        connection.close()

    first = threading.Thread(target=store_it)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE users_user SET platform_id = %s WHERE id = %s", [tv.pk, grace.pk])
        move_viewers([grace.pk])
        first.start()
        wait_for_waiting(cursor, first.is_alive)
    first.join()

    assert UserViewing.objects.get().account_platform_id == tv.pk
    assert ViewerDay.objects.get().platform == tv
    assert wrong() == {}


# --- The command, and death in the middle ----------------------------------------------------


def item(user, number=1, **changes):
    usual = {
        "id": id_of(number),
        "user": str(user.public_id),
        "content": "film",
        "started_at": "2026-03-20T09:00:00Z",
        "watched_seconds": 60,
    }
    return usual | changes


def test_replay_sends_each_line_through_the_same_code(web, ada, tmp_path, capsys):
    named = {"project": web.project.slug, "platform": web.slug, "viewings": [item(ada, 2)]}
    early = {"arrived_at": "2026-03-20T09:00:00Z", "viewings": [item(ada, 3, watched_seconds=99)]}
    lines = [{"viewings": [item(ada), {}]}, named, early]
    file = tmp_path / "bodies"
    file.write_text("\n\n".join(json.dumps(line) for line in lines))
    options = {"project": web.project.slug, "platform": web.slug}

    call_command("replay", str(file), **options)
    call_command("replay", str(file), **options)

    said = capsys.readouterr()
    assert said.out == "3 accepted, 1 rejected\n" * 2
    assert "line 1, item 1: id: Write a UUID." in said.err
    assert UserViewing.objects.get().viewing_seconds == 60 + 60 + 60
    assert wrong() == {}


@pytest.mark.parametrize(
    "line", ["{", "7", '{"viewings": [1], "platform": "x"}', '{"viewings": [1], "arrived_at": 1}']
)
def test_replay_names_a_line_that_is_no_body_and_goes_on(web, ada, tmp_path, capsys, line):
    file = tmp_path / "bodies"
    file.write_text(f"{line}\n{json.dumps({'viewings': [item(ada)]})}\n")

    with pytest.raises(CommandError, match="1 lines"):
        call_command("replay", str(file), project=web.project.slug, platform=web.slug)

    assert "line 1: " in capsys.readouterr().err
    assert Viewing.objects.count() == 1


@pytest.mark.fault
@pytest.mark.usefixtures("committed")
def test_a_writer_killed_in_the_middle_leaves_nothing_and_the_repeat_completes_it(tmp_path):
    web = PlatformFactory(project=ProjectFactory(minimum_view_seconds=5))
    users = UserFactory.create_batch(3, platform=web)
    file = tmp_path / "bodies"
    file.write_text(json.dumps({"viewings": [item(user) for user in users]}))
    options = {"project": web.project.slug, "platform": web.slug}
    # The last statement of a batch waits for this.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE analytics_viewingday IN ACCESS EXCLUSIVE MODE")
        writer = subprocess.Popen(
            [sys.executable, "manage.py", "replay", str(file)]
            + [f"--{name}={value}" for name, value in options.items()],
            cwd=Path(__file__).parents[2],
            env=os.environ | {"DATABASE_URL": address_of_test_database()},
        )
        wait_for_waiting(cursor, lambda: writer.poll() is None)
        writer.send_signal(signal.SIGKILL)
        writer.wait()

    wait_until_gone()
    assert not Viewing.objects.exists()
    assert not UserViewing.objects.exists()
    call_command("replay", str(file), **options)
    assert Viewing.objects.count() == 3
    assert ViewingDay.objects.get().views == 3
    assert wrong() == {}


def address_of_test_database():
    database = connection.settings_dict
    return (
        f"postgresql://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}"
        f"?host={database['HOST']}&port={database['PORT'] or 5432}"
    )


WAITING = """
    SELECT count(*) FROM pg_locks
    WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""


def wait_for_waiting(cursor, is_alive):
    """Return when the writer waits for a lock that this transaction holds."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and is_alive():
        cursor.execute(WAITING)
        if cursor.fetchone() != (0,):
            return
        time.sleep(0.05)
    pytest.fail("The writer never came to the lock.")


def wait_until_gone():
    """Return when the server has noticed that the writer is dead and has undone its work."""
    deadline = time.monotonic() + 90
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
            if cursor.fetchone() == (0,):
                return
            time.sleep(0.05)
    pytest.fail("The server keeps the dead writer's connection.")
