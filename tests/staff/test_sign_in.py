"""Sign-in: password and second factor, throttling, the session's life, the trail."""

from datetime import timedelta

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from backoffice.audit.models import AuditEvent
from tests.conftest import NOW, PASSWORD

pytestmark = pytest.mark.django_db

SIGN_IN = "/sign-in/"
ACCOUNT = "/account/second-factor/"
SESSION = "session"


@pytest.fixture(autouse=True)
def clock():
    cache.clear()
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def ann(staff_with):
    return staff_with(email="ann@example.com")


@pytest.fixture
def secret(ann):
    """Give Ann a second factor; return its secret."""
    secret = generate_totp_secret()
    TOTP.activate(ann, secret)
    return secret


def code_of(secret, clock_seconds=None):
    seconds = NOW.timestamp() if clock_seconds is None else clock_seconds
    return format_hotp_value(hotp_value(secret, int(seconds // 30)))


def sign_in(client, email="ann@example.com", password=PASSWORD, address=SIGN_IN, **headers):
    return client.post(address, {"email": email, "password": password}, **headers)


def kinds():
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


def is_inside(client):
    return client.get(ACCOUNT).status_code == 200


def test_the_page_asks_for_email_and_password(client):
    page = client.get(SIGN_IN).content.decode()

    assert 'name="email"' in page
    assert 'type="password"' in page
    assert "sign-up" not in page.lower()


def test_the_right_pair_opens_and_leads_on(client, ann):
    response = sign_in(client, address=f"{SIGN_IN}?next=/users/%3Fstatus%3Dactive")

    assert (response.status_code, response.url) == (302, "/users/?status=active")
    assert is_inside(client)
    event = AuditEvent.objects.get()
    assert (event.kind, event.actor_id) == ("staff.sign_in.done", ann.pk)


def test_the_email_may_be_written_in_capitals(client, ann):
    assert sign_in(client, email=" Ann@Example.COM ").status_code == 302


def test_it_never_leads_elsewhere(client, ann):
    assert sign_in(client, address=f"{SIGN_IN}?next=https://evil.example/").url == "/users/"


def test_strangers_are_asked_to_sign_in_and_come_back(client):
    response = client.get(f"{ACCOUNT}?a=1")

    assert response.status_code == 302
    assert response.url == f"{SIGN_IN}?next=/account/second-factor/%3Fa%3D1"


def test_a_wrong_password_and_an_unknown_email_look_the_same(client, ann):
    wrong = sign_in(client, password="not the password")
    unknown = sign_in(client, email="bob@example.com")

    assert wrong.status_code == unknown.status_code == 200
    said = "This e-mail and password do not belong together."
    for response in (wrong, unknown):
        assert said in response.content.decode()
        assert not is_inside(client)
    assert wrong.content.decode().count("<p") == unknown.content.decode().count("<p")
    events = AuditEvent.objects.order_by("pk")
    assert kinds() == ["staff.sign_in.refused"] * 2
    assert [(event.actor_type, event.target_id) for event in events] == [
        ("unknown", str(ann.pk)),
        ("unknown", ""),
    ]
    assert not any("bob" in str(vars(event)) for event in events)


def test_an_unknown_email_costs_one_hash_too(client, ann, monkeypatch):
    hashed = count_hashes(monkeypatch)

    sign_in(client, email="bob@example.com")

    assert len(hashed) == 1


def test_a_disabled_account_looks_like_a_wrong_password(client, ann):
    ann.is_active = False
    ann.save()

    response = sign_in(client)

    assert response.status_code == 200
    assert "do not belong together" in response.content.decode()
    assert kinds() == ["staff.sign_in.refused"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"email": "ann@example.com"},
        {"password": PASSWORD},
        {"email": "\x00", "password": "\x00"},
        {"email": "a" * 10_000 + "@example.com", "password": "x"},
        {"email": "ann@example.com", "password": "x\x00" * 100},
        {"email": ["ann@example.com", "b"], "password": ["x", "y"]},
    ],
)
def test_odd_input_is_refused_in_words(client, ann, fields):
    response = client.post(SIGN_IN, fields)

    assert response.status_code == 200
    assert not is_inside(client)


def count_hashes(monkeypatch):
    hashed = []
    encode = MD5PasswordHasher.encode

    def counting(self, password, salt):
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counting)
    return hashed


def test_five_failures_close_the_account_for_five_minutes_before_hashing(
    client, ann, monkeypatch, clock
):
    hashed = count_hashes(monkeypatch)
    for _ in range(5):
        assert sign_in(client, password="wrong").status_code == 200
    before = len(hashed)

    throttled = sign_in(client)

    assert throttled.status_code == 429
    assert "Wait five minutes" in throttled.content.decode()
    assert len(hashed) == before
    clock.shift(timedelta(minutes=5, seconds=1))
    assert sign_in(client).status_code == 302


