"""The environment, read strictly: a missing or odd value stops the start with its name."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def env(name: str, default: str | None = None) -> str:
    """
    Return the variable; an empty one counts as missing.

    :raises ImproperlyConfigured: if it is missing and there is no default.
    """
    value = os.environ.get(name, "")
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"{name} is missing: set it in the environment (README.md).")
    return default


def env_bool(name: str, *, default: bool = False) -> bool:
    """
    Return the variable as a boolean; only "0" and "1" are accepted.

    :raises ImproperlyConfigured: if it is set to anything else.
    """
    value = env(name, "1" if default else "0")
    if value not in {"0", "1"}:
        raise ImproperlyConfigured(f"{name}={value!r}: use 0 or 1.")
    return value == "1"


def env_int(name: str, default: int, *, least: int = 0) -> int:
    """
    Return the variable as a whole number of at least `least`.

    :raises ImproperlyConfigured: if it is anything else.
    """
    value = env(name, str(default))
    if not (value.isascii() and value.isdigit()) or int(value) < least:
        raise ImproperlyConfigured(f"{name}={value!r}: use a whole number from {least}.")
    return int(value)


def env_list(name: str) -> list[str]:
    """Return the comma-separated variable as a list without empty items."""
    return [item.strip() for item in env(name, "").split(",") if item.strip()]


def env_secret(name: str, default: str | None = None) -> str:
    """
    Return the variable, or the content of the file that `<name>_FILE` names.

    :raises ImproperlyConfigured: if both are missing and there is no default, or the file
        cannot be read.
    """
    path = os.environ.get(f"{name}_FILE", "")
    if not path:
        return env(name, default)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE={path!r}: {error.strerror}.") from error
