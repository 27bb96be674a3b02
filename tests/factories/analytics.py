"""Factories of contents. Viewings come through ingest, which keeps their roll-ups."""

from datetime import UTC, datetime

import factory

from analytics.models import Content, UserViewing
from tests.factories.projects import ProjectFactory
from tests.factories.users import UserFactory

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


class UserViewingFactory(factory.django.DjangoModelFactory):
    """One view of a minute, of a film of the user's project."""

    class Meta:
        model = UserViewing

    user = factory.SubFactory(UserFactory)
    public_id = factory.SelfAttribute("user.public_id")
    account_platform_id = factory.SelfAttribute("user.platform_id")
    project_id = factory.SelfAttribute("user.project_id")
    views = 1
    viewing_seconds = 60
    first_content = factory.SubFactory(
        ContentFactory, project=factory.SelfAttribute("..user.project")
    )
    first_viewed_at = DESCRIBED_AT
    last_content = factory.SelfAttribute("first_content")
    last_viewed_at = factory.SelfAttribute("first_viewed_at")
    last_started_at = factory.SelfAttribute("last_viewed_at")
    platform_ids = factory.LazyAttribute(lambda o: [o.account_platform_id])
    content_ids = factory.LazyAttribute(
        lambda o: sorted({content.pk for content in (o.first_content, o.last_content)})
    )
