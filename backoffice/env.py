"""The environment, read strictly: a missing or odd value stops the start with its name."""

import os
import re
import secrets
from email.utils import getaddresses
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from backoffice.core.hosts import is_host, is_loopback

LAST_PORT = 65535
_PHONE = re.compile(r"[0-9](?:[ ()./-]{0,2}[0-9]){4,}")
_EMAIL = re.compile(r"[^@\s:;,()<>\"]+@[^@\s;,()<>\"]+")


def env(name: str, default: str | None = None) -> str:
    """
    Return the variable; an empty one, or one of blanks alone, counts as missing.

    :raises ImproperlyConfigured: if it is missing and there is no default.
    """
    value = os.environ.get(name, "")
    if value.strip():
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


def env_int(name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
    """
    Return the variable as a whole number of at least `least`, and at most `most` if given.

    :raises ImproperlyConfigured: if it is anything else.
    """
    value = env(name, str(default))
    is_number = value.isascii() and value.isdigit()
    if not is_number or int(value) < least or (most is not None and int(value) > most):
        limits = f"from {least}" if most is None else f"from {least} to {most}"
        raise ImproperlyConfigured(f"{name}={value!r}: use a whole number {limits}.")
    return int(value)


def env_list(name: str) -> list[str]:
    """Return the comma-separated variable as a list without empty items."""
    return [item.strip() for item in env(name, "").split(",") if item.strip()]


def env_hosts(name: str, default: list[str] | None, *, may_be_any: bool) -> list[str]:
    """
    Return the comma-separated variable as hosts, as Django's ALLOWED_HOSTS takes them.

    :param default: the hosts if it is missing; None if it must not be.
    :param may_be_any: whether "*" may stand for every host.
    :raises ImproperlyConfigured: if it is missing and there is no default, names none, or an
        item is no host: ".example.com" is one with all below it, a port or a scheme is no part.
    """
    value = env(name, None if default is None else "")
    if not value and default is not None:
        return default
    hosts = env_list(name)
    odd = [one for one in hosts if not (is_host(one.removeprefix(".")) or one == "*")]
    if odd or not hosts or ("*" in hosts and not may_be_any):
        raise ImproperlyConfigured(
            f"{name}={value!r}: name the hosts that people use, like backoffice.example.com."
        )
    return hosts


def env_host_port(name: str) -> tuple[str, int] | None:
    """
    Return the variable, written HOST:PORT, as the two; None if it is missing.

    :raises ImproperlyConfigured: if it is anything else.
    """
    value = env(name, "")
    if not value:
        return None
    host, _, port = value.rpartition(":")
    is_port = re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) <= LAST_PORT
    # Without a host it is every address of the machine.
    if not is_port or not (is_host(host) or value == f":{port}"):
        raise ImproperlyConfigured(f"{name}={value!r}: use HOST:PORT, like 127.0.0.1:9100.")
    return host.strip("[]"), int(port)


def env_secret(name: str, default: str | None = None) -> str:
    """
    Return the variable, or the content of the file that `<name>_FILE` names.

    :raises ImproperlyConfigured: if both are missing and there is no default, or the file
        cannot be read or holds nothing.
    """
    path = env(f"{name}_FILE", "")
    if not path:
        return env(name, default)
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE={path!r}: {error.strerror}.") from error
    except UnicodeDecodeError:
        # Its own words hold bytes of the file.
        raise ImproperlyConfigured(f"{name}_FILE={path!r}: the file is no text.") from None
    if not secret:
        raise ImproperlyConfigured(f"{name}_FILE={path!r}: the file is empty.")
    return secret


def env_address(name: str, default: str | None = None) -> str:
    """
    Return the variable as the sender of mail: "a@b.example" or "Name <a@b.example>".

    :raises ImproperlyConfigured: if it is missing and there is no default, or is no address.
    """
    value = env(name, default)
    addresses = [address for _, address in getaddresses([value])]
    # A line break would begin another header of every mail.
    is_one_line = value.splitlines() == [value]
    is_one_address = len(addresses) == 1 and _EMAIL.fullmatch(addresses[0])
    if value and not (is_one_line and is_one_address):
        raise ImproperlyConfigured(f"{name}={value!r}: use an e-mail address.")
    return value


def env_contact(name: str, default: str | None = None) -> str:
    """
    Return the variable as one line in which stands how somebody is reached.

    :raises ImproperlyConfigured: if it is missing and there is no default, or has neither an
        e-mail address nor a web address nor a telephone number in it.
    """
    value = env(name, default)
    is_reached = _PHONE.search(value) or any(
        _EMAIL.fullmatch(word) or _is_web_address(word) for word in value.split()
    )
    if value and not (is_reached and value.splitlines() == [value]):
        raise ImproperlyConfigured(
            f"{name}={value!r}: use an e-mail address, a web address with https:// or http://, or "
            "a telephone number."
        )
    return value


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    # `urlsplit` passes over line breaks.
    return text.split() == [text] and parts.scheme in {"http", "https"} and bool(parts.hostname)


def env_base_url(name: str, default: str) -> str:
    """
    Return the variable as the address of a service, without a slash at its end.

    :raises ImproperlyConfigured: unless it is https, or http on this machine.
    """
    value = env(name, default).rstrip("/")
    parts = urlsplit(value)
    schemes = {"http", "https"} if is_loopback(parts.hostname) else {"https"}
    if not parts.hostname or parts.scheme not in schemes:
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
