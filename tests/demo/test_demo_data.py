"""Demo data: as many rows as asked, the same each time, of all kinds of lives, and consistent."""

from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F, Q

from analytics.demo.load import NotEmpty, Size, load
from analytics.demo.named import PASSWORD
from analytics.models import Content, Device, UserViewing, Viewing
from backoffice.core.text import email_key, name_sort_key, search_text
from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember
from subscriptions.models import AccessSpan, FreeCopy, Purchase, Subscription
from users.models import User, UserSearch

NOW = datetime(2026, 11, 17, 20, 30, tzinfo=UTC)
# The data ends at the full hour.
END = datetime(2026, 11, 17, 20, tzinfo=UTC)

USERS, VIEWINGS = 3_000, 30_000

CATALOG = """
    SELECT conrelid::regclass::text AS owner, conname AS name, pg_get_constraintdef(oid) AS text
    FROM pg_constraint
    WHERE conrelid::regclass::text !~ '_20'
    UNION ALL
    SELECT tablename, indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename !~ '_20'
    ORDER BY owner, name, text
"""

COMPARED = (
    "projects_project", "projects_platform", "subscriptions_offer", "users_customfield",
    "analytics_device", "analytics_content", "users_user", "users_usersearch",
    "users_registrationday", "subscriptions_subscription", "subscriptions_purchase",
    "subscriptions_freecopy", "subscriptions_accessspan", "subscriptions_spanday",
    "analytics_viewing", "analytics_userviewing", "analytics_viewerday", "analytics_viewingday",
)  # fmt: skip


