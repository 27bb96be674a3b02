"""Settings → Payments: the three providers connected, their secrets never shown, disconnected."""

import json
import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import SYSTEM
from backoffice.core.permissions import Role
from backoffice.staff.proof import PROVED_AT
from subscriptions.accounts import (
    apple_secrets,
    connect_stripe,
    google_secrets,
    stripe_secrets,
)
from subscriptions.models import ProviderAccount, ProviderEvent, ProviderSync
from tests.conftest import NOW
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.users import UserFactory
from tests.local_stores import AUDIENCE, PACKAGE, SENDER

pytestmark = pytest.mark.django_db
ALL = "/settings/payments/"
STRIPE = {"secret_key": "sk_test_page", "webhook_secrets": "whsec_old, whsec_new"}
GOOGLE = {"package_name": PACKAGE, "audience": AUDIENCE, "sender": SENDER}
APPLE = {
    "environment": "live",
    "bundle_id": "com.example.films",
    "app_id": "1234567890",
    "issuer_id": "57246542-96fe-1a63-e053-0824d011072a",
    "key_id": "2X9R4HXF34",
}


@pytest.fixture
def owner(signed_in, project):
    return signed_in(Role.OWNER, project)


def file(content, name="key"):
    content = content.encode() if isinstance(content, str) else content
    return SimpleUploadedFile(name, content)


def google_form(stores, **changes):
    return GOOGLE | {"service_account": file(stores.service_account())} | changes


def apple_form(stores, **changes):
    files = {
        "private_key": file(stores.apple.private_key()),
        "root_certificate": file(stores.apple.root_der),
    }
    return APPLE | files | changes


def secrets_of(stores):
    """Return what may be seen nowhere: pieces of each secret of the three."""
    google = json.loads(stores.service_account())["private_key"].splitlines()[1]
    return ["sk_test_page", "whsec_old", google, stores.apple.private_key().splitlines()[1]]


# --- Connect ---------------------------------------------------------------------------------


def test_connects_the_three_and_never_shows_a_secret_again(owner, project, stores, caplog):
    assert owner.get(ALL).content.decode().count("Not connected: nothing is accepted.") == 3

    for provider, form in (
        ("stripe", STRIPE),
        ("google", google_form(stores)),
        ("apple", apple_form(stores)),
    ):
        answer = owner.post(f"{ALL}{provider}/", form)
        assert (answer.status_code, answer.url) == (302, "/settings/payments/?project=north")

    accounts = {one.provider: one for one in ProviderAccount.objects.all()}
    assert stripe_secrets(accounts["stripe"]).webhook_secrets == ("whsec_old", "whsec_new")
    assert google_secrets(accounts["google"]).service_account_json == stores.service_account()
    kept = apple_secrets(accounts["apple"])
    assert (kept.app_id, kept.is_live, kept.root_certificates) == (
        1234567890,
        True,
        (stores.apple.root_der,),
    )
    pages = [
        owner.get(ALL + path).content.decode() for path in ("", "stripe/", "google/", "apple/")
    ]
    for provider in ("stripe", "google", "apple"):
        assert f"http://testserver/webhooks/{provider}/north/" in pages[0]
    assert "…page" in pages[0]
    assert f'value="{SENDER}"' in pages[2]
    assert "Apple Root CA (2040-01-01)" in pages[3]
    seen = "".join(pages) + caplog.text + str(list(AuditEvent.objects.values()))
    assert [secret for secret in secrets_of(stores) if secret in seen] == []
    assert AuditEvent.objects.filter(kind="subscriptions.provider.connected").count() == 3


def test_an_empty_secret_keeps_the_one_there_is(owner, project, stores):
    owner.post(f"{ALL}stripe/", STRIPE)
    owner.post(f"{ALL}google/", google_form(stores))
    owner.post(f"{ALL}apple/", apple_form(stores))

    owner.post(f"{ALL}stripe/", {"secret_key": "", "webhook_secrets": "whsec_newer"})
    owner.post(f"{ALL}google/", GOOGLE | {"audience": "films"})
    owner.post(f"{ALL}apple/", APPLE | {"key_id": "NEWER"})

    accounts = {one.provider: one for one in ProviderAccount.objects.all()}
    stripe = stripe_secrets(accounts["stripe"])
    assert (stripe.secret_key, stripe.webhook_secrets) == ("sk_test_page", ("whsec_newer",))
    google = google_secrets(accounts["google"])
    assert (google.audience, google.service_account_json) == ("films", stores.service_account())
    apple = apple_secrets(accounts["apple"])
    assert (apple.key_id, apple.private_key) == ("NEWER", stores.apple.private_key())
    assert apple.root_certificates == (stores.apple.root_der,)


def test_the_operators_root_stands_for_one_that_is_not_given(
    owner, project, stores, monkeypatch, tmp_path
):
    (tmp_path / "root.cer").write_bytes(stores.apple.root_der)
    monkeypatch.setenv("APPLE_ROOT_CERTIFICATES", str(tmp_path / "root.cer"))
    form = apple_form(stores)
    del form["root_certificate"]

    owner.post(f"{ALL}apple/", form)

    kept = apple_secrets(ProviderAccount.objects.get())
    assert kept.root_certificates == (stores.apple.root_der,)


def changed_key(stores, **changes):
    return file(json.dumps(json.loads(stores.service_account()) | changes))


