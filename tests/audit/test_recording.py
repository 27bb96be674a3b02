"""record: who, what, to what, and nothing if the act fails."""

import pytest
from django.db import transaction

from backoffice.audit.models import AuditEvent
from backoffice.audit.presenters import SENTENCES, sentence
from backoffice.audit.recording import NOBODY, SYSTEM, record
from backoffice.projects.models import ApiKey, Platform
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
Kind = AuditEvent.Kind


def test_a_staff_member_is_named_as_they_were_then(staff_with, project):
    ann = staff_with(email="ann@example.com")

    event = record(Kind.SIGNED_IN, actor=ann, now=NOW, project=project, target=project)

    assert (event.actor_type, event.actor_id, event.actor_label) == (
        "staff",
        ann.pk,
        "ann@example.com",
    )
    assert (event.target_type, event.target_id) == ("projects.project", str(project.pk))
    assert (event.project_id, event.at, event.outcome) == (project.pk, NOW, "DONE")


def test_a_key_acts_for_its_platform(project):
    web = Platform.objects.create(
        project=project, slug="web", name="Web", kind="web", home_url="https://w", created_at=NOW
    )
    key = ApiKey(platform=web)

    event = record(Kind.USER_CREATED, actor=key, now=NOW)

    assert (event.actor_type, event.actor_id, event.actor_label) == ("platform", web.pk, "Web")


def test_the_system_and_nobody_have_no_id():
    assert record(Kind.PROJECT_CREATED, actor=SYSTEM, now=NOW).actor_type == "system"
    refused = record(Kind.SIGN_IN_REFUSED, actor=NOBODY, now=NOW)
    assert (refused.actor_type, refused.actor_id) == ("unknown", None)


def test_the_event_goes_with_the_act_that_failed():
    @transaction.atomic
    def act():
        record(Kind.SIGNED_IN, actor=SYSTEM, now=NOW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act()

    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("kind", Kind.values)
def test_each_kind_has_a_sentence(kind):
    assert kind in SENTENCES
    assert sentence(AuditEvent(kind=kind, data={}))


def test_a_sentence_names_the_facts():
    event = AuditEvent(kind=Kind.ROLE_GRANTED, data={"role": "support"})

    assert sentence(event) == "Granted the role support."
