"""The register of jobs, and the page of one."""

from datetime import timedelta

import pytest

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Permission, Role
from backoffice.jobs.actions import start
from backoffice.jobs.models import Job
from backoffice.jobs.running import KINDS, Kind
from tests.conftest import NOW


@pytest.fixture(autouse=True)
def _kind():
    KINDS["test.work"] = Kind(
        "test.work",
        "Work",
        dict,
        frozenset({Permission.USERS_EXPORT}),
        address=lambda job: f"/somewhere/{job.pk}/",
        outcome=lambda result: f"{result['n']} things",
    )
    yield
    KINDS.pop("test.work")


@pytest.fixture
def ask(project, staff_with):
    """Ask for a job; its state and whatever else is written into its row as it is."""

    def make(actor=None, *, at=NOW, **changes):
        actor = actor or staff_with(Role.ANALYST, project)
        job = start("test.work", project=project, actor=actor, arguments={}, now=at)
        if changes.get("state") in {"DONE", "FAILED", "CANCELLED"}:
            changes["finished_at"] = NOW
        Job.objects.filter(pk=job.pk).update(**changes)
        return Job.objects.get(pk=job.pk)

    return make


def test_the_register_tells_who_what_when_and_how_far(client, ask, staff_with):
    owner = staff_with(Role.OWNER)
    client.force_login(owner)
    ask(state="RUNNING", done=1200, total=5000)
    ask(owner, at=NOW + timedelta(hours=1), state="DONE", result={"n": 3})

    response = client.get("/jobs/")

    later, earlier = response.context_data["lines"]
    assert (later.label, later.who, later.state, later.said) == (
        "Work", "owner@example.com", "DONE", "3 things"
    )  # fmt: skip
    assert (earlier.who, earlier.progress_words) == ("analyst@example.com", "1,200 of 5,000")
    # Noon in UTC is one o'clock in Paris.
    assert "13:00:00" in response.content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 2),
        ("state=FAILED", 1),
        ("state=RUNNING", 0),
        ("kind=test.work", 2),
        ("who=analyst", 2),
        ("who=nobody", 0),
        ("from=2026-11-22", 1),
        ("to=2026-11-21", 1),
    ],
)
def test_the_register_is_narrowed(signed_in, ask, staff_with, project, query, found):
    analyst = staff_with(Role.ANALYST, project)
    ask(analyst, state="FAILED")
    ask(analyst, at=NOW - timedelta(days=1))

    response = signed_in().get(f"/jobs/?{query}")

    assert len(response.context_data["lines"]) == found


@pytest.mark.parametrize("query", ["state=NO", "kind=x", "whom=a", "from=yesterday", "after=x"])
def test_what_cannot_narrow_it_is_refused(signed_in, project, query):
    assert signed_in().get(f"/jobs/?{query}").status_code == 400


def test_the_register_says_that_nobody_works(signed_in, ask):
    ask(at=NOW - timedelta(days=1))

    assert "No worker is at work" in signed_in().get("/jobs/").content.decode()


def test_a_job_is_shown_with_its_failure_and_its_trail(signed_in, ask):
    job = ask(state="FAILED", failure="Line %(line)s is broken.", failure_facts={"line": 3})

    response = signed_in().get(f"/jobs/{job.pk}/")

    page = response.content.decode()
    assert "Line 3 is broken." in page
    assert "Started the job test.work." in page
    assert f"/jobs/{job.pk}/retry/" in page
    assert f"/jobs/{job.pk}/cancel/" not in page
    assert "data-live" not in page


def test_a_job_that_runs_refreshes_by_itself_and_can_be_stopped(client, ask, staff_with, project):
    analyst = staff_with(Role.ANALYST, project)
    job = ask(analyst, state="RUNNING", done=1, total=4)
    client.force_login(analyst)

    page = client.get(f"/jobs/{job.pk}/").content.decode()

    assert 'max="4" value="1"' in page
    assert "data-live" in page
    assert f'<noscript><a class="button" href="/jobs/{job.pk}/">' in page
    assert f"/jobs/{job.pk}/cancel/" in page


@pytest.mark.parametrize(
    ("role", "is_own", "status"),
    [
        (Role.ANALYST, True, 200),
        (Role.ANALYST, False, 404),
        (Role.SUPPORT, False, 404),
        (Role.ADMIN, False, 200),
    ],
)
def test_who_sees_a_job(client, ask, staff_with, project, role, is_own, status):
    reader = staff_with(role, project, "reader@example.com")
    job = ask(reader if is_own else None)
    client.force_login(reader)

    assert client.get(f"/jobs/{job.pk}/").status_code == status
    assert client.post(f"/jobs/{job.pk}/cancel/").status_code == (302 if status == 200 else 404)


def test_another_projects_job_is_not_there(client, ask, staff_with, other_project):
    job = ask()
    client.force_login(staff_with(Role.OWNER, other_project))

    assert client.get(f"/jobs/{job.pk}/").status_code == 404


def test_stopping_and_starting_again(signed_in, ask):
    job = ask()
    client = signed_in()

    stopped = client.post(f"/jobs/{job.pk}/cancel/", follow=True)
    again = client.post(f"/jobs/{job.pk}/cancel/", follow=True)
    job.refresh_from_db()
    assert stopped.context_data["job"].state == job.state == "CANCELLED"
    assert "It had ended already." in again.content.decode()

    client.post(f"/jobs/{job.pk}/retry/")
    job.refresh_from_db()
    assert (job.state, job.finished_at) == ("WAITING", None)
    assert list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True)) == [
        "jobs.job.started",
        "jobs.job.cancelled",
        "jobs.job.retried",
    ]
    refused = client.post(f"/jobs/{job.pk}/retry/", follow=True)
    assert "It is not one that failed or was stopped." in refused.content.decode()


def test_starting_again_asks_for_the_proof_of_the_act(signed_in, ask, monkeypatch, settings):
    job = ask(state="FAILED", failure="x")
    client = signed_in()
    settings.STEP_UP_MINUTES = 0

    response = client.post(f"/jobs/{job.pk}/retry/")

    assert b"confirm-password" in response.content
    job.refresh_from_db()
    assert job.state == "FAILED"
