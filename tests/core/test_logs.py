"""backoffice.core.logs and the request log: one object a line, nothing personal."""

import json
import logging
import sys

import pytest
from django.http import HttpRequest

from backoffice.core.logs import JsonFormatter, current_request_id


def printed(record, **options):
    return JsonFormatter(**options).format(record)


def record_of(message, *args, **extra):
    made = logging.LogRecord("some.logger", logging.WARNING, "x.py", 1, message, args, None)
    vars(made).update(extra)
    return made


def test_a_record_is_one_line_of_json():
    line = printed(record_of("A file\nof %d rows\x1b[31m", 3, rows=3))

    assert "\n" not in line
    assert "\x1b" not in line
    told = json.loads(line)
    assert told["message"] == "A file\nof 3 rows\x1b[31m"
    assert told["level"] == "WARNING"
    assert told["rows"] == 3


def test_an_address_in_a_message_about_a_request_is_cut_off():
    told = printed(record_of("Not Found: %s", "/users/ada@example.com/", request=HttpRequest()))

    assert json.loads(told)["message"] == "Not Found"
    assert "ada@" not in told


def failed_record():
    try:
        int("ada@example.com")
    except ValueError:
        made = record_of("It failed")
        made.exc_info = sys.exc_info()
        return made


def test_an_exception_keeps_its_kind_and_place_but_not_its_words():
    error = json.loads(printed(failed_record()))["error"]

    assert error["kind"] == "builtins.ValueError"
    assert error["at"][-1].endswith("failed_record")
    assert "message" not in error


def test_outside_production_an_exception_keeps_its_words():
    error = json.loads(printed(failed_record(), with_messages_of_exceptions=True))["error"]

    assert error["message"] == "invalid literal for int() with base 10: 'ada@example.com'"


def test_a_request_leaves_one_line_with_its_number(client, caplog):
    with caplog.at_level(logging.INFO, "backoffice.request"):
        response = client.get("/health/live?email=ada@example.com")

    [line] = [record for record in caplog.records if record.name == "backoffice.request"]
    assert (line.view, line.method, line.status) == ("health-live", "GET", 200)
    assert "ada@" not in printed(line)
    assert len(response["X-Request-Id"]) == 32
    assert current_request_id() == ""


@pytest.mark.parametrize("path", ["/ada@example.com", "/health/live/ada@example.com"])
def test_an_unknown_address_is_not_repeated_in_the_log(client, caplog, path):
    client.get(path)

    assert "ada@" not in "".join(printed(record) for record in caplog.records)
