"""Access spans: merged, chained, counted by day, and what they say of a status."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from subscriptions.models import AccessSpan, SpanDay
from subscriptions.spans import rebuild_all_spans, rebuild_spans, refresh_statuses
from tests.factories.subscriptions import FreeCopyFactory, PurchaseFactory, SubscriptionFactory
from tests.factories.users import UserFactory
from users.models import User

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
ACCESS, SUBSCRIPTION, TRIAL = AccessSpan.Kind


def spans_of(user_id):
    """The user's spans of all kinds, by kind and start."""
    return list(AccessSpan.objects.filter(user_id=user_id).order_by("kind", "start_at"))


def day(number, hour=12):
    return datetime(2026, 3, number, hour, tzinfo=UTC)


@pytest.fixture
def ada():
    return UserFactory(registered_at=day(1))


def spans(user, kind=ACCESS):
    return [
        (s.start_at, s.end_at, s.previous_end, s.next_start)
        for s in spans_of(user.pk)
        if s.kind == kind
    ]


def test_overlapping_and_touching_access_is_one_span(ada):
    PurchaseFactory(user=ada, purchased_at=day(2), expires_at=day(5), now=NOW)
    PurchaseFactory(user=ada, purchased_at=day(4), expires_at=day(7), now=NOW)
    FreeCopyFactory(user=ada, sent_at=day(7), days=2, now=NOW)
    PurchaseFactory(user=ada, purchased_at=day(10), expires_at=day(11), now=NOW)

    assert spans(ada) == [(day(2), day(9), None, day(10)), (day(10), day(11), day(9), None)]


def test_each_kind_has_its_own_spans(ada):
    SubscriptionFactory(
        user=ada, started_at=day(3), trial_ends_at=day(6), ended_at=day(9), now=NOW
    )
    PurchaseFactory(user=ada, purchased_at=day(8), now=NOW)

    assert spans(ada) == [(day(3), None, None, None)]
    assert spans(ada, SUBSCRIPTION) == [(day(3), day(9), None, None)]
    assert spans(ada, TRIAL) == [(day(3), day(6), None, None)]


def test_a_gift_is_the_recipients_and_no_subscription(ada):
    buyer = UserFactory(platform=ada.platform)
    PurchaseFactory(user=buyer, recipient=ada, type="gift", purchased_at=day(2), now=NOW)

    assert spans(buyer) == []
    assert spans(ada) == [(day(2), None, None, None)]
    assert spans(ada, SUBSCRIPTION) == []


def days_of(kind=ACCESS):
    return {
        d.day.day: (d.started, d.started_first, d.ended)
        for d in SpanDay.objects.filter(kind=kind)
        if (d.started, d.started_first, d.ended) != (0, 0, 0)
    }


def test_days_are_counted_in_the_projects_zone_and_follow_changes(ada):
    # 23:30 in UTC is the next day in Paris.
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    first = PurchaseFactory(user=ada, purchased_at=late, expires_at=day(5), now=NOW)
    PurchaseFactory(user=ada, purchased_at=day(8), expires_at=day(9), now=NOW)
    assert days_of() == {3: (1, 1, 0), 5: (0, 0, 1), 8: (1, 0, 0), 9: (0, 0, 1)}

    first.access_end = day(8)
    first.save()
    rebuild_spans([ada.pk], now=NOW)
    assert days_of() == {3: (1, 1, 0), 9: (0, 0, 1)}

    first.delete()
    rebuild_spans([ada.pk], now=NOW)
    assert days_of() == {8: (1, 1, 0), 9: (0, 0, 1)}


def test_rebuilding_twice_changes_nothing(ada):
    SubscriptionFactory(user=ada, started_at=day(3), trial_ends_at=day(6), now=NOW)
    before = list(AccessSpan.objects.order_by("pk").values())

    rebuild_spans([ada.pk], now=NOW)

    assert list(AccessSpan.objects.order_by("pk").values()) == before


