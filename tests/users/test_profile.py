"""One person's page: head, cards, last contents, personal information, payments."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backoffice.core.permissions import Role
from backoffice.staff.models import StaffMember
from subscriptions.models import Offer, Purchase, Subscription
from tests.conftest import NOW
from tests.factories.analytics import ContentFactory
from tests.factories.subscriptions import (
    FreeCopyFactory,
    OfferFactory,
    PurchaseFactory,
    SubscriptionFactory,
)
from tests.factories.users import CustomFieldFactory, DeviceSessionFactory
from tests.users.reading import page_of, words
from tests.users.watching import counted, device, watch
from users.models import CustomField, DeviceSession

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LONG_AGO = datetime(2024, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
def ada(person):
    return person("Lovelace", LONG_AGO, email="ada@example.com", country="GB", language="en")


@pytest.fixture
def film(project):
    return ContentFactory(project=project, reference="film", name="The Film")


@pytest.fixture
def profile(look):
    """Open somebody's profile with a role; return the response."""

    def profile(user, query="", role=Role.ADMIN, **kwargs):
        return look(query, path=f"/users/{user.public_id}/", role=role, **kwargs)

    return profile


def section(html, title):
    """Return the words of the panel with that title."""
    (found,) = [
        part for part in re.findall(r"<section.*?</section>", html, re.DOTALL) if title in part
    ]
    return words(found)


def card_values(html):
    found = re.findall(r'data-card="([^"]+)" data-value="(\d+)"', html)
    return {key: int(value) for key, value in found}


# --- cards ----------------------------------------------


def test_cards_count_views_of_all_time_and_of_the_month(profile, ada, film, project):
    series = ContentFactory(project=project)
    watch(ada, film, NOW - 40 * DAY, 3600)
    watch(ada, film, NOW - DAY, 600)
    watch(ada, series, NOW - DAY + HOUR, 60)
    watch(ada, series, NOW - HOUR, 4)  # one second short of a view
    watch(ada, series, NOW - HOUR, 900, on=device("bot"))
    counted(ada)

    html = page_of(profile(ada))

    assert card_values(html) == {"media": 2, "media-month": 2, "time": 4260, "time-month": 660}
    assert "3 views" in words(html)
    assert "1:11:00" in words(html)


def test_the_month_begins_at_the_projects_midnight(profile, ada, film):
    midnight = datetime(2026, 10, 31, 23, tzinfo=UTC)
    watch(ada, film, midnight - timedelta(seconds=1), 100)
    watch(ada, film, midnight, 10)
    counted(ada)

    assert card_values(page_of(profile(ada)))["time-month"] == 10


