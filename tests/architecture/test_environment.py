"""Every environment variable that the code reads stands in README.md's table, and only those."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

READ = re.compile(
    r"""(?:env(?:_\w+)?\(|environ(?:\.get|\.setdefault)?[\[(])\s*["']([A-Z][A-Z0-9_]+)["']"""
)
# Not ours to set: Python's and Django's own, and what we set for child processes.
FOREIGN = {
    "BIND",
    "CI",
    "DJANGO_ALLOW_ASYNC_UNSAFE",
    "DJANGO_SETTINGS_MODULE",
    "PATH",
    "PROMETHEUS_MULTIPROC_DIR",
}


def names_read():
    files = [ROOT / "run.py", ROOT / "manage.py"]
    for app in ("analytics", "backoffice", "subscriptions", "users"):
        files += (ROOT / app).rglob("*.py")
    found = set()
    for path in files:
        found |= set(READ.findall(path.read_text(encoding="utf-8")))
    return found - FOREIGN


def names_documented():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## Settings")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)`", table, re.MULTILINE))


def test_every_variable_is_documented_and_none_besides():
    assert names_read() == names_documented()
