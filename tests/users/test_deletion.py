"""Deleting a user: nothing of the person remains, all sums stay, nothing comes back."""

import io
import logging
import uuid
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection

from analytics.anonymising import CELLS
from analytics.ingest import Beat, prepare, store
from analytics.models import AnonymousViewerDay, AnonymousViewing, Content, Viewing
from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import SYSTEM
from backoffice.jobs.exports import folder
from backoffice.jobs.models import Export, Mail
from backoffice.projects.models import StoredAnswer
from subscriptions.models import AccessSpan, ProviderCustomer, ProviderEvent, Subscription
from tests.factories.analytics import ContentFactory
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.subscriptions import FreeCopyFactory, PurchaseFactory, SubscriptionFactory
from tests.factories.users import (
    CustomFieldFactory,
    DeviceSessionFactory,
    ImpersonationFactory,
    PasswordResetFactory,
    UserFactory,
)
from users.deletion import (
    AlreadyDeleted,
    ChangedSincePreview,
    Charges,
    delete_user,
    erase,
    preview,
)
from users.models import (
    ImportPart,
    ImportRow,
    RegistrationDay,
    ResetRequest,
    User,
    UserImport,
    UserSearch,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 20, 12, 0, 0, 250_000, tzinfo=UTC)
DAY = timedelta(days=1)
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
MARKER = "zqmarker"


@pytest.fixture
def web():
    return PlatformFactory(project=ProjectFactory(minimum_view_seconds=5), slug="web")


@pytest.fixture
def ada(web):
    return UserFactory(platform=web, email="ada@example.com", last_name="Lovelace")


def watch(user, content="film", at=NOW - DAY, seconds=60, **changes):
    beat = Beat(
        id=str(uuid.uuid4()),
        user=str(user.public_id),
        content=content,
        started_at=at,
        watched_seconds=seconds,
        position_seconds=changes.pop("position", seconds),
        country=changes.pop("country", "FR"),
        user_agent=changes.pop("user_agent", FIREFOX),
    )
    return store(prepare([beat], platform=changes.pop("platform", user.platform), now=NOW))


def delete(user, **options):
    options = {"actor": user.platform, "now": NOW} | options
    delete_user(user=user, **options)
    return User.objects.get(pk=user.pk)


def figures_are_right():
    said = io.StringIO()
    call_command("check_figures", stdout=said)
    return said.getvalue().endswith("All figures are right.\n")


# --- Markers -------------------------------------------------------------------------------

# What can hold no word of a person: closed lists, keys of offers and files, hashes with a form.
NOT_PLANTED = {
    "analytics_viewing.country": "two letters",
    "subscriptions_purchase.currency": "a closed list",
    "subscriptions_purchase.provider": "a closed list",
    "subscriptions_purchase.recipient_email_key": "somebody else's address",
    "subscriptions_purchase.status": "a closed list",
    "subscriptions_purchase.type": "a closed list",
    "subscriptions_subscription.currency": "a closed list",
    "subscriptions_subscription.provider": "a closed list",
    "subscriptions_subscription.status": "a closed list",
    "users_deletion.fingerprint": "a hash",
    "users_deletion.mode": "a closed list",
    "users_deletion.sums": "counts",
    "users_devicesession.device_type": "a closed list",
    "users_devicesession.end_reason": "a closed list",
    "users_devicesession.token_hash": "a hash",
    "users_passwordreset.token_hash": "a hash",
    "users_impersonation.end_reason": "a closed list",
    "users_impersonation.mode": "a closed list",
    "users_impersonation.ticket_hash": "a hash",
    "subscriptions_providercustomer.matched_by": "a closed list",
    "subscriptions_providercustomer.provider": "a closed list",
    "users_user.country": "two letters",
}
# Rows about users that no key of theirs leads to; Ada has one in each, with the marker.
WITHOUT_KEY = {
    "jobs_export", "jobs_mail", "projects_storedanswer", "subscriptions_providerevent",
    "users_importpart", "users_importrow", "users_userimport",
}  # fmt: skip
# Tables that know no user of a platform, or all of them alike.
WITHOUT_USERS = {
    "account_emailaddress", "account_emailconfirmation", "analytics_anonymousviewerday",
    "analytics_anonymousviewing", "analytics_content", "analytics_device", "analytics_viewerday",
    "analytics_viewingday", "audit_auditevent", "auth_group", "auth_group_permissions",
    "auth_permission", "backoffice_cache", "django_content_type", "django_migrations",
    "django_session", "jobs_job", "mfa_authenticator", "procrastinate_events",
    "procrastinate_jobs", "procrastinate_periodic_defers", "procrastinate_workers",
    "projects_apikey", "projects_keyallowance", "projects_platform", "projects_project",
    "staff_staffmember", "staff_staffrole", "subscriptions_offer",
    "subscriptions_provideraccount", "subscriptions_providersync", "subscriptions_spanday",
    "users_attemptallowance", "users_customfield", "users_impersonationhalt",
    "users_importheading", "users_registrationday",
}  # fmt: skip
# What an invoice needs (docs/personal-data.md).
KEPT_FOR_INVOICES = {"subscriptions_purchase", "subscriptions_subscription"}
# The stub, what its invoices are made of, and when it had access.
KEPT_BY_USER = KEPT_FOR_INVOICES | {
    "subscriptions_accessspan",
    "subscriptions_freecopy",
    "users_user",
}

