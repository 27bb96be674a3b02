"""Imports too large for a request: in the background, cut off anywhere, two at once."""

import contextlib
import io
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from backoffice.jobs.actions import cancel
from backoffice.jobs.models import Job
from backoffice.jobs.running import Interrupted
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory
from tests.factories.users import CustomFieldFactory, UserFactory
from users.deletion import delete_user
from users.imports import applying, checking, uploading
from users.imports.applying import apply
from users.imports.checking import Silent, check
from users.imports.expiry import expire_imports
from users.imports.undoing import undo
from users.imports.uploading import confirm, match_columns, take_back, upload
from users.models import ImportPart, ImportRow, User, UserImport, UserSearch

TEN = b"email,first_name\n" + b"".join(b"n%d@example.com,N\n" % n for n in range(10))


@pytest.fixture
def admin(staff_with, project, web):
    return staff_with(Role.ADMIN, project)


@pytest.fixture
def background(monkeypatch):
    """Let every step be a job, and a batch three rows."""
    monkeypatch.setattr(uploading, "ROWS_AT_ONCE", 0)
    monkeypatch.setattr(applying, "ROWS_A_BATCH", 3)


def uploaded(content, admin, project):
    made = upload(file=io.BytesIO(content), name="x.csv", project=project, actor=admin, now=NOW)
    return match_columns(
        user_import=made,
        columns=made.columns,
        mode="update",
        platform=made.platform,
        sends_invitations=False,
        actor=admin,
        now=NOW,
    )


class Pulled:
    """The pulse of a worker that is stopped after so many words."""

    def __init__(self, words):
        self.words = words

    def progress(self, *, done, total=None):
        self.words -= 1
        if self.words < 0:
            raise Interrupted

    def fence(self):
        """Nobody else is at work."""


@pytest.mark.django_db(transaction=True)
def test_each_step_is_a_job_that_can_be_watched(background, admin, project, client, run_jobs):
    made = uploaded(TEN, admin, project)
    client.force_login(admin)
    page = client.get(f"/users/import/{made.public_id}/").content.decode()
    assert 'data-import-state="CHECKING"' in page
    assert "<progress" in page

    run_jobs()
    made.refresh_from_db()
    assert (made.state, made.new) == ("CHECKED", 10)
    confirm(user_import=made, actor=admin, now=NOW)
    made.refresh_from_db()
    run_jobs()
    made.refresh_from_db()
    assert (made.state, User.objects.count()) == ("APPLIED", 10)
    assert Job.objects.get(pk=made.job_id).state == "DONE"

    take_back(user_import=made, actor=admin, now=made.applied_at)
    made.refresh_from_db()
    run_jobs()

    assert not User.objects.exists()


def test_cut_off_anywhere_it_goes_on_and_does_nothing_twice(background, admin, project):
    UserFactory(platform__project=project, email="n4@example.com", first_name="A")
    made = uploaded(TEN, admin, project)
    check(user_import_id=made.pk, actor=admin, pulse=Pulled(9), now=NOW)
    made.refresh_from_db()
    confirm(user_import=made, actor=admin, now=NOW)

    for words in (0, 1, 0, 9):
        try:
            apply(user_import_id=made.pk, actor=admin, pulse=Pulled(words), now=NOW)
        except Interrupted:
            made.refresh_from_db()
            assert made.state == UserImport.State.APPLYING

    made.refresh_from_db()
    assert (made.state, made.new, made.changed, made.refused) == ("APPLIED", 9, 1, 0)
    assert User.objects.count() == 10
    assert User.objects.get(email="n4@example.com").version == 2

    take_back(user_import=made, actor=admin, now=NOW)
    for words in (0, 1, 9):
        try:
            undo(user_import_id=made.pk, actor=admin, pulse=Pulled(words), now=NOW)
        except Interrupted:
            continue

    made.refresh_from_db()
    assert made.undone == {"removed": 9, "restored": 1, "kept": 0, "mails": 0}
    assert list(User.objects.values_list("first_name", flat=True)) == ["A"]


class Between(Silent):
    """A pulse that lets something happen after the first batch."""

    def __init__(self, happens):
        self.happens = happens

    def progress(self, *, done, total=None):
        self.happens()
        self.happens = lambda: None


