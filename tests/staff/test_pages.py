"""StaffPage: the project at hand, permissions, step-up, and what templates are given."""

import re
from datetime import timedelta

import pytest
import time_machine
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404, HttpResponse, JsonResponse
from django.template import engines
from django.test import Client
from django.urls import include, path

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Permission, Role
from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember
from backoffice.staff.pages import StaffPage
from tests.conftest import NOW, PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

SHELL = engines["django"].from_string(
    "{{ project.slug }}|{% for one in project_choices %}{{ one.slug }},{% endfor %}|"
    "{% if may.users_export %}exports{% endif %}|"
    "{% for section in nav %}{{ section.label }}:"
    "{% for item in section.items %}{{ item.label }}={{ item.url }}"
    "{% if item.is_current %}*{% endif %},{% endfor %};{% endfor %}"
)


class Viewed(StaffPage):
    permission_required = Permission.USERS_VIEW
    change_permission = Permission.USERS_EDIT

    def get(self, request):
        return JsonResponse(
            {
                "project": self.project.slug,
                "zone": str(self.zone),
                "now": self.now.isoformat(),
                "exports": self.may(Permission.USERS_EXPORT),
            }
        )

    def post(self, request):
        return JsonResponse({"project": self.project.slug, "posted": request.POST.dict()})


class Shell(StaffPage):
    permission_required = Permission.USERS_VIEW

    def get(self, request):
        return HttpResponse(SHELL.render({}, request))


class OneObject(StaffPage):
    """A page about a project's object: here the object is the project itself."""

    permission_required = Permission.USERS_VIEW

    def project_of_object(self):
        found = Project.objects.filter(slug=self.kwargs["slug"]).first()
        if found is None:
            raise Http404
        return found.pk

    def get(self, request, slug):
        return JsonResponse({"project": self.project.slug})


class Deletion(StaffPage):
    permission_required = Permission.USERS_DELETE

    def get(self, request):
        return HttpResponse("file")

    def post(self, request):
        return JsonResponse({name: request.POST.getlist(name) for name in request.POST})


urlpatterns = [
    path("viewed/", Viewed.as_view()),
    path("users/", Shell.as_view(), name="list"),
    path("object/<slug:slug>/", OneObject.as_view()),
    path("deletion/", Deletion.as_view()),
    path("", include(([path("people/", Shell.as_view(), name="list")], "users"))),
    path("", include("backoffice.staff.urls")),
]


@pytest.fixture(autouse=True)
def clock():
    cache.clear()
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


# --- the project at hand -------------------------------------------------------------------


def test_a_page_knows_project_zone_clock_and_rights(signed_in, project):
    seen = signed_in(Role.READER, project).get("/viewed/").json()

    assert seen == {
        "project": "north",
        "zone": "Europe/Paris",
        "now": "2026-11-22T12:00:00+00:00",
        "exports": False,
    }


def test_the_first_project_by_name_is_at_hand_until_one_is_chosen(
    signed_in, project, other_project
):
    client = signed_in()
    assert client.get("/viewed/").json()["project"] == "north"

    assert client.get("/viewed/?project=south").json()["project"] == "south"

    assert client.get("/viewed/").json()["project"] == "south"


@pytest.mark.parametrize(
    "query",
    [
        "project=nowhere",
        "project=",
        "project=North",
        "project=%00",
        "project=south",
        "project=north&project=south",
        "project=" + "x" * 5000,
    ],
)
def test_a_project_that_is_none_or_not_theirs_is_not_found(
    signed_in, project, other_project, query
):
    client = signed_in(Role.OWNER, project)

    assert client.get(f"/viewed/?{query}").status_code == 404
    assert client.get("/viewed/").json()["project"] == "north"


def test_a_missing_project_and_a_foreign_one_answer_alike(signed_in, project, other_project):
    client = signed_in(Role.OWNER, project)

    missing, foreign = client.get("/viewed/?project=nowhere"), client.get("/viewed/?project=south")

    assert missing.status_code == foreign.status_code == 404
    assert _without_own_marks(missing) == _without_own_marks(foreign)


def _without_own_marks(page):
    """Return the page without what every request has of its own: its address and its token."""
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", page.content.decode())
    return text.replace("nowhere", "south")


def test_a_form_acts_on_the_project_it_was_shown_for(signed_in, project, other_project):
    client = signed_in()
    client.get("/viewed/?project=south")

    assert client.post("/viewed/", {"project": "north"}).json()["project"] == "north"
    assert client.post("/viewed/?project=north", {}).json()["project"] == "north"
    assert client.post("/viewed/", {"project": "nowhere"}).status_code == 404
    # A form does not switch the project of the reader's other windows.
    assert client.get("/viewed/").json()["project"] == "south"


def test_a_role_taken_away_takes_the_remembered_project_away(signed_in, project, other_project):
    client = signed_in(Role.OWNER, project)
    member = StaffMember.objects.get()
    member.last_project = other_project
    member.save()

    assert client.get("/viewed/").json()["project"] == "north"


def test_a_link_to_an_object_opens_in_its_own_project(signed_in, project, other_project):
    client = signed_in()
    client.get("/viewed/?project=north")

    assert client.get("/object/south/").json()["project"] == "south"
    assert client.get("/object/south/?project=north").status_code == 404
    assert client.get("/object/nowhere/").status_code == 404


def test_an_object_of_a_project_without_a_role_is_not_found(signed_in, project, other_project):
    assert signed_in(Role.OWNER, project).get("/object/south/").status_code == 404


def test_without_any_role_the_page_says_so(client, db, project):
    client.force_login(StaffMember.objects.create(email="new@example.com", created_at=NOW))

    assert client.get("/viewed/").status_code == 403


# --- permissions ---------------------------------------------------------------------------


def test_a_refusal_is_403_and_recorded(signed_in, project):
    response = signed_in(Role.ANALYST, project).get("/deletion/")

    assert response.status_code == 403
    event = AuditEvent.objects.get()
    assert (event.kind, event.outcome, event.project_id, event.data) == (
        "staff.access.refused",
        "REFUSED",
        project.pk,
        {"permission": "users.delete"},
    )


def test_changing_may_need_more_than_reading(signed_in, project):
    client = signed_in(Role.READER, project)

    assert client.get("/viewed/").status_code == 200
    assert client.post("/viewed/").status_code == 403


def test_several_roles_add_up(client, staff_with, project, other_project):
    ann = staff_with(Role.SUPPORT, email="ann@example.com")
    staff_with(Role.ANALYST, project, email="ann@example.com")
    client.force_login(ann)

    assert client.get("/viewed/?project=north").json()["exports"] is True
    assert client.post("/viewed/?project=north").status_code == 200
    assert client.get("/viewed/?project=south").json()["exports"] is False


def test_a_role_taken_away_ends_at_the_next_request(signed_in, project):
    client = signed_in(Role.OWNER, project)
    StaffMember.objects.get().roles.all().delete()

    assert client.get("/viewed/").status_code == 403


# --- the shell -----------------------------------------------------------------------------


def test_the_shell_has_project_choices_rights_and_menu(signed_in, project, other_project):
    shown = signed_in(Role.READER).get("/users/?project=south").content.decode()

    assert shown == (
        "south|north,south,||"
        "Analytics:Users=/people/,;Offer management:Users=/people/?period=all,;"
    )


def test_the_menu_shows_only_what_is_allowed_and_exists(signed_in, project):
    shown = signed_in(Role.OWNER, project).get("/users/").content.decode()

    assert shown.startswith("north|north,|exports|")
    assert "Work:Audit=/audit/,;" in shown
    assert "Settings:Staff and roles=/settings/staff/,;" in shown
    assert "Sign-up fields" not in shown


@pytest.mark.parametrize(
    ("query", "current"),
    [
        ("", "Users=/people/*,"),
        ("?period=week", "Users=/people/*,"),
        ("?period=all", "Users=/people/?period=all*,"),
    ],
)
def test_the_menu_marks_where_the_reader_is(signed_in, project, query, current):
    shown = signed_in(Role.READER).get(f"/people/{query}").content.decode()

    assert current in shown
    assert shown.count("*") == 1


def test_the_shell_of_a_page_without_a_project_still_has_a_menu(signed_in, project):
    response = signed_in().get("/account/second-factor/")

    assert response.context["project"] == project
    assert response.context["nav"]


# --- language ------------------------------------------------------------------------------


def test_the_language_is_kept_with_the_account(signed_in):
    client = signed_in()
    response = client.post("/language/", {"language": "fr", "next": "/account/second-factor/"})

    assert response.url == "/account/second-factor/"
    assert StaffMember.objects.get().language == "fr"
    elsewhere = Client()
    elsewhere.force_login(StaffMember.objects.get())
    assert elsewhere.get("/account/second-factor/").headers["Content-Language"] == "fr"


def test_until_then_the_browser_decides(signed_in):
    client = signed_in()

    response = client.get("/account/second-factor/", HTTP_ACCEPT_LANGUAGE="fr-CH, en;q=0.5")

    assert response.headers["Content-Language"] == "fr"


def test_a_stranger_can_choose_the_language_of_the_sign_in_page(client):
    client.post("/language/", {"language": "fr", "next": "/sign-in/"})

    assert client.get("/sign-in/").headers["Content-Language"] == "fr"


@pytest.mark.parametrize("language", ["xx", "", "\x00", "x" * 5000])
def test_another_language_changes_nothing(signed_in, language):
    signed_in().post("/language/", {"language": language})

    assert StaffMember.objects.get().language == ""


def test_the_switch_leads_nowhere_else(client):
    assert (
        client.post("/language/", {"language": "fr", "next": "https://evil.example/"}).url == "/"
    )
    assert client.get("/language/").status_code == 405


# --- step-up -------------------------------------------------------------------------------


@pytest.fixture
def stale(signed_in, project, clock):
    """A client signed in for 15 minutes."""
    client = signed_in()
    clock.shift(timedelta(minutes=15))
    return client


def test_a_sign_in_counts_as_proof_for_15_minutes(signed_in, project, clock):
    client = signed_in()
    clock.shift(timedelta(minutes=14, seconds=59))
    assert client.get("/deletion/").content == b"file"

    clock.shift(timedelta(seconds=1))

    assert client.get("/deletion/").status_code == 302