@contextmanager
def rolled_back():
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def rows(query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def fill(*, users=USERS, viewings=VIEWINGS, months=24, seed=1, progress=lambda _: None):
    size = Size(users=users, viewings=viewings, months=months, seed=seed)
    load(size, now=NOW, progress=progress)


@pytest.fixture(scope="module")
def catalog_before(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        return rows(CATALOG)


@pytest.fixture(scope="module")
def demo(catalog_before, django_db_blocker):
    """One load for all tests that only read it."""
    with django_db_blocker.unblock(), rolled_back():
        fill()
        yield


# --- How many ------------------------------------------------------------------------------


def test_there_are_exactly_as_many_as_asked(demo):
    of_projects = [User.objects.filter(project__slug=s).count() for s in ("lumiere", "aurora")]

    assert of_projects == [2_400, 600]
    assert Viewing.objects.count() == VIEWINGS


def test_one_user_is_enough(db):
    with rolled_back():
        fill(users=1, viewings=10, months=1)

        assert (User.objects.count(), Viewing.objects.count()) == (1, 10)


def test_there_need_not_be_a_viewing(db):
    with rolled_back():
        fill(users=50, viewings=0, months=36)

        assert (User.objects.count(), Viewing.objects.count()) == (50, 0)


# --- The same each time --------------------------------------------------------------------


def content_of_tables():
    """One checksum a table; the numbers of rows that follow from others are not looked at."""
    return {
        table: rows(
            "SELECT md5(string_agg(text, '' ORDER BY text)) FROM"
            f" (SELECT (to_jsonb(t) - 'id')::text AS text FROM {table} AS t) AS rows"
        )
        for table in COMPARED
    }


def loaded_content(**arguments):
    with rolled_back():
        fill(users=300, viewings=2_000, months=6, **arguments)
        return content_of_tables()


def test_the_same_arguments_give_the_same_rows(db):
    assert loaded_content(seed=7) == loaded_content(seed=7)


def test_another_seed_gives_other_rows(db):
    first, second = loaded_content(seed=7), loaded_content(seed=8)

    assert first["users_user"] != second["users_user"]
    assert first["analytics_viewing"] != second["analytics_viewing"]


# --- Consistent ----------------------------------------------------------------------------


def test_every_stored_figure_is_what_the_raw_rows_say(demo):
    output = StringIO()

    call_command("check_figures", stdout=output)

    assert output.getvalue().endswith("All figures are right.\n")


def test_indexes_and_constraints_are_as_before(demo, catalog_before):
    assert rows(CATALOG) == catalog_before


def test_every_name_is_folded_as_the_product_folds_it(demo):
    users = User.objects.filter(deleted_at=None).select_related("search")
    for user in users:
        assert user.email_key == email_key(user.email)
        assert user.sort_name == name_sort_key(user.first_name, user.last_name)
        assert user.search.text == search_text(user.first_name, user.last_name, user.email)
    assert UserSearch.objects.count() == users.count()


def test_nothing_lies_ahead(demo):
    latest = [
        User.objects.order_by("-registered_at").values_list("registered_at", flat=True)[0],
        User.objects.order_by("-modified_at").values_list("modified_at", flat=True)[0],
        Viewing.objects.order_by("-started_at").values_list("started_at", flat=True)[0],
        Subscription.objects.order_by("-started_at").values_list("started_at", flat=True)[0],
        Purchase.objects.order_by("-purchased_at").values_list("purchased_at", flat=True)[0],
        FreeCopy.objects.order_by("-sent_at").values_list("sent_at", flat=True)[0],
    ]

    assert max(latest) < END


def test_people_watch_after_they_registered_and_mostly_with_access(demo):
    [(early, outside)] = rows(
        "SELECT count(*) FILTER (WHERE v.started_at < u.registered_at),"
        " count(*) FILTER (WHERE NOT EXISTS (SELECT FROM subscriptions_accessspan AS s"
        "  WHERE s.user_id = u.id AND s.kind = 1 AND s.start_at <= v.started_at"
        "  AND (s.end_at IS NULL OR s.end_at > v.started_at)))"
        " FROM analytics_viewing AS v JOIN users_user AS u ON u.id = v.user_id"
        " AND u.project_id = v.project_id"
    )

    assert early == 0
    assert 0 < outside < VIEWINGS / 20


def test_the_next_user_gets_the_next_number(demo):
    with rolled_back():
        platform = Project.objects.get(slug="aurora").platforms.first()
        user = User.objects.create(
            project=platform.project, platform=platform, registered_at=NOW, modified_at=NOW
        )

        assert user.pk == USERS + 1


# --- All kinds of lives --------------------------------------------------------------------

RUNNING = Q(access_start__lte=END) & (Q(access_end=None) | Q(access_end__gt=END))
ENDED = Q(access_end__lte=END)

LIVES = {
    "registered": User.objects.filter(status=User.Status.REGISTERED),
    "active": User.objects.filter(status=User.Status.ACTIVE),
    "cancelled": User.objects.filter(status=User.Status.CANCELLED),
    "deleted": User.objects.exclude(deleted_at=None),
    "without a name": User.objects.filter(deleted_at=None, first_name="", last_name=""),
    "registered this month": User.objects.filter(registered_at__gte=END.replace(day=1, hour=0)),
    "in trial": Subscription.objects.filter(RUNNING, status="trialing", trial_end__gt=END),
    "trial continued": Subscription.objects.filter(trial_end__lt=END, status="active"),
    "trial not continued": Subscription.objects.filter(access_end=F("trial_end")),
    "late with access": Subscription.objects.filter(RUNNING, status="past_due"),
    "asked to stop": Subscription.objects.filter(RUNNING, cancel_at__gt=END),
    "left": Subscription.objects.filter(ENDED, status="canceled"),
    "ended for non-payment": Subscription.objects.filter(ENDED, cancel_reason="payment failed"),
    "unpaid": Subscription.objects.filter(ENDED, status="unpaid", ended_at=None),
    "paused": Subscription.objects.filter(ENDED, status="paused"),
    "never opened": Subscription.objects.filter(status="incomplete_expired", access_start=None),
    "paid by the year": Subscription.objects.filter(offer__interval_months=12),
    "back": AccessSpan.objects.filter(kind=AccessSpan.Kind.SUBSCRIPTION).exclude(
        previous_end=None
    ),
    "pack ran out": Purchase.objects.filter(ENDED, status="expired"),
    "pack ran out unsaid": Purchase.objects.filter(ENDED, type="pack", status="active"),
    "pack runs": Purchase.objects.filter(RUNNING, type="pack").exclude(access_end=None),
    "pack for ever": Purchase.objects.filter(RUNNING, access_end=None),
    "pack cancelled": Purchase.objects.filter(ENDED, status="cancelled"),
    "pack unknown": Purchase.objects.filter(status="unknown", access_start=None),
    "gift received": Purchase.objects.filter(type="gift").exclude(access_user=None),
    "gift waiting": Purchase.objects.filter(type="gift", access_user=None).exclude(
        recipient_email_key=""
    ),
    "copy pending": FreeCopy.objects.filter(access_start=None, activate_by__gt=END),
    "copy for nobody yet": FreeCopy.objects.filter(user=None).exclude(email_key=""),
    "copy active": FreeCopy.objects.filter(RUNNING),
    "copy done": FreeCopy.objects.filter(ENDED, revoked_at=None),
    "copy expired": FreeCopy.objects.filter(access_start=None, activate_by__lte=END),
    "copy revoked": FreeCopy.objects.filter(ENDED).exclude(revoked_at=None),
    "idle": User.objects.filter(
        status=User.Status.ACTIVE, viewing=None, registered_at__lt=END.replace(month=5)
    ),
    "heavy": UserViewing.objects.filter(views__gt=20 * VIEWINGS / USERS),
    "re-watching": UserViewing.objects.filter(views__gt=20, media_viewed__lt=F("views") / 3),
    "live now": Content.objects.filter(type="live", duration_seconds=None, status="available"),
    "live once": Content.objects.filter(type="live", duration_seconds__gt=0),
    "withdrawn": Content.objects.filter(type="hosted", status="unavailable"),
    "never described": Content.objects.filter(described_at=None, name=""),
}


@pytest.mark.parametrize("life", LIVES)
def test_each_kind_of_life_is_lived(demo, life):
    assert LIVES[life].all().exists()


@pytest.mark.parametrize(
    "script", ["[À-ÿ]", "[Ѐ-ӿ]", "[ء-ي]", "[一-龥]", "[가-힣]", "[ऀ-ॿ]", "[Ͱ-Ͽ]", "[א-ת]"]
)
def test_names_come_in_many_scripts(demo, script):
    assert User.objects.filter(last_name__regex=script).exists()


@pytest.mark.parametrize("mark", ["'", "’", "-", " "])
def test_names_have_marks_and_spaces(demo, mark):
    assert User.objects.filter(last_name__contains=mark).exists()


def test_each_kind_of_device_watches(demo):
    seen = Viewing.objects.values("device_id")
    types = set(Device.objects.filter(pk__in=seen).values_list("hardware_type", flat=True))

    assert types == set(Device.HardwareType.values)


@pytest.mark.parametrize("slug", ["lumiere", "aurora"])
def test_evenings_of_the_place_are_busier_than_nights(demo, slug):
    project = Project.objects.get(slug=slug)
    hours = [
        started_at.astimezone(project.zone).hour
        for started_at in Viewing.objects.filter(project_id=project.pk).values_list(
            "started_at", flat=True
        )
    ]

    assert sum(19 <= hour <= 22 for hour in hours) > 5 * sum(2 <= hour <= 5 for hour in hours)


def test_a_live_event_is_a_peak(demo):
    [(of_event, of_day)] = rows(
        "SELECT count(*) FILTER (WHERE c.type = 'live'), count(*)"
        " FROM analytics_viewing AS v JOIN analytics_content AS c ON c.id = v.content_id"
        " WHERE (v.project_id, v.started_at::date) IN ("
        "  SELECT v.project_id, v.started_at::date FROM analytics_viewing AS v"
        "  JOIN analytics_content AS c ON c.id = v.content_id WHERE c.type = 'live'"
        "  GROUP BY 1, 2 ORDER BY count(*) DESC LIMIT 1)"
    )

    assert of_event > of_day / 5


def test_some_watch_more_than_there_is(demo):
    [(beyond,)] = rows(
        "SELECT count(*) FROM analytics_viewing AS v"
        " JOIN analytics_content AS c ON c.id = v.content_id"
        " WHERE v.watched_seconds > c.duration_seconds"
    )

    assert VIEWINGS / 200 < beyond < VIEWINGS / 10


# --- Sign-ins ------------------------------------------------------------------------------


def test_the_staff_signs_in_with_what_is_printed(demo):
    output = StringIO()

    call_command("demo_sign_ins", stdout=output)

    *people, last = output.getvalue().splitlines()
    assert [line.split() for line in people] == [
        ["owner@example.com", "owner", "on", "all", "projects"],
        ["admin@example.com", "admin", "on", "all", "projects"],
        ["support@example.com", "support", "on", "all", "projects"],
        ["analyst@example.com", "analyst", "on", "all", "projects"],
        ["reader@example.com", "reader", "on", "lumiere"],
    ]
    for line in people:
        email, role, *where = line.split()
        staff = StaffMember.objects.get(email=email)
        held = staff.roles.get()
        assert staff.check_password(last.removeprefix("Password of all: "))
        assert (held.role, held.project is None) == (role, where == ["on", "all", "projects"])


def test_a_database_without_demo_says_so(db):
    with pytest.raises(CommandError, match="There is no demo staff here"):
        call_command("demo_sign_ins")


def test_named_users_live_the_life_of_their_name(demo):
    trial = User.objects.get(email_key="trial@lumiere.example")

    assert trial.subscriptions.filter(status="trialing").exists()
    assert check_password(PASSWORD, trial.password)
    assert User.objects.exclude(password__startswith="!").filter(deleted_at=None).count() == 11


# --- Refusals ------------------------------------------------------------------------------


def test_a_project_that_exists_is_left_alone(project):
    with pytest.raises(CommandError, match="has projects already"):
        call_command("demo_data")

    assert User.objects.count() == 0


def test_production_is_refused(db, settings):
    settings.PRODUCTION = True

    with pytest.raises(CommandError, match="not made in production"):
        call_command("demo_data")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("users", "0"),
        ("users", "50000001"),
        ("viewings", "-1"),
        ("months", "0"),
        ("months", "121"),
        ("seed", "-1"),
        ("seed", "2147483648"),
        ("now", "2004-12-31T00:00:00+00:00"),
        ("now", "9999-12-31T00:00:00+00:00"),
    ],
)
def test_a_number_out_of_bounds_is_refused_by_name(db, option, value):
    with pytest.raises(CommandError, match=f"--{option} .*: use "):
        call_command("demo_data", f"--{option}={value}")

    assert not Project.objects.exists()


