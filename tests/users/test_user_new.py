"""One user made by hand, and access given to one."""

from datetime import timedelta

import pytest
from django.utils import translation

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from backoffice.jobs.models import Mail
from subscriptions.models import FreeCopy, Purchase
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.subscriptions import OfferFactory, PurchaseFactory
from tests.factories.users import CustomFieldFactory, UserFactory
from users.models import PasswordReset, RegistrationDay, User

pytestmark = pytest.mark.django_db

NEW = "/users/new/"


@pytest.fixture
def admin(project, web, signed_in):
    return signed_in(Role.ADMIN, project)


def kinds():
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


def test_the_defaults_and_an_address_are_enough(admin, project, web):
    form = admin.get(NEW)
    assert form.status_code == 200

    response = admin.post(NEW, {"email": " Ada@Example.com ", "platform": "web"})

    ada = User.objects.get()
    assert response.status_code == 302
    assert response.url == f"/users/{ada.public_id}/"
    assert (ada.email, ada.project, ada.platform, ada.registered_at) == (
        "Ada@Example.com",
        project,
        web,
        NOW,
    )
    assert (ada.password, ada.custom, ada.status) == ("", {}, User.Status.REGISTERED)
    assert RegistrationDay.objects.get().registered == 1
    assert kinds() == ["users.user.created"]
    assert "The user was created." in admin.get(response.url).content.decode()


def test_every_field_is_kept_with_its_type(admin, project, tv):
    CustomFieldFactory(project=project, key="age", type="number", is_required=True)
    CustomFieldFactory(project=project, key="club", type="boolean")
    CustomFieldFactory(project=project, key="old", archived_at=NOW)

    admin.post(
        NEW,
        {
            "email": "ada@example.com",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "language": "fr",
            "country": "gb",
            "platform": "tv",
            "age": "36",
            "club": "true",
            "old": "ignored",
        },
    )

    ada = User.objects.get()
    assert (ada.first_name, ada.last_name, ada.language, ada.country, ada.platform) == (
        "Ada",
        "Lovelace",
        "fr",
        "GB",
        tv,
    )
    assert ada.custom == {"age": 36, "club": True}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"email": ""}, "required"),
        ({"email": "ada"}, "valid"),
        ({"email": "a\u200bda@example.com"}, "cannot be seen"),
        ({"platform": "moon"}, "Select a valid choice"),
        ({"country": "ZZ"}, "two letters"),
        ({"age": "many"}, "number"),
        ({"offer": "monthly"}, "how many days"),
        ({"free_copy_days": "30"}, "Choose the offer"),
        ({"offer": "monthly", "free_copy_days": "0"}, "greater than or equal to 1"),
        ({"offer": "monthly", "free_copy_days": "4000"}, "less than or equal to 3650"),
        ({"offer": "other", "free_copy_days": "3"}, "Select a valid choice"),
    ],
)
def test_what_will_not_do_is_said_beside_its_field(admin, project, changed, said):
    CustomFieldFactory(project=project, key="age", type="number")
    OfferFactory(project=project, reference="monthly")

    response = admin.post(NEW, {"email": "ada@example.com", "platform": "web"} | changed)

    assert response.status_code == 400
    assert said in response.content.decode()
    assert not User.objects.exists()
    assert kinds() == []


def test_an_address_that_is_there_leads_to_its_profile(admin, web):
    ada = UserFactory(platform=web, email="ada@example.com")

    response = admin.post(NEW, {"email": "ADA@example.com", "platform": "web"})

    assert response.status_code == 409
    assert f'href="/users/{ada.public_id}/"' in response.content.decode()
    assert User.objects.count() == 1


def test_a_free_copy_given_at_once_makes_the_user_active(admin, project):
    offer = OfferFactory(project=project, reference="monthly")

    admin.post(
        NEW,
        {
            "email": "ada@example.com",
            "platform": "web",
            "offer": "monthly",
            "free_copy_days": "10",
        },
    )

    ada, given = User.objects.get(), FreeCopy.objects.get()
    assert (given.user, given.offer, given.days) == (ada, offer, 10)
    assert (given.access_start, given.access_end) == (NOW, NOW + timedelta(days=10))
    assert (ada.status, ada.status_until) == (User.Status.ACTIVE, NOW + timedelta(days=10))
    assert kinds() == ["users.user.created", "subscriptions.free_copy.given"]


