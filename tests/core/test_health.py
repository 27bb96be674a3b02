"""Health checks, headers of every answer, and the page when the database is away."""

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from django.urls import path
from django.views import View

from backoffice import urls
from backoffice.core.health import ServerError


class Fails(View):
    error: Exception = RuntimeError()

    def dispatch(self, request, *args, **kwargs):
        raise self.error


urlpatterns = [
    path("down/", Fails.as_view(error=OperationalError("secret words"))),
    path("closed/", Fails.as_view(error=InterfaceError("secret words"))),
    path("api/v1/down", Fails.as_view(error=OperationalError("secret words"))),
    path("bug/", Fails.as_view(error=RuntimeError("secret words"))),
    path("api/v1/bug", Fails.as_view(error=RuntimeError("secret words"))),
    # Last: below its address the API answers whatever nobody else does.
    *urls.urlpatterns,
]
handler500 = ServerError.as_view()


@pytest.fixture
def visitor(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "LoginRequired" not in name]
    return Client(raise_request_exception=False)


def test_a_live_process_says_so_without_the_database(client):
    response = client.get("/health/live")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
def test_ready_asks_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(1):
        response = client.get("/health/ready")

    assert response.status_code == 200


def test_not_ready_without_a_database(client, monkeypatch):
    def refuse():
        raise OperationalError

    monkeypatch.setattr(connection, "cursor", refuse)

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response["Retry-After"] == "5"


@pytest.mark.parametrize("address", ["/down/", "/closed/"])
def test_a_page_without_its_database_says_so_in_both_languages(visitor, address):
    response = visitor.get(address)

    page = response.content.decode()
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert "The database" in page
    assert "La base de données" in page
    assert "secret words" not in page


def test_a_bug_gives_a_page_without_its_words(visitor):
    response = visitor.get("/bug/")

    assert response.status_code == 500
    assert "secret words" not in response.content.decode()
    assert "default-src 'self'" in response["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [("/api/v1/down", 503, "unavailable"), ("/api/v1/bug", 500, "internal")],
)
def test_machines_get_the_same_as_json(visitor, address, status, code):
    response = visitor.get(address)

    assert response.status_code == status
    assert response.json()["error"]["code"] == code


@pytest.mark.parametrize("address", ["/", "/users/", "/sign-in/", "/api/v1/users"])
@pytest.mark.parametrize("host", ["evil.test", "a b", "back office/../"])
def test_a_foreign_host_is_refused(db, address, host):
    response = Client(raise_request_exception=False).get(address, headers={"host": host})

    assert response.status_code == 400
    assert host not in response.content.decode()


@pytest.mark.parametrize("address", ["/health/live", "/no-such-page/"])
def test_every_answer_is_guarded_and_kept_by_nobody(client, address):
    headers = client.get(address).headers

    assert headers["Content-Security-Policy"] == (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )
    assert "no-store" in headers["Cache-Control"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers
