"""The audit register: who sees what, what narrows it, its pages, its own trace."""

from datetime import UTC, datetime, timedelta

import pytest

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import SYSTEM, record
from backoffice.core.permissions import Role
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
Kind = AuditEvent.Kind


def shown(response):
    return [(line.event.kind, line.event.data.get("slug")) for line in response.context["lines"]]


@pytest.fixture
def events(project, other_project):
    """One event here, one elsewhere, one of no project."""
    for number, (slug, place) in enumerate(
        {"here": project, "elsewhere": other_project, "nowhere": None}.items()
    ):
        record(
            Kind.PLATFORM_CREATED,
            actor=SYSTEM,
            now=NOW + timedelta(minutes=number),
            project=place,
            data={"slug": slug},
        )


def slugs(response):
    return [slug for kind, slug in shown(response) if kind == Kind.PLATFORM_CREATED]


def test_shows_the_project_and_to_an_owner_of_all_what_belongs_to_none(signed_in, events):
    response = signed_in(Role.OWNER).get("/audit/?project=north")

    assert slugs(response) == ["nowhere", "here"]
    assert "Created the platform here." in response.content.decode()
    assert "Europe/Paris" in response.content.decode()


def test_shows_an_admin_of_one_project_that_project(signed_in, events, project):
    assert slugs(signed_in(Role.ADMIN, project).get("/audit/")) == ["here"]


def test_shows_support_their_own_acts(client, staff_with, events, project):
    sue = staff_with(Role.SUPPORT, project)
    record(Kind.USER_EDITED, actor=sue, now=NOW, project=project)
    client.force_login(sue)

    response = client.get("/audit/")

    assert [kind for kind, _ in shown(response)] == [Kind.USER_EDITED]


@pytest.mark.parametrize("role", [Role.ANALYST, Role.READER])
def test_is_closed_to_others(signed_in, project, role):
    assert signed_in(role).get("/audit/").status_code == 403


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("kind=projects.platform.created&kind=staff.sign_in.done", {"a", "b"}),
        ("kind=users.user.created", set()),
        ("outcome=REFUSED", {"b"}),
        ("who=ann", {"a"}),
        ("who=ANN%40", {"a"}),
        ("from=2026-11-23", {"b"}),
        ("to=2026-11-22", {"a"}),
        ("from=2026-11-22&to=2026-11-23", {"a", "b"}),
    ],
)
def test_is_narrowed(client, staff_with, project, query, expected):
    ann, bob = staff_with(email="ann@x.example"), staff_with(Role.ADMIN, email="bob@x.example")
    # 23:30 and 00:30 in Paris.
    evening = datetime(2026, 11, 22, 22, 30, tzinfo=UTC)
    night = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    record(Kind.PLATFORM_CREATED, actor=ann, now=evening, project=project, data={"slug": "a"})
    record(
        Kind.PLATFORM_CREATED,
        actor=bob,
        now=night,
        project=project,
        data={"slug": "b"},
        outcome=AuditEvent.Outcome.REFUSED,
    )
    client.force_login(ann)

    response = client.get(f"/audit/?{query}")

    assert response.status_code == 200
    assert set(slugs(response)) == expected


@pytest.mark.parametrize(
    "query",
    [
        "kind=nothing",
        "outcome=done",
        "from=yesterday",
        "to=0001-01-01",
        "from=9999-12-31",
        "who=a&who=b",
        "page=2",
        "after=rubbish",
        "before=%F0%9F%98%80",
        "who=%00",
        "who=" + "x" * 5000,
    ],
)
def test_refuses_what_it_does_not_know_in_words(signed_in, project, query):
    response = signed_in().get(f"/audit/?{query}")

    assert response.status_code == 400
    assert response.context["form"].errors
    assert "<table" not in response.content.decode()


def test_pages_through_all_events_once(signed_in, project):
    for number in range(120):
        record(
            Kind.PLATFORM_CREATED,
            actor=SYSTEM,
            now=NOW + timedelta(seconds=number // 2),
            project=project,
            data={"slug": str(number)},
        )
    client = signed_in()
    kind = f"kind={Kind.PLATFORM_CREATED}"

    first = client.get(f"/audit/?{kind}")
    second = client.get(f"/audit/?{kind}&after={first.context['page'].after}")
    third = client.get(f"/audit/?{kind}&after={second.context['page'].after}")
    back = client.get(f"/audit/?{kind}&before={third.context['page'].before}")

    seen = slugs(first) + slugs(second) + slugs(third)
    assert seen == [str(number) for number in reversed(range(120))]
    assert third.context["page"].after is None
    assert slugs(back) == slugs(second)
    assert 'rel="next"' in first.content.decode()


def test_reading_is_recorded_with_the_names_of_the_filters(signed_in, project):
    client = signed_in()

    client.get("/audit/?who=ann%40example.com")
    client.get("/audit/?who=a&who=b")

    event = AuditEvent.objects.get(kind=Kind.AUDIT_READ)
    assert event.data == {"filters": ["who"]}
    assert event.project_id == project.pk


def test_costs_the_same_queries_for_one_event_and_for_fifty(
    signed_in, project, django_assert_num_queries
):
    client = signed_in()
    client.get("/audit/")
    # Session, member, roles, projects, events, and the event of reading.
    with django_assert_num_queries(6):
        client.get("/audit/")
    for _ in range(50):
        record(Kind.SIGNED_IN, actor=SYSTEM, now=NOW, project=project)

    with django_assert_num_queries(6):
        client.get("/audit/")


def test_says_what_to_do_when_nothing_fits(signed_in, project):
    response = signed_in().get("/audit/?who=nobody-at-all")

    assert "Clear the filters" in response.content.decode()
