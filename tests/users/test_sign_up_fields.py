"""Sign-up fields: made, changed, put in order, archived, and used by forms, filters and API."""

import pytest

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from tests.factories.projects import ProjectFactory
from tests.factories.users import CustomFieldFactory, UserFactory
from users.custom_fields import KeyTaken, create_field
from users.models import CustomField

pytestmark = pytest.mark.django_db

LIST = "/settings/sign-up-fields/"
BASIC = {"key": "shoe_size", "type": "number", "label_en": "Shoe size", "label_fr": "Pointure"}


@pytest.fixture
def project():
    return ProjectFactory(slug="north", languages=["en", "fr"])


@pytest.fixture
def admin(project, signed_in):
    return signed_in(Role.ADMIN, project)


def kinds():
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


def test_a_new_field_comes_last_and_leaves_a_line(admin, project):
    CustomFieldFactory(project=project, key="club", position=4)

    response = admin.post(f"{LIST}new/", BASIC)

    assert response.status_code == 302
    made = CustomField.objects.get(key="shoe_size")
    assert (made.type, made.labels, made.is_required, made.position) == (
        "number",
        {"en": "Shoe size", "fr": "Pointure"},
        False,
        5,
    )
    assert kinds() == ["users.field.created"]
    assert b"Pointure" in admin.get(LIST).content


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"key": "Shoe size"}, "Use small letters"),
        ({"key": "1st"}, "Use small letters"),
        ({"key": "club"}, "has this key"),
        ({"key": "email"}, "name of a column"),
        ({"key": "percent_viewed"}, "name of a column"),
        ({"key": "free_copy_days"}, "name of a column"),
        ({"key": "password"}, "name of a column"),
        ({"key": "ignore"}, "name of a column"),
        # "Pays" heads the column of countries in a French file.
        ({"key": "pays"}, "name of a column"),
        ({"label_fr": "Prénom"}, "has this heading"),
        ({"label_en": "The  club"}, "has this label"),
        ({"label_en": ""}, "required"),
        ({"type": "choice"}, "Name the choices"),
        ({"choices": "one\ntwo"}, "Only the type Choice"),
        ({"type": "choice", "choices": "Élan\nelan"}, "read alike"),
        ({"type": "colour"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_refused_in_words(admin, project, changed, said):
    CustomFieldFactory(project=project, key="club", labels={"en": "The club"})

    response = admin.post(f"{LIST}new/", BASIC | changed)

    assert response.status_code == 400
    assert said in response.content.decode()
    assert CustomField.objects.count() == 1
    assert kinds() == []


def test_a_choice_has_one_line_for_each_answer(admin, project):
    admin.post(f"{LIST}new/", BASIC | {"type": "choice", "choices": " small \r\n\r\nlarge\r\n"})

    assert CustomField.objects.get().choices == ["small", "large"]


def test_key_and_type_change_while_nobody_has_a_value(admin, project):
    CustomFieldFactory(project=project, key="club")

    admin.post(f"{LIST}club/", BASIC)

    field = CustomField.objects.get()
    assert (field.key, field.type) == ("shoe_size", "number")
    assert AuditEvent.objects.get().data == {
        "key": "shoe_size",
        "fields": ["key", "type", "labels"],
    }


@pytest.mark.parametrize("changed", [{"key": "shoe_size"}, {"type": "number"}])
def test_key_and_type_stay_once_a_user_has_a_value(admin, project, changed):
    field = CustomFieldFactory(project=project, key="club")
    UserFactory(platform__project=project, custom={"club": "Chess"})
    given = {"key": "club", "type": "text", "label_en": "The club", "is_required": "on"}

    refused = admin.post(f"{LIST}club/", given | changed)
    accepted = admin.post(f"{LIST}club/", given)

    assert (refused.status_code, accepted.status_code) == (409, 302)
    assert "Users have filled it in" in refused.content.decode()
    field.refresh_from_db()
    assert (field.key, field.type, field.is_required) == ("club", "text", True)
    assert field.labels == {"en": "The club"}


def test_a_choice_that_somebody_has_stays(admin, project):
    CustomFieldFactory(project=project, key="size", type="choice", choices=["small", "large"])
    UserFactory(platform__project=project, custom={"size": "large"})
    given = {"key": "size", "label_en": "Size", "type": "choice"}

    refused = admin.post(f"{LIST}size/", given | {"choices": "small"})
    accepted = admin.post(f"{LIST}size/", given | {"choices": "large\nhuge"})

    assert refused.status_code == 400
    assert "Users have chosen “large”" in refused.content.decode()
    assert accepted.status_code == 302
    assert CustomField.objects.get().choices == ["large", "huge"]


def test_what_stands_may_stay_though_it_would_be_refused_today(admin, project):
    CustomFieldFactory(project=project, key="offer", labels={"en": "Country"})
    given = {"key": "offer", "type": "text", "label_en": "Country", "is_required": "on"}

    assert admin.post(f"{LIST}offer/", given).status_code == 302
    assert CustomField.objects.get().is_required


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"key": "club", "label_en": "Shoe size"}, "has this key"),
        ({"key": "club", "label_en": "Pointure"}, "has this label"),
        ({"key": "pointure", "label_en": "Club"}, "has this label"),
    ],
)
def test_a_heading_can_mean_one_field_alone(admin, project, given, problem):
    labels = {"en": "Size of shoes", "fr": "Pointure"}
    CustomFieldFactory(project=project, key="shoe_size", labels=labels)

    refused = admin.post(f"{LIST}new/", given | {"type": "text"})

    assert refused.status_code == 400
    assert problem in refused.content.decode()
    assert CustomField.objects.count() == 1


