"""The long proofs, on little: each finds nothing wrong, and would find it."""

from collections import Counter

import pytest

from analytics.models import UserViewing, Viewing
from bench import soak
from bench.harness import Different
from bench.soak import Service

pytestmark = pytest.mark.django_db


def test_random_merges_leave_every_figure_right():
    service = Service.new(users=25)

    soak.merges(service, 4_000)

    # Each of 25 users has at most 40 viewings: most reports met one that was there.
    assert 900 < Viewing.objects.filter(project_id=service.project_id).count() <= 1_000
    assert soak.by_users(service)[0] > 0


def test_a_wrong_figure_is_found():
    service = Service.new(users=3)
    soak.merges(service, 50)
    UserViewing.objects.filter(project_id=service.project_id).update(viewing_seconds=1)

    with pytest.raises(Different):
        soak.check_figures()


def test_players_expect_the_greatest_that_was_taken():
    players = soak.Players(Service.new(users=3))
    items = players.report(2_000)

    players.took(items)

    greatest = Counter()
    for item in items:
        greatest[item["id"]] = max(greatest[item["id"]], item["watched_seconds"])
    assert players.accepted == greatest
    assert len(items) > len(greatest)
