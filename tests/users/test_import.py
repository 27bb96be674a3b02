"""The import of users, as somebody clicks through it: from the file to the undo."""

import base64
import csv
import hashlib
import io
import re
import uuid
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from analytics.ingest import Beat, prepare, store
from analytics.models import UserViewing, ViewerDay
from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from backoffice.core.xlsx_reading import Limits, sheet_records
from backoffice.jobs.mailing import send_again
from backoffice.jobs.models import Mail
from backoffice.staff.proof import stamp_proof
from subscriptions.models import FreeCopy
from tests.conftest import NOW, PASSWORD
from tests.factories.subscriptions import OfferFactory, PurchaseFactory
from tests.factories.users import CustomFieldFactory, UserFactory
from users.deletion import delete_user
from users.imports.expiry import expire_imports
from users.mailing import send_reset_link
from users.models import CustomField, ImportHeading, PasswordReset, User, UserImport

COUNTS = re.compile(r'data-import-(new|changed|unchanged|refused)="(\d+)"')


@pytest.fixture
def imports(client, signed_in, project, web):
    """Go through an import as an admin; `counts`, `text` and `row` say where it stands."""
    return Walk(signed_in(Role.ADMIN, project))


class Walk:
    def __init__(self, client):
        self.client = client
        self.answer = None

    def upload(self, content, name="users.csv"):
        data = content.encode() if isinstance(content, str) else content
        self.answer = self.client.post(
            "/users/import/", {"file": SimpleUploadedFile(name, data)}, follow=True
        )
        return self

    def match(self, **chosen):
        """Send the form as it stands, with what is chosen otherwise."""
        form = self.answer.context["form"]
        values = {name: form[name].value() or "" for name in form.fields}
        values = {name: value for name, value in values.items() if value is not False}
        values |= {name.replace("_", "-"): value for name, value in chosen.items()}
        address = f"/users/import/{self.row.public_id}/columns/"
        self.answer = self.client.post(address, values, follow=True)
        return self

    def dry_run(self, content, **chosen):
        return self.upload(content).match(**chosen)

    def act(self, name):
        address = f"/users/import/{self.row.public_id}/{name}/"
        self.answer = self.client.post(address, follow=True)
        return self

    def look(self, query=""):
        self.answer = self.client.get(f"/users/import/{self.row.public_id}/{query}")
        return self

    @property
    def row(self):
        return UserImport.objects.latest("pk")

    @property
    def text(self):
        return self.answer.content.decode()

    @property
    def counts(self):
        found = dict(COUNTS.findall(self.text))
        return tuple(int(found[name]) for name in ("new", "changed", "unchanged", "refused"))

    def reasons(self):
        """Return what the page says of each refused row, by line."""
        self.look("?verdict=refused")
        return {line.line: line.reason for line in self.answer.context["lines"]}


def users():
    """Return the profile of everybody by e-mail."""
    return {
        user.email: (user.first_name, user.last_name, user.country, user.custom)
        for user in User.objects.filter(deleted_at=None)
    }


def profiles():
    """Return every column of everybody but the version, which tells editors of any change."""
    names = [field.attname for field in User._meta.fields if field.attname != "version"]
    return list(User.objects.order_by("pk").values(*names))


def check_figures():
    call_command("check_figures", verbosity=0)


# --- The straight way ----------------------------------------------------------------------


def test_a_file_is_previewed_confirmed_and_reported(imports, person):
    person("Lovelace", email="ada@example.com", first_name="Ada", country="GB")
    person("Hopper", email="grace@example.com", first_name="Grace", country="US")

    imports.dry_run(
        "email,first_name,country\r\n"
        "ADA@example.com,Augusta,\r\n"
        "grace@example.com,Grace,US\r\n"
        "new@example.com,=Nova,fr\r\n"
        "bad,Bad,FR\r\n"
    )

    assert imports.counts == (1, 1, 1, 1)
    assert imports.reasons() == {5: "email: Enter a valid email address."}
    assert users().keys() == {"ada@example.com", "grace@example.com"}

    imports.act("confirm")

    assert imports.row.state == UserImport.State.APPLIED
    assert imports.counts == (1, 1, 1, 1)
    assert users() == {
        "ada@example.com": ("Augusta", "Lovelace", "GB", {}),
        "grace@example.com": ("Grace", "Hopper", "US", {}),
        "new@example.com": ("=Nova", "", "FR", {}),
    }
    new = User.objects.get(email="new@example.com")
    assert (new.registered_at, new.modified_at, new.password) == (NOW, NOW, "")
    check_figures()


