"""`DELETE /users/{id}`, and whatever a platform still sends about the user afterwards."""

from analytics.models import Viewing
from tests.factories.subscriptions import FreeCopyFactory, PurchaseFactory, SubscriptionFactory
from tests.factories.users import DeviceSessionFactory, UserFactory
from users.models import DeviceSession, User

STARTED = "2026-03-11T12:00:00Z"


def test_a_user_is_deleted_once_and_gone_ever_after(api, ada):
    path = f"/users/{ada.public_id}"
    session = DeviceSessionFactory(user=ada, token="device-token")

    answer = api.send("DELETE", path)

    assert (answer.status_code, answer.content) == (204, b"")
    for method in ("GET", "DELETE", "PATCH"):
        again = api.send(method, path, {} if method == "PATCH" else None)
        assert (again.status_code, again.json()["error"]["code"]) == (404, "not_found")
    assert api.post("/device-sessions/check", {"token": "device-token"}).status_code == 401
    assert api.send("DELETE", f"/device-sessions/{session.id}").status_code in {204, 404}
    assert not DeviceSession.objects.exists()


def test_another_projects_user_is_nobody(ada, other_api):
    assert other_api.send("DELETE", f"/users/{ada.public_id}").status_code == 404
    assert User.objects.get(pk=ada.pk).deleted_at is None


def test_without_stripe_connected_there_is_nothing_to_wait_for(api, ada):
    SubscriptionFactory(user=ada, provider="stripe")

    assert api.send("DELETE", f"/users/{ada.public_id}").status_code == 204


def test_the_address_can_register_again(api, ada):
    api.send("DELETE", f"/users/{ada.public_id}")

    answer = api.post("/users", {"email": ada.email})

    assert answer.status_code == 201
    assert answer.json()["id"] != str(ada.public_id)


def test_late_reports_about_the_user_are_answered_well_and_bring_nothing_back(api, ada, web):
    friend = UserFactory(platform=web)
    SubscriptionFactory(user=ada, reference="S1")
    PurchaseFactory(user=friend, type="gift", recipient=ada, reference="G1")
    FreeCopyFactory(user=ada, reference="F1")
    api.send("DELETE", f"/users/{ada.public_id}")
    gone, address = str(ada.public_id), ada.email

    answers = [
        api.post(
            "/viewings",
            {
                "viewings": [
                    {
                        "id": "5f0c9c1e-6a53-4b8e-9d0e-3f1c2b7a9e10", "user": gone,
                        "content": "film", "started_at": STARTED, "watched_seconds": 60,
                        "position_seconds": 60,
                    }
                ]
            },
        ),
        api.put(
            "/subscriptions/okast/S1", {"user": gone, "status": "active", "started_at": STARTED}
        ),
        api.put("/purchases/okast/P2", purchase(gone)),
        api.put("/purchases/okast/G1", purchase(str(friend.public_id), recipient=gone)),
        api.put("/purchases/okast/G1", purchase(str(friend.public_id), recipient=address)),
        api.put("/free-copies/F1", {"user": gone, "sent_at": STARTED, "days": 30}),
        api.put("/free-copies/F1", {"user": address, "sent_at": STARTED, "days": 30}),
        api.post("/password-resets", {"email": address}),
    ]  # fmt: skip

    assert [answer.status_code for answer in answers] == [200] + [204] * 6 + [202]
    assert answers[0].json() == {"accepted": 1, "rejected": []}
    assert not Viewing.objects.exists()
    stub = User.objects.get(pk=ada.pk)
    assert (stub.email, stub.subscriptions.get().status) == ("", "canceled")
    assert not User.objects.filter(email_key=ada.email_key).exists()
    from tests.users.test_deletion import where

    assert where(ada.email) == set()


def purchase(user, **more):
    kind = {"type": "gift"} if "recipient" in more else {"type": "pack"}
    return {"user": user, "status": "active", "purchased_at": STARTED} | kind | more


def test_who_never_existed_is_still_refused(api, ada):
    api.send("DELETE", f"/users/{ada.public_id}")
    nobody = "00000000-0000-4000-8000-000000000000"

    answer = api.put("/purchases/okast/P2", purchase(nobody))

    assert answer.status_code == 422