@pytest.mark.parametrize("value", ["tomorrow", "2026-11-17T20:00:00", "2026-13-01T00:00:00Z"])
def test_an_end_that_is_no_instant_is_refused(db, value):
    with pytest.raises(CommandError, match="--now"):
        call_command("demo_data", f"--now={value}")


def test_a_second_load_is_refused(demo):
    with pytest.raises(NotEmpty):
        fill()


@pytest.mark.parametrize("stage", ["users: 60", "access spans", "indexes", "roll-ups"])
def test_a_load_that_is_stopped_leaves_nothing(db, catalog_before, stage):
    def stop(done):
        if done == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(users=60, viewings=300, months=2, progress=stop)

    assert not Project.objects.exists()
    assert not StaffMember.objects.exists()
    assert User.objects.count() == Viewing.objects.count() == 0
    assert rows(CATALOG) == catalog_before


@pytest.fixture
def emptied_afterwards(transactional_db):
    """The test runner empties what Django manages, which the viewings are not."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE analytics_viewing")


def test_the_command_loads_says_how_far_it_is_and_tidies(emptied_afterwards):
    output = StringIO()

    call_command(
        "demo_data", "--users=40", "--viewings=200", "--months=2", "--seed=3",
        "--now=2026-11-17T21:30:00+01:00", stdout=output,
    )  # fmt: skip

    lines = [line.partition(" s  ")[2] for line in output.getvalue().splitlines()]
    assert lines[0] == "users: 40"
    assert lines[-2:] == ["roll-ups", "done; sign-ins: manage.py demo_sign_ins"]
    assert Viewing.objects.filter(started_at__lt=END).count() == 200
    [(vacuumed,)] = rows("SELECT relallvisible > 0 FROM pg_class WHERE relname = 'users_user'")
    assert vacuumed