TABLES_ABOUT_USERS = """
    SELECT c.relname, a.attname, a.atttypid = 'bigint[]'::regtype
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relnamespace = current_schema()::regnamespace AND (
          a.attname IN ('user_id', 'user_ids')
          AND a.atttypid::regtype::text LIKE 'bigint%%'
          AND NOT EXISTS (
              SELECT FROM pg_constraint AS f
              WHERE f.contype = 'f' AND f.conrelid = c.oid
                AND f.confrelid <> 'users_user'::regclass AND a.attnum = ANY (f.conkey)
          )
          OR EXISTS (
              SELECT FROM pg_constraint AS f
              WHERE f.contype = 'f' AND f.conrelid = c.oid
                AND f.confrelid = 'users_user'::regclass AND a.attnum = ANY (f.conkey)
          )
          OR c.relname = 'users_user' AND a.attname = 'id'
      )
    ORDER BY 1, 2
"""
TEXT_COLUMNS = """
    SELECT a.attname, a.atttypid = 'jsonb'::regtype
    FROM pg_attribute AS a
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'jsonb'::regtype)
"""
ALL_TABLES = """
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY 1
"""


def rows(statement, values=None):
    with connection.cursor() as cursor:
        cursor.execute(statement, values or {})
        return cursor.fetchall()


def refers(column, is_array):
    return f"%(user)s = ANY ({column})" if is_array else f"{column} = %(user)s"


def tables_of(user):
    """Return, by table that names users, how many rows name this one."""
    return Counter(
        {
            table: rows(
                f"SELECT count(*) FROM {table} WHERE {refers(column, is_array)}", {"user": user.pk}
            )[0][0]
            for table, column, is_array in rows(TABLES_ABOUT_USERS)
            # A recipient of gifts has one row under two names.
            if column != "recipient_id"
        }
    )


def plant(user):
    """Write the marker into every text column of every row that names the user."""
    planted = set()
    for table, column, is_array in rows(TABLES_ABOUT_USERS):
        for text, is_json in rows(TEXT_COLUMNS, [table]):
            if f"{table}.{text}" in NOT_PLANTED:
                continue
            value = f"jsonb_build_object('{MARKER}', '{MARKER}')" if is_json else f"'{MARKER}'"
            if text == "reference":
                value = f"'{MARKER}' || id"
            with connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE {table} SET {text} = {value} WHERE {refers(column, is_array)}",
                    {"user": user.pk},
                )
                assert cursor.rowcount, f"{table}: the person of this test has no row there"
            planted.add(f"{table}.{text}")
    return planted


