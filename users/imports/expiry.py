"""When the personal data of imports goes: in time, and when a user in it is deleted."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from users.models import ImportPart, ImportRow, User, UserImport

State = UserImport.State


def expire_imports(*, now: datetime) -> int:
    """Remove files and rows of imports whose time is over and none is at work; return how many."""
    due = UserImport.objects.filter(forgotten_at=None, expires_at__lte=now)
    count = 0
    for pk in (
        due.exclude(state__in=UserImport.AT_WORK).order_by("pk").values_list("pk", flat=True)
    ):
        count += _expire(pk, now)
    return count


@transaction.atomic
def _expire(pk: int, now: datetime) -> bool:
    user_import = UserImport.objects.select_for_update().get(pk=pk)
    if user_import.forgotten_at or user_import.expires_at > now:
        return False
    if user_import.state in UserImport.AT_WORK:
        return False
    if user_import.state in UserImport.WAITING_FOR_SOMEBODY:
        user_import.state = State.EXPIRED
    _empty(user_import, now)
    return True


def _empty(user_import: UserImport, now: datetime) -> None:
    """Remove all that may be personal; the counts stay."""
    ImportPart.objects.filter(user_import=user_import).delete()
    ImportRow.objects.filter(user_import=user_import).delete()
    user_import.file_name = ""
    user_import.headings = []
    user_import.columns = []
    user_import.forgotten_at = now
    user_import.save()


# A row is about a user if it found or made them, or has their address.
ABOUT: Final = """
    SELECT DISTINCT r.user_import_id
    FROM users_importrow AS r
    JOIN users_user AS u ON u.id = ANY (%(users)s)
    WHERE r.user_import_id = ANY (%(imports)s) AND (r.user_key = u.id OR r.public_id = u.public_id
       OR u.email <> '' AND lower(btrim(r.email)) = lower(u.email))
"""

BLANK: Final = """
    UPDATE users_importrow AS r
    SET email = '', first_name = '', last_name = '', language = '', country = '', custom = NULL,
        before = NULL, version = NULL, user_key = NULL, public_id = NULL,
        reasons = CASE WHEN reasons IS NULL THEN NULL ELSE '[]'::jsonb END
    FROM users_user AS u
    WHERE r.user_import_id = ANY (%(imports)s) AND u.id = ANY (%(users)s) AND (
        r.user_key = u.id OR r.public_id = u.public_id
        OR u.email <> '' AND lower(btrim(r.email)) = lower(u.email)
    )
"""


@transaction.atomic
def forget_in_imports(user_ids: Collection[int], *, now: datetime) -> None:
    """
    Remove what imports hold about these users. Called by their deletion, while they have a name.

    Files go whole: those with a row about one of the users, and those of which nobody can tell,
    because they were not checked yet. Rows about the users are emptied; the verdicts stay, and
    the users can no more be restored by undoing.
    """
    projects = User.objects.filter(pk__in=user_ids).values("project")
    live = UserImport.objects.filter(project__in=projects, forgotten_at=None)
    values = {"users": list(user_ids), "imports": list(live.values_list("pk", flat=True))}
    if not values["imports"]:
        return
    with connection.cursor() as cursor:
        cursor.execute(ABOUT, values)
        concerned = [pk for (pk,) in cursor.fetchall()]
        cursor.execute(BLANK, values)
    ImportPart.objects.filter(user_import__in=concerned).delete()
    unread = live.select_for_update().filter(state=State.UPLOADED)
    for user_import in unread.order_by("pk"):
        user_import.state = State.REFUSED
        user_import.refusal = {"code": "forgotten"}
        _empty(user_import, now)