def test_a_platform_is_named_by_its_slug(imports, tv):
    imports.dry_run("email\nada@x.example\n", platform="tv").act("confirm")

    assert User.objects.get().platform == tv


def test_each_user_has_their_line_in_the_trail(imports, person):
    ada = person("Lovelace", email="ada@example.com")
    imports.dry_run("email,last_name\nada@example.com,King\nnew@example.com,X\n").act("confirm")

    events = AuditEvent.objects.filter(target_type="users.user").order_by("pk")
    new = User.objects.get(email="new@example.com")
    import_id = str(imports.row.public_id)
    assert [(e.kind, e.target_id, e.data, e.actor_label) for e in events] == [
        ("users.user.created", str(new.public_id), {"import": import_id}, "admin@example.com"),
        (
            "users.user.edited",
            str(ada.public_id),
            {"import": import_id, "fields": ["last_name"]},
            "admin@example.com",
        ),
    ]


def test_confirming_twice_happens_once(imports):
    imports.dry_run("email\nnew@example.com\n").act("confirm").act("confirm")

    assert User.objects.count() == 1
    assert AuditEvent.objects.filter(kind="users.import.confirmed").count() == 1


def test_who_changed_after_the_dry_run_is_refused_and_told(imports, person):
    ada = person("Lovelace", email="ada@example.com", first_name="Ada")
    imports.dry_run(
        "email,first_name\nada@example.com,A\nnew@example.com,N\nthird@example.com,T\n"
    )
    User.objects.filter(pk=ada.pk).update(first_name="Augusta", version=2)
    person("Faster", email="new@example.com")

    imports.act("confirm")

    assert imports.counts == (1, 0, 0, 2)
    assert imports.row.refused_late == 2
    assert "2 rows were refused in the end" in imports.text
    assert imports.reasons() == {
        2: "The user was changed or deleted after the dry run.",
        3: "A user with this address was created after the dry run.",
    }
    assert User.objects.get(pk=ada.pk).first_name == "Augusta"


def test_who_came_and_was_deleted_after_the_dry_run_is_not_brought_back(imports, person):
    imports.dry_run("email\nada@example.com\nnew@example.com\n")
    ada = person("Lovelace", email="ada@example.com")
    delete_user(user=ada, actor=imports.row.actor, now=NOW)

    imports.act("confirm")

    assert imports.counts == (1, 0, 0, 1)
    assert users().keys() == {"new@example.com"}


def test_confirmed_after_two_hours_it_asks_for_the_password_and_goes_on(imports, clock):
    imports.dry_run("email\nnew@example.com\n")
    clock.shift(timedelta(hours=2))
    imports.client.force_login(imports.row.actor)
    session = imports.client.session
    stamp_proof(session, NOW)
    session.save()

    imports.act("confirm")

    assert not User.objects.exists()
    assert imports.answer.templates[0].name == "staff/confirm.html"
    address = f"/users/import/{imports.row.public_id}/confirm/"
    imports.answer = imports.client.post(address, {"confirm-password": PASSWORD}, follow=True)
    assert imports.row.state == UserImport.State.APPLIED
    assert imports.counts == (1, 0, 0, 0)


def test_confirmed_after_a_day_it_says_that_it_is_too_late(imports, clock):
    imports.dry_run("email\nnew@example.com\n")
    clock.shift(timedelta(hours=24))
    expire_imports(now=NOW + timedelta(hours=24))
    imports.client.force_login(imports.row.actor)

    imports.act("confirm")

    assert not User.objects.exists()
    assert imports.row.state == UserImport.State.EXPIRED
    assert "The import has moved on meanwhile: this is its state." in imports.text
    assert "Expired before it was confirmed" in imports.text


def test_skipping_leaves_who_is_there(imports, person):
    person("Lovelace", email="ada@example.com")
    imports.dry_run("email,last_name\nada@example.com,King\n", mode="skip")

    assert imports.counts == (0, 0, 1, 0)