@pytest.mark.parametrize("period", ["all", "month"])
def test_each_card_equals_the_list_that_it_leads_to(profile, ada, film, project, period):
    other = ContentFactory(project=project)
    for number in range(60):
        watch(ada, film if number % 3 else other, NOW - number * DAY, 10 + number)
    counted(ada)
    cards = card_values(page_of(profile(ada)))

    html = page_of(profile(ada, f"period={period}"))

    suffix = "-month" if period == "month" else ""
    views = 60 if period == "all" else 22
    assert f'id="viewed" aria-labelledby="viewed-title" data-total="{views}"' in html
    hours, minutes = divmod(cards[f"time{suffix}"] // 60, 60)
    time = f"{hours}:{minutes:02}:{cards[f'time{suffix}'] % 60:02}"
    assert f"{views} views · {cards[f'media{suffix}']} contents · {time}" in words(html)


# --- last viewed content ----------------------------------------------


def test_the_five_latest_contents_with_how_far_the_user_came(profile, ada, project):
    contents = [
        ContentFactory(project=project, name=f"Film {n}", duration_seconds=1000) for n in range(6)
    ]
    for number, content in enumerate(contents):
        watch(ada, content, NOW - 10 * DAY + number * HOUR, 100, position=100 * number)
    # Begun anew later: the progress of before goes on.
    watch(ada, contents[3], NOW - DAY, 10, position=10)
    counted(ada)

    last = section(page_of(profile(ada)), "Last viewed content")

    order = re.findall(r"Film \d", last)
    assert order == ["Film 3", "Film 5", "Film 4", "Film 2", "Film 1"]
    assert "30.0 % · at 0:05:00 of 0:16:40" in last


def test_progress_ends_at_the_end_and_a_live_event_has_none(profile, ada, project):
    short = ContentFactory(project=project, name="Short", duration_seconds=60)
    live = ContentFactory(project=project, name="Concert", type="live", duration_seconds=None)
    watch(ada, short, NOW - DAY, 90, position=90)
    watch(ada, live, NOW - HOUR, 90)
    counted(ada)

    last = section(page_of(profile(ada)), "Last viewed content")

    assert "100.0 % · at 0:01:00 of 0:01:00" in last
    assert last.count("%") == 1


def test_only_what_is_available_opens_on_its_platform(profile, ada, project):
    there = ContentFactory(project=project, url="https://watch.example.com/there")
    gone = ContentFactory(
        project=project, url="https://watch.example.com/gone", status="unavailable"
    )
    for content in (there, gone):
        watch(ada, content, NOW - DAY, 60)
    counted(ada)

    html = page_of(profile(ada))

    assert 'href="https://watch.example.com/there"' in html
    assert "https://watch.example.com/gone" not in html


def test_the_latest_contents_are_found_behind_a_thousand_views_of_one(
    profile, ada, project, monkeypatch
):
    monkeypatch.setattr("analytics.selectors.VIEWS_LOOKED_AT", 3)
    often, once = (ContentFactory(project=project, name=name) for name in ("Often", "Once"))
    watch(ada, once, NOW - 90 * DAY, 60)
    for number in range(4):
        watch(ada, often, NOW - number * HOUR, 60)
    counted(ada)

    last = section(page_of(profile(ada)), "Last viewed content")

    assert re.findall("Often|Once", last) == ["Often", "Once"]


# --- head ----------------------------------------------


def monthly(ada, **values):
    return SubscriptionFactory(user=ada, started_at=NOW - 40 * DAY, now=NOW, **values)


@pytest.mark.parametrize(
    ("make", "status", "sentence"),
    [
        (lambda _: None, "Registered", "Registered: never had access."),
        (
            lambda ada: monthly(ada, provider="stripe", current_period_end=NOW + 5 * DAY),
            "Active",
            "by the subscription “Monthly” (Stripe), which renews on 27 Nov 2026 13:00.",
        ),
        (
            lambda ada: monthly(ada, cancel_at=NOW + DAY),
            "Active",
            "Active until 23 Nov 2026 13:00: the subscription “Monthly” (OKAST) ends then.",
        ),
        (
            lambda ada: monthly(ada, status="trialing", trial_ends_at=NOW + DAY),
            "Active",
            "Active in the trial of the subscription “Monthly” (OKAST), which ends on 23 Nov 2026",
        ),
        (
            lambda ada: monthly(ada, provider="stripe", status="past_due"),
            "Active",
            "Active while a payment for the subscription “Monthly” (Stripe) is late",
        ),
        (
            lambda ada: monthly(ada, status="unpaid", ended_at=NOW - DAY),
            "Cancelled",
            "Cancelled since 21 Nov 2026 13:00: payments for the subscription “Monthly” (OKAST)",
        ),
        (
            lambda ada: monthly(ada, status="incomplete"),
            "Registered",
            "the first payment for the subscription “Monthly” (OKAST) did not succeed.",
        ),
        (
            lambda ada: FreeCopyFactory(user=ada, sent_at=NOW - 40 * DAY, days=30, now=NOW),
            "Cancelled",
            "Cancelled since 12 Nov 2026 13:00: the free copy of “Monthly” ran out.",
        ),
        (
            lambda ada: PurchaseFactory(user=ada, purchased_at=NOW - DAY, now=NOW),
            "Active",
            "Active since 21 Nov 2026 13:00 by the pack “Pack”, without an end.",
        ),
        (
            lambda ada: PurchaseFactory(user=ada, status="unknown", now=NOW),
            "Registered",
            "Registered: nobody knows whether the pack “Pack” was paid.",
        ),
    ],
)
def test_why_the_status_is_what_it_is(profile, ada, make, status, sentence):
    make(ada)

    html = page_of(profile(ada))

    assert f'data-status="{status.lower()}"' in html
    assert sentence in words(html)


def test_a_status_that_the_clock_changed_is_right_without_a_job(profile, ada, clock):
    monthly(ada, cancel_at=NOW + HOUR)
    clock.move_to(NOW + HOUR)

    assert 'data-status="cancelled"' in page_of(profile(ada))


def test_who_may_not_see_payments_reads_the_short_reason(profile, ada):
    monthly(ada, cancel_at=NOW + DAY)

    html = page_of(profile(ada, role=Role.READER))

    assert "ends 23 Nov" in words(html)
    assert "OKAST" not in words(html)
    assert "Subscriptions and purchases" not in html


@pytest.mark.parametrize(
    ("role", "acts"),
    [
        (Role.ADMIN, ["Edit", "Impersonate", "Delete"]),
        (Role.SUPPORT, ["Edit", "Impersonate"]),
        (Role.ANALYST, []),
    ],
)
def test_the_menu_offers_what_is_allowed(profile, ada, role, acts):
    html = page_of(profile(ada, role=role))

    assert re.findall(r'role="menuitem"[^>]*>([^<]+)<', html) == acts
    assert ("free-copy" in html) == (role == Role.ADMIN)
    assert ("Send a reset link" in html) == (role in {Role.ADMIN, Role.SUPPORT})
    assert ("Change password" in html) == (role == Role.ADMIN)


def test_the_way_back_keeps_the_filter_through_every_page(profile, look, ada):
    came_from = "http://testserver/users/?status=active&sort=name&after=xyz"
    back = 'href="/users/?status=active&amp;sort=name"'

    html = page_of(profile(ada, headers={"Referer": came_from}))

    assert back in html
    edit = re.search(rf'href="(/users/{ada.public_id}/edit/\?list=[^"]+)"', html).group(1)
    html = page_of(look(path=edit))
    assert back in html
    saved = look(
        path=re.search(r'action="([^"#]+)#personal"', html).group(1),
        method="post",
        data={"first_name": "Ada", "email": "ada@example.com", "version": "1"},
    )
    assert back in page_of(look(path=saved.url.partition("#")[0]))


@pytest.mark.parametrize("place", ["after=xyz", "before=xyz", f"after={'x' * 3000}"])
def test_no_link_carries_a_place_in_the_list(profile, ada, place):
    came_from = f"http://testserver/users/?{place}&status=active"

    by_link = page_of(profile(ada, headers={"Referer": came_from}))
    by_address = page_of(profile(ada, query=urlencode({"list": f"{place}&status=active"})))

    for html in (by_link, by_address):
        links = re.findall(r'(?:href|action)="([^"]*)"', html)
        assert "/users/?status=active" in links
        assert f"/users/{ada.public_id}/edit/?list=status%3Dactive" in links
        assert not [link for link in links if "xyz" in link or "xxx" in link]


def test_a_filter_too_long_to_carry_is_refused_in_an_address_and_left_out_else(profile, ada):
    too_long = f"q={'x' * 1999}"

    html = page_of(profile(ada, headers={"Referer": f"http://testserver/users/?{too_long}"}))

    assert 'href="/users/"' in html
    assert profile(ada, query=urlencode({"list": too_long})).status_code == 400


def test_every_way_on_from_a_profile_takes_the_filter_along(profile, ada):
    DeviceSessionFactory(user=ada)
    SubscriptionFactory(user=ada, provider="stripe")
    PurchaseFactory(user=ada, provider="stripe")

    html = page_of(profile(ada, "list=status%3Dactive"))

    links = re.findall(rf'(?:href|action)="/users/{ada.public_id}/([^"]*)"', html)
    ways = {link for link in links if not link.startswith(("viewing.", "viewing-graph."))}
    assert {way.partition("?")[0].partition("/")[0] for way in ways if way[0] != "?"} == {
        *("edit", "impersonate", "delete", "free-copy", "password"),
        *("sessions", "subscriptions", "purchases"),
    }
    assert [way for way in ways if "list=status%3Dactive" not in way] == []


@pytest.mark.parametrize("page", ["edit", "delete", "impersonate", "free-copy", "password"])
def test_a_page_about_a_user_leads_back_with_the_filter(look, ada, project, page):
    OfferFactory(project=project)
    at = f"/users/{ada.public_id}/"

    html = page_of(look("list=status%3Dactive", path=f"{at}{page}/"))

    assert f'href="{at}?list=status%3Dactive' in html
    assert f'action="{at}{page}/?list=status%3Dactive' in html


def test_what_was_done_on_a_profile_leads_back_with_the_filter(look, ada, project):
    OfferFactory(project=project, reference="monthly")
    session = DeviceSessionFactory(user=ada)
    DeviceSessionFactory(user=ada)
    at = f"/users/{ada.public_id}/"

    def led_to(act, **data):
        path = f"{at}{act}/?list=status%3Dactive"
        return look(path=path, method="post", data=data).url

    assert led_to(f"sessions/{session.id}/end") == f"{at}?list=status%3Dactive#sessions"
    assert led_to("sessions/end") == f"{at}?list=status%3Dactive#sessions"
    assert led_to("password", mode="link") == f"{at}?list=status%3Dactive"
    assert led_to("free-copy", offer="monthly", days="3") == f"{at}?list=status%3Dactive"


def test_the_receipt_of_a_deletion_leads_back_with_the_filter(look, ada):
    way = "list=status%3Dactive%26project%3Delsewhere"

    done = look(path=f"/users/{ada.public_id}/delete/?{way}", method="post", data={})
    receipt = page_of(look(path=done.url))

    assert f'href="/users/?project={ada.project.slug}&amp;status=active"' in receipt


def test_nobody_elses_page_is_a_filter_of_the_list(profile, ada):
    html = page_of(profile(ada, headers={"Referer": "http://testserver/audit/?kind=x"}))

    assert 'href="/users/"' in html


# --- personal information ----------------------------------------------


def test_personal_information_with_typed_sign_up_fields(profile, project, person):
    for key, type_ in (("genre", CustomField.Type.TEXT), ("news", CustomField.Type.BOOLEAN)):
        CustomFieldFactory(project=project, key=key, type=type_)
    ada = person("Lovelace", LONG_AGO, country="GB", custom={"genre": "noir", "news": True})

    shown = section(page_of(profile(ada)), "Personal information")

    assert "Registration date 15 Jan 2024 13:00" in shown
    assert "Password modification no password yet" in shown
    assert "Country United Kingdom (GB)" in shown
    assert "Genre noir News Yes" in shown


@pytest.mark.parametrize("role", [Role.ANALYST, Role.READER])
def test_masked_readers_see_no_name_anywhere(profile, person, role):
    ada = person("Lovelace", LONG_AGO, first_name="Augusta", email="countess@lovelace.example")
    giver = person("Babbage", LONG_AGO, first_name="Charles")
    PurchaseFactory(user=giver, type="gift", recipient=ada, purchased_at=NOW - DAY, now=NOW)

    html = page_of(profile(ada, role=role))

    for name in ("Lovelace", "lovelace", "Augusta", "countess", "Babbage", "Charles"):
        assert name not in html
    assert "A. L." in html


def test_a_password_set_by_staff_is_announced(profile, person):
    ada = person("Lovelace", password="x", must_change_password=True)

    assert "it must be changed at the next sign-in" in words(page_of(profile(ada)))


# --- sessions ----------------------------------------------


def test_live_sessions_first_then_ended_ones_with_when_and_why(profile, ada):
    ended = [
        DeviceSessionFactory(
            user=ada,
            created_at=NOW - n * DAY,
            ended_at=NOW - n * HOUR,
            end_reason=DeviceSession.EndReason.LIMIT,
        )
        for n in (2, 1, 3)
    ]
    live = DeviceSessionFactory(user=ada, created_at=NOW - 9 * DAY, device_name="Ada’s TV")

    html = page_of(profile(ada))

    shown = re.findall(r'data-session="([^"]+)"', html)
    assert shown == [str(row.id) for row in (live, ended[1], ended[0], ended[2])]
    assert "ended 22 Nov 2026 12:00: Too many devices" in words(html)
    assert "Phone Ada’s TV" in words(html)


# --- payments ----------------------------------------------


def payment_rows(html, title):
    table = re.search(rf"<caption>{title}</caption>.*?</table>", html, re.DOTALL).group()
    rows = re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.DOTALL)
    return [
        [words(cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)] for row in rows
    ]