def test_who_is_deleted_between_two_batches_is_not_brought_back(background, admin, project):
    platform = PlatformFactory(project=project)
    changed = UserFactory(platform=platform, email="n4@example.com")
    made = uploaded(TEN, admin, project)
    check(user_import_id=made.pk, actor=admin, pulse=Silent(), now=NOW)
    confirm(user_import=made, actor=admin, now=NOW)

    def two_are_deleted():
        for user in (changed, UserFactory(platform=platform, email="n5@example.com")):
            delete_user(user=user, actor=admin, now=NOW)

    apply(user_import_id=made.pk, actor=admin, pulse=Between(two_are_deleted), now=NOW)

    made.refresh_from_db()
    assert (made.state, made.new, made.changed, made.refused_late) == ("APPLIED", 8, 0, 2)
    found = UserSearch.objects.values_list("text", flat=True)
    assert sorted(found) == [f" n n{number}@example.com " for number in (0, 1, 2, 3, 6, 7, 8, 9)]


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_with_the_same_people_end_alike(project, staff_with):
    PlatformFactory(project=project)
    admin = staff_with(Role.ADMIN, project)
    rows = TEN.splitlines(keepends=True)
    both = [
        uploaded(rows[0] + b"".join(order), admin, project)
        for order in (rows[1:], reversed(rows[1:]))
    ]

    def confirmed(one):
        try:
            confirm(user_import=one, actor=admin, now=NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(confirmed, both))

    for one in both:
        one.refresh_from_db()
    assert User.objects.count() == 10
    assert sorted((one.new, one.refused) for one in both) == [(0, 10), (10, 0)]


@pytest.mark.django_db(transaction=True)
def test_one_confirmed_and_undone_twice_at_the_same_time_happens_once(project, staff_with):
    PlatformFactory(project=project)
    admin = staff_with(Role.ADMIN, project)
    made = uploaded(TEN, admin, project)

    for act, left in ((confirm, 10), (take_back, 0)):

        def once(_number, act=act):
            try:
                return act(user_import=made, actor=admin, now=NOW).state
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            states = list(pool.map(once, range(2)))
        assert states == (["APPLIED"] * 2 if left else ["UNDONE"] * 2)
        assert User.objects.count() == left

    kinds = AuditEvent.objects.filter(kind__startswith="users.import.").order_by("pk")
    assert list(kinds.values_list("kind", flat=True)) == [
        "users.import.uploaded",
        "users.import.confirmed",
        "users.import.applied",
        "users.import.undone",
    ]


# --- What stays of it ----------------------------------------------------------------------


def test_files_and_rows_go_in_time_and_the_register_stays(admin, project):
    made = uploaded(TEN, admin, project)

    assert expire_imports(now=made.expires_at) == 1

    made.refresh_from_db()
    assert (made.state, made.file_name, made.rows, made.headings) == ("EXPIRED", "", 10, [])
    assert not ImportPart.objects.exists()
    assert not ImportRow.objects.exists()


@pytest.mark.parametrize(
    ("state", "ends", "counts"),
    [
        ("CHECKING", "EXPIRED", (0, 0)),
        ("APPLYING", "APPLIED", (3, 7)),
        ("UNDOING", "UNDONE", (10, 0)),
    ],
)
def test_one_that_stopped_and_was_left_so_ends_in_time_too(
    background, admin, project, state, ends, counts
):
    made = uploaded(TEN, admin, project)
    if state != "CHECKING":
        check(user_import_id=made.pk, actor=admin, pulse=Pulled(9), now=NOW)
        made = confirm(user_import=made, actor=admin, now=NOW)
        stop_after(1 if state == "APPLYING" else 9, apply, made, admin)
    if state == "UNDOING":
        made.refresh_from_db()
        made = take_back(user_import=made, actor=admin, now=NOW)
        stop_after(1, undo, made, admin)
    made.refresh_from_db()

    assert expire_imports(now=made.expires_at) == 0
    cancel(job=made.job, actor=admin, now=NOW)
    assert expire_imports(now=made.expires_at) == 1

    made.refresh_from_db()
    assert (made.state, (made.new, made.refused)) == (ends, counts)
    assert made.rows == 10
    assert not ImportRow.objects.exists()
    if state == "UNDOING":
        assert made.undone == {"removed": 3, "restored": 0, "kept": 7, "mails": 0}