def where(word):
    """Return the tables in whose rows the word stands, as a dump of the database would hold it."""
    return {
        table
        for (table,) in rows(ALL_TABLES)
        if rows(
            f'SELECT EXISTS (SELECT FROM "{table}" AS t WHERE t::text ILIKE %s)', [f"%{word}%"]
        )
        == [(True,)]
    }


def uploaded(user, staff):
    """A file about the user, whose address the marker becomes; checked and not confirmed yet."""
    made = UserImport.objects.create(
        project=user.project, actor=staff, state="CHECKED", file_name="users.csv", file_bytes=8,
        sha256="0" * 64, rows=2, changed=1, refused=1, created_at=NOW, checked_at=NOW,
        expires_at=NOW + DAY,
    )  # fmt: skip
    ImportPart.objects.create(user_import=made, number=1, content=MARKER.encode())
    ImportRow.objects.create(
        user_import=made, verdict=2, line=2, user_key=user.pk, public_id=user.public_id,
        email=user.email, first_name=MARKER, before={"last_name": MARKER},
    )  # fmt: skip
    ImportRow.objects.create(
        user_import=made, verdict=4, line=3, email=f" {MARKER.upper()}", last_name=MARKER,
        reasons=[["language", "unknown", {"value": MARKER}]],
    )  # fmt: skip


def kept_file(user, staff):
    """A file that was built in the background, and lies ready."""
    (folder() / "kept").write_text(user.email)
    Export.objects.create(
        project=user.project, actor=staff, what="users-basic", file_name="users.csv",
        state="READY", rows=1, size=8, sha256="0" * 64, stored_name="kept", created_at=NOW,
        made_at=NOW, expires_at=NOW + DAY,
    )  # fmt: skip


@pytest.fixture
def everything(ada, web, staff_with, settings, tmp_path):
    """Ada, with a row wherever a user can have one."""
    settings.DATA_DIR = tmp_path
    friend = UserFactory(platform=web)
    CustomFieldFactory(project=web.project, key="city")
    SubscriptionFactory(user=ada, cancel_reason="moved away")
    PurchaseFactory(user=ada)
    PurchaseFactory(user=friend, type="gift", recipient=ada)
    FreeCopyFactory(user=ada)
    DeviceSessionFactory(user=ada, device_name="Ada's phone")
    PasswordResetFactory(user=ada)
    ResetRequest.objects.create(project=web.project, platform=web, user=ada, requested_at=NOW)
    ImpersonationFactory(user=ada, reason=MARKER)
    customer = ProviderCustomer.objects.create(
        project=web.project, provider="stripe", reference=MARKER, user=ada, first_seen_at=NOW
    )
    ProviderEvent.objects.create(
        project=web.project, provider="stripe", event_id="evt_1", type="customer.updated",
        subject_kind="customer", subject=MARKER, customer=customer, happened_at=NOW,
        received_at=NOW, state="applied",
    )  # fmt: skip
    Mail.objects.create(
        project=web.project, kind="invitation", recipient=ada.email, language="en",
        subject=MARKER, values={"offer": MARKER}, target_user=ada.public_id, state="KEPT",
        created_at=NOW,
    )  # fmt: skip
    StoredAnswer.objects.create(
        platform=web, key_hash="0" * 64, fingerprint="0" * 64, status=201, body=MARKER,
        target_id=ada.public_id, created_at=NOW,
    )  # fmt: skip
    watch(ada)
    watch(ada, at=NOW - 40 * DAY, content="series", user_agent=PHONE)
    staff = staff_with(project=web.project)
    uploaded(ada, staff)
    kept_file(ada, staff)
    preview(user_ids=[ada.pk], project=web.project, staff=staff, now=NOW)
    return ada


