"""
What the description promises, tried out by schemathesis: valid and invalid requests to each call.

No answer is an error of ours, none is undeclared, and each has the declared shape. Some more
with `--hypothesis-profile=thorough`.
"""

from datetime import timedelta

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import given
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backoffice.api import schema
from tests.api.conftest import NOW
from tests.factories.subscriptions import OfferFactory
from tests.factories.users import (
    DeviceSessionFactory,
    ImpersonationFactory,
    PasswordResetFactory,
    UserFactory,
)
from users.schemas import MARKER, SAMPLE, TICKET

DESCRIBED = schemathesis.openapi.from_dict(schema())
CALLS = [found.ok() for found in DESCRIBED.get_all_operations()]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
USER = "0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55"
# What is there, by the name of the field or the part of the address that may hold it.
KNOWN = {
    "user_id": USER,
    "user": USER,
    "recipient": "known@example.com",
    "offer": "monthly",
    "email": "known@example.com",
    "password": "a long and private sentence",
    "token": SAMPLE,
    "ticket": TICKET,
    "impersonation": MARKER,
    "provider": "okast",
}


@pytest.fixture
def known(service, web, clock, settings):
    """A user, an offer, and what else the calls can be about."""
    settings.API_REQUESTS_PER_SECOND = 1_000_000
    user = UserFactory(platform=web, email=KNOWN["email"], public_id=USER)
    session = DeviceSessionFactory(user=user, platform=web, token=SAMPLE)
    PasswordResetFactory(user=user, token=SAMPLE)
    ImpersonationFactory(user=user, ticket=TICKET, created_at=NOW)
    ImpersonationFactory(
        user=user, id=MARKER, redeemed_at=NOW, expires_at=NOW + timedelta(minutes=30)
    )
    OfferFactory(project=service, reference=KNOWN["offer"])
    return KNOWN | {"session_id": str(session.pk)}


@pytest.fixture
def application():
    """The site as a server calls it, within the test's own transaction."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield get_wsgi_application()
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.label)
def test_answers_as_described(api, application, known, call, mode):
    usual = hypothesis.settings()

    @hypothesis.settings(usual, max_examples=max(1, usual.max_examples // 10))
    @given(case=call.as_strategy(generation_mode=mode), chance=st_chance())
    def try_out(case, chance):
        about_what_is_there(case, known, chance)
        response = case.call(app=application, headers={"Authorization": f"Bearer {api.key}"})
        case.validate_response(response, checks=CHECKS)

    try_out()


def st_chance():
    return hypothesis.strategies.randoms(use_true_random=False)


def about_what_is_there(case, known, chance):
    """Put names of what exists into half of the places that may hold one."""
    for values in (case.path_parameters, case.body):
        if isinstance(values, dict):
            for name in known.keys() & values.keys():
                if chance.random() < 0.5:
                    values[name] = known[name]
