"""
Who may open which address: every address of the product, each role, both ways of asking.

A new address falls under this by itself. It names its permission by being a `StaffPage`, or it
stands in one of the two lists below with its reason; anything else fails.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from backoffice.core.permissions import ROLE_PERMISSIONS, Permission, Role
from backoffice.staff.models import StaffMember
from backoffice.staff.pages import StaffPage
from tests.conftest import NOW

# Nobody needs to be signed in.
OPEN = {
    "account_login": "the way in",
    "mfa_authenticate": "the second step of the way in",
    "account_logout": "the way out, also of a session that has just ended",
    "invitation": "whoever has the link of an invitation has no password yet",
    "set_language": "the sign-in page speaks both languages",
    "health-live": "asked by machines",
    "health-ready": "asked by machines",
}
# Anybody signed in: these are about one's own account.
OWN = {
    "home": "leads to the Users page, which asks for its permission",
    "confirm": "asks for one's own password",
    "mfa_index": "one's own second factor",
    "mfa_activate_totp": "one's own second factor",
    "mfa_view_recovery_codes": "one's own recovery codes",
    "mfa_generate_recovery_codes": "one's own recovery codes",
}
# Addresses under these answer machines: a platform's key, a provider's signature. Their own
# tests ask them without, with a wrong and with another project's.
OF_MACHINES = ("api/", "webhooks/", "metrics")
# Another site than the back office, as it were, with sessions of its own; not in production.
ANOTHER_SITE = ("demo-platform/",)

EXAMPLES = {
    "int": 1,
    "str": "x",
    "slug": "x",
    "uuid": UUID("00000000-0000-4000-8000-000000000001"),
    "path": "x",
    "rest": "x",
}


def addresses(
    resolver: URLResolver, path: str = "", space: str = ""
) -> Iterator[tuple[str, str, Any]]:
    """Yield name, example path and view class of each address."""
    for entry in resolver.url_patterns:
        here = path + example(entry)
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from addresses(entry, here, inner)
        else:
            assert entry.name, f"/{here} has no name"
            yield f"{space}{entry.name}", f"/{here}", getattr(entry.callback, "view_class", None)


def example(entry: URLPattern | URLResolver) -> str:
    """Return the address with an example in place of each parameter."""
    text = str(entry.pattern)
    for name, converter in entry.pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower()
        kind = {"string": "str"}.get(kind, kind)
        text = text.replace(f"<{kind}:{name}>", str(EXAMPLES[kind])).replace(
            f"<{name}>", str(EXAMPLES["str"])
        )
    return text


ALL = [
    (name, path, view)
    for name, path, view in addresses(get_resolver())
    if not path.lstrip("/").startswith(OF_MACHINES + ANOTHER_SITE)
]
PAGES = {name: (path, view) for name, path, view in ALL if name not in OPEN | OWN}
SIGNED_IN = {name: path for name, path, _ in ALL if name not in OPEN}
ASKING = ["get", "post"]


def test_there_are_addresses():
    assert {"account_login", "confirm", "audit"} <= {name for name, _, _ in ALL}


def test_no_two_addresses_share_a_name():
    assert len({name for name, _, _ in ALL}) == len(ALL)


def test_the_lists_name_addresses_that_exist():
    assert OPEN.keys() | OWN.keys() <= {name for name, _, _ in ALL}


@pytest.mark.parametrize("name", PAGES)
def test_each_page_names_its_permission(name):
    _, view = PAGES[name]

    assert view is not None, f"{name}: make it a class"
    assert issubclass(view, StaffPage), f"{name}: make it a StaffPage, or list it with its reason"
    assert isinstance(view.permission_required, Permission)


def needed(view, method) -> set[Permission]:
    extra = view.change_permission if method == "post" else None
    return {view.permission_required} | ({extra} if extra else set())


# The whole product: role, address, way of asking, whether it is allowed.
TABLE = [
    (role, name, method, needed(view, method) <= ROLE_PERMISSIONS[role])
    for role in Role
    for name, (_, view) in PAGES.items()
    if view and issubclass(view, StaffPage)
    for method in ASKING
]


def ask(client: Client, method: str, path: str):
    response = getattr(client, method)(path, raise_request_exception=True)
    # A file is read, so that an error within it is seen.
    if response.streaming:
        b"".join(response.streaming_content)
    return response


@pytest.mark.parametrize("case", TABLE, ids=lambda case: " ".join(map(str, case)))
def test_each_role_is_let_in_or_refused(client, staff_with, project, case):
    role, name, method, is_allowed = case
    path, _ = PAGES[name]
    client.force_login(staff_with(role, project))

    status = ask(client, method, path).status_code

    if is_allowed:
        # 404: the example does not exist; 405: the page takes the other way of asking only.
        assert status in {200, 302, 303, 400, 404, 405, 409, 422}
    else:
        assert status == 403 or (status == 404 and "0000" in path)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("method", ASKING)
@pytest.mark.parametrize("name", PAGES)
def test_a_role_on_another_project_opens_nothing_here(
    client, staff_with, other_project, name, method
):
    path, _ = PAGES[name]
    client.force_login(staff_with(Role.OWNER, other_project))

    assert ask(client, method, f"{path}?project=north").status_code == 404


@pytest.mark.parametrize("method", ASKING)
@pytest.mark.parametrize("name", PAGES)
def test_nobody_without_a_role_is_let_in(client, project, name, method):
    path, _ = PAGES[name]
    client.force_login(StaffMember.objects.create(email="new@example.com", created_at=NOW))

    assert ask(client, method, path).status_code in {403, 404}


@pytest.mark.parametrize("method", ASKING)
@pytest.mark.parametrize("name", SIGNED_IN)
def test_strangers_are_sent_to_sign_in(client, db, name, method):
    response = ask(client, method, SIGNED_IN[name])

    assert response.status_code == 302
    assert response.url.startswith("/sign-in/?next=")


@pytest.mark.parametrize("method", ASKING)
@pytest.mark.parametrize("name", OWN)
def test_ones_own_account_opens_without_a_role(client, project, name, method):
    client.force_login(StaffMember.objects.create(email="new@example.com", created_at=NOW))

    assert ask(client, method, SIGNED_IN[name]).status_code in {200, 302, 405}


@pytest.mark.parametrize("role", Role)
def test_the_right_to_act_is_asked_when_the_role_is_gone(client, staff_with, project, role):
    staff = staff_with(role, project)
    client.force_login(staff)
    staff.roles.all().delete()

    assert ask(client, "get", "/audit/").status_code == 403