def test_the_template_has_the_columns_in_both_kinds_of_file(imports, project):
    CustomFieldFactory(project=project, key="team")
    answer = imports.client.get("/users/import/template.csv")
    content = b"".join(answer)
    assert (answer["Content-Length"], answer["X-Row-Count"]) == (str(len(content)), "0")
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert answer["Repr-Digest"] == f"sha-256=:{digest}:"
    assert content.decode("utf-8-sig") == (
        "first_name,last_name,email,registered_at,language,country,platform,offer,"
        "free_copy_days,team\r\n"
    )

    answer = imports.client.get("/users/import/template.xlsx")
    sheet = b"".join(answer)

    assert answer["Content-Disposition"] == 'attachment; filename="north-import.xlsx"'
    assert len(sheet) == int(answer["Content-Length"])
    (heading,) = sheet_records(io.BytesIO(sheet), Limits(1_000_000, 500, 20))
    assert heading == (
        1,
        ["first_name", "last_name", "email", "registered_at", "language", "country", "platform",
         "offer", "free_copy_days", "team"],
    )  # fmt: skip


# --- Columns -------------------------------------------------------------------------------


def test_headings_in_words_of_both_languages_are_recognised(imports, project):
    CustomFieldFactory(project=project, key="team", labels={"en": "Team", "fr": "Équipe"})
    imports.upload(
        "Courriel;Prénom;Last name;EQUIPE;Date d’inscription;Statut\na@b.example;;;;;\n"
    )

    assert imports.row.columns == [
        "email", "first_name", "last_name", "team", "registered_at", "ignore",
    ]  # fmt: skip


def test_an_undeclared_column_is_refused_by_name_until_it_is_ignored_by_hand(imports):
    imports.upload("email,is_staff,password\nnew@example.com,1,x\n").match()

    assert imports.answer.status_code == 400
    assert "is_staff" in imports.text
    assert imports.row.state == UserImport.State.UPLOADED

    imports.match(map_2="ignore", map_3="ignore")

    assert imports.counts == (1, 0, 0, 0)
    # The next file's is refused again.
    imports.upload("email,is_staff\nother@example.com,1\n").match()
    assert imports.answer.status_code == 400


def test_what_was_matched_by_hand_is_remembered(imports, other_project):
    imports.upload("Kundenmail\nnew@example.com\n").match(map_1="email")
    assert imports.counts == (1, 0, 0, 0)

    imports.upload("kundenmail\nother@example.com\n")

    assert imports.row.columns == ["email"]
    assert ImportHeading.objects.get().heading == "kundenmail"


def test_a_declared_heading_means_itself_whatever_was_matched_before(imports, person):
    person("Lee", first_name="Ann", email="ann@example.com")
    swapped = {"map_2": "last_name", "map_3": "first_name"}
    imports.upload("email,first_name,last_name\nx@example.com,A,B\n").match(**swapped)

    imports.upload("email,first_name,last_name\nann@example.com,Ann,Lee\n").match()

    assert imports.counts == (0, 0, 1, 0)


@pytest.mark.parametrize("heading", ["Password", "is_staff", "ada@example.com"])
def test_what_no_file_should_hold_is_asked_about_each_time(imports, project, heading):
    CustomFieldFactory(project=project, key="note")
    content = f"email,{heading}\nnew@example.com,x\n"
    imports.upload(content).match(map_2="note")

    imports.upload(content).match()

    assert imports.answer.status_code == 400
    assert heading in imports.text
    assert not ImportHeading.objects.exists()


def test_a_day_may_be_written_as_its_first_instant(imports, project):
    CustomFieldFactory(project=project, key="born", type=CustomField.Type.DATE)

    imports.upload(
        "email,born\na@example.com,2000-01-02 00:00:00\nb@example.com,2000-01-02T00:00\n"
        "c@example.com,2000-01-02 00:00:01\n"
    ).match()
    imports.act("confirm")

    born = dict(User.objects.values_list("email", "custom__born"))
    assert born == {"a@example.com": "2000-01-02", "b@example.com": "2000-01-02"}


def test_two_columns_cannot_be_the_same(imports):
    imports.upload("email,email\na@b.example,c@d.example\n").match()

    assert imports.answer.status_code == 400
    assert "is this already" in imports.text


