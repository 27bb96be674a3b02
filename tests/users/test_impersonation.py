"""Impersonation from the back office: the question, the hand-over, its refusals and limits."""

import re
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import SYSTEM
from backoffice.core.permissions import Role
from backoffice.core.tokens import hash_of_token
from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory
from tests.factories.users import UserFactory
from users.impersonation import forget_impersonations, halt, left_today, resume
from users.models import Impersonation

Kind = AuditEvent.Kind


@pytest.fixture
def ada(person):
    return person("Lovelace", email="ada@example.com")


@pytest.fixture
def at(ada):
    return f"/users/{ada.public_id}/impersonate/"


@pytest.fixture
def no_reason(project):
    project.impersonation_reason = Project.ReasonRule.OFF
    project.save()


def form_of(response):
    """Return where the page's own form leads, and its fields with their values."""
    page = response.content.decode()
    main = page[page.index("<main") : page.index("</main>")]
    action = re.search(r'<form method="post" action="([^"]+)"', main)
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', main))
    return action and action.group(1), fields


def test_a_reason_is_asked_for_and_kept(look, at, ada):
    asked = look(path=at)
    assert 'name="reason"' in asked.content.decode()
    assert "50 of 50 left for you today" in asked.content.decode()

    refused = look(path=at, method="post", data={"reason": " "})
    assert refused.status_code == 400
    assert not Impersonation.objects.exists()

    response = look(path=at, method="post", data={"reason": "Ticket 4711: black screen"})

    assert response.status_code == 200
    row = Impersonation.objects.get()
    assert (row.user, row.platform, row.mode) == (ada, ada.platform, "read-only")
    assert row.reason == "Ticket 4711: black screen"
    assert "Ticket 4711" not in str(AuditEvent.objects.values())


def test_where_no_reason_is_asked_an_empty_form_hands_over(look, at, ada, no_reason):
    ada.platform.impersonation_url = "https://watch.example.com/staff/enter"
    ada.platform.save()

    response = look(path=at, method="post", data={})

    action, fields = form_of(response)
    assert action == "https://watch.example.com/staff/enter"
    assert set(fields) == {"ticket"}
    row = Impersonation.objects.get()
    assert row.ticket_hash == hash_of_token(fields["ticket"])
    assert len(fields["ticket"]) == 43  # 256 bits in base64
    assert row.ticket_expires_at == NOW + timedelta(seconds=60)
    assert fields["ticket"] not in str(AuditEvent.objects.values())


def test_the_home_address_is_where_it_leads_unless_another_is_named(look, at, ada, no_reason):
    assert form_of(look(path=at, method="post"))[0] == "https://watch.example.com/"


def test_the_page_may_post_to_that_platform_alone_and_says_nothing_of_itself(
    look, at, ada, no_reason
):
    ada.platform.home_url = "https://watch.example.com:8443/home"
    ada.platform.save()

    response = look(path=at, method="post")

    policy = response["Content-Security-Policy"]
    assert "form-action https://watch.example.com:8443;" in f"{policy};"
    assert "'unsafe-inline'" not in policy
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    other = look(path=at)
    assert other["Referrer-Policy"] == "same-origin"
    assert "form-action 'self'" in other["Content-Security-Policy"]


def test_one_line_in_the_trail_names_ids_alone(look, at, ada, no_reason):
    look(path=at, method="post")

    (event,) = AuditEvent.objects.filter(kind__startswith="users.")
    row = Impersonation.objects.get()
    assert event.kind == Kind.IMPERSONATED
    assert event.target_id == str(ada.public_id)
    assert event.actor_label == "admin@example.com"
    assert event.data == {
        "mode": "read-only",
        "impersonation": str(row.pk),
        "platform": "web",
        "reason": "none",
    }


def test_without_a_line_in_the_trail_there_is_no_ticket(look, at, no_reason):
    look()  # Signs in, while the trail can still be written.
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "ALTER TABLE audit_auditevent ADD CONSTRAINT no_room CHECK (false) NOT VALID"
        )

    with pytest.raises(DatabaseError):
        look(path=at, method="post")

    assert not Impersonation.objects.exists()


def test_acting_as_the_user_needs_its_own_permission(look, at, no_reason):
    asked = look(path=at).content.decode()
    assert 'name="mode"' not in asked

    response = look(path=at, method="post", data={"mode": "full"})

    assert response.status_code == 403
    assert not Impersonation.objects.exists()
    refused = AuditEvent.objects.get(kind=Kind.ACCESS_REFUSED)
    assert refused.data == {"permission": "users.impersonate_full"}


def test_an_owner_may_choose_to_act(look, at, no_reason):
    assert 'value="full"' in look(path=at, role=Role.OWNER).content.decode()

    assert look(path=at, method="post", data={"mode": "full"}).status_code == 200

    assert Impersonation.objects.get().mode == "full"


@pytest.mark.parametrize(
    "data", [{"mode": "everything"}, {"reason": "\x00"}, {"reason": "x" * 501}]
)
def test_what_cannot_be_is_refused_in_words(look, at, data):
    response = look(path=at, method="post", data={"reason": "4711"} | data)

    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()
    assert not Impersonation.objects.exists()


