"""Changing what figures depend on: the setting, and all that was derived by the old one."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from analytics.models import UserViewing, ViewingDay
from analytics.rules import change_rules, is_quick
from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import SYSTEM
from backoffice.projects.actions import ProjectRefused
from backoffice.projects.models import Project
from subscriptions.actions import derive_subscription
from subscriptions.models import AccessSpan, Provider, Subscription
from subscriptions.spans import rebuild_spans
from tests.reference import history as h
from tests.reference.loading import Loaded, at
from users.models import RegistrationDay, User

pytestmark = pytest.mark.django_db

# Half past eleven in the evening in Paris; half past five in the afternoon in New York.
LATE = at("2025-10-01 21:30")
NOVEMBER = at("2025-11-01 12:00")


@pytest.fixture
def loaded():
    person = h.Person(
        registered_at=LATE,
        subscriptions=(h.Subscribed("past_due", LATE, past_due_since=NOVEMBER),),
        free_copies=(h.FreeCopy(LATE, 10),),
        viewings=(h.Watched(LATE, 3), h.Watched(NOVEMBER, 20, content=1)),
    )
    other = h.Person(registered_at=LATE, free_copies=(h.FreeCopy(LATE, 10),))
    loaded = Loaded(h.History(ZoneInfo("Europe/Paris"), (person, other)), now=NOVEMBER)
    late = Subscription.objects.get()
    # Nobody tries again to collect what no outside provider charges.
    late.provider = Provider.OKAST
    derive_subscription(late)
    late.save()
    rebuild_spans([late.user_id], now=NOVEMBER)
    return loaded


def change(loaded, **changes):
    now = NOVEMBER + timedelta(hours=1)
    changed = change_rules(project=loaded.project, changes=changes, actor=SYSTEM, now=now)
    # Raises if any stored figure is not what it should be by the new rule.
    call_command("check_figures")
    return changed


def test_a_shorter_view_counts_what_did_not_count(loaded):
    user = loaded.users[0]
    assert UserViewing.objects.get(user=user).views == 1

    assert change(loaded, minimum_view_seconds=3) == ["minimum_view_seconds"]

    seen = UserViewing.objects.get(user=user)
    assert (seen.views, seen.viewing_seconds, seen.first_viewed_at) == (2, 23, LATE)
    assert Project.objects.get().minimum_view_seconds == 3
    event = AuditEvent.objects.get()
    assert (event.kind, event.data) == (
        "projects.project.edited",
        {"fields": ["minimum_view_seconds"]},
    )


def test_a_longer_view_leaves_nothing_where_nothing_counts(loaded):
    change(loaded, minimum_view_seconds=60)

    assert not UserViewing.objects.exclude(views=0).exists()
    assert not ViewingDay.objects.exclude(views=0).exists()


def test_days_are_cut_in_the_new_zone(loaded):
    assert {str(day.day) for day in RegistrationDay.objects.all()} == {"2025-10-01"}

    change(loaded, time_zone="Asia/Tokyo")

    assert {str(day.day) for day in RegistrationDay.objects.all()} == {"2025-10-02"}


def test_a_late_payer_keeps_access_as_long_as_the_new_grace(loaded):
    change(loaded, grace_days=10)

    span = AccessSpan.objects.get(user=loaded.users[0], kind=AccessSpan.Kind.SUBSCRIPTION)
    assert span.end_at == NOVEMBER + timedelta(days=10)
    user = User.objects.get(pk=loaded.users[0].pk)
    assert (user.status, user.status_until) == (User.Status.ACTIVE, span.end_at)


def test_no_grace_ends_access_when_the_payment_was_late(loaded):
    change(loaded, grace_days=0)

    assert User.objects.get(pk=loaded.users[0].pk).status == User.Status.CANCELLED


def test_copies_that_need_activation_give_none_before(loaded):
    other = loaded.users[1]
    assert AccessSpan.objects.filter(user=other).exists()

    change(loaded, free_copies_need_activation=True)

    assert not AccessSpan.objects.filter(user=other).exists()
    assert User.objects.get(pk=other.pk).status == User.Status.REGISTERED


def test_another_project_stays_as_it_is(loaded):
    elsewhere = Loaded(loaded.history, now=NOVEMBER)

    change(loaded, minimum_view_seconds=3, time_zone="Asia/Tokyo", grace_days=0)

    assert UserViewing.objects.get(user=elsewhere.users[0]).views == 1
    elsewhere.project.refresh_from_db()
    assert elsewhere.project.minimum_view_seconds == 5


def test_what_cannot_be_changes_nothing(loaded):
    with pytest.raises(ProjectRefused):
        change_rules(
            project=loaded.project,
            changes={"time_zone": "Mars/Olympus"},
            actor=SYSTEM,
            now=NOVEMBER,
        )

    assert Project.objects.get().time_zone == "Europe/Paris"
    assert not AuditEvent.objects.exists()


def test_a_small_project_is_quick_and_a_large_one_is_not(loaded):
    assert is_quick(loaded.project)
    ViewingDay.objects.update(views=300_001)

    assert not is_quick(loaded.project)