# --- Rows ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "row", "reason"),
    [
        ("email", "a\u200bda@example.com", "cannot be seen"),
        ("email,first_name", ",Ada", "The e-mail is missing."),
        ("email,country", "n@example.com,XX", "country: Write the country"),
        ("email,language", "n@example.com,klingon", "language: Write the language"),
        ("email,platform", "n@example.com,mars", "platform: This project has no such platform."),
        ("email,offer", "n@example.com,gold", "Days of the free copy|days of the free copy"),
        ("email,free_copy_days", "n@example.com,3", "Days of a free copy need an offer."),
        ("email,registered_at", "n@example.com,2026-11-22T12:00:01Z", "lies in the future"),
        ("email,registered_at", "n@example.com,2026-02-30", "There is no such instant."),
        ("email,first_name", "n@example.com," + "x" * 10_000, "The text is too long."),
        ("email,first_name", "n@example.com,a,b,c", "The row has 4 cells, the heading 2."),
        ("email,size", 'n@example.com,"1,234"', "size: Write this as a number."),
    ],
)
def test_a_row_is_refused_with_its_line_and_reason(imports, project, heading, row, reason):
    CustomFieldFactory(project=project, key="size", type=CustomField.Type.NUMBER)
    OfferFactory(project=project, reference="gold")
    imports.dry_run(f"{heading}\r\n{row}\r\nfine@example.com\r\n")

    assert imports.counts == (1, 0, 0, 1)
    assert re.search(reason, imports.reasons()[2])


def test_of_two_rows_with_one_address_the_first_counts(imports):
    imports.dry_run("email\nada@example.com\nother@example.com\n\u00a0ADA@example.com \n")

    assert imports.counts == (2, 0, 0, 1)
    assert imports.reasons() == {4: "Lines 2 and 4 have the same address: the first counts."}


def test_an_id_finds_the_user_and_changes_the_address(imports, person):
    ada = person("Lovelace", email="ada@example.com")
    person("Hopper", email="grace@example.com")
    imports.dry_run(
        "id,email\n"
        f"{ada.public_id},augusta@example.com\n"
        "00000000-0000-4000-8000-000000000001,third@example.com\n"
        f"{ada.public_id},fourth@example.com\n"
        f"{ada.public_id},grace@example.com\n"
    )

    assert imports.counts == (0, 1, 0, 3)
    reasons = imports.reasons()
    assert reasons[3] == "No user of this project has this identifier."
    assert reasons[4] == "Lines 2 and 4 mean the same user: the first counts."

    imports.act("confirm")

    ada.refresh_from_db()
    assert (ada.email, ada.email_key, ada.version) == (
        "augusta@example.com", "augusta@example.com", 2,
    )  # fmt: skip
    check_figures()


def test_another_projects_user_is_nobody(imports, other_project):
    stranger = UserFactory(platform__project=other_project, email="ada@example.com")
    imports.dry_run(f"id,email\n,ada@example.com\n{stranger.public_id},x@example.com\n")

    assert imports.counts == (1, 0, 0, 1)


def test_values_of_sign_up_fields_are_typed_and_added(imports, project, person):
    for key, kind in [("size", "number"), ("news", "boolean"), ("born", "date")]:
        CustomFieldFactory(project=project, key=key, type=kind)
    person("Lovelace", email="ada@example.com", custom={"size": 38, "old": "x"})
    imports.dry_run('email,size,news,born\nada@example.com,"38,5",oui,2000-02-29\n')
    assert imports.counts == (0, 1, 0, 0)

    imports.act("confirm")

    assert users()["ada@example.com"][3] == {
        "size": 38.5, "news": True, "born": "2000-02-29", "old": "x",
    }  # fmt: skip


def test_registration_and_platform_move_with_their_counts(imports, person, tv):
    person("Lovelace", email="ada@example.com")
    imports.dry_run("email,platform,registered_at\nada@example.com,tv,2026-01-31\n").act("confirm")

    ada = User.objects.get()
    assert ada.platform == tv
    assert f"{ada.registered_at:%Y-%m-%d %H:%M}" == "2026-01-30 23:00"
    check_figures()


def watch(user, at):
    beat = Beat(str(uuid.uuid4()), str(user.public_id), "film", at, watched_seconds=600)
    assert not store(prepare([beat], platform=user.platform, now=NOW))


