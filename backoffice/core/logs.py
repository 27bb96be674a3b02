"""Logs: one JSON object a line, without query strings, e-mails or other personal data."""

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_request_id: ContextVar[str] = ContextVar("request_id", default="")

# What logging itself puts on a record; everything else came in by `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def current_request_id() -> str:
    """Return the number of the request at hand, 32 hexadecimal digits; empty outside of one."""
    return _request_id.get()


def set_request_id(number: str) -> None:
    """Name the request at hand; an empty name ends it."""
    _request_id.set(number)


class JsonFormatter(logging.Formatter):
    """Prints a record as one line. Control characters are escaped, as JSON does."""

    def __init__(self, *, with_messages_of_exceptions: bool = False) -> None:
        super().__init__()
        self.with_messages_of_exceptions = with_messages_of_exceptions

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, tz=UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "request_id": current_request_id(),
        }
        line |= {
            name: value
            for name, value in vars(record).items()
            if name not in _STANDARD and isinstance(value, str | int | float | bool | None)
        }
        if record.exc_info and record.exc_info[1]:
            line["error"] = self._error(record.exc_info[1])
        return json.dumps(line, ensure_ascii=True)

    def _error(self, error: BaseException) -> dict[str, Any]:
        frames = traceback.extract_tb(error.__traceback__)
        told: dict[str, Any] = {
            "kind": f"{type(error).__module__}.{type(error).__qualname__}",
            "sqlstate": getattr(error.__cause__ or error, "sqlstate", None),
            "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        }
        if self.with_messages_of_exceptions:
            told["message"] = str(error)
        return told


def _message(record: logging.LogRecord) -> str:
    """Return the record's message; one about a request is cut before the address it names."""
    if hasattr(record, "request"):
        return str(record.msg).partition(":")[0].replace(" (%s)", "")
    return record.getMessage()


def logging_settings(*, with_messages_of_exceptions: bool) -> dict[str, Any]:
    """Return the settings of Django's and the web server's logs: all to standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "backoffice.core.logs.JsonFormatter",
                "with_messages_of_exceptions": with_messages_of_exceptions,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            # 4xx are in the request log already; 5xx come with their traceback.
            "django.request": {"level": "ERROR"},
            # Django's own handlers would print in another form.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.server": {"handlers": [], "level": "INFO", "propagate": True},
            # Four lines for each task; what matters is said by `backoffice.jobs`.
            "procrastinate": {"level": "WARNING"},
            # The address of each request, with ids of customers.
            "stripe": {"level": "WARNING"},
            # It tells each failed try to connect; the worker tells it once.
            "psycopg.pool": {"level": "ERROR"},
            "gunicorn.error": {"handlers": [], "level": "INFO", "propagate": True},
            "gunicorn.access": {"handlers": [], "level": "ERROR", "propagate": False},
        },
    }