REFUSED = {
    "stripe: a webhook secret is missing": (
        "stripe",
        "webhook_secrets",
        lambda _stores: {"webhook_secrets": "a,,b"},
    ),
    "stripe: the key of the browser": (
        "stripe",
        "secret_key",
        lambda _stores: {"secret_key": "pk_test_1"},
    ),
    "google: no file": ("google", "service_account", lambda _stores: {"service_account": ""}),
    "google: another file": (
        "google",
        "service_account",
        lambda stores: {"service_account": file(stores.apple.private_key())},
    ),
    "google: no text": (
        "google",
        "service_account",
        lambda _stores: {"service_account": file(b"\xff\xfe")},
    ),
    "google: a key that would be shown to others": (
        "google",
        "service_account",
        lambda stores: {"service_account": changed_key(stores, token_uri="http://10.0.0.1/")},
    ),
    "google: too large": (
        "google",
        "service_account",
        lambda _stores: {"service_account": file(b" " * 70_000)},
    ),
    "google: a sender that is no address": ("google", "sender", lambda _stores: {"sender": "me"}),
    "google: a package with a space": (
        "google",
        "package_name",
        lambda _stores: {"package_name": "com example"},
    ),
    "apple: no number, outside the sandbox": ("apple", "app_id", lambda _stores: {"app_id": ""}),
    "apple: a key of another kind": (
        "apple",
        "private_key",
        lambda stores: {"private_key": file(json.loads(stores.service_account())["private_key"])},
    ),
    "apple: no root": (
        "apple",
        "root_certificate",
        lambda stores: {"root_certificate": file(stores.apple.private_key())},
    ),
    "apple: another environment": (
        "apple",
        "environment",
        lambda _stores: {"environment": "dev"},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_says_beside_the_field_what_cannot_be(owner, project, stores, case):
    provider, field, change = REFUSED[case]
    whole = {"stripe": STRIPE, "google": google_form(stores), "apple": apple_form(stores)}

    answer = owner.post(f"{ALL}{provider}/", whole[provider] | change(stores))

    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert not ProviderAccount.objects.exists()


def test_the_mode_of_an_app_is_not_changed_underneath(owner, project, stores):
    owner.post(f"{ALL}apple/", apple_form(stores))

    answer = owner.post(f"{ALL}apple/", APPLE | {"environment": "sandbox"})

    assert list(answer.context["form"].errors) == ["environment"]
    assert ProviderAccount.objects.get().is_live


def test_the_password_is_asked_for_before_a_secret_is_typed(owner, project):
    session = owner.session
    session[PROVED_AT] = 0
    session.save()

    page = owner.get(f"{ALL}stripe/")
    sent = owner.post(f"{ALL}stripe/?project=north", STRIPE)

    assert page.url.startswith("/confirm/")
    # Led back to the page, which asks: what was typed is carried nowhere.
    assert (sent.status_code, sent.url) == (302, f"{ALL}stripe/?project=north")
    assert not ProviderAccount.objects.exists()


def test_no_other_provider_is_connected(owner, project):
    assert owner.get(f"{ALL}okast/").status_code == 404
    assert owner.get(f"{ALL}paypal/disconnect/").status_code == 404


# --- What has arrived, disconnect ---------------------------------------------------------------


@pytest.fixture
def connected(project):
    """Stripe, a subscription that runs there, one that has ended, one at Apple, an event."""
    account = connect_stripe(
        project=project, secret_key="sk_test_page", webhook_secrets=["w"], actor=SYSTEM, now=NOW
    )
    ada = UserFactory(project=project)
    SubscriptionFactory(user=ada, provider="stripe", started_at=NOW - timedelta(days=9))
    SubscriptionFactory(
        user=ada,
        provider="stripe",
        started_at=NOW - timedelta(days=90),
        ended_at=NOW - timedelta(days=60),
    )
    SubscriptionFactory(user=ada, provider="apple", started_at=NOW)
    ProviderEvent.objects.create(
        project=project,
        provider="stripe",
        event_id="evt_1",
        type="customer.subscription.updated",
        happened_at=NOW,
        received_at=NOW - timedelta(minutes=90),
        state="waiting",
        next_try_at=NOW,
    )
    ProviderSync.objects.create(
        project=project, provider="stripe", phase="invoices", started_at=NOW, updated_at=NOW
    )
    return account


def test_tells_when_each_was_heard_of_last(owner, connected):
    page = owner.get(ALL).content.decode()

    told = re.findall(r"Last notification</th><td>(.+?)</td>", page)
    # Half past eleven in Paris.
    assert told[0].endswith("11:30")
    assert told[1:] == ["None yet", "None yet"]


def test_says_what_disconnecting_does_and_does_it(owner, connected):
    page = owner.get(f"{ALL}stripe/disconnect/").content.decode()
    assert 'data-running="1" data-waiting="1"' in page
    assert "Stripe goes on charging" in page
    assert ProviderAccount.objects.exists()

    answer = owner.post(f"{ALL}stripe/disconnect/", follow=True)

    assert "The project is disconnected from Stripe." in answer.content.decode()
    assert not ProviderAccount.objects.exists()
    assert not ProviderSync.objects.exists()
    event = AuditEvent.objects.get(kind="subscriptions.provider.disconnected")
    assert event.data == {"provider": "Stripe", "hint": "page"}
    # What was reported stays; what comes is refused.
    assert ProviderEvent.objects.count() == 1
    assert owner.post("/webhooks/stripe/north/").status_code == 503
    again = owner.post(f"{ALL}stripe/disconnect/", follow=True)
    assert "The project is not connected to Stripe." in again.content.decode()


def test_disconnecting_asks_for_the_password(owner, connected):
    session = owner.session
    session[PROVED_AT] = 0
    session.save()

    answer = owner.post(f"{ALL}stripe/disconnect/")

    assert "staff/confirm.html" in [template.name for template in answer.templates]
    assert ProviderAccount.objects.exists()


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.ANALYST])
def test_only_those_who_see_settings_see_them(signed_in, project, role):
    client = signed_in(role, project)

    assert [client.get(ALL + path).status_code for path in ("", "stripe/")] == [403, 403]
