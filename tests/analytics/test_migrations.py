"""What was stored before is found in its new place."""

import pytest
from django.core.management import call_command
from django.db import connection

from analytics.ingest import prepare, store
from analytics.models import UserViewing
from tests.analytics.test_ingest import NOW, beat, committed, wrong  # noqa: F401
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.users import UserFactory


@pytest.mark.usefixtures("committed")
def test_sums_and_contents_move_together_and_back():
    web = PlatformFactory(project=ProjectFactory(minimum_view_seconds=5))
    ada, grace, hedy = UserFactory.create_batch(3, platform=web)
    beats = [
        beat(ada),
        beat(ada, 2, content="other"),
        beat(grace, 3, watched_seconds=4),
        beat(hedy, 4),
    ]
    store(prepare(beats, platform=web, now=NOW))
    before = list(UserViewing.objects.order_by("pk").values())
    assert [row["views"] for row in before] == [2, 0, 1]

    call_command("migrate", "analytics", "0006", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT user_id, views, media_viewed, cardinality(content_ids)"
            " FROM analytics_userviewing JOIN analytics_usermedia USING (user_id) ORDER BY 1"
        )
        assert cursor.fetchall() == [(ada.pk, 2, 2, 2), (hedy.pk, 1, 1, 1)]
    call_command("migrate", "analytics", verbosity=0)

    assert list(UserViewing.objects.order_by("pk").values()) == before
    assert wrong() == {}