@pytest.mark.parametrize(
    ("values", "row"),
    [
        (
            {"first_paid_at": NOW - 39 * DAY, "current_period_end": NOW + DAY},
            [
                "Active",
                "OKAST",
                "Monthly",
                "€9.99",
                "14 Oct 2026 14:00",
                "renews 23 Nov 2026 13:00",
            ],
        ),
        (
            {"status": "trialing", "trial_ends_at": NOW + DAY},
            ["Active In trial", "OKAST", "Monthly", "€9.99", "trial since 13 Oct 2026 14:00", ""],
        ),
        (
            {"cancel_at": NOW + DAY, "provider": "apple", "price_minor": 0},
            ["Active", "Apple", "Monthly", "Free", "13 Oct 2026 14:00", "ends 23 Nov 2026 13:00"],
        ),
        (
            {"status": "canceled", "ended_at": NOW - DAY, "currency": "JPY", "price_minor": 500},
            ["Cancelled", "OKAST", "Monthly", "¥500", "13 Oct 2026 14:00", "21 Nov 2026 13:00"],
        ),
        (
            {"status": "past_due", "provider": "google"},
            ["Active Payment late", "Google", "Monthly", "€9.99", "13 Oct 2026 14:00", ""],
        ),
        (
            {"status": "incomplete"},
            ["Cancelled Incomplete", "OKAST", "Monthly", "€9.99", "13 Oct 2026 14:00", ""],
        ),
        # Reported as active, and over: the clock is right.
        (
            {"cancel_at": NOW},
            [
                "Cancelled ended",
                "OKAST",
                "Monthly",
                "€9.99",
                "13 Oct 2026 14:00",
                "22 Nov 2026 13:00",
            ],
        ),
    ],
)
def test_a_subscription_by_the_seeds_words(profile, ada, values, row):
    monthly(ada, **values)

    assert payment_rows(page_of(profile(ada)), "Subscriptions") == [row]


