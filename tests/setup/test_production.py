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


@pytest.mark.parametrize("name", [name for name in COMPLETE if name != "PRODUCTION"])
def test_blanks_are_missing(name):
    done = ask("settings.DEBUG", **COMPLETE | {name: " \t "})

    assert f"ImproperlyConfigured: {name} is missing" in last_line(done)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PRODUCTION", "yes"),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY_FILE", "/nowhere/key"),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", ","),
        ("ALLOWED_HOSTS", " . "),
        ("ALLOWED_HOSTS", "backoffice.example,*"),
        ("ALLOWED_HOSTS", "http://backoffice.example"),
        ("ALLOWED_HOSTS", "backoffice.example:8000"),
        ("ALLOWED_HOSTS", "backoffice example"),
        ("ALLOWED_HOSTS", "backoffice..example"),
        ("ALLOWED_HOSTS", "*.example"),
        ("ALLOWED_HOSTS", "300.1.1.1"),
        ("ALLOWED_HOSTS", "::1"),
        ("ALLOWED_HOSTS", "[::1"),
        ("DATABASE_URL", "postgresql://me:hunter2@[::1/backoffice"),
        ("DATABASE_URL", "postgresql://"),
        ("DATABASE_URL", "postgresql://me:hunter2@db.example"),
        ("DATABASE_URL", "postgresql://me:hunter2@db.example/%20"),
        ("DATABASE_URL", "host=db.example password=hunter2"),
        ("TRUSTED_PROXY_HOPS", "-1"),
        ("TRUSTED_PROXY_HOPS", "one"),
        ("TRUSTED_PROXY_HOPS", "11"),
        ("TRUSTED_PROXY_HOPS", "999"),
        ("EMAIL_URL", "https://hunter2@mail.example"),
        ("EMAIL_URL", "smtps://mail.example:hunter2"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "Back office <>"),
        ("MAIL_FROM", "Back office\nBcc: me@mail.example <backoffice@mail.example>"),
        ("MAIL_FROM", "backoffice@mail.example\n"),
        ("MAIL_FROM", "backoffice@mail.example, me@mail.example"),
        ("SUPPORT_CONTACT", "nobody"),
        ("SUPPORT_CONTACT", "javascript:alert(1)"),
        ("SUPPORT_CONTACT", "javascript:alert(1)@mail.example"),
        ("SUPPORT_CONTACT", "ftp://mail.example/"),
        ("SUPPORT_CONTACT", "https://"),
        ("SUPPORT_CONTACT", "https://[::1"),
        ("SUPPORT_CONTACT", "https://mail.example/\nhelp"),
        ("METRICS_ADDR", "nonsense"),
        ("REQUIRE_SECOND_FACTOR", "no"),
        ("STATEMENT_TIMEOUT_MS", "15s"),
    ],
)
def test_an_odd_value_stops_the_start_with_its_name(name, value):
    done = ask("settings.DEBUG", **COMPLETE | {name: value})

    assert done.returncode != 0
    assert name in last_line(done)
    assert "hunter2" not in last_line(done)


@pytest.mark.parametrize(
    ("name", "value", "setting", "expected"),
    [
        ("ALLOWED_HOSTS", "A.example, .b.example,", "ALLOWED_HOSTS", ["A.example", ".b.example"]),
        ("ALLOWED_HOSTS", "10.0.0.7,[::1]", "ALLOWED_HOSTS", ["10.0.0.7", "[::1]"]),
        ("TRUSTED_PROXY_HOPS", "0", "TRUSTED_PROXY_HOPS", 0),
        ("TRUSTED_PROXY_HOPS", "10", "TRUSTED_PROXY_HOPS", 10),
        ("MAIL_FROM", "backoffice@localhost", "DEFAULT_FROM_EMAIL", "backoffice@localhost"),
        ("MAIL_FROM", '"B, o" <b@m.example>', "DEFAULT_FROM_EMAIL", '"B, o" <b@m.example>'),
        ("SUPPORT_CONTACT", "https://help/#me", "SUPPORT_CONTACT", "https://help/#me"),
        ("SUPPORT_CONTACT", "o'hara+1@mail", "SUPPORT_CONTACT", "o'hara+1@mail"),
        ("SUPPORT_CONTACT", "Desk, +33 (0)1 23", "SUPPORT_CONTACT", "Desk, +33 (0)1 23"),
        ("METRICS_ADDR", ":9100", "METRICS_ADDR", ("", 9100)),
        ("METRICS_ADDR", "127.0.0.1:9100", "METRICS_ADDR", ("127.0.0.1", 9100)),
        ("METRICS_ADDR", "[::1]:9100", "METRICS_ADDR", ("::1", 9100)),
        ("METRICS_ADDR", " ", "METRICS_ADDR", None),
    ],
)
def test_a_good_value_is_taken(name, value, setting, expected):
    done = ask(f"settings.{setting}", **COMPLETE | {name: value})

    assert done.stdout.strip() == str(expected), done.stderr


def test_outside_production_any_host_may_be_named():
    done = ask("settings.ALLOWED_HOSTS", ALLOWED_HOSTS="*")

    assert done.stdout.strip() == str(["*"])


def test_outside_production_blanks_leave_everything_to_its_default():
    blanks = dict.fromkeys([*COMPLETE, "SECRET_KEY_FILE", "METRICS_ADDR"], " ")

    done = ask(
        "(settings.ALLOWED_HOSTS[0], settings.SUPPORT_CONTACT, settings.DEFAULT_FROM_EMAIL,"
        " settings.DATABASES['default']['NAME'])",
        **blanks,
    )

    assert done.stdout.strip() == str(("localhost", "", "backoffice@localhost", "backoffice"))


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


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_a_key_file_without_a_key_is_named(tmp_path, content):
    key = tmp_path / "key"
    key.write_bytes(content)
    rest = {name: value for name, value in COMPLETE.items() if name != "SECRET_KEY"}

    done = ask("settings.SECRET_KEY", **rest, SECRET_KEY_FILE=str(key))

    assert f"SECRET_KEY_FILE='{key}'" in last_line(done)


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