def test_rebuilding_everybody_gives_the_same_as_one_by_one(ada):
    bob = UserFactory(platform=ada.platform)
    for user in (ada, bob):
        SubscriptionFactory(user=user, started_at=day(3), ended_at=day(6), now=NOW)
        PurchaseFactory(user=user, purchased_at=day(10), now=NOW)

    def everything():
        columns = ("user", "kind", "start_at", "end_at", "previous_end", "next_start")
        return (
            list(AccessSpan.objects.order_by(*columns[:3]).values_list(*columns)),
            days_of(),
            days_of(SUBSCRIPTION),
            list(User.objects.order_by("pk").values_list("status", "status_until")),
        )

    before = everything()
    rebuild_all_spans(now=NOW)

    assert everything() == before


def test_nobody_to_rebuild_is_no_work(django_assert_num_queries):
    # The transaction's own two.
    with django_assert_num_queries(2):
        rebuild_spans([], now=NOW)


# --- statuses ------------------------------------------------------------------------------


def status_at(user, now):
    refresh_statuses(project_id=user.project_id, now=now)
    user.refresh_from_db()
    return User.Status(user.status).name, user.status_until


def test_a_status_follows_the_clock_through_the_past_and_the_future(ada):
    PurchaseFactory(user=ada, purchased_at=day(5), expires_at=day(8), now=day(4))
    PurchaseFactory(user=ada, purchased_at=day(10), now=day(4))
    tick = timedelta(microseconds=1)

    assert status_at(ada, day(4)) == ("REGISTERED", day(5))
    assert status_at(ada, day(5) - tick) == ("REGISTERED", day(5))
    assert status_at(ada, day(5)) == ("ACTIVE", day(8))
    assert status_at(ada, day(8) - tick) == ("ACTIVE", day(8))
    assert status_at(ada, day(8)) == ("CANCELLED", day(10))
    assert status_at(ada, day(10)) == ("ACTIVE", None)


def test_a_status_that_is_long_overdue_is_right_at_once(ada):
    PurchaseFactory(user=ada, purchased_at=day(5), expires_at=day(8), now=day(4))

    assert status_at(ada, day(25)) == ("CANCELLED", None)


def test_only_the_projects_own_due_rows_are_written(ada):
    bob = UserFactory()
    for user in (ada, bob):
        PurchaseFactory(user=user, purchased_at=day(5), now=day(4))

    refresh_statuses(project_id=ada.project_id, now=day(6))

    bob.refresh_from_db()
    assert bob.status == User.Status.REGISTERED


def test_nothing_due_costs_one_look(ada, django_assert_num_queries):
    with django_assert_num_queries(1):
        refresh_statuses(project_id=ada.project_id, now=NOW)


# --- what the database refuses ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"start_at": day(4), "end_at": day(6)}, "access_span_no_overlap"),
        ({"start_at": day(1), "end_at": None}, "access_span_no_overlap"),
        ({"start_at": day(9), "end_at": day(9)}, "access_span_ends_after_start"),
        (
            {"start_at": day(9), "end_at": None, "previous_end": day(9)},
            "access_span_starts_after_previous",
        ),
    ],
)
def test_the_database_refuses_what_no_rule_may_make(ada, values, constraint):
    PurchaseFactory(user=ada, purchased_at=day(3), expires_at=day(5), now=NOW)
    span = AccessSpan(user=ada, project=ada.project, platform=ada.platform, kind=ACCESS, **values)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        span.save()


def test_spans_that_touch_another_kind_do_not_overlap(ada):
    PurchaseFactory(user=ada, purchased_at=day(3), expires_at=day(5), now=NOW)

    AccessSpan.objects.create(
        user=ada,
        project=ada.project,
        platform=ada.platform,
        kind=TRIAL,
        start_at=day(4),
        end_at=day(6),
    )

    assert len(spans_of(ada.pk)) == 2