def test_no_word_of_the_person_remains(everything, django_capture_on_commit_callbacks):
    ada = everything
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    planted = plant(ada)
    old_id = str(ada.public_id)

    try:
        with django_capture_on_commit_callbacks(execute=True):
            delete(ada)
    finally:
        logging.getLogger().removeHandler(handler)

    assert {"users_user.email", "users_usersearch.text", "users_user.custom"} <= planted
    assert where(MARKER) == KEPT_FOR_INVOICES
    assert set(Subscription.objects.values_list("cancel_reason", flat=True)) == {""}
    assert where(old_id) == {"audit_auditevent"}
    assert rows("SELECT encode(content, 'escape') FROM users_importpart") == []
    assert list(folder().iterdir()) == []
    assert MARKER not in stream.getvalue()


def test_every_table_is_known_here():
    """A new one about users gets a row for Ada, and is forgotten by `users.deletion`."""
    about = {table for table, _column, _is_array in rows(TABLES_ABOUT_USERS)}

    assert {
        table for (table,) in rows(ALL_TABLES) if not table.startswith("analytics_viewing_")
    } - about == (WITHOUT_KEY | WITHOUT_USERS)


def test_nothing_is_kept_by_person_but_the_stub_its_access_and_its_invoices(everything):
    before = tables_of(everything)

    delete(everything)

    assert where("ada@example.com") == set()
    # Whoever adds a table about users gives this test's person a row in it, and forgets it.
    assert all(before.values()), before
    assert {table for table, count in tables_of(everything).items() if count} == KEPT_BY_USER


# --- Sums ----------------------------------------------------------------------------------


def cells():
    """Return every sum by content, platform, country, device class and day, folded or not."""
    folded = rows(
        "SELECT project_id, day, content_id, platform_id, country, hardware_type, views,"
        " viewing_seconds, finishes, completion FROM analytics_anonymousviewing"
    )
    raw = rows(f"WITH viewings AS (SELECT * FROM analytics_viewing) {CELLS}")
    sums = {}
    for *key, views, seconds, finishes, completion in [*folded, *raw]:
        old = sums.get(tuple(key), (0, 0, 0, 0))
        new = (views, seconds, finishes, completion)
        sums[tuple(key)] = tuple(a + b for a, b in zip(old, new, strict=True))
    return sums


def test_what_was_watched_is_folded_by_content_platform_country_device_and_day(ada, web):
    film = ContentFactory(project=web.project, reference="film", duration_seconds=600)
    tv = PlatformFactory(project=web.project)
    # 23:30 in Paris is the day before in UTC's eyes only from midnight on: both are 19 March.
    late = datetime(2026, 3, 19, 22, 30, tzinfo=UTC)
    watch(ada, at=late, seconds=200, position=540)
    watch(ada, at=late + timedelta(minutes=5), seconds=900, position=539)
    # Another day in Paris, another country, device, platform.
    watch(ada, at=late + timedelta(hours=1), seconds=100)
    watch(ada, at=late, seconds=60, country="BE")
    watch(ada, at=late, seconds=60, user_agent=PHONE)
    watch(ada, at=late, seconds=60, platform=tv)
    # No views.
    watch(ada, at=late, seconds=4)
    watch(ada, at=late, seconds=60, user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)")

    delete(ada)

    assert not Viewing.objects.exists()
    found = AnonymousViewing.objects.filter(content_id=film.pk, day=date(2026, 3, 19))
    here = found.get(platform_id=web.pk, country="FR", hardware_type="computer")
    assert (here.views, here.viewing_seconds, here.finishes) == (2, 1100, 1)
    assert here.completion == Decimal("1.333333")
    assert found.get(country="BE").views == 1
    assert found.get(hardware_type="phone").views == 1
    assert found.get(platform_id=tv.pk).viewing_seconds == 60
    assert AnonymousViewing.objects.get(day=date(2026, 3, 20)).viewing_seconds == 100
    assert AnonymousViewing.objects.count() == 5


