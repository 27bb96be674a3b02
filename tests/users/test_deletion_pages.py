"""The pages that delete users: what they say, what they ask, what they refuse."""

import html
import re
from datetime import timedelta

import pytest

from analytics.ingest import Beat, prepare, store
from analytics.models import Viewing
from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from backoffice.jobs.models import Job
from tests.conftest import NOW
from tests.factories.subscriptions import SubscriptionFactory
from users.models import Deletion, User

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def watch(user, count=1, seconds=1800):
    batch = prepare(
        [
            Beat(
                id=f"00000000-0000-4000-8000-{number:012}",
                user=str(user.public_id),
                content=f"film-{number % 2}",
                started_at=NOW - DAY - timedelta(minutes=number),
                watched_seconds=seconds,
            )
            for number in range(count)
        ],
        platform=user.platform,
        now=NOW,
    )
    store(batch)


def said(response):
    """Return the page's words in one line, without its tags."""
    main = re.search(r"<main.*?</main>", response.content.decode(), re.DOTALL).group()
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


def version(response):
    return re.search(r'name="version" value="([^"]*)"', response.content.decode()).group(1)


def delete_address(user):
    return f"/users/{user.public_id}/delete/"


def posted(look, user_ids, **fields):
    """Choose users, then confirm with the fields; return both answers."""
    first = look(path="/users/delete/", method="post", data={"user": user_ids})
    if first.status_code != 200:
        return first, None
    data = {"version": version(first)} | fields
    return first, look(path="/users/delete/", method="post", data=data)


# --- One -----------------------------------------------------------------------------------


def test_the_question_says_what_goes_what_stays_and_who(look, person):
    ada = person("Lovelace")
    watch(ada, 3)
    SubscriptionFactory(user=ada, provider="apple", started_at=NOW - DAY)

    page = look(path=delete_address(ada))

    words = said(page)
    assert page.status_code == 200
    assert "Ada Lovelace" in words
    assert "3 viewings, 1.5 hours on 2 contents kept without identity" in words
    assert "1 payment record without name or address" in words
    assert "1 subscription runs with Apple: it is not ours to cancel." in words
    assert 'name="mode"' not in page.content.decode()
    assert not User.objects.exclude(deleted_at=None).exists()


def test_the_form_as_it_stands_deletes_and_leads_to_the_receipt(look, person):
    ada = person("Lovelace")
    watch(ada, 3)
    address = delete_address(ada)
    page = look(path=address)

    answer = look(path=address, method="post", data={"version": version(page)})

    assert answer.status_code == 303
    receipt = look(path=answer.url)
    words = said(receipt)
    assert receipt.status_code == 200
    assert "1 user deleted" in words
    assert "3 viewings, 1.5 hours on 2 contents kept without identity" in words
    assert User.objects.get(pk=ada.pk).deleted_at is not None
    assert not Viewing.objects.exists()
    assert look(path=f"/users/{ada.public_id}/").status_code == 404
    assert look(path=address).status_code == 404
    assert look(path=address, method="post").status_code == 404
    assert AuditEvent.objects.get(kind="users.user.deleted").target_id == str(ada.public_id)


def test_what_changed_since_the_question_is_shown_again_and_nobody_is_deleted(look, person):
    ada = person("Lovelace")
    page = look(path=delete_address(ada))
    SubscriptionFactory(user=ada, provider="stripe", started_at=NOW - DAY)

    answer = look(path=delete_address(ada), method="post", data={"version": version(page)})

    assert answer.status_code == 409
    assert "1 subscription runs with Stripe." in said(answer)
    assert version(answer) != version(page)
    assert User.objects.get(pk=ada.pk).deleted_at is None
    assert not Deletion.objects.exists()


def test_a_project_that_is_not_connected_to_stripe_says_what_was_left(look, person):
    ada = person("Lovelace")
    SubscriptionFactory(user=ada, provider="stripe", started_at=NOW - DAY)
    page = look(path=delete_address(ada))
    assert 'value="cancel"' in page.content.decode()

    answer = look(path=delete_address(ada), method="post", data={"version": version(page)})

    assert "left as it is with Stripe" in said(look(path=answer.url))


def test_very_many_viewings_are_left_to_a_job(look, person, monkeypatch):
    monkeypatch.setattr("users.deletion.INLINE_VIEWINGS", 4)
    ada = person("Lovelace")
    watch(ada, 5)

    answer = look(path=delete_address(ada), method="post")

    job = Job.objects.get()
    assert (job.kind, set(job.arguments)) == ("users.delete", {"deletion"})
    assert "under way in the background" in said(look(path=answer.url))
    assert User.objects.get(pk=ada.pk).deleted_at is None


# --- Several -------------------------------------------------------------------------------


def test_ticked_users_are_deleted_and_nobody_else(look, person):
    ada, grace, mary = person("Lovelace"), person("Hopper"), person("Shelley")
    watch(ada)

    question, answer = posted(look, [str(ada.public_id), str(grace.public_id)])

    assert "Delete 2 users" in said(question)
    assert "Ada Hopper , Ada Lovelace" in said(question)
    assert answer.status_code == 303
    assert "2 users deleted" in said(look(path=answer.url))
    assert list(User.objects.present()) == [mary]
    deletion = Deletion.objects.get()
    assert (deletion.user_ids, deletion.content_ids, deletion.sums["contents"]) == ([], [], 1)


def test_ids_may_come_in_one_field(look, person):
    chosen = ",".join(str(person(name).public_id) for name in ("Lovelace", "Hopper"))

    question, _answer = posted(look, chosen)

    assert "Delete 2 users" in said(question)


