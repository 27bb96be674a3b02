"""Every number is defined in docs/metrics.md, with its boundary and a source that exists."""

import re
from dataclasses import fields
from pathlib import Path

from django.apps import apps

from backoffice.core.figures import Counted
from users.views.activity_chart import ActivityDay

CHART_COLUMNS = {field.name for field in fields(ActivityDay)} - {"date"}
DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


def paragraphs() -> dict[str, str]:
    """Return the text under each heading of the third level, by every name in the heading."""
    found: dict[str, str] = {}
    for part in re.split(r"^### ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        for name in re.findall(r"`([^`]+)`", heading):
            found[name] = found.get(name, "") + text.split("\n## ")[0]
    return found


def test_each_number_that_can_be_listed_is_defined():
    for name in Counted.values:
        assert "Boundary: " in paragraphs()[name], name
        assert "Source: " in paragraphs()[name], name


def test_each_line_of_the_chart_is_defined():
    for name in CHART_COLUMNS:
        assert "Boundary: " in paragraphs()[name], name
        assert "Source: " in paragraphs()[name], name


def test_no_definition_is_left_of_a_number_that_is_gone():
    others = {"views", "viewing_seconds", "media_viewed", "first_media_id", "last_media_id"}

    assert set(paragraphs()) == {*Counted.values, *CHART_COLUMNS, *others}


def test_each_source_is_a_model():
    models = {model.__name__ for model in apps.get_models()}

    for name, text in paragraphs().items():
        sources = re.findall(r"`([A-Z]\w+)`", text.partition("Source:")[2])
        assert set(sources) <= models, name
        assert sources or "as above" in text, name
