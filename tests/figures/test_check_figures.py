"""`check_figures`: finds each kind of wrong row, names it, and mends it on demand."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from analytics.models import UserViewing, ViewerDay, ViewerMonth, ViewingDay
from subscriptions.models import AccessSpan, FreeCopy, Purchase, SpanDay, Subscription
from tests.reference import history as h
from tests.reference.loading import Loaded, at
from users.models import RegistrationDay, User, UserSearch

pytestmark = pytest.mark.django_db

OCTOBER = at("2025-10-01 12:00")
NOVEMBER = at("2025-11-01 12:00")
SOON = timedelta(hours=1)


@pytest.fixture
def loaded() -> Loaded:
    person = h.Person(
        registered_at=at("2025-09-01 00:00"),
        subscriptions=(h.Subscribed("canceled", OCTOBER, ended_at=NOVEMBER),),
        purchases=(h.Bought("active", OCTOBER, expires_at=at("2025-12-24 00:00")),),
        free_copies=(h.FreeCopy(OCTOBER, 30),),
        viewings=(h.Watched(OCTOBER, 600), h.Watched(NOVEMBER, 700, content=1, platform=1)),
    )
    return Loaded(h.History(ZoneInfo("Europe/Paris"), (person,)), now=NOVEMBER)


def figures(capsys, *arguments: str) -> tuple[bool, str]:
    """Run the command; return whether it was content, and what it said."""
    try:
        call_command("check_figures", *arguments)
    except CommandError:
        return False, capsys.readouterr().out
    return True, capsys.readouterr().out


def test_right_figures_are_called_right(loaded, capsys):
    is_content, said = figures(capsys)

    assert is_content
    assert "All figures are right." in said
    assert "wrong" not in said


WRONG = {
    "words of users": lambda: User.objects.update(sort_name="someone else"),
    "registration days": lambda: RegistrationDay.objects.update(registered=7),
    "subscriptions": lambda: Subscription.objects.update(access_end=NOVEMBER + SOON),
    "purchases": lambda: Purchase.objects.update(access_user=None),
    "free copies": lambda: FreeCopy.objects.update(access_start=None, access_end=None),
    "access spans": lambda: AccessSpan.objects.filter(kind=1).update(next_start=NOVEMBER),
    "span days": lambda: SpanDay.objects.update(ended=7),
    "statuses": lambda: User.objects.update(status=User.Status.ACTIVE, status_until=None),
    "user viewing": lambda: UserViewing.objects.update(views=7),
    "viewer months": lambda: ViewerMonth.objects.filter(month="2025-11-01").delete(),
    "viewer days": lambda: ViewerDay.objects.update(first_viewers=7),
    "viewing days": lambda: ViewingDay.objects.update(viewing_seconds=7),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_row_is_named_and_mended(loaded, capsys, name):
    WRONG[name]()

    was_content, said = figures(capsys)
    is_content, mended = figures(capsys, "--repair")

    assert not was_content
    assert f"{name}: right" not in said
    assert f"{name}: " in said
    assert is_content
    assert mended.endswith("All figures are right.\n")
    assert figures(capsys)[0]


def test_a_missing_and_a_superfluous_row_are_told_apart(loaded, capsys):
    user = loaded.users[0].pk
    UserViewing.objects.all().delete()
    ViewerMonth.objects.create(
        user_id=user,
        month="2020-01-01",
        project_id=loaded.project.pk,
        account_platform_id=loaded.platforms[0].pk,
        first_viewed_at=at("2020-01-01 00:00"),
    )

    _, said = figures(capsys)

    assert f"user_id {user}: missing" in said
    assert f"user_id {user}, month 2020-01-01: should not exist" in said


def test_a_counter_of_nothing_is_as_good_as_none(loaded, capsys):
    ViewingDay.objects.create(
        project=loaded.project, platform=loaded.platforms[0], day="2020-01-01"
    )

    assert figures(capsys)[0]


def test_words_of_people_are_not_printed(loaded, capsys):
    UserSearch.objects.update(text="Secret Name")
    User.objects.update(sort_name="secret")

    _, said = figures(capsys)

    assert f"user {loaded.users[0].pk}: sort_name, search" in said
    assert "ecret" not in said
    assert "Ada" not in said


def test_a_status_that_is_due_may_be_behind(loaded, capsys):
    # The pack ran out on 24 December 2025: the command looks from a later now, without refresh.
    user = User.objects.get(pk=loaded.users[0].pk)

    assert user.status == User.Status.ACTIVE
    assert figures(capsys)[0]


def test_the_rest_of_many_differences_is_counted(capsys):
    people = tuple(h.Person(registered_at=OCTOBER) for _ in range(25))
    Loaded(h.History(ZoneInfo("UTC"), people), now=NOVEMBER)
    UserSearch.objects.all().delete()

    _, said = figures(capsys)

    assert "words of users: 25 wrong" in said
    assert "… and 5 more" in said