def test_a_reader_comes_back_to_the_full_address(stale):
    response = stale.get("/deletion/?status=active&q=a%26b&project=north")

    assert (
        response.url
        == "/confirm/?next=%2Fdeletion%2F%3Fstatus%3Dactive%26q%3Da%2526b%26project%3Dnorth"
    )
    assert stale.get(response.url).status_code == 200

    confirmed = stale.post(response.url, {"password": PASSWORD})

    assert confirmed.url == "/deletion/?status=active&q=a%26b&project=north"
    assert stale.get(confirmed.url).content == b"file"
    assert AuditEvent.objects.get().kind == "staff.step_up.done"


def test_one_proof_serves_all_acts_for_15_minutes(stale, clock):
    stale.post("/confirm/", {"password": PASSWORD})
    clock.shift(timedelta(minutes=14))

    assert stale.get("/deletion/").status_code == 200
    assert stale.post("/deletion/", {"a": "1"}).json() == {"a": ["1"]}


def test_the_session_gets_a_new_key(stale):
    before = stale.session.session_key

    stale.post("/confirm/", {"password": PASSWORD})

    assert stale.session.session_key != before


def test_a_wrong_password_proves_nothing(stale):
    response = stale.post("/confirm/?next=/deletion/", {"password": "wrong"})

    assert response.status_code == 200
    assert "This is not your password." in response.content.decode()
    assert stale.get("/deletion/").status_code == 302
    event = AuditEvent.objects.get()
    assert (event.kind, event.actor_type) == ("staff.step_up.refused", "staff")


def test_wrong_passwords_are_throttled(stale):
    for _ in range(5):
        stale.post("/confirm/", {"password": "wrong"})

    response = stale.post("/confirm/", {"password": PASSWORD})

    assert "Too many failed attempts" in response.content.decode()
    assert stale.get("/deletion/").status_code == 302


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", ""],
)
def test_it_leads_nowhere_else(stale, address):
    assert stale.post(f"/confirm/?next={address}", {"password": PASSWORD}).url == "/"


def test_who_has_proved_already_is_led_on(signed_in, project):
    assert signed_in().get("/confirm/?next=/deletion/").url == "/deletion/"


def test_a_form_is_kept_within_the_question_and_the_act_goes_on(stale):
    fields = {"user": ["1", "2"], "reason": 'a "quoted" <reason>\nof two lines', "password": "x"}

    question = stale.post("/deletion/?project=north", fields)

    assert question.status_code == 200
    page = question.content.decode()
    assert '<input type="hidden" name="user" value="2">' in page
    assert "&lt;reason&gt;" in page
    assert question.context["carried"] == [
        ("user", "1"),
        ("user", "2"),
        ("reason", 'a "quoted" <reason>\nof two lines'),
        ("password", "x"),
    ]

    wrong = stale.post("/deletion/?project=north", fields | {"confirm-password": "wrong"})
    assert wrong.context["carried"] == question.context["carried"]
    done = stale.post("/deletion/?project=north", fields | {"confirm-password": PASSWORD})

    assert {name: done.json()[name] for name in fields} == {
        "user": ["1", "2"],
        "reason": [fields["reason"]],
        "password": ["x"],
    }


def test_a_form_with_files_leads_back_to_its_page(stale):
    response = stale.post("/deletion/", {"file": SimpleUploadedFile("a.csv", b"email")})

    assert response.url == "/confirm/?next=%2Fdeletion%2F"


def test_a_piece_of_a_page_leads_the_whole_page_to_the_question(stale):
    response = stale.get(
        "/deletion/", HTTP_HX_REQUEST="true", HTTP_HX_CURRENT_URL="http://testserver/users/?q=x"
    )

    assert response.headers["HX-Redirect"] == "/confirm/?next=%2Fusers%2F%3Fq%3Dx"


def test_who_may_not_is_not_asked(signed_in, project, clock):
    client = signed_in(Role.READER)
    clock.shift(timedelta(minutes=20))

    assert client.get("/deletion/").status_code == 403


def test_the_second_factor_is_asked_too(stale):
    secret = generate_totp_secret()
    TOTP.activate(StaffMember.objects.get(), secret)
    step = int((NOW + timedelta(minutes=15)).timestamp() // 30)
    code = format_hotp_value(hotp_value(secret, step))

    without = stale.post("/confirm/?next=/deletion/", {"password": PASSWORD})
    assert without.status_code == 200
    wrong_password = stale.post("/confirm/", {"password": "wrong", "code": code})
    assert wrong_password.status_code == 200
    assert stale.get("/deletion/").status_code == 302

    assert (
        stale.post("/confirm/?next=/deletion/", {"password": PASSWORD, "code": code}).status_code
        == 302
    )
    assert stale.get("/deletion/").status_code == 200


def test_the_question_needs_somebody_signed_in(client):
    assert client.get("/confirm/").url == "/sign-in/?next=/confirm/"
    assert client.post("/confirm/", {"password": PASSWORD}).status_code == 302