def stop_after(words, step, made, admin):
    with contextlib.suppress(Interrupted):
        step(user_import_id=made.pk, actor=admin, pulse=Pulled(words - 1), now=NOW)


def test_a_deleted_user_is_in_no_file_and_no_row(admin, project, person, client):
    ada = person("Lovelace", email="ada@example.com")
    checked = uploaded(b"email,first_name\nADA@example.com,Augusta\n,Ada\n", admin, project)
    unread = upload(
        file=io.BytesIO(b"email\nada@example.com\n"),
        name="x",
        project=project,
        actor=admin,
        now=NOW,
    )

    delete_user(user=ada, actor=admin, now=NOW)

    assert not ImportPart.objects.exists()
    row = ImportRow.objects.get(user_import=checked, line=2)
    assert (row.email, row.first_name, row.before) == ("", "", None)
    unread.refresh_from_db()
    assert unread.state == UserImport.State.REFUSED
    client.force_login(admin)
    page = client.get(f"/users/import/{checked.public_id}/").content.decode()
    assert "The file itself was removed, because a user who is in it was deleted" in page
    assert "Match the columns again" not in page


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        pytest.param("Ada Lovelace.csv", b"email\nx@example.com\n", ["email"], id="file name"),
        pytest.param(
            "x.csv",
            b"email,ADA@example.com,ada,lovelace\nx@example.com,y,X,Y\n",
            ["email", "note", "first_name", "last_name"],
            id="headings",
        ),
        pytest.param(
            "x.csv",
            b"email,first_name\nAda <Ada@example.com>,Ada\nx@example.com,X\n",
            ["email", "first_name"],
            id="a refused row",
        ),
        pytest.param(
            "x.csv", b"email,parent\nx@example.com,ada@example.com\n", ["email", "ignore"],
            id="an ignored column",
        ),
    ],
)  # fmt: skip
def test_nothing_of_a_deleted_user_stays_beside_the_rows(
    admin, project, person, name, content, columns
):
    CustomFieldFactory(project=project, key="note")
    ada = person("Lovelace", first_name="Ada", email="ada@example.com")
    made = upload(file=io.BytesIO(content), name=name, project=project, actor=admin, now=NOW)
    match_columns(
        user_import=made,
        columns=columns,
        mode="update",
        platform=project.platforms.get(),
        sends_invitations=False,
        actor=admin,
        now=NOW,
    )

    delete_user(user=ada, actor=admin, now=NOW)

    with connection.cursor() as cursor:
        for table in ("userimport", "importpart", "importrow", "importheading"):
            what = "encode(content, 'escape')" if table == "importpart" else "t::text"
            cursor.execute(f"SELECT {what} FROM users_{table} AS t")
            kept = " ".join(row for (row,) in cursor.fetchall()).lower()
            assert not {"ada@", "lovelace", "ada"} & set(re.findall(r"ada@|\w+", kept)), kept


def test_a_heading_of_ours_names_nobody(admin, project, person):
    name = person("Name", first_name="Email", email="somebody@example.com")
    made = uploaded(b"email,last_name,status\nx@example.com,X,active\n", admin, project)

    delete_user(user=name, actor=admin, now=NOW)

    made.refresh_from_db()
    assert made.headings == ["email", "last_name", "status"]
    assert ImportPart.objects.filter(user_import=made).exists()


def test_a_user_deleted_during_the_dry_run_is_in_no_row(
    background, admin, project, person, monkeypatch
):
    ada = person("Lovelace", email="ada@example.com")
    made = uploaded(TEN + b"ada@example.com,Ada\n", admin, project)
    compare = checking._compare

    def compare_and_delete(*args):
        compare(*args)
        delete_user(user=ada, actor=admin, now=NOW)

    monkeypatch.setattr(checking, "_compare", compare_and_delete)
    check(user_import_id=made.pk, actor=admin, pulse=Pulled(9), now=NOW)

    made.refresh_from_db()
    assert (made.state, made.refusal["code"]) == ("REFUSED", "forgotten")
    assert not ImportRow.objects.exists()