def test_an_unknown_email_is_throttled_alike(client, ann):
    for _ in range(5):
        sign_in(client, email="bob@example.com")

    assert sign_in(client, email="bob@example.com").status_code == 429
    assert sign_in(client).status_code == 302


def test_one_address_is_throttled_over_many_accounts(client, ann, settings):
    for number in range(20):
        assert sign_in(client, email=f"{number}@example.com").status_code == 200

    assert sign_in(client).status_code == 429
    assert sign_in(client, REMOTE_ADDR="192.0.2.7").status_code == 302


def test_a_forged_forwarding_header_changes_nothing(client, ann):
    for number in range(20):
        sign_in(client, email=f"{number}@example.com", HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")

    assert sign_in(client, HTTP_X_FORWARDED_FOR="192.0.2.99").status_code == 429


def test_behind_a_proxy_its_own_entry_counts(client, ann, settings):
    settings.TRUSTED_PROXY_HOPS = 1
    for number in range(20):
        forwarded = f"10.0.0.{number}, 192.0.2.1"
        sign_in(client, email=f"{number}@example.com", HTTP_X_FORWARDED_FOR=forwarded)

    assert sign_in(client, HTTP_X_FORWARDED_FOR="10.0.0.99, 192.0.2.1").status_code == 429
    assert sign_in(client, HTTP_X_FORWARDED_FOR="10.0.0.1, 192.0.2.2").status_code == 302
    assert sign_in(Client(), HTTP_X_FORWARDED_FOR="rubbish").status_code == 302


def test_successes_are_not_counted(ann):
    for _ in range(25):
        assert sign_in(Client()).status_code == 302


def test_the_session_gets_a_new_key(client, ann):
    client.get(SIGN_IN)
    session = client.session
    session["before"] = True
    session.save()
    client.cookies[SESSION] = planted = session.session_key

    sign_in(client)

    assert client.session.session_key != planted
    assert client.session["staff_signed_in_at"] == NOW.timestamp()


def test_sign_out_ends_the_session_on_the_server(client, ann):
    sign_in(client)
    stolen = client.cookies[SESSION].value

    response = client.post("/sign-out/")

    assert (response.status_code, response.url) == (302, SIGN_IN)
    thief = Client()
    thief.cookies[SESSION] = stolen
    assert not is_inside(thief)
    assert kinds() == ["staff.sign_in.done", "staff.sign_out.done"]


def test_sign_out_is_no_link(client, ann):
    sign_in(client)

    assert client.get("/sign-out/").status_code == 405
    assert is_inside(client)


def test_sign_out_needs_the_pages_own_form(ann):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann)

    assert client.post("/sign-out/").status_code == 403
    assert is_inside(client)


def test_an_idle_session_ends_after_30_minutes(client, ann, clock):
    sign_in(client)
    clock.shift(timedelta(minutes=29))
    assert is_inside(client)
    clock.shift(timedelta(minutes=29))
    assert is_inside(client)

    clock.shift(timedelta(minutes=30))

    assert not is_inside(client)