def viewers():
    """Return who is counted as the first viewer of a month, by platform and local day."""
    rows = ViewerDay.objects.exclude(first_viewers=0)
    return {(row.platform.slug, str(row.day)): row.first_viewers for row in rows}


def test_who_watched_is_counted_where_the_account_came_to_and_back(imports, person, tv):
    ada, quiet = (person("Any", email=f"{name}@example.com") for name in ("ada", "quiet"))
    watch(ada, NOW - timedelta(days=1))
    watch(ada, NOW - timedelta(days=30))
    assert viewers() == {("web", "2026-11-21"): 1, ("web", "2026-10-23"): 1}

    imports.dry_run("email,platform\nada@example.com,tv\nquiet@example.com,tv\n").act("confirm")

    assert viewers() == {("tv", "2026-11-21"): 1, ("tv", "2026-10-23"): 1}
    # Nobody keeps a row who has not watched.
    assert UserViewing.objects.get().account_platform_id == tv.pk
    check_figures()

    watch(ada, NOW - timedelta(days=60))
    watch(quiet, NOW - timedelta(days=60))
    assert viewers()["tv", "2026-09-23"] == 2

    imports.act("undo")

    assert {platform for platform, _day in viewers()} == {"web"}
    assert viewers()["web", "2026-09-23"] == 2
    check_figures()


@pytest.mark.parametrize(
    ("cell", "verdict"),
    [
        ("2026-01-31", "unchanged"),
        ("2026-01-31T10:20", "unchanged"),
        ("2026-01-31 10:20:30", "unchanged"),
        ("2026-01-31T09:20:30Z", "unchanged"),
        ("2026-01-31T10:20:30Z", "changed"),
        ("2026-01-31 10:21", "changed"),
        ("2026-01-30", "changed"),
    ],
)
def test_a_local_day_or_time_says_no_more_than_that(imports, person, cell, verdict):
    person("Lovelace", "2026-01-31 10:20:30", email="ada@example.com")
    imports.dry_run(f"email,registered_at\nada@example.com,{cell}\n")

    assert imports.counts == ((0, 0, 1, 0) if verdict == "unchanged" else (0, 1, 0, 0))


def test_a_free_copy_is_given_once(imports, project):
    OfferFactory(project=project, reference="gold", name="Gold")
    rows = "email,offer,free_copy_days\nnew@example.com,gold,30\n"
    imports.dry_run(rows).act("confirm")

    copy = FreeCopy.objects.get()
    assert (copy.user.email, copy.access_start, copy.access_end) == (
        "new@example.com", NOW, NOW + timedelta(days=30),
    )  # fmt: skip
    assert copy.user.status == User.Status.ACTIVE
    check_figures()
    imports.dry_run(rows)
    assert imports.counts == (0, 0, 1, 0)


def test_a_gift_that_waits_for_the_address_is_handed_over(imports, person):
    buyer = person("Buyer", email="buyer@example.com")
    gift = PurchaseFactory(user=buyer, type="gift", recipient_email_key="new@example.com", now=NOW)
    imports.dry_run("email\nNEW@example.com\n").act("confirm")

    gift.refresh_from_db()
    assert gift.recipient.email == "NEW@example.com"
    assert gift.recipient.status == User.Status.ACTIVE
    check_figures()


# --- Refused rows, undo, expiry ------------------------------------------------------------


def test_refused_rows_come_back_as_a_file_that_can_be_imported(imports):
    imports.dry_run('email;first_name\nbad;=1+1\n"ok@example.com";x\nbad2;"two\r\nlines"\n')
    answer = imports.client.get(f"/users/import/{imports.row.public_id}/refused.csv")
    text = b"".join(answer).decode("utf-8-sig")

    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=";")) == [
        ["refused_line", "refused_reason", "email", "first_name"],
        ["2", "email: Enter a valid email address.", "bad", "'=1+1"],
        [
            "4",
            (
                "email: Enter a valid email address."
                " first_name: The text contains control characters."
            ),
            "bad2",
            "two\r\nlines",
        ],
    ]
    imports.dry_run(text.replace("bad;", "good@example.com;").replace("bad2;", "bad;"))
    assert imports.counts == (1, 0, 0, 1)


