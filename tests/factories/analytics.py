"""Factories of contents. Viewings come through ingest, which keeps their roll-ups."""

from datetime import UTC, datetime

import factory

from analytics.models import Content
from tests.factories.projects import ProjectFactory

DESCRIBED_AT = datetime(2026, 1, 1, tzinfo=UTC)


class ContentFactory(factory.django.DjangoModelFactory):
    """A hosted film of an hour and a half that can be watched."""

    class Meta:
        model = Content

    project = factory.SubFactory(ProjectFactory)
    reference = factory.Sequence(lambda n: f"film-{n}")
    name = factory.Sequence(lambda n: f"Film {n}")
    type = Content.Type.HOSTED
    duration_seconds = 5400
    status = Content.Status.AVAILABLE
    url = factory.LazyAttribute(lambda o: f"https://watch.example.com/{o.reference}")
    described_at = DESCRIBED_AT