def test_all_sums_are_the_same_before_and_after(web):
    ContentFactory(project=web.project, reference="film-0", duration_seconds=1000)
    people = UserFactory.create_batch(3, platform=web)
    for number in range(24):
        watch(
            people[number % 3],
            content=f"film-{number % 4}",
            at=NOW - (number % 6) * 20 * DAY,
            seconds=30 + 41 * number,
            user_agent=PHONE if number % 5 else FIREFOX,
        )
    before = cells()

    delete(people[0])
    assert cells() == before
    delete(people[1])

    assert cells() == before
    assert sum(views for views, *_ in before.values()) == 24
    assert Viewing.objects.count() == 8
    assert figures_are_right()


def test_rows_that_remain_cannot_be_put_in_order_or_told_apart(ada, web):
    fields = {field.name for field in AnonymousViewing._meta.get_fields()}

    assert fields == {
        "pk", "project_id", "day", "content_id", "platform_id", "country", "hardware_type",
        "views", "viewing_seconds", "finishes", "completion",
    }  # fmt: skip
    for number in range(6):
        watch(ada, content=f"film-{number}")
    delete(ada)
    grace = UserFactory(platform=web)
    watch(grace, content="film-2b")
    own = set(rows("SELECT DISTINCT xmin::text FROM analytics_anonymousviewing"))

    delete(grace)

    # The neighbours of the new row were written with it.
    number = dict(rows("SELECT content_id, xmin::text FROM analytics_anonymousviewing"))
    new = number[Content.objects.get(reference="film-2b").pk]
    assert Counter(number.values())[new] >= 3
    assert own


def test_viewers_of_past_months_still_count_who_was_deleted(look_at_viewers, ada, web):
    watch(ada, at=NOW - 31 * DAY)
    watch(ada)
    grace = UserFactory(platform=web)
    watch(grace)
    assert look_at_viewers("2026-03") == (2, 2, 0)

    delete(ada)

    assert look_at_viewers("2026-03") == (2, 1, 1)
    assert look_at_viewers("2026-02") == (1, 0, 1)
    assert look_at_viewers("2026-02", elapsed=True) == (1, 0, 1)
    days = AnonymousViewerDay.objects.values_list("day", "first_viewers")
    assert set(days) == {(date(2026, 2, 17), 1), (date(2026, 3, 19), 1)}


@pytest.fixture
def look_at_viewers(web):
    """Return the figure of a month, the rows of its list, and those deleted since."""
    from django.http import QueryDict

    from analytics.selectors import viewers
    from users.filters import UserListFilter, Viewpoint

    def look(month, *, elapsed=False):
        viewpoint = Viewpoint(project=web.project, now=NOW, sees_identity=True)
        query = f"counted=viewers&month={month}" + ("&elapsed=1" if elapsed else "")
        asked = UserListFilter(QueryDict(query), viewpoint=viewpoint)
        assert asked.form.is_valid()
        totals = asked.totals()
        assert totals.total == asked.rows.count()
        return viewers(asked.scope, asked.window), totals.total, totals.deleted

    return look


def test_past_registrations_access_and_churn_still_count_the_stub(ada, web):
    SubscriptionFactory(user=ada, started_at=NOW - 40 * DAY, status="active")

    stub = delete(ada)

    at = NOW.replace(microsecond=0)
    assert stub.deleted_at == at
    assert (stub.registered_at, stub.platform, stub.status) == (
        ada.registered_at,
        web,
        User.Status.CANCELLED,
    )
    day = RegistrationDay.objects.get()
    assert (day.registered, day.deleted) == (1, 1)
    spans = AccessSpan.objects.filter(user=stub).values_list("kind", "start_at", "end_at")
    assert set(spans) == {(1, NOW - 40 * DAY, at), (2, NOW - 40 * DAY, at)}
    assert not UserSearch.objects.exists()
    assert figures_are_right()


# --- What was paid -------------------------------------------------------------------------