def test_a_filter_is_frozen_at_the_question(look, person):
    person("Lovelace", country="FR")
    person("Hopper", country="US")
    question = look("country=FR&period=all", path="/users/delete/")
    late = person("Late", country="FR")

    look(path="/users/delete/", method="post", data={"version": version(question)})

    assert set(User.objects.present().values_list("last_name", flat=True)) == {"Hopper", "Late"}
    assert late.deleted_at is None


def test_somebody_gone_since_the_question_refuses_all(look, person):
    ada, grace = person("Lovelace"), person("Hopper")
    question = look(
        path="/users/delete/", method="post", data={"user": [ada.public_id, grace.public_id]}
    )
    look(path=delete_address(ada), method="post")

    answer = look(path="/users/delete/", method="post", data={"version": version(question)})

    assert answer.status_code == 409
    assert User.objects.get(pk=grace.pk).deleted_at is None


def test_more_than_fifty_ask_for_their_number(look, person):
    for number in range(51):
        person(f"Nr {number}")
    question = look("period=all", path="/users/delete/")
    data = {"version": version(question)}
    assert "Type 51" in said(question)

    for wrong in ("", "50", "many"):
        answer = look(path="/users/delete/", method="post", data=data | {"number": wrong})
        assert answer.status_code == 400
    assert User.objects.present().count() == 51
    answer = look(path="/users/delete/", method="post", data=data | {"number": "51"})

    assert answer.status_code == 303
    # More than a person waits for.
    assert Job.objects.get().kind == "users.delete"
    assert Deletion.objects.get().confirmed_at == NOW


def test_a_question_belongs_to_the_session_that_was_asked(look, person, client):
    ada = person("Lovelace")
    question = look(path="/users/delete/", method="post", data={"user": ada.public_id})
    client.force_login(_owner())

    answer = client.post("/users/delete/", {"version": version(question)})

    assert answer.status_code == 409
    assert User.objects.get(pk=ada.pk).deleted_at is None


def _owner():
    from backoffice.staff.models import StaffMember, StaffRole

    staff = StaffMember.objects.create(email="second@example.com", created_at=NOW)
    StaffRole.objects.create(staff_member=staff, role=Role.OWNER)
    return staff


def test_confirming_twice_is_one_deletion_and_one_receipt(look, person):
    ada = person("Lovelace")
    question = look(path="/users/delete/", method="post", data={"user": ada.public_id})
    data = {"version": version(question)}

    first = look(path="/users/delete/", method="post", data=data)
    second = look(path="/users/delete/", method="post", data=data)

    assert (first.status_code, first.url) == (second.status_code, second.url)
    assert AuditEvent.objects.filter(kind="users.user.deleted").count() == 1


@pytest.mark.parametrize(
    "query", ["", "nonsense=1", "status=nobody", "period=all&from=2026-01-01", "q=nobody%20here"]
)
def test_what_chooses_nobody_is_refused_in_words(look, person, query):
    person("Lovelace")

    answer = look(query, path="/users/delete/")

    assert answer.status_code == 400
    assert "Nobody was deleted" in said(answer)


@pytest.mark.parametrize("chosen", [{}, {"user": "nonsense"}, {"user": ""}])
def test_odd_choices_are_refused_in_words(look, person, chosen):
    answer = look(path="/users/delete/", method="post", data=chosen)

    assert answer.status_code == 400
    assert "Nobody was deleted" in said(answer)


def test_another_projects_user_is_not_chosen(look, other_project):
    from tests.factories.projects import PlatformFactory
    from tests.factories.users import UserFactory

    stranger = UserFactory(platform=PlatformFactory(project=other_project))

    answer = look(path="/users/delete/", method="post", data={"user": stranger.public_id})

    assert answer.status_code == 400
    assert look(path=delete_address(stranger)).status_code == 404


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.ANALYST, Role.READER])
def test_who_may_not_delete_sees_no_way_to_it(look, person, role):
    ada = person("Lovelace")

    page = look("period=all", role=role)

    assert "/delete/" not in page.content.decode()
    assert look(path=delete_address(ada), method="post", role=role).status_code == 403
    assert User.objects.get(pk=ada.pk).deleted_at is None


# --- The list ------------------------------------------------------------------------------


def test_the_list_leads_to_all_that_match_as_it_shows_them(look, person):
    person("Old", "2024-01-05")
    person("New")

    for query in ("", "period=all", "q=ada", "counted=registered&month=2024-01"):
        listed = look(query)
        address = html.unescape(
            re.search(r'href="(/users/delete/[^"]*)"', listed.content.decode()).group(1)
        )
        total = re.search(r'data-total="(\d+)"', listed.content.decode()).group(1)
        question = look(path=address)
        assert f"Delete {total} user" in said(question)


def test_chosen_users_make_a_file_of_theirs(look, person):
    ada, _grace, old = person("Lovelace"), person("Hopper"), person("Old", "2024-01-05")
    listed = look()
    address = html.unescape(
        re.search(r'formaction="([^"]*)" data-selection', listed.content.decode()).group(1)
    )

    answer = look(path=address, method="post", data={"user": f"{ada.public_id},{old.public_id}"})

    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert [line.split(",")[3] for line in lines[1:]] == ["Lovelace", "Old"]
    assert AuditEvent.objects.get(kind="users.list.exported").data["chosen"] == 2
    assert look(path=address, method="post").status_code == 400


def test_without_javascript_the_boxes_are_fields_of_the_bar(look, person):
    ada = person("Lovelace")

    page = look().content.decode()

    assert f'name="user" value="{ada.public_id}" form="selection"' in page
    assert '<form class="selection" id="selection" method="post" action="/users/delete/"' in page
