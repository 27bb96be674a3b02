"""The lists of offers, subscriptions, purchases, free copies and gifts, and what they change."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.urls import reverse

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import SYSTEM
from backoffice.core.permissions import Role
from backoffice.jobs.models import Mail
from subscriptions.actions import register_user
from subscriptions.models import FreeCopy, GivenState, Offer, Purchase, Subscription
from tests.factories.projects import PlatformFactory
from tests.factories.subscriptions import (
    FreeCopyFactory,
    OfferFactory,
    PurchaseFactory,
    SubscriptionFactory,
)
from tests.factories.users import UserFactory
from users.deletion import delete_user
from users.models import User

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def monthly(project):
    return OfferFactory(project=project, reference="monthly", name="Monthly")


@pytest.fixture
def platform(project):
    return PlatformFactory(project=project)


@pytest.fixture
def ada(project, platform):
    return UserFactory(
        project=project,
        platform=platform,
        first_name="Ada",
        last_name="Love",
        email="ada@x.org",
    )


def references(response):
    return [line["reference"] for line in response.context["lines"]]


def states(response):
    return [line["state"] for line in response.context["lines"]]


# --- Subscriptions and purchases --------------------------------------------------------------


def test_subscriptions_are_listed_latest_first_with_their_total(signed_in, project, ada, monthly):
    SubscriptionFactory(user=ada, offer=monthly, reference="old", started_at=NOW - 9 * DAY)
    SubscriptionFactory(user=ada, offer=None, reference="new", started_at=NOW - 2 * DAY)

    response = signed_in().get(reverse("subscriptions:list"))

    assert references(response) == ["new", "old"]
    assert 'data-total="2"' in response.content.decode()


def test_each_filter_of_subscriptions_narrows_them(signed_in, project, ada, monthly):
    SubscriptionFactory(user=ada, offer=monthly, reference="paid", provider="google")
    SubscriptionFactory(user=ada, reference="ended", status="canceled", ended_at=NOW - DAY)
    SubscriptionFactory(reference="elsewhere")
    client = signed_in()

    def found(query):
        return references(client.get(reverse("subscriptions:list") + "?" + query))

    assert found("status=canceled") == ["ended"]
    assert found("provider=google") == ["paid"]
    assert found("offer=monthly") == ["paid"]
    assert set(found("email=ADA@x.org")) == {"paid", "ended"}
    assert found("email=nobody@x.org") == []
    assert found("from=2026-03-12") == []


@pytest.mark.parametrize(
    "query", ["status=odd", "colour=red", "from=yesterday", "offer=unknown", "after=%00"]
)
def test_a_filter_that_cannot_be_is_refused_in_words(signed_in, project, query):
    response = signed_in().get(reverse("subscriptions:list") + "?" + query)

    assert response.status_code == 400


def test_an_analyst_sees_initials_and_may_not_look_for_an_address(signed_in, project, ada):
    SubscriptionFactory(user=ada, reference="one")
    client = signed_in(Role.ANALYST)

    shown = client.get(reverse("subscriptions:list")).content.decode()

    assert "A. L." in shown
    assert "Ada" not in shown
    assert client.get(reverse("subscriptions:list") + "?email=ada@x.org").status_code == 400


def test_a_purchase_sent_as_active_reads_expired_by_the_clock(signed_in, project, ada):
    PurchaseFactory(user=ada, reference="over", expires_at=NOW - DAY, purchased_at=NOW - 3 * DAY)
    PurchaseFactory(user=ada, reference="on", expires_at=NOW + DAY, purchased_at=NOW - 2 * DAY)
    PurchaseFactory(user=ada, reference="ever", expires_at=None, purchased_at=NOW - DAY)
    client = signed_in()

    def found(status):
        return references(client.get(reverse("subscriptions:purchases") + f"?status={status}"))

    assert found("expired") == ["over"]
    assert found("active") == ["ever", "on"]
    assert found("cancelled") == []


def test_the_queries_of_a_list_do_not_grow_with_it(
    signed_in, project, ada, django_assert_max_num_queries
):
    client = signed_in()
    for number in range(3):
        SubscriptionFactory(user=ada, reference=f"s{number}")
        PurchaseFactory(user=ada, reference=f"p{number}")

    for name in ("list", "purchases", "free-copies", "gifts"):
        with django_assert_max_num_queries(9):
            client.get(reverse(f"subscriptions:{name}"))


def cells(response):
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return [dict(row) for row in csv.DictReader(io.StringIO(text, newline=""))]


def test_the_file_of_subscriptions_holds_the_rows_of_its_list(signed_in, project, ada):
    yen = OfferFactory(project=project, name="=HYPERLINK()", reference="yen")
    SubscriptionFactory(
        user=ada, offer=yen, reference="a", price_minor=500, currency="JPY", started_at=NOW - DAY
    )
    SubscriptionFactory(user=ada, reference="b", status="canceled", ended_at=NOW - DAY)
    client = signed_in()

    response = client.get(reverse("subscriptions:subscriptions-file"))
    (active,) = cells(client.get(reverse("subscriptions:subscriptions-file") + "?status=active"))

    assert [row["reference"] for row in cells(response)] == ["a", "b"]
    assert response["X-Row-Count"] == "2"
    assert (active["price"], active["currency"], active["status"]) == ("500", "JPY", "active")
    assert active["offer"] == "'=HYPERLINK()"
    assert active["started_at"] == "2026-03-19T13:00:00+01:00"
    assert active["user"] == str(ada.public_id)
    assert AuditEvent.objects.filter(kind="subscriptions.list.exported").count() == 2


def test_the_file_of_purchases_is_masked_for_an_analyst(signed_in, project, ada):
    PurchaseFactory(user=ada, price_minor=499, currency="EUR", expires_at=NOW - DAY)
    client = signed_in(Role.ANALYST)

    (row,) = cells(client.get(reverse("subscriptions:purchases-file")))

    assert (row["price"], row["status"], row["email"]) == ("4.99", "expired", "a***@x***.org")
    assert (
        client.get(reverse("subscriptions:purchases-file") + "?email=a@x.org").status_code == 400
    )
    sheet = client.get(reverse("subscriptions:purchases-sheet"))
    assert b"".join(sheet.streaming_content).startswith(b"PK")
    assert sheet["X-Row-Count"] == "1"


def test_a_file_of_payments_takes_columns_words_and_semicolons(signed_in, project, ada):
    SubscriptionFactory(user=ada, reference="a", price_minor=999, currency="EUR")
    client = signed_in()
    address = reverse("subscriptions:subscriptions-file")

    response = client.get(address + "?columns=price,reference&headers=words&delimiter=semicolon")
    data = b"".join(response.streaming_content).decode("utf-8-sig")

    assert data == "Price;Reference\r\n9.99;a\r\n"
    assert client.get(address + "?columns=password").status_code == 400


@pytest.mark.parametrize("list_name", ["subscriptions", "purchases"])
@pytest.mark.parametrize("query", ["after=x", "before=%00", "after=%00"])
def test_a_file_of_payments_has_no_pages(signed_in, project, list_name, query):
    response = signed_in().get(f"/{list_name}/export.csv?{query}")

    assert response.status_code == 400
    assert f"Unknown filter: {query.partition('=')[0]}." in response.content.decode()


def test_a_page_link_of_purchases_is_refused_among_gifts(signed_in, project, ada):
    PurchaseFactory.create_batch(51, user=ada)
    client = signed_in()
    after = client.get("/purchases/").context["page"].after

    assert client.get(f"/purchases/?after={after}").status_code == 200
    assert client.get(f"/gifts/?after={after}").status_code == 400


def test_support_takes_no_file_of_payments(signed_in, project):
    assert signed_in(Role.SUPPORT).get(reverse("subscriptions:purchases-file")).status_code == 403


# --- Offers -----------------------------------------------------------------------------------

TERMS = {
    "name": "Yearly",
    "price": "49.90",
    "currency": "EUR",
    "interval_months": "12",
    "rental_days": "",
    "trial_days": "7",
    "stripe_price_id": "price_1",
    "google_product_id": "",
    "apple_product_id": "",
}


def test_a_new_offer_is_stored_and_recorded(signed_in, project):
    sent = TERMS | {"reference": "yearly", "kind": "subscription"}
    response = signed_in().post(reverse("subscriptions:offer-new"), sent)

    offer = Offer.objects.get(reference="yearly")
    assert response.url == reverse("subscriptions:offer", args=[offer.pk])
    assert (offer.price_minor, offer.interval_months, offer.trial_days) == (4990, 12, 7)
    assert AuditEvent.objects.filter(kind="subscriptions.offer.created").count() == 1


def test_a_reference_is_taken_once_only(signed_in, project, monthly):
    sent = TERMS | {"reference": "monthly", "kind": "subscription"}
    response = signed_in().post(reverse("subscriptions:offer-new"), sent)

    assert response.status_code == 409
    monthly.refresh_from_db()
    assert monthly.name == "Monthly"


def test_new_days_of_rental_change_what_was_rented(signed_in, project, ada):
    pack = OfferFactory(project=project, reference="pack", kind=Offer.Kind.PACK, rental_days=2)
    rental = PurchaseFactory(user=ada, offer=pack, purchased_at=NOW - DAY, expires_at=None)
    assert rental.access_end == NOW + DAY

    signed_in().post(reverse("subscriptions:offer", args=[pack.pk]), TERMS | {"rental_days": "10"})

    rental.refresh_from_db()
    assert rental.access_end == NOW + 9 * DAY
    event = AuditEvent.objects.get(kind="subscriptions.offer.edited")
    assert "rental_days" in event.data["fields"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("price", "free"), ("price", "9.999"), ("currency", "EURO"), ("trial_days", "0")],
)
def test_terms_that_cannot_be_are_refused(signed_in, project, monthly, field, value):
    response = signed_in().post(
        reverse("subscriptions:offer", args=[monthly.pk]), TERMS | {field: value}
    )

    assert response.status_code == 400
    monthly.refresh_from_db()
    assert monthly.price_minor == 999


def test_who_has_an_offer_is_the_number_of_its_list(signed_in, project, ada, monthly):
    SubscriptionFactory(user=ada, offer=monthly, reference="a")
    FreeCopyFactory(user=ada, offer=monthly, sent_at=NOW - DAY, days=9)
    SubscriptionFactory(
        user=UserFactory(project=project, platform=ada.platform),
        offer=monthly,
        status="canceled",
        ended_at=NOW - DAY,
    )
    client = signed_in()

    page = client.get(reverse("subscriptions:offer", args=[monthly.pk]))

    assert page.context["holders"] == 1
    listed = client.get(page.context["holders_url"])
    assert 'data-total="1"' in listed.content.decode()


def test_an_offer_of_another_project_is_missing(signed_in, project, other_project):
    foreign = OfferFactory(project=other_project)

    response = signed_in(Role.ADMIN, project).get(
        reverse("subscriptions:offer", args=[foreign.pk])
    )

    assert response.status_code == 404


# --- Free copies ------------------------------------------------------------------------------


def test_the_four_states_of_free_copies(signed_in, project, ada):
    FreeCopyFactory(user=ada, sent_at=NOW - DAY, days=30)
    FreeCopyFactory(user=ada, sent_at=NOW - 9 * DAY, days=2)
    waiting = {"project": project, "user": None, "email_key": "new@x.org"}
    FreeCopyFactory(**waiting, sent_at=NOW - 2 * DAY, activate_by=NOW + DAY)
    FreeCopyFactory(**waiting, sent_at=NOW - 3 * DAY, activate_by=NOW - DAY)
    FreeCopyFactory(**waiting, sent_at=NOW - 4 * DAY, revoked_at=NOW - DAY)
    client = signed_in()
    address = reverse("subscriptions:free-copies")

    assert states(client.get(address)) == ["enabled", "pending", "expired", "done", "done"]
    for state, number in {"enabled": 1, "pending": 1, "expired": 1, "done": 2}.items():
        assert states(client.get(f"{address}?state={state}")) == [state] * number
    assert len(states(client.get(f"{address}?email=new@x.org"))) == 3


def test_a_free_copy_is_sent_to_an_account_or_waits_for_one(signed_in, project, ada, monthly):
    client = signed_in()
    sent = {"email": "Ada@X.org", "offer": "monthly", "days": "10", "activate_by": ""}
    client.post(reverse("subscriptions:free-copy-new"), sent)
    late = {"email": "later@x.org", "offer": "monthly", "days": "5", "activate_by": "2026-04-01"}
    client.post(reverse("subscriptions:free-copy-new"), late)

    given, waits = FreeCopy.objects.order_by("pk")
    assert (given.user, given.access_end) == (ada, NOW + 10 * DAY)
    ada.refresh_from_db()
    assert ada.status == User.Status.ACTIVE
    assert (waits.user, waits.email_key) == (None, "later@x.org")
    # Midnight after the last day, in Paris.
    assert waits.activate_by == datetime(2026, 4, 1, 22, tzinfo=UTC)
    assert AuditEvent.objects.filter(kind="subscriptions.free_copy.given").count() == 2


def test_who_is_given_a_free_copy_is_told_and_told_again_while_it_waits(signed_in, project):
    client = signed_in()
    sent = {"email": "New@x.org", "days": "10", "mail": "on", "language": "fr"}
    client.post(reverse("subscriptions:free-copy-new"), sent)
    waits = FreeCopy.objects.get()

    client.post(reverse("subscriptions:free-copy", args=[waits.pk]), {"remind": "1"})

    told, again = Mail.objects.order_by("pk")
    assert (told.recipient, told.language, again.recipient) == ("New@x.org", "fr", "new@x.org")
    assert AuditEvent.objects.filter(kind="subscriptions.free_copy.told").count() == 1


def test_a_free_copy_can_be_extended_and_taken_back(signed_in, project, ada, monthly):
    free_copy = FreeCopyFactory(user=ada, offer=monthly, sent_at=NOW - DAY, days=2)
    client = signed_in()
    address = reverse("subscriptions:free-copy", args=[free_copy.pk])

    client.post(address, {"offer": "monthly", "days": "20", "activate_by": ""})
    free_copy.refresh_from_db()
    assert free_copy.access_end == NOW + 19 * DAY

    client.post(address, {"revoke": "1"})
    free_copy.refresh_from_db()
    ada.refresh_from_db()
    assert free_copy.access_end == NOW
    assert ada.status == User.Status.CANCELLED

    # Over is over: a second click changes nothing and is told.
    client.post(address, {"offer": "monthly", "days": "99", "activate_by": ""})
    free_copy.refresh_from_db()
    assert free_copy.days == 20


def test_support_may_look_but_not_give(signed_in, project, ada):
    client = signed_in(Role.SUPPORT)

    assert client.get(reverse("subscriptions:free-copies")).status_code == 200
    assert client.get(reverse("subscriptions:free-copy-new")).status_code == 403


# --- Gifts ------------------------------------------------------------------------------------


@pytest.fixture
def gift(project, ada, monthly):
    """Bought by Ada a day ago for somebody without an account."""
    return PurchaseFactory(
        user=ada,
        offer=monthly,
        type=Purchase.Type.GIFT,
        provider="okast",
        recipient=None,
        recipient_email_key="friend@x.org",
        purchased_at=NOW - DAY,
        expires_at=NOW + 9 * DAY,
    )


def test_a_gift_waits_for_its_recipient_until_it_expires(signed_in, project, gift):
    friend = UserFactory(
        project=project, platform=gift.user.platform, registered_at=NOW - 30 * DAY
    )
    PurchaseFactory(
        user=gift.user,
        type=Purchase.Type.GIFT,
        recipient=friend,
        purchased_at=NOW - 2 * DAY,
        expires_at=NOW + DAY,
    )
    PurchaseFactory(
        user=gift.user,
        type=Purchase.Type.GIFT,
        recipient_email_key="late@x.org",
        purchased_at=NOW - 3 * DAY,
        expires_at=NOW - DAY,
    )
    PurchaseFactory(user=gift.user, reference="no gift", purchased_at=NOW)
    client = signed_in()
    address = reverse("subscriptions:gifts")

    assert states(client.get(address)) == ["pending", "enabled", "expired"]
    for state in ("pending", "enabled", "expired"):
        assert states(client.get(f"{address}?state={state}")) == [state]
    assert states(client.get(f"{address}?state=done")) == []


def test_a_gift_can_be_given_longer_and_cancelled(signed_in, project, gift):
    client = signed_in()
    address = reverse("subscriptions:gift", args=[gift.pk])

    client.post(address, {"last_day": "2026-05-31"})
    gift.refresh_from_db()
    assert gift.expires_at == datetime(2026, 5, 31, 22, tzinfo=UTC)

    client.post(address, {"revoke": "1"})
    gift.refresh_from_db()
    assert gift.status == Purchase.Status.CANCELLED
    assert gift.given_state(NOW) == GivenState.EXPIRED
    assert AuditEvent.objects.filter(kind="subscriptions.gift.revoked").count() == 1


def test_a_gift_is_told_of_again_only_while_it_waits(signed_in, project, gift):
    client = signed_in()
    address = reverse("subscriptions:gift", args=[gift.pk])
    client.post(address, {"remind": "1"})
    UserFactory(project=project, platform=gift.user.platform, email="friend@x.org")
    Purchase.objects.filter(pk=gift.pk).update(status="cancelled")
    client.post(address, {"remind": "1"})

    assert [mail.recipient for mail in Mail.objects.all()] == ["friend@x.org"]


def test_a_gift_that_waits_can_be_cancelled_though_its_buyer_was_deleted(signed_in, project, gift):
    delete_user(user=gift.user, actor=SYSTEM, now=NOW)
    client = signed_in()
    address = reverse("subscriptions:gift", args=[gift.pk])
    page = client.get(address).content.decode()
    assert "Its buyer was deleted: it can be cancelled, and not be changed." in page
    assert "last_day" not in page

    refused = client.post(address, {"last_day": "2026-05-31"}, follow=True)
    assert "It concerns a user who was deleted." in refused.content.decode()
    client.post(address, {"revoke": "1"})

    gift.refresh_from_db()
    assert gift.status == Purchase.Status.CANCELLED
    assert AuditEvent.objects.filter(kind="subscriptions.gift.revoked").count() == 1
    # Whoever registers with the address now receives nothing.
    web = PlatformFactory(project=project, slug="tv")
    friend = User(project=project, platform=web, email="friend@x.org", registered_at=NOW)
    register_user(user=friend, actor=SYSTEM, now=NOW)
    friend.refresh_from_db()
    assert friend.status == User.Status.REGISTERED


def test_support_cancels_no_gift(signed_in, project, gift):
    address = reverse("subscriptions:gift", args=[gift.pk])

    assert signed_in(Role.SUPPORT).post(address, {"revoke": "1"}).status_code == 403


def test_taking_back_says_first_who_loses_what(signed_in, project, ada, gift, monthly):
    free_copy = FreeCopyFactory(user=ada, offer=monthly, sent_at=NOW - DAY, days=2)
    client = signed_in()

    def said(name, given):
        page = client.get(reverse(f"subscriptions:{name}", args=[given.pk])).content.decode()
        return re.sub(r"<.+?>", "", re.search(r'panel__said">(.+?)</p>', page).group(1))

    # Noon in London is one in Paris.
    assert said("free-copy", free_copy) == (
        "Ada Love loses this access now; it would have lasted until 21 Mar 2026 13:00."
        " Other access stays. This cannot be undone."
    )
    assert said("gift", gift) == (
        "Nobody has access by it yet, and nobody will."
        " Nothing is paid back here: Ada Love paid €4.99. This cannot be undone."
    )


def test_a_gift_that_a_store_charges_is_not_changed_here(signed_in, project, gift):
    Purchase.objects.filter(pk=gift.pk).update(provider="apple")

    response = signed_in().post(reverse("subscriptions:gift", args=[gift.pk]), {"revoke": "1"})

    assert response.status_code == 404
    gift.refresh_from_db()
    assert gift.status == Purchase.Status.ACTIVE


def test_a_subscription_that_ended_reads_cancelled_though_its_state_is_active(ada):
    ended = SubscriptionFactory(user=ada, status="active", ended_at=NOW - DAY)

    assert not ended.is_held_at(NOW)
    assert ended.is_held_at(NOW - 2 * DAY)
    assert Subscription.objects.get().status == "active"
