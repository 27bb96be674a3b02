"""
What a user agent string says about its device, and the rows of `Device` that keep it.

The table of `analytics.device_rules` decides the hardware type; user-agents knows the system,
the browser and most brands, and the hardware type where the table is silent.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import ua_parser
from django.db import connection, transaction
from ua_parser.matchers import DeviceMatcher
from user_agents import parsers

from analytics.device_rules import RULES
from analytics.known import KnownIds
from analytics.models import Device

# Real strings end far below; what follows is noise or an attack.
LONGEST_PARSED = 1_000
LONGEST_FIELD = 100
# Some 30 MB at the most; the agents of a day are a few thousand.
MOST_REMEMBERED = 50_000

NUMBER_OF_RULE = {str(number): rule for number, rule in enumerate(RULES)}

# What ua-parser writes otherwise than people do.
BRANDS = {"Generic_Android": "Generic", "Generic_Android_Tablet": "Generic"}
SYSTEMS = {"ATV OS X": "tvOS", "Chromecast Linux": "Chromecast", "Web0S": "webOS"}

CREATE_DEVICES = """
    INSERT INTO analytics_device (agent_hash, hardware_type, hardware, os, browser)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    ON CONFLICT (agent_hash) DO NOTHING
    RETURNING agent_hash, id
"""


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What one string says; texts of at most 100 characters, "Other" where it says nothing."""

    hardware_type: str
    hardware: str
    """The brand, or PC, Mac, Spider."""
    os: str
    browser: str


def engine(matchers: Any) -> ua_parser.Parser:
    """Return a parser over ua-parser's fastest engine, without its cache: rows are ours."""
    return ua_parser.Parser(ua_parser.BestAvailableResolver(matchers))


def own_matchers() -> Any:
    """Return the rules as ua-parser takes them; each yields its own number as the family."""
    return (
        [],
        [],
        [DeviceMatcher(rule.pattern, "i", number) for number, rule in NUMBER_OF_RULE.items()],
    )


_own = engine(own_matchers())
_builtin = engine(ua_parser.load_builtins())


def parsed(text: str) -> dict[str, dict[str, str | None]]:
    """Return what `user_agent_parser.Parse` returns, from the engine that is 20 times faster."""
    result = _builtin.parse(text).with_defaults()
    agent, system, device = result.user_agent, result.os, result.device
    return {
        "user_agent": {
            "family": agent.family,
            "major": agent.major,
            "minor": agent.minor,
            "patch": agent.patch,
        },
        "os": {
            "family": system.family,
            "major": system.major,
            "minor": system.minor,
            "patch": system.patch,
            "patch_minor": system.patch_minor,
        },
        "device": {"family": device.family, "brand": device.brand, "model": device.model},
    }


# user-agents 2.2.0 calls ua-parser's legacy module, which never uses the fast engine.
parsers.user_agent_parser = SimpleNamespace(Parse=parsed)


def fallback_type(agent: Any) -> str:
    """Return the hardware type by user-agents' own flags."""
    if agent.is_bot:
        return Device.HardwareType.BOT
    if agent.is_tablet:
        return Device.HardwareType.TABLET
    if agent.is_mobile:
        return Device.HardwareType.PHONE
    if agent.is_pc:
        return Device.HardwareType.COMPUTER
    return Device.HardwareType.OTHER


def stored_text(text: str | None) -> str:
    """Return a text that a column takes: no control characters, at most 100 characters."""
    printable = "".join(filter(str.isprintable, text or "Other"))
    return printable.strip()[:LONGEST_FIELD]


def describe(user_agent: str) -> DeviceFacts:
    """
    Return what a user agent string says about its device.

    Any text has an answer; an empty or unknown one is of type "other". What follows the first
    1,000 characters is not read.
    """
    # The engine takes UTF-8 alone, in which a lone surrogate cannot be written.
    text = user_agent[:LONGEST_PARSED].encode(errors="replace").decode()
    agent = parsers.parse(text)
    found = _own.parse_device(text)
    rule = NUMBER_OF_RULE[found.family] if found else None
    hardware_type = rule.hardware_type if rule else fallback_type(agent)
    hardware = (rule and rule.hardware) or agent.device.brand
    if hardware_type == Device.HardwareType.COMPUTER:
        hardware = hardware or "PC"
    system = (rule and rule.os) or agent.os.family
    return DeviceFacts(
        hardware_type=str(hardware_type),
        hardware=stored_text(BRANDS.get(hardware, hardware)),
        os=stored_text(SYSTEMS.get(system, system)),
        browser=stored_text(agent.browser.family),
    )


def agent_hash(user_agent: str) -> str:
    """Return the key of `Device`: SHA-256 of the string, the first 16 bytes in hex."""
    return hashlib.sha256(user_agent.encode(errors="surrogatepass")).hexdigest()[:32]


known_devices = KnownIds[str](most=MOST_REMEMBERED)


def device_ids(user_agents: Iterable[str]) -> dict[str, int]:
    """
    Return the id of the device row of each distinct string, creating the missing rows.

    Two queries when a string is new to this process, three when its row is new, none otherwise.
    A new row is locked until the transaction ends: call this once in it, before anything else
    is locked. The process remembers a row once it is committed.
    """
    found = known_devices.among(user_agents)
    unknown = {agent_hash(text): text for text, device_id in found.items() if device_id is None}
    if not unknown:
        return found  # type: ignore[return-value]  # no None is left
    stored = stored_ids(unknown)
    missing = {digest: text for digest, text in unknown.items() if digest not in stored}
    if missing:
        stored |= created_ids(missing)
        # Another transaction may have created some meanwhile; it is over now.
        if late := [digest for digest in missing if digest not in stored]:
            stored |= stored_ids(late)
    fresh = {text: stored[digest] for digest, text in unknown.items()}
    short = {text: number for text, number in fresh.items() if len(text) <= LONGEST_PARSED}
    transaction.on_commit(partial(known_devices.add, short))
    return {
        text: fresh[text] if device_id is None else device_id for text, device_id in found.items()
    }


def stored_ids(hashes: Iterable[str]) -> dict[str, int]:
    """Return id by hash, of those that have a row."""
    rows = Device.objects.filter(agent_hash__in=list(hashes))
    return dict(rows.values_list("agent_hash", "id"))


def created_ids(texts: dict[str, str]) -> dict[str, int]:
    """Create a row for each hash, unless another transaction was faster; return id by hash."""
    # In one order for all, so that two transactions never wait for each other.
    hashes = sorted(texts)
    facts = [describe(texts[digest]) for digest in hashes]
    columns = [
        hashes,
        [one.hardware_type for one in facts],
        [one.hardware for one in facts],
        [one.os for one in facts],
        [one.browser for one in facts],
    ]
    with connection.cursor() as cursor:
        cursor.execute(CREATE_DEVICES, columns)
        return dict(cursor.fetchall())