def test_a_busy_session_ends_after_12_hours(client, ann, clock):
    sign_in(client)
    for _ in range(12 * 60 // 20 - 1):
        clock.shift(timedelta(minutes=20))
        assert is_inside(client)

    clock.shift(timedelta(minutes=20))

    assert not is_inside(client)


def test_a_session_without_clocks_is_none(client, ann):
    client.force_login(ann)
    session = client.session
    del session["staff_seen_at"]
    session.save()

    assert not is_inside(client)


def test_a_disabled_account_is_refused_on_its_next_request(client, ann):
    sign_in(client)
    ann.is_active = False
    ann.save()

    assert not is_inside(client)


def test_sign_up_and_reset_do_not_exist(client):
    for address in ("/signup/", "/sign-up/", "/accounts/signup/", "/password/reset/"):
        assert client.get(address).status_code in {302, 404}
        assert client.post(address).status_code in {302, 404}


# --- second factor -------------------------------------------------------------------------


def test_the_second_factor_comes_after_the_password(client, ann, secret):
    response = sign_in(client, address=f"{SIGN_IN}?next=/users/%3Fq%3Dx")

    assert (response.status_code, response.url) == (302, "/sign-in/code/")
    assert not is_inside(client)
    assert client.get("/sign-in/code/").status_code == 200

    response = client.post("/sign-in/code/", {"code": code_of(secret)})

    assert (response.status_code, response.url) == (302, "/users/?q=x")
    assert is_inside(client)
    assert kinds() == ["staff.sign_in.done"]


def test_a_wrong_code_is_refused_recorded_and_throttled(client, ann, secret):
    sign_in(client)
    wrong = {"code": "000000"}
    for _ in range(5):
        assert client.post("/sign-in/code/", wrong).status_code == 200

    assert client.post("/sign-in/code/", {"code": code_of(secret)}).status_code == 429
    assert not is_inside(client)
    assert kinds() == ["staff.sign_in.refused"] * 5
    assert set(AuditEvent.objects.values_list("target_id", flat=True)) == {str(ann.pk)}


@pytest.mark.parametrize("seconds", [0, 29, 31, 59])
def test_a_code_works_once(ann, secret, clock, seconds):
    # In the middle of a step the code is good for this step and the next.
    code = code_of(secret)
    first, second = Client(), Client()
    sign_in(first)
    assert first.post("/sign-in/code/", {"code": code}).status_code == 302
    clock.shift(timedelta(seconds=seconds))
    sign_in(second)

    assert second.post("/sign-in/code/", {"code": f"{code[:3]} {code[3:]}"}).status_code == 200
    assert not is_inside(second)


def test_a_recovery_code_signs_in_once(ann, secret):
    code = RecoveryCodes.activate(ann).generate_codes()[0]
    first, second = Client(), Client()
    sign_in(first)
    assert first.post("/sign-in/code/", {"code": code}).status_code == 302
    sign_in(second)

    assert second.post("/sign-in/code/", {"code": code}).status_code == 200


def test_the_code_page_is_nothing_without_the_password(client, secret):
    assert client.get("/sign-in/code/").url == SIGN_IN
    assert client.post("/sign-in/code/", {"code": code_of(secret)}).url == SIGN_IN
    assert client.post("/sign-in/code/", {}).status_code == 302


def test_a_post_without_a_code_asks_again(client, ann, secret):
    sign_in(client)

    assert client.post("/sign-in/code/", {}).url == "/sign-in/code/"
    assert client.post("/sign-in/code/", {"code": ""}).status_code == 200


def test_the_secret_is_not_readable_in_the_database(ann, secret):
    assert secret not in str(Authenticator.objects.get().data)


def test_the_secret_survives_a_change_of_the_secret_key(client, ann, secret, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key"
    sign_in(client)

    assert client.post("/sign-in/code/", {"code": code_of(secret)}).status_code == 302


def test_where_required_it_must_be_set_up_first(client, ann, settings):
    settings.REQUIRE_SECOND_FACTOR = True
    sign_in(client)

    for address in (ACCOUNT, "/account/recovery-codes/"):
        assert client.get(address).url == "/account/second-factor/new/"
    assert client.post("/").url == "/account/second-factor/new/"

    page = client.get("/account/second-factor/new/")
    assert page.status_code == 200
    assert "<svg" in page.content.decode()
    code = code_of(client.session["mfa.totp.secret"])
    response = client.post("/account/second-factor/new/", {"code": code})

    assert (response.status_code, response.url) == (302, "/account/recovery-codes/")
    shown = client.get("/account/recovery-codes/").content.decode()
    codes = RecoveryCodes(
        Authenticator.objects.get(type=Authenticator.Type.RECOVERY_CODES)
    ).generate_codes()
    assert all(one in shown for one in codes)
    again = client.get("/account/recovery-codes/").content.decode()
    assert not any(one in again for one in codes)
    assert is_inside(client)
    assert kinds() == ["staff.sign_in.done", "staff.second_factor.added"]


def test_a_wrong_first_code_sets_nothing_up(client, ann, settings):
    settings.REQUIRE_SECOND_FACTOR = True
    sign_in(client)
    client.get("/account/second-factor/new/")

    response = client.post("/account/second-factor/new/", {"code": "000000"})

    assert response.status_code == 200
    assert not Authenticator.objects.exists()


def test_new_recovery_codes_replace_the_old(client, ann, secret):
    old = RecoveryCodes.activate(ann).generate_codes()
    client.force_login(ann)

    assert client.get("/account/recovery-codes/new/").status_code == 200
    response = client.post("/account/recovery-codes/new/")

    assert response.url == "/account/recovery-codes/"
    shown = client.get(response.url).content.decode()
    assert not any(one in shown for one in old)
    assert kinds() == ["staff.recovery_codes.made"]


def test_an_old_proof_does_not_change_the_second_factor(client, ann, clock):
    client.force_login(ann)
    clock.shift(timedelta(minutes=16))

    assert client.get("/account/second-factor/new/").url == (
        f"{reverse('confirm')}?next=%2Faccount%2Fsecond-factor%2Fnew%2F"
    )


def test_a_sign_in_with_a_second_factor_leaves_no_trace_when_the_trail_fails(
    client, ann, monkeypatch
):
    monkeypatch.setattr("backoffice.staff.adapters.record", lambda *_, **__: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        sign_in(client)

    ann.refresh_from_db()
    assert ann.last_login is None