def test_labels_of_other_languages_stay(admin, project):
    CustomFieldFactory(project=project, key="club", labels={"en": "Club", "de": "Verein"})

    admin.post(f"{LIST}club/", {"key": "club", "type": "text", "label_en": "The club"})

    assert CustomField.objects.get().labels == {"en": "The club", "de": "Verein"}


def test_fields_change_places_and_stay_at_the_ends(admin, project):
    for key in ("one", "two", "three"):
        CustomFieldFactory(project=project, key=key, position=0)

    admin.post(f"{LIST}three/move/", {"direction": "up"})
    admin.post(f"{LIST}one/move/", {"direction": "up"})

    keys = CustomField.objects.order_by("position").values_list("key", flat=True)
    assert list(keys) == ["one", "three", "two"]
    assert kinds() == ["users.field.edited"]


def test_an_archived_field_has_no_place_to_move_to(admin, project):
    CustomFieldFactory(project=project, key="one", position=0)
    CustomFieldFactory(project=project, key="old", position=1, archived_at=project.created_at)

    assert admin.post(f"{LIST}old/move/", {"direction": "up"}).status_code == 302
    assert kinds() == []


def test_of_two_who_take_one_key_the_second_is_told(project, staff_with):
    CustomFieldFactory(project=project, key="club")
    again = CustomField(project=project, key="club", type="text", labels={"en": "Club"})

    with pytest.raises(KeyTaken):
        create_field(field=again, actor=staff_with(), now=project.created_at)
    assert kinds() == []


def test_moving_passes_over_archived_fields(admin, project):
    CustomFieldFactory(project=project, key="one", position=0)
    CustomFieldFactory(project=project, key="old", position=1, archived_at=project.created_at)
    CustomFieldFactory(project=project, key="two", position=2)

    admin.post(f"{LIST}two/move/", {"direction": "up"})

    keys = CustomField.objects.order_by("position").values_list("key", flat=True)
    assert list(keys) == ["two", "old", "one"]


def test_an_archived_field_is_asked_for_no_more_and_can_come_back(admin, project):
    CustomFieldFactory(project=project, key="club")
    user = UserFactory(platform__project=project, custom={"club": "Chess"})
    form = f"/users/{user.public_id}/edit/"

    admin.post(f"{LIST}club/archive/")
    admin.post(f"{LIST}club/archive/")
    without = admin.get(form).content
    admin.post(f"{LIST}club/restore/")

    assert b'name="club"' not in without
    assert b'name="club"' in admin.get(form).content
    user.refresh_from_db()
    assert user.custom == {"club": "Chess"}
    assert kinds() == ["users.field.archived", "users.field.restored"]


def test_a_field_of_another_project_is_not_found(admin):
    CustomFieldFactory(key="club")

    assert admin.get(f"{LIST}club/").status_code == 404
    assert admin.post(f"{LIST}club/archive/").status_code == 404


def test_values_keep_their_type_from_form_to_filter(admin, project):
    CustomFieldFactory(project=project, key="age", type="number")
    CustomFieldFactory(project=project, key="height", type="number")
    CustomFieldFactory(project=project, key="club", type="boolean")
    CustomFieldFactory(project=project, key="since", type="date")
    CustomFieldFactory(project=project, key="size", type="choice", choices=["L", "XL"])
    user = UserFactory(platform__project=project)
    given = {"email": user.email, "version": 1}
    typed = {"age": "25", "height": "1.8", "club": "false", "since": "2024-02-29", "size": "XL"}

    admin.post(f"/users/{user.public_id}/edit/", given | typed)

    user.refresh_from_db()
    assert user.custom == {
        "age": 25,
        "height": 1.8,
        "club": False,
        "since": "2024-02-29",
        "size": "XL",
    }
    assert isinstance(user.custom["age"], int)
    for key, text in typed.items():
        found = admin.get("/users/", {"period": "all", f"custom.{key}": text})
        assert b'data-total="1"' in found.content, key


def test_the_pages_ask_few_questions(admin, project, django_assert_max_num_queries):
    for _ in range(20):
        CustomFieldFactory(project=project)

    with django_assert_max_num_queries(7):
        assert admin.get(LIST).status_code == 200
