"""The policy: what each role may do, and that the documentation says the same."""

from pathlib import Path

from backoffice.core.permissions import ROLE_PERMISSIONS, STEP_UP, Permission, Role

DOCUMENT = Path(__file__).parents[2] / "docs" / "permissions.md"


def table() -> dict[str, tuple[str, ...]]:
    """Return the document's table: permission, then a cell for each role and for step-up."""
    rows = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            rows[cells[0].strip("`")] = tuple(cells[2:])
    return rows


def test_the_document_names_each_permission_once():
    assert sorted(table()) == sorted(Permission)


def test_the_document_and_the_code_agree():
    for permission in Permission:
        roles = tuple("yes" if permission in ROLE_PERMISSIONS[role] else "" for role in Role)
        step_up = "yes" if permission in STEP_UP else ""
        assert table()[permission] == (*roles, step_up), permission


def test_each_role_is_described():
    text = DOCUMENT.read_text(encoding="utf-8")

    assert all(f"**{role.label}**" in text for role in Role)


def test_who_sees_identities():
    see = {role for role in Role if Permission.USERS_SEE_IDENTITY in ROLE_PERMISSIONS[role]}

    assert see == {Role.OWNER, Role.ADMIN, Role.SUPPORT}


def test_support_neither_exports_nor_deletes():
    refused = {Permission.USERS_EXPORT, Permission.ANALYTICS_EXPORT, Permission.USERS_DELETE}

    assert not refused & ROLE_PERMISSIONS[Role.SUPPORT]


def test_a_reader_only_reads():
    assert ROLE_PERMISSIONS[Role.READER] == {Permission.USERS_VIEW, Permission.ANALYTICS_VIEW}


def test_an_owner_may_everything():
    assert ROLE_PERMISSIONS[Role.OWNER] == set(Permission)


def test_roles_of_the_database_are_the_roles_of_the_code():
    assert set(Role.values) == {"owner", "admin", "support", "analyst", "reader"}
