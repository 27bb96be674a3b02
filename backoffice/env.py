"""The environment, read strictly: a missing or odd value stops the start with its name."""

import os
import re
import secrets
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

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


def env_address(name: str, default: str | None = None) -> str:
    """
    Return the variable as the sender of mail: "a@b.example" or "Name <a@b.example>".

    :raises ImproperlyConfigured: if it is missing and there is no default, or is no address.
    """
    value = env(name, default)
    if value and not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(value)[1]):
        raise ImproperlyConfigured(f"{name}={value!r}: use an e-mail address.")
    return value


def env_base_url(name: str, default: str) -> str:
    """
    Return the variable as the address of a service, without a slash at its end.

    :raises ImproperlyConfigured: unless it is https, or http on this machine.
    """
    value = env(name, default).rstrip("/")
    parts = urlsplit(value)
    is_local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or parts.scheme not in ({"http", "https"} if is_local else {"https"}):
        raise ImproperlyConfigured(f"{name}={value!r}: use https (http only on this machine).")
    return value


def env_email(name: str, default: str | None = None) -> dict[str, Any]:
    """
    Return Django's mail settings from an address like smtps://user:password@host:465.

    smtp:// starts TLS on the way (port 587) unless `?tls=0` is added; smtps:// speaks it from
    the first byte (port 465). An empty one, where the default allows it, sends nothing.

    :raises ImproperlyConfigured: if it is missing and there is no default, or cannot be read.
    """
    value = env(name, default)
    if not value:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        # The value is not repeated: it may hold a password.
        raise ImproperlyConfigured(f"{name}: use smtps://USER:PASSWORD@HOST:465 or smtp://….")
    is_smtps = parts.scheme == "smtps"
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or (465 if is_smtps else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": is_smtps,
        "EMAIL_USE_TLS": not is_smtps and parts.query != "tls=0",
        "EMAIL_TIMEOUT": 20,
    }


def local_key(folder: Path, name: str) -> str:
    """
    Return a key of this machine's own, made when it is first asked for.

    :raises ImproperlyConfigured: if the folder cannot be written to.
    """
    path = folder / "keys" / name
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Written aside and linked into place: of two processes one wins, both read its key.
            aside = path.with_name(f"{name}.{os.getpid()}")
            aside.touch(mode=0o600)
            aside.write_text(secrets.token_urlsafe(64), encoding="ascii")
            try:
                path.hardlink_to(aside)
            except FileExistsError:
                pass
            finally:
                aside.unlink()
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise ImproperlyConfigured(
            f"{path}: {error.strerror}. Fix it, or choose another place with BACKOFFICE_DATA."
        ) from error