def test_an_invitation_is_written_in_the_users_language(admin, web):
    web.password_reset_url = "https://watch.example.com/new-password"
    web.save()
    given = {"email": "ada@example.com", "platform": "web", "language": "fr"}

    admin.post(NEW, given | {"invite": "on"})

    mail, ada = Mail.objects.get(), User.objects.get()
    assert (mail.kind, mail.recipient, mail.subject, mail.target_user) == (
        "invitation",
        "ada@example.com",
        "Votre compte North",
        ada.public_id,
    )
    reset = PasswordReset.objects.get()
    assert (reset.user, reset.expires_at) == (ada, NOW + timedelta(days=7))
    assert kinds() == ["users.user.created", "users.user.invited"]


def test_no_mail_is_written_unasked(admin, project, web):
    ada = UserFactory(platform=web)

    admin.post(NEW, {"email": "grace@example.com", "platform": "web"})
    admin.post(f"/users/{ada.public_id}/free-copy/", {"days": "3"})

    assert not Mail.objects.exists()


def test_a_free_copy_is_told_of_by_mail(admin, project, web):
    ada = UserFactory(platform=web, language="en")
    OfferFactory(project=project, reference="monthly", name="Monthly")

    admin.post(
        f"/users/{ada.public_id}/free-copy/", {"offer": "monthly", "days": "3", "mail": "on"}
    )

    mail = Mail.objects.get()
    assert (mail.kind, mail.recipient) == ("free_copy", ada.email)
    assert mail.values == {"offer": "Monthly", "days": "3", "url": web.home_url}


def test_a_gift_that_waits_for_the_address_is_handed_over(admin, web):
    buyer = UserFactory(platform=web)
    PurchaseFactory(user=buyer, type="gift", recipient_email_key="ada@example.com")

    admin.post(NEW, {"email": "Ada@example.com", "platform": "web"})

    ada = User.objects.get(email_key="ada@example.com")
    assert Purchase.objects.get().recipient == ada
    assert ada.status == User.Status.ACTIVE


def test_without_a_platform_the_page_says_what_to_do(project, signed_in):
    page = signed_in(Role.ADMIN, project).get(NEW)

    assert "create a platform first" in page.content.decode()


def test_the_form_acts_on_the_project_it_was_shown_for(signed_in, project, web):
    elsewhere = ProjectFactory(slug="east")
    PlatformFactory(project=elsewhere, slug="web")
    client = signed_in(Role.ADMIN)
    assert b'name="project" value="east"' in client.get(f"{NEW}?project=east").content
    client.get("/users/?project=north")

    client.post(NEW, {"email": "ada@example.com", "platform": "web", "project": "east"})

    assert User.objects.get().project == elsewhere


def test_a_free_copy_is_given_from_the_profile(admin, project, web):
    ada = UserFactory(platform=web)
    OfferFactory(project=project, reference="monthly")
    page = f"/users/{ada.public_id}/free-copy/"
    assert b'value="30"' in admin.get(page).content

    response = admin.post(page, {"offer": "monthly", "days": "30"})

    assert response.url == f"/users/{ada.public_id}/"
    assert "access until 22 Dec 2026 13:00" in admin.get(response.url).content.decode()
    ada.refresh_from_db()
    assert ada.status == User.Status.ACTIVE
    event = AuditEvent.objects.get()
    assert event.target_id == str(ada.public_id)
    assert (event.data["offer"], event.data["days"]) == ("monthly", 30)


def test_a_free_copy_that_needs_activation_waits(admin, project, web):
    project.free_copies_need_activation = True
    project.save()
    ada = UserFactory(platform=web)

    response = admin.post(f"/users/{ada.public_id}/free-copy/", {"offer": "", "days": "30"})

    assert "starts when the user activates it" in admin.get(response.url).content.decode()
    assert FreeCopy.objects.get().access_start is None
    ada.refresh_from_db()
    assert ada.status == User.Status.REGISTERED


def test_days_that_cannot_be_are_refused(admin, web):
    ada = UserFactory(platform=web)

    response = admin.post(f"/users/{ada.public_id}/free-copy/", {"days": "-1"})

    assert response.status_code == 400
    assert not FreeCopy.objects.exists()


def test_both_pages_speak_french(admin, web):
    ada = UserFactory(platform=web)

    with translation.override("fr"):
        admin.cookies["language"] = "fr"
        new = admin.get(NEW).content.decode()
        free = admin.get(f"/users/{ada.public_id}/free-copy/").content.decode()

    assert "Créer l’utilisateur" in new
    assert "Donner l’accès" in free
