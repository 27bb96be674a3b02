"""Fixtures for all tests: a project, and somebody signed in with a role."""

from datetime import UTC, datetime

import hypothesis
import pytest
from django.db import connection

from backoffice.core.permissions import Role
from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember, StaffRole

# The usual run tries the same few cases each time; `--hypothesis-profile=thorough` many new ones.
hypothesis.settings.register_profile(
    "usual",
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[
        # One test's cases share its transaction; each makes a project of its own.
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.data_too_large,
    ],
)
hypothesis.settings.register_profile(
    "thorough", hypothesis.settings.get_profile("usual"), max_examples=1000, derandomize=False
)
hypothesis.settings.load_profile("usual")

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Let the test runner empty the audit trail between tests; UPDATE and DELETE stay refused."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER audit_event_no_truncate")


@pytest.fixture(autouse=True)
def _quick_and_bare(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.REQUIRE_SECOND_FACTOR = False


@pytest.fixture
def project(db):
    return Project.objects.create(
        slug="north", name="North", time_zone="Europe/Paris", currency="EUR", created_at=NOW
    )


@pytest.fixture
def other_project(db):
    return Project.objects.create(
        slug="south", name="South", time_zone="Asia/Tokyo", currency="JPY", created_at=NOW
    )


@pytest.fixture
def staff_with(db):
    """Make a member with a role, on one project or on all."""

    def make(role=Role.OWNER, project=None, email=None):
        staff, is_new = StaffMember.objects.get_or_create(
            email=email or f"{role}@example.com", defaults={"created_at": NOW}
        )
        if is_new:
            staff.set_password(PASSWORD)
            staff.save()
        StaffRole.objects.create(staff_member=staff, project=project, role=role)
        return staff

    return make


@pytest.fixture
def signed_in(client, staff_with):
    """Sign somebody in with a role; return the client."""

    def sign_in(role=Role.OWNER, project=None):
        client.force_login(staff_with(role, project))
        return client

    return sign_in
