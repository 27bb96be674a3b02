"""Whatever is sent: a clear refusal or a row that can be read, never a 5xx."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subscriptions.models import AccessSpan
from tests.api.test_doors import error_of
from tests.factories.subscriptions import OfferFactory
from tests.factories.users import CustomFieldFactory
from users.models import CustomField, User
from users.schemas import SAMPLE

MALFORMED = [
    b"",
    b" ",
    b"{",
    b"nonsense",
    b"'name'",
    b'{"name": NaN}',
    b'{"name": Infinity}',
    b'{"name": -Infinity}',
    b'{"name": 1e400}',
    b'{"name": ' + b"9" * 5000 + b"}",
    b'{"name": "a", "name": "b"}',
    b'{"name": "\\u0000"}',
    b'{"name": "\\ud800"}',
    b'{"\\udfff": 1}',
    b'{"name": ["x", {"y": "\\ud83d"}]}',
    b'{"name": "\x00"}',
    b'{"name": "\xff"}',
    '{"name": "é"}'.encode("utf-16"),
    b"[" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b'{"name": "x"} {"name": "y"}',
]


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body[:24]))
def test_what_is_no_json_is_400(api, body):
    response = api.put("/contents/film", body)

    assert response.status_code == 400
    assert error_of(response)["code"] == "malformed"


@pytest.mark.parametrize("body", ["null", "[]", "5", '"name"', "true", "[{}]"])
def test_json_that_is_no_object_is_422(api, body):
    response = api.put("/contents/film", body)

    assert response.status_code == 422
    assert error_of(response)["fields"]


def test_a_byte_order_mark_and_escaped_characters_are_read(api):
    body = b'\xef\xbb\xbf{"name": "\\ud83d\\ude80 \\u00e9 \\\\u0000"}'

    assert api.put("/contents/film", body).json()["name"] == "🚀 é \\u0000"


class BrokenOff:
    """A body whose sender went away."""

    def read(self, *_):
        raise OSError

    readline = read


def test_a_body_that_breaks_off_is_400(api):
    response = api.client.put(
        "/api/v1/contents/film",
        "{}",
        content_type="application/json",
        headers={"Authorization": f"Bearer {api.key}"},
        **{"wsgi.input": BrokenOff()},
    )

    assert response.status_code == 400
    assert error_of(response)["code"] == "malformed"


TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "",
            "\0",
            "\ud800",
            "9" * 5000,
            "x" * 5000,
            "ada@example.com",
            "ﬃ" * 130 + "@example.com",
            "2026-03-10T12:00:00Z",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59.999999999-23:59",
            "2199-12-31T23:59:59Z",
            "1990-01-01T00:00:00Z",
            "2026-03-29T02:30:00+01:00",
            "9.99",
            "1e9",
            "EUR",
            "JPY",
            "active",
            "canceled",
            "cancelled",
            "gift",
            "pack",
            "subscription",
            "monthly",
            "%s%(x)s{}{0}{message}",
            "'; DROP TABLE users_user; --",
        ]
    ),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, 1, 30, 36_500, 2**31, 10**20, -(10**20)]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
FIELDS = {
    "/contents/c": "name type duration_seconds status url image_url",
    "/offers/o": (
        "name kind price currency interval_months rental_days trial_days stripe_price_id"
        " google_product_id apple_product_id"
    ),
    "/subscriptions/okast/1": (
        "user offer status price currency started_at first_paid_at current_period_end"
        " past_due_since trial_ends_at cancel_at ended_at cancel_reason"
    ),
    "/purchases/apple/1": (
        "user offer type status price currency purchased_at expires_at recipient"
    ),
    "/free-copies/1": "user offer sent_at days activate_by activated_at revoked_at",
    "/users": "email first_name last_name language country custom registered_at",
    "/device-sessions": "email password user_agent device_name",
    "/device-sessions/check": "token",
    "/password-resets": "email",
    "/password-resets/redeem": "token password",
}
POSTED = {path for path in FIELDS if path.startswith(("/users", "/device", "/password"))}
# What these answer besides.
PRIVATE = {
    "/device-sessions": {401},
    "/device-sessions/check": {401},
    "/password-resets": {202},
    "/password-resets/redeem": {410},
}
# A body that is right, of which hypothesis spoils some fields.
RIGHT = {
    "/contents/c": {"name": "Film"},
    "/offers/o": {"name": "Offer", "kind": "pack", "price": "1", "currency": "EUR"},
    "/subscriptions/okast/1": {"status": "active", "started_at": "2026-03-10T12:00:00Z"},
    "/purchases/apple/1": {
        "type": "gift",
        "status": "active",
        "purchased_at": "2026-03-10T12:00:00Z",
    },
    "/free-copies/1": {"sent_at": "2026-03-10T12:00:00Z", "days": 30},
    "/users": {"email": "new@example.com"},
    "/device-sessions": {"email": "ada@example.com", "password": "a long sentence"},
    "/device-sessions/check": {"token": SAMPLE},
    "/password-resets": {"email": "ada@example.com"},
    "/password-resets/redeem": {"token": SAMPLE, "password": "a long sentence"},
}
FUZZED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def generous(settings):
    """Hypothesis sends more than one key may."""
    settings.API_REQUESTS_PER_SECOND = 1_000_000
    settings.SIGN_IN_FAILURES_PER_EMAIL = settings.SIGN_IN_FAILURES_PER_ADDRESS = 1_000_000


@pytest.mark.usefixtures("generous")
@pytest.mark.parametrize("path", FIELDS)
@FUZZED
@given(data=st.data())
def test_no_body_makes_an_error_of_ours(api, service, ada, path, data):
    OfferFactory._meta.model.objects.get_or_create(
        project=service, reference="monthly", defaults={"name": "Monthly", "currency": "EUR"}
    )
    for kind in CustomField.Type.values:
        if not CustomField.objects.filter(project=service, key=f"a_{kind}").exists():
            CustomFieldFactory(project=service, key=f"a_{kind}", type=kind, choices=["x"])
    names = st.sampled_from([*FIELDS[path].split(), "unknown"])
    spoilt = data.draw(st.dictionaries(names, VALUES, max_size=4))
    if path == "/users" and data.draw(st.booleans()):
        keys = st.sampled_from([f"a_{kind}" for kind in CustomField.Type.values])
        spoilt["custom"] = data.draw(st.dictionaries(keys, VALUES, max_size=5))
    right = dict(RIGHT[path])
    if "user" in FIELDS[path].split():
        right["user"] = str(ada.public_id)

    method = "POST" if path in POSTED else "PUT"
    response = api.send(method, path, json.dumps(right | spoilt))

    known = {200, 201, 400, 409, 422} if path not in PRIVATE else {*PRIVATE[path], 400, 422}
    assert response.status_code in known, response.content
    if response.status_code >= 400:
        error_of(response)
    # Whatever was kept can be read, and answers again.
    list(User.objects.values())
    list(AccessSpan.objects.values())
    for user in User.objects.present():
        assert api.get(f"/users/{user.public_id}").status_code == 200


@pytest.mark.usefixtures("generous")
@FUZZED
@given(reference=st.text(min_size=1, max_size=80), body=VALUES)
def test_no_address_makes_an_error_of_ours(api, reference, body):
    from urllib.parse import quote

    part = quote(reference.encode("utf-8", "surrogatepass"), safe="")
    for method, path in [
        ("GET", f"/users/{part}"),
        ("PATCH", f"/users/{part}"),
        ("DELETE", f"/device-sessions/{part}"),
        ("PUT", f"/contents/{part}"),
        ("PUT", f"/subscriptions/{part}/{part}"),
        ("GET", f"/{part}"),
    ]:
        response = api.send(method, path, json.dumps(body))
        assert response.status_code in {200, 400, 404, 405, 422}


@pytest.mark.usefixtures("generous")
@FUZZED
@given(body=st.binary(max_size=60))
def test_no_bytes_make_an_error_of_ours(api, body):
    assert api.put("/contents/film", body).status_code in {400, 422}
