"""backoffice.settings in production: what must be named, and what it then says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

COMPLETE = {
    "PRODUCTION": "1",
    "SECRET_KEY": "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOP",
    "ALLOWED_HOSTS": "backoffice.example",
    "DATABASE_URL": "postgresql://backoffice@db.example/backoffice",
    "TRUSTED_PROXY_HOPS": "1",
    "EMAIL_URL": "smtps://me:p%40ss@mail.example",
    "MAIL_FROM": "Back office <backoffice@mail.example>",
    "SUPPORT_CONTACT": "support@mail.example",
}

SHOW = "from django.conf import settings; print({})"


def ask(expression, **environment):
    """Ask a fresh process with that environment, and nothing else of ours, for a setting."""
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", SHOW.format(expression)],
        cwd=ROOT,
        env=base | {"DJANGO_SETTINGS_MODULE": "backoffice.settings"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_there_is_no_demo_platform():
    # Elsewhere: None 1.
    patterns = "__import__('django.urls').urls.get_resolver().url_patterns"
    count = f"sum('demo_platform' in str(one) for one in {patterns})"

    done = ask(f"__import__('django').setup(), {count}", **COMPLETE)

    assert last_line(done) == "None 0"


def last_line(done):
    return (done.stderr or done.stdout).strip().splitlines()[-1]


@pytest.mark.parametrize("name", [name for name in COMPLETE if name != "PRODUCTION"])
def test_a_missing_value_stops_the_start_with_its_name(name):
    rest = {key: value for key, value in COMPLETE.items() if key != name}

    done = ask("settings.DEBUG", **rest)

    assert done.returncode != 0
    assert name in last_line(done)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PRODUCTION", "yes"),
        ("SECRET_KEY", "short"),
        ("ALLOWED_HOSTS", "*"),
        ("DATABASE_URL", "postgresql://me:hunter2@[::1/backoffice"),
        ("TRUSTED_PROXY_HOPS", "-1"),
        ("TRUSTED_PROXY_HOPS", "one"),
        ("EMAIL_URL", "https://hunter2@mail.example"),
        ("EMAIL_URL", "smtps://mail.example:hunter2"),
        ("MAIL_FROM", "nobody"),
        ("REQUIRE_SECOND_FACTOR", "no"),
        ("STATEMENT_TIMEOUT_MS", "15s"),
    ],
)
def test_an_odd_value_stops_the_start_with_its_name(name, value):
    done = ask("settings.DEBUG", **COMPLETE | {name: value})

    assert done.returncode != 0
    assert name in last_line(done)
    assert "hunter2" not in last_line(done)


def test_the_key_may_lie_in_a_file(tmp_path):
    key = tmp_path / "key"
    key.write_text(COMPLETE["SECRET_KEY"] + "\n")
    rest = {name: value for name, value in COMPLETE.items() if name != "SECRET_KEY"}

    done = ask("settings.SECRET_KEY", **rest, SECRET_KEY_FILE=str(key))

    assert done.stdout.strip() == COMPLETE["SECRET_KEY"]


def test_a_key_file_that_is_not_there_is_named():
    rest = {name: value for name, value in COMPLETE.items() if name != "SECRET_KEY"}

    done = ask("settings.SECRET_KEY", **rest, SECRET_KEY_FILE="/nowhere/key")

    assert "SECRET_KEY_FILE='/nowhere/key'" in last_line(done)


def test_in_production_cookies_are_secure_and_bound_to_the_host():
    done = ask(
        "(settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_NAME,"
        " settings.CSRF_COOKIE_SECURE, settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS,"
        " settings.REQUIRE_SECOND_FACTOR)",
        **COMPLETE,
    )

    expected = ("__Host-session", True, "__Host-csrf", True, True, 31536000, True)
    assert done.stdout.strip() == str(expected)


def test_outside_production_nothing_is_secure_only():
    done = ask(
        "(settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_NAME,"
        " settings.CSRF_COOKIE_SECURE, settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS)"
    )

    assert done.stdout.strip() == str(("session", False, "csrf", False, False, 0))


def test_mail_leaves_as_the_address_says():
    done = ask(
        "(settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_HOST_USER,"
        " settings.EMAIL_HOST_PASSWORD, settings.EMAIL_USE_SSL, settings.EMAIL_USE_TLS)",
        **COMPLETE,
    )

    assert done.stdout.strip() == str(("mail.example", 465, "me", "p@ss", True, False))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://%2Frun%2Fpg/shop?user=me", ("shop", "me", "", "/run/pg", "")),
        ("postgresql://me@/shop?host=/run/pg", ("shop", "me", "", "/run/pg", "")),
        ("postgresql://me:p%40ss@db:6432/shop", ("shop", "me", "p@ss", "db", "6432")),
        ("host=db dbname=shop user=me", ("shop", "me", "", "db", "")),
    ],
)
def test_each_form_of_a_database_address_is_understood(url, expected):
    done = ask(
        "tuple(settings.DATABASES['default'][k] for k in"
        " ('NAME', 'USER', 'PASSWORD', 'HOST', 'PORT'))",
        **COMPLETE | {"DATABASE_URL": url},
    )

    assert done.stdout.strip() == str(expected)


def test_a_machine_of_its_own_makes_its_own_key(tmp_path):
    keys = [
        ask("settings.SECRET_KEY", BACKOFFICE_DATA=str(tmp_path / place)).stdout.strip()
        for place in ("one", "one", "two")
    ]

    assert len(keys[0]) > 50
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]
    assert (tmp_path / "one/keys/secret-key").stat().st_mode & 0o777 == 0o600