def test_gifts_received_and_free_copies_are_free_subscriptions(profile, ada, person):
    giver = person("Babbage", LONG_AGO, first_name="Charles")
    gift = PurchaseFactory(
        user=giver, type="gift", recipient=ada, purchased_at=NOW - 3 * DAY,
        expires_at=NOW + DAY, now=NOW,
    )  # fmt: skip
    Offer.objects.filter(pk=gift.offer_id).update(name="Best of")
    FreeCopyFactory(user=ada, sent_at=NOW - 2 * DAY, days=30, revoked_at=NOW - DAY, now=NOW)

    html = page_of(profile(ada))

    assert payment_rows(html, "Subscriptions") == [
        ["Cancelled free copy, taken back", "OKAST", "Monthly", "Free", "20 Nov 2026 13:00",
         "21 Nov 2026 13:00"],
        ["Active gift from Charles Babbage", "OKAST", "Best of", "Free", "19 Nov 2026 13:00",
         "ends 23 Nov 2026 13:00"],
    ]  # fmt: skip
    # The transaction is in the buyer's profile, and makes nobody but the recipient active.
    html = page_of(profile(giver))
    assert payment_rows(html, "Purchases and rentals") == [
        ["Active", "Best of", "Gift", "€4.99", "19 Nov 2026 13:00"]
    ]
    assert 'data-status="registered"' in html


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({}, "Active"),
        ({"expires_at": NOW}, "Expired"),
        ({"offer__rental_days": 2}, "Expired"),
        ({"status": "unknown"}, "Unknown"),
        ({"status": "cancelled"}, "Cancelled"),
    ],
)
def test_a_purchase_by_the_seeds_words(profile, ada, values, status):
    PurchaseFactory(user=ada, purchased_at=NOW - 3 * DAY, now=NOW, **values)

    (row,) = payment_rows(page_of(profile(ada)), "Purchases and rentals")
    assert row == [status, "Pack", "Pack", "€4.99", "19 Nov 2026 13:00"]


def test_french_cancels_a_purchase_and_ends_a_subscription_in_its_own_words(profile, ada):
    PurchaseFactory(user=ada, status=Purchase.Status.CANCELLED, now=NOW)
    monthly(ada, status=Subscription.Status.CANCELED, ended_at=NOW - DAY)
    profile(ada)
    StaffMember.objects.update(language="fr")

    html = page_of(profile(ada))

    assert payment_rows(html, "Achats et locations")[0][0] == "Annulé"
    assert payment_rows(html, "Abonnements")[0][0] == "Résilié"
    assert "Que regarde l’utilisateur ?" in words(html)


# --- cost ----------------------------------------------


def test_the_page_costs_at_most_fifteen_queries_however_much_was_watched(profile, ada, project):
    contents = [ContentFactory(project=project) for _ in range(12)]
    for number in range(120):
        watch(ada, contents[number % 12], NOW - number * HOUR, 60 + number)
    for number in range(6):
        monthly(ada, reference=f"sub-of-ada-{number}")
        DeviceSessionFactory(user=ada)
        FreeCopyFactory(user=ada, now=NOW)
    counted(ada)
    # Due: what is kept on the row is not what the clock says.
    type(ada).objects.filter(pk=ada.pk).update(status_until=NOW - DAY)
    profile(ada)

    with CaptureQueriesContext(connection) as queries:
        page_of(profile(ada, "per_page=100"))

    assert len(queries) <= 15


def test_a_reader_sees_sums_but_not_what_one_person_watched(profile, ada, film):
    watch(ada, film, NOW - DAY, 600)
    counted(ada)

    html = page_of(profile(ada, role=Role.READER))

    assert card_values(html) == {"media": 1, "media-month": 1, "time": 600, "time-month": 600}
    assert "The Film" not in html
    assert 'id="viewed"' not in html
