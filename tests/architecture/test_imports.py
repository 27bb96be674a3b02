"""Who may import whom, where Import Linter cannot say it: parts of Django."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Modules below the views: what they answer is not for the web alone.
BELOW_THE_VIEWS = {
    "actions",
    "entitlements",
    "imports",
    "ingest",
    "merging",
    "models",
    "partitions",
    "rollups",
    "selectors",
    "spans",
    "tasks",
}
OF_THE_WEB = ("django.http", "django.views", "django.shortcuts", "django.template")

MODULES = sorted(
    path
    for app in ("analytics", "subscriptions", "users", "backoffice")
    for path in (ROOT / app).rglob("*.py")
    if BELOW_THE_VIEWS & set(path.relative_to(ROOT).with_suffix("").parts)
)


def imported_names(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def web_imports(code):
    return sorted(
        name
        for name in imported_names(code)
        if any(name == part or name.startswith(f"{part}.") for part in OF_THE_WEB)
    )


def test_the_rule_sees_each_form_of_import():
    code = "import django.http\nfrom django import template\nfrom django.views import View\n"

    assert web_imports(code) == ["django.http", "django.template", "django.views.View"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_of_the_web_below_the_views(path):
    assert web_imports(path.read_text(encoding="utf-8")) == []
