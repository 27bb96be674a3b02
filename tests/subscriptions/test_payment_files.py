"""Files of payments that take long: made in the background, under the rules of every file."""

import csv
import io
import zipfile
from datetime import timedelta

import pytest
from django.utils import timezone

from backoffice.audit.models import AuditEvent
from backoffice.core.exports import TooSlow
from backoffice.core.permissions import Role
from backoffice.jobs.exports import clear_files
from backoffice.jobs.models import Export, Job, Mail
from tests.conftest import NOW
from tests.factories.subscriptions import OfferFactory, PurchaseFactory, SubscriptionFactory
from tests.factories.users import UserFactory
from users.deletion import delete_user

SUBSCRIPTIONS = "/subscriptions/export.csv?status=active&email=ada@example.com&columns=email,price"
PURCHASES = "/purchases/export.xlsx"


@pytest.fixture
def folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    # Every file of a list is made in the background.
    settings.EXPORT_SECONDS_AT_ONCE = 0
    return tmp_path / "exports"


@pytest.fixture
def ada(project):
    ada = UserFactory(project=project, email="ada@example.com")
    offer = OfferFactory(project=project, reference="monthly", name="Monthly")
    SubscriptionFactory(user=ada, offer=offer, price_minor=999, currency="EUR", started_at=NOW)
    PurchaseFactory(user=ada, offer=offer, reference="p1", purchased_at=NOW)
    SubscriptionFactory(user=UserFactory(project=project), started_at=NOW)
    return ada


@pytest.fixture
def admin(client, staff_with, project):
    admin = staff_with(Role.ADMIN, project)
    client.force_login(admin)
    return admin


@pytest.fixture
def made(run_jobs, folder, ada, admin, client):
    """The file of Ada's subscriptions, made."""
    asked = client.get(SUBSCRIPTIONS)
    export = Export.objects.get()
    assert (asked.status_code, asked["Location"]) == (303, f"/exports/{export.pk}/")
    assert "ada@" not in export.sealed_query
    run_jobs()
    export.refresh_from_db()
    return export


def test_it_holds_the_rows_of_the_list_and_is_noted_like_any_file(made, client):
    response = client.get(f"/exports/{made.pk}/file/")

    data = b"".join(response.streaming_content).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(data, newline=""))) == [
        ["email", "price"],
        ["ada@example.com", "9.99"],
    ]
    assert made.filter_words["en"] == ["Status: Active", "E-mail: given"]
    assert made.filter_words["fr"] == ["Statut\xa0: Actif", "E-mail\xa0: fourni"]
    event = AuditEvent.objects.get(kind="subscriptions.list.exported")
    assert event.data["filter"] == {
        "status": ["active"],
        "email": "given",
        "columns": ["email,price"],
    }
    assert (event.data["rows"], event.data["sha256"]) == (1, made.sha256)
    manifest = client.get(f"/exports/{made.pk}/manifest.json").json()
    assert [column["name"] for column in manifest["columns"]] == ["email", "price"]
    assert manifest["columns"][1]["means"] == "In the currency beside it."
    assert Mail.objects.get().kind == "export_ready"


def test_a_sheet_is_made_likewise(run_jobs, folder, ada, admin, client):
    client.get(PURCHASES)
    run_jobs()

    export = Export.objects.get()
    assert (export.state, export.rows) == ("READY", 1)
    with zipfile.ZipFile(folder / export.stored_name) as sheet:
        assert b"ada@example.com" in sheet.read("xl/worksheets/sheet1.xml")


def test_it_goes_with_the_role(made, folder, admin, client, staff_with, project):
    admin.roles.all().delete()
    staff_with(Role.ANALYST, project, admin.email)
    # An analyst may take payments as a file, but this one shows addresses in clear.
    assert client.get(f"/exports/{made.pk}/file/").status_code == 410

    clear_files(now=timezone.now())

    made.refresh_from_db()
    assert (made.gone, list(folder.iterdir())) == ("ROLE_LOST", [])


def test_it_goes_with_the_deletion_of_a_user_in_it(made, folder, ada, admin):
    delete_user(user=ada, actor=admin, now=timezone.now())

    made.refresh_from_db()
    assert (made.gone, list(folder.iterdir())) == ("USER_DELETED", [])


def test_it_goes_after_a_day(made, folder):
    clear_files(now=made.made_at + timedelta(hours=24))

    assert list(folder.iterdir()) == []


def test_a_role_lost_meanwhile_makes_no_file(run_jobs, folder, ada, admin, client, project):
    client.get(SUBSCRIPTIONS)
    admin.roles.all().delete()
    run_jobs()

    assert Job.objects.get().state == "FAILED"
    assert not folder.exists() or not list(folder.iterdir())


def test_a_time_that_runs_out_leads_to_the_background(
    folder, ada, admin, client, settings, monkeypatch, transactional_db
):
    settings.EXPORT_SECONDS_AT_ONCE = 8

    def run_out(*_args, **_kwargs):
        raise TooSlow

    monkeypatch.setattr("subscriptions.exports.write_columns", run_out)
    asked = client.get(SUBSCRIPTIONS, headers={"accept": "application/json"})

    assert (asked.status_code, asked["Retry-After"]) == (202, "2")
    assert AuditEvent.objects.filter(kind="subscriptions.list.exported").count() == 0