def test_what_runs_ends_with_the_deletion_and_what_had_ended_stays_as_it_was(ada):
    at = NOW.replace(microsecond=0)
    running = SubscriptionFactory(user=ada, provider="other")
    store = SubscriptionFactory(user=ada, provider="apple")
    late = SubscriptionFactory(user=ada, status="paused", now=NOW - 2 * DAY)
    over = SubscriptionFactory(user=ada, status="canceled", ended_at=NOW - 3 * DAY)
    opened = SubscriptionFactory(user=ada, status="incomplete")
    pack = PurchaseFactory(user=ada)
    rented = PurchaseFactory(user=ada, expires_at=NOW - DAY)
    copy = FreeCopyFactory(user=ada)

    delete(ada)

    for row in (running, store, late, over, opened, pack, rented, copy):
        row.refresh_from_db()
    assert (running.status, running.ended_at, running.access_end) == ("canceled", at, at)
    # The store goes on; here the access is over.
    assert (store.status, store.ended_at, store.access_end) == ("active", at, at)
    assert (late.status, late.access_end) == ("canceled", NOW - 2 * DAY)
    assert (over.ended_at, over.access_end) == (NOW - 3 * DAY, NOW - 3 * DAY)
    assert (opened.status, opened.access_start) == ("incomplete_expired", None)
    assert (pack.status, pack.access_end) == ("active", at)
    assert rented.access_end == NOW - DAY
    assert (copy.revoked_at, copy.access_end) == (at, at)
    assert figures_are_right()


def test_a_gift_that_was_given_stays_the_friends(ada, web):
    friend = UserFactory(platform=web)
    given = PurchaseFactory(user=ada, type="gift", recipient=friend)
    waiting = PurchaseFactory(user=ada, type="gift", recipient_email_key="new@example.com")

    delete(ada)

    given.refresh_from_db()
    waiting.refresh_from_db()
    assert (given.access_user, given.access_end) == (friend, None)
    assert waiting.recipient_email_key == "new@example.com"
    assert figures_are_right()


def test_what_waits_for_the_address_forgets_it(ada):
    friend = UserFactory(platform=ada.platform)
    gift = PurchaseFactory(user=friend, type="gift", recipient_email_key=ada.email_key)

    delete(ada)

    gift.refresh_from_db()
    assert gift.recipient_email_key == ""


# --- Nothing comes back --------------------------------------------------------------------


def test_late_viewings_are_accepted_and_not_kept(ada):
    watch(ada)
    before = cells()
    delete(ada)

    unknown = watch(ada, seconds=90)

    assert unknown == set()
    assert cells() == before
    assert figures_are_right()


def test_nobody_is_deleted_twice(ada):
    delete(ada)

    with pytest.raises(AlreadyDeleted):
        delete(ada)

    assert AuditEvent.objects.filter(kind="users.user.deleted").count() == 1


def test_an_address_that_was_deleted_registers_as_somebody_new(ada, web):
    watch(ada)
    delete(ada)

    again = UserFactory(platform=web, email="ada@example.com")

    assert again.public_id != ada.public_id
    assert not Viewing.objects.filter(user_id=again.pk).exists()


def test_no_audit_line_no_deletion(ada, monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("users.deletion.record", refuse)

    with pytest.raises(RuntimeError):
        delete(ada)

    ada.refresh_from_db()
    assert (ada.email, ada.deleted_at) == ("ada@example.com", None)
    assert figures_are_right()


def test_the_audit_line_names_the_id_alone(ada, web):
    watch(ada)
    delete(ada)

    line = AuditEvent.objects.get(kind="users.user.deleted")
    assert (line.target_id, line.actor_type, line.actor_id) == (
        str(ada.public_id),
        "platform",
        web.pk,
    )
    assert line.data == {
        "views": 1, "viewing_seconds": 60, "contents": 1, "payments": 0, "cancelled": 0,
        "left": 0, "at_stores": 0,
    }  # fmt: skip


def test_a_subscription_begun_at_stripe_meanwhile_stops_the_deletion(ada):
    SubscriptionFactory(user=ada, provider="stripe")

    with pytest.raises(ChangedSincePreview):
        erase(user_id=ada.pk, charges=Charges(), actor=SYSTEM, now=NOW)

    ada.refresh_from_db()
    assert ada.deleted_at is None
