"""Tables filled without their indexes keep each promise once they are filled."""

import pytest
from django.db import IntegrityError, connection

from analytics.demo.indexes import without_indexes
from subscriptions.models import Offer

ON_OFFERS = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE 'subscriptions_offer'::regclass IN (conrelid, confrelid)
    UNION ALL
    SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'subscriptions_offer'
    ORDER BY 1, 2
"""


def promises():
    with connection.cursor() as cursor:
        cursor.execute(ON_OFFERS)
        return cursor.fetchall()


def offer(project, reference):
    return Offer(project=project, reference=reference, currency="EUR")


def test_all_but_the_checks_are_gone_inside_and_back_behind(project):
    before = promises()

    with without_indexes(["subscriptions_offer"]):
        offer(project, "monthly").save()
        inside = promises()

    assert {definition.partition(" ")[0] for _, definition in inside} <= {"CHECK", "NOT"}
    assert promises() == before
    assert Offer.objects.count() == 1


def test_a_repeated_key_is_refused_in_the_end(project):
    before = promises()

    with (
        pytest.raises(IntegrityError, match="offer_reference_unique_in_project"),
        without_indexes(["subscriptions_offer"]),
    ):
        Offer.objects.bulk_create([offer(project, "monthly"), offer(project, "monthly")])

    assert promises() == before


def test_a_reference_to_nothing_is_refused_in_the_end(project):
    with (
        pytest.raises(IntegrityError, match="fk_projects_project_id"),
        without_indexes(["subscriptions_offer"]),
    ):
        Offer.objects.create(project_id=project.pk + 1, reference="monthly", currency="EUR")