@pytest.mark.parametrize("role", [Role.ANALYST, Role.READER])
def test_who_may_not_gets_nothing(look, at, role, no_reason):
    assert look(path=at, method="post", role=role).status_code == 403
    assert not Impersonation.objects.exists()


def test_a_deleted_user_staff_and_another_project_are_nobody_here(
    look, person, other_project, no_reason
):
    gone = person("Gone", deleted_at=NOW)
    abroad = UserFactory(platform=PlatformFactory(project=other_project))
    staff = StaffMember.objects.create(email="new@example.com", created_at=NOW)

    for public_id in (gone.public_id, abroad.public_id, f"{staff.pk:032x}"):
        assert look(path=f"/users/{public_id}/impersonate/", method="post").status_code == 404
    assert not Impersonation.objects.exists()


def test_a_get_hands_nobody_over(look, at, no_reason):
    look(path=at)

    assert not Impersonation.objects.exists()


def test_the_day_has_a_limit_that_is_said_before(look, at, settings, project, no_reason):
    settings.IMPERSONATIONS_A_DAY = 2
    look(path=at, method="post")
    assert "1 of 2 left for you today" in look(path=at).content.decode()
    look(path=at, method="post")

    refused = look(path=at, method="post")

    assert refused.status_code == 429
    assert "2 times today" in refused.content.decode()
    assert Impersonation.objects.count() == 2
    staff = StaffMember.objects.get()
    for hours, left in ((10, 0), (11, 2)):  # Midnight in Paris is eleven hours ahead.
        later = NOW + timedelta(hours=hours)
        assert left_today(staff=staff, project=project, now=later) == left


def test_the_switch_stops_all_at_once(look, at, no_reason):
    look(path=at, method="post")

    assert halt(actor=SYSTEM, now=NOW) == 1
    refused = look(path=at, method="post")

    assert refused.status_code == 409
    assert "switched off" in refused.content.decode()
    assert Impersonation.objects.get().end_reason == "switched-off"
    assert halt(actor=SYSTEM, now=NOW) == 0
    assert AuditEvent.objects.filter(kind=Kind.IMPERSONATION_HALTED).count() == 1
    resume(actor=SYSTEM, now=NOW)
    assert look(path=at, method="post").status_code == 200


def test_the_operators_own_switch_needs_no_row(look, at, settings, no_reason):
    settings.IMPERSONATION = False

    assert look(path=at, method="post").status_code == 409


def test_a_proof_too_old_is_asked_for_again_and_the_form_goes_on(look, at, clock):
    look()
    for minutes in (10, 20):
        clock.move_to(NOW + timedelta(minutes=minutes))
        look()

    question = look(path=at, method="post", data={"reason": "4711"})
    assert "confirm-password" in question.content.decode()
    assert not Impersonation.objects.exists()

    answered = look(
        path=at,
        method="post",
        data={"reason": "4711", "confirm-password": "correct horse battery"},
    )

    assert form_of(answered)[1].keys() == {"ticket"}


def test_the_page_of_one_user_shows_who_looked(look, at, ada, no_reason):
    look(path=at, method="post")
    assert "Nobody yet." in look(path=at).content.decode()

    Impersonation.objects.update(
        redeemed_at=NOW, expires_at=NOW + timedelta(minutes=30), reason="<b>4711</b>"
    )

    page = look(path=at).content.decode()
    assert "admin@example.com" in page
    assert "22 Nov 2026" in page
    assert "goes on" in page
    assert "&lt;b&gt;4711&lt;/b&gt;" in page


def test_the_menu_posts_at_once_where_nothing_is_asked(look, at, ada, project):
    assert f'<a href="{at}"' in look().content.decode()

    project.impersonation_reason = Project.ReasonRule.OFF
    project.save()

    assert f'form="row-action" formtarget="_blank" formaction="{at}"' in look().content.decode()


def test_deleting_the_user_forgets_who_looked(look, at, ada, no_reason):
    look(path=at, method="post")

    forget_impersonations([ada.pk])

    assert not Impersonation.objects.exists()
    assert AuditEvent.objects.filter(kind=Kind.IMPERSONATED).count() == 1


def test_the_schema_keeps_one_switch_and_lasting_ends(look, at, no_reason):
    look(path=at, method="post")
    for change in (
        {"redeemed_at": NOW},
        {"ended_at": NOW},
        {"mode": "more"},
        {"ticket_hash": "x"},
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            Impersonation.objects.update(**change)


@pytest.mark.parametrize(("role", "is_shown"), [(Role.SUPPORT, True), (Role.ANALYST, False)])
def test_the_profile_leads_to_who_looked_for_whom_it_concerns(look, at, ada, role, is_shown):
    page = look(path=f"/users/{ada.public_id}/", role=role).content.decode()

    assert (f'<a href="{at}">Who looked at this account</a>' in page) == is_shown
