"""The locked lists of packages: complete, hashed, and without the host they came from."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ("requirements", "requirements-embedded", "requirements-test")


def pins(path):
    text = path.read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("group", GROUPS)
def test_the_list_names_no_host(group):
    text = (ROOT / f"{group}.lock").read_text(encoding="utf-8")

    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize("group", GROUPS)
def test_every_package_has_a_hash(group):
    text = (ROOT / f"{group}.lock").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]

    assert entries
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("group", GROUPS)
def test_the_list_is_that_of_its_source(group):
    assert pins(ROOT / f"{group}.in") <= pins(ROOT / f"{group}.lock")


def test_the_lists_agree_with_each_other():
    chosen = {}
    for group in GROUPS:
        for name, version in pins(ROOT / f"{group}.lock"):
            chosen.setdefault(name, set()).add(version)

    assert {name: found for name, found in chosen.items() if len(found) > 1} == {}
