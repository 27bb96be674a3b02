"""Any value of any parameter: the page and its files answer 200, or 400 in words, or 404."""

from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice.core.figures import Counted, Grain
from backoffice.core.named_periods import PeriodName
from tests.conftest import NOW
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.users import CustomFieldFactory
from users.filters import SORT_CHOICES
from users.models import CustomField

PATHS = ["/users/", "/users/chart.csv", "/users/export/basic.csv", "/users/export/complete.csv"]
KNOWN = {
    "project": ["north", "south", ""],
    "platform": ["web", "tv"],
    "from": ["2026-11-01", "2026-02-30", "0001-01-01", "9999-12-31", "1990-01-01", "2199-12-31"],
    "to": ["2026-11-01", "2026-02-30", "0001-01-01", "9999-12-31", "1990-01-01", "2199-12-31"],
    "period": PeriodName.values,
    "status": ["active", "registered", "cancelled", "canceled"],
    "counted": Counted.values,
    "month": ["2026-11", "2026-10", "1990-01", "2199-12", "0001-01", "9999-12", "2026-13"],
    "elapsed": ["1", "0"],
    "q": ["ada", "li", "%", "a b c", "00000000-0000-0000-0000-000000000000"],
    "used": ["web"],
    "country": ["FR", "fr"],
    "language": ["fr", "pt-BR"],
    "offer": ["monthly"],
    "provider": ["stripe", "okast"],
    "custom.team": ["Reds", "="],
    "custom.size": ["38", "1e999999", "-0", "NaN", "1_0", "٣", "1e-15", "0.1"],
    "custom.day": ["2026-11-01", "0001-01-01", "9999-12-31", "2026-W01-1"],
    "custom.ok": ["true", "TRUE", "no"],
    "sort": [value for value, _name in SORT_CHOICES],
    "per_page": ["10", "100", "0", "-1", "1e2"],
    "after": ["x"],
    "before": ["x"],
    "grain": Grain.values,
    "columns": ["id", "id,email", "date", "team", "password"],
    "custom": ["all", "team", "nothing"],
    "delimiter": ["comma", "semicolon", "tab"],
    "headers": ["names", "words"],
}
# Percent-encoded already: bytes that are no text, lone surrogates, NUL, floods of digits.
RAW = [
    "%00",
    "%ED%A0%80",
    "%FF%FE",
    "%",
    "%zz",
    "9" * 5000,
    "-" + "9" * 400,
    "+",
    "%0D%0A",
    "%F0%9F%A6%84",
    "%E2%80%AE",
    "%EF%BF%BF",
    "1" + "%20" * 300,
    "{{7*7}}",
    "%27%3B--",
]

anything = st.one_of(
    st.sampled_from(RAW),
    st.text(max_size=30).map(lambda text: quote(text.encode("utf-8", "surrogatepass"))),
    st.binary(max_size=20).map(quote_from_bytes),
)
good = st.sampled_from(sorted(KNOWN)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(KNOWN[name]).map(quote))
)
odd = st.tuples(st.sampled_from(sorted(KNOWN)), anything)
unknown = st.tuples(anything, anything)
pairs = st.lists(st.one_of(good, good, good, odd, unknown), max_size=6)
queries = pairs.map(lambda several: "&".join(f"{name}={value}" for name, value in several))


@pytest.fixture
def asked(look, person, project, client):
    for key, type_ in (
        ("team", CustomField.Type.TEXT),
        ("size", CustomField.Type.NUMBER),
        ("day", CustomField.Type.DATE),
        ("ok", CustomField.Type.BOOLEAN),
    ):
        CustomFieldFactory(project=project, key=key, type=type_)
    SubscriptionFactory(user=person("Ada"), started_at=NOW, offer__reference="monthly", now=NOW)
    look()
    client.raise_request_exception = False

    def asked(path, query):
        response = client.get(path, QUERY_STRING=query)
        if response.streaming:
            b"".join(response)
        return response

    return asked


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(path=st.sampled_from(PATHS), query=queries)
def test_whatever_is_asked_is_answered(asked, settings, path, query):
    settings.EXPORTS_A_DAY = 1_000_000

    response = asked(path, query)

    assert response.status_code in {200, 400, 404}
    if response.status_code == 400:
        assert "text/html" in response["Content-Type"]


@pytest.mark.parametrize("path", PATHS)
def test_each_parameter_refuses_nonsense_or_finds_nothing(asked, path):
    for name in KNOWN:
        allowed = {200, 400} if name in {"q", "custom.team"} else {400, 404}
        for raw in ("%00", "%ED%A0%80", "9" * 5000, "%F0%9F%A6%84"):
            status = asked(path, f"{name}={raw}").status_code
            assert (name, raw, status in allowed) == (name, raw, True)


@pytest.mark.parametrize("path", PATHS)
def test_more_parameters_than_any_form_has(asked, path):
    assert asked(path, "&".join(f"a{n}=1" for n in range(1001))).status_code == 400
    assert asked(path, "&".join(["platform=web"] * 1001)).status_code == 400
    assert asked(path, "&".join(["platform=web"] * 900)).status_code == 200