def test_undoing_leaves_everything_as_it_was(imports, project, person, tv):
    OfferFactory(project=project, reference="gold")
    person("Lovelace", email="ada@example.com", first_name="Ada", custom={"a": 1})
    before = profiles()
    imports.dry_run(
        "email,first_name,platform,registered_at,offer,free_copy_days\n"
        "ada@example.com,Augusta,tv,2026-01-01,gold,7\n"
        "new@example.com,Nova,,,gold,7\n"
    ).act("confirm")
    assert FreeCopy.objects.count() == 2

    imports.act("undo").act("undo")

    assert imports.row.undone == {"removed": 1, "restored": 1, "kept": 0, "mails": 0}
    assert profiles() == before
    assert not FreeCopy.objects.exists()
    check_figures()


# --- Invitations ---------------------------------------------------------------------------


@pytest.fixture
def invited(imports, web, person):
    """Import two new people and one who is there, with invitations."""
    web.password_reset_url = "https://watch.example.com/password"
    web.save()
    person("Lovelace", email="ada@example.com")
    return imports.dry_run(
        "email,last_name,language\nada@example.com,King,fr\nnew@example.com,N,fr\n"
        "used@example.com,U,en\n",
        invite="on",
    )


def test_new_users_alone_are_invited_once_and_in_their_language(invited):
    assert "2 new users will each get an invitation by mail." in invited.text
    assert not Mail.objects.exists()

    invited.act("confirm").act("confirm")

    mails = Mail.objects.order_by("pk").values_list("recipient", "language", "kind", "state")
    assert list(mails) == [
        ("new@example.com", "fr", "invitation", "KEPT"),
        ("used@example.com", "en", "invitation", "KEPT"),
    ]
    assert AuditEvent.objects.filter(kind="users.user.invited").count() == 2
    register = invited.client.get("/mail/?project=north").content.decode()
    assert "new@example.com" in register
    assert "ada@example.com" not in register


def test_undoing_calls_back_what_has_not_left_and_says_what_has(invited):
    invited.act("confirm")
    assert "Invitations that have left cannot be called back" in invited.text
    Mail.objects.filter(recipient="used@example.com").update(
        state="SENT", sent_at=NOW, sealed_secret=""
    )

    invited.act("undo")

    assert invited.row.undone == {"removed": 2, "restored": 1, "kept": 0, "mails": 1}
    assert "1 invitation had left already and cannot be called back" in invited.text
    assert users().keys() == {"ada@example.com"}
    assert list(Mail.objects.values_list("recipient", flat=True)) == ["used@example.com"]
    assert not PasswordReset.objects.exists()
    check_figures()


def test_who_was_sent_another_link_since_is_kept(invited):
    invited.act("confirm")
    new = User.objects.select_related("project", "platform").get(email="new@example.com")
    send_reset_link(user=new, actor=invited.row.actor, now=NOW + timedelta(minutes=5))
    used = Mail.objects.get(recipient="used@example.com")
    send_again(mail=used, actor=invited.row.actor, now=NOW + timedelta(minutes=5))

    invited.act("undo")

    assert invited.row.undone == {"removed": 0, "restored": 1, "kept": 2, "mails": 0}


# --- Undoing what was touched --------------------------------------------------------------


def test_undoing_keeps_what_was_touched_since_and_says_so(imports, person):
    ada = person("Lovelace", email="ada@example.com")
    imports.dry_run(
        "email,last_name\nada@example.com,King\nnew@example.com,N\nused@example.com,U\n"
    ).act("confirm")
    User.objects.filter(pk=ada.pk).update(version=3)
    User.objects.filter(email="used@example.com").update(password="argon2$x")

    imports.act("undo")

    assert imports.row.undone == {"removed": 1, "restored": 0, "kept": 2, "mails": 0}
    assert "Not undone, because somebody touched them since" in imports.text
    imports.look("?verdict=new")
    assert {line.email: line.reason for line in imports.answer.context["lines"]} == {
        "new@example.com": "",
        "used@example.com": "Not undone: somebody used or changed it after the import.",
    }
    assert users().keys() == {"ada@example.com", "used@example.com"}
    check_figures()


def test_after_a_day_there_is_nothing_to_undo(imports, clock):
    imports.dry_run("email\nnew@example.com\n").act("confirm")
    clock.shift(timedelta(hours=24))
    imports.client.force_login(imports.row.actor)

    imports.act("undo")

    assert imports.row.state == UserImport.State.APPLIED
    assert User.objects.count() == 1
