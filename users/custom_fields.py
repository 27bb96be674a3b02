"""Changes of a project's sign-up fields, and what stands in the way of one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.projects.models import Project
from users.models import CustomField, User

FIELDS = ("key", "type", "labels", "choices", "is_required")
# What the values of users depend on: fixed as soon as there are any.
FIXED_ONCE_USED = frozenset({"key", "type"})


class KeyTaken(Exception):
    """Another field of the project has the key; nothing was changed."""


class FieldInUse(Exception):
    """Users have values that the change would leave without meaning; nothing was changed."""


def is_used(field: CustomField) -> bool:
    """Tell whether any user has a value of the field. Reads all users if nobody has: seconds."""
    return User.objects.filter(project_id=field.project_id, custom__has_key=field.key).exists()


def choices_held(field: CustomField, choices: Sequence[str]) -> list[str]:
    """Return those of the choices that some user has, in the order given."""
    users = User.objects.filter(project_id=field.project_id)
    return [
        choice for choice in choices if users.filter(custom__contains={field.key: choice}).exists()
    ]


@transaction.atomic
def create_field(*, field: CustomField, actor: Actor, now: datetime) -> CustomField:
    """
    Store a new field, handed in unsaved and clean, after those that are there.

    :raises KeyTaken: if the project has the key, archived fields included.
    """
    project = _locked(field.project)
    last = project.custom_fields.aggregate(last=Max("position"))["last"]
    field.position = 0 if last is None else last + 1
    _save_or_refuse(field)
    _record(AuditEvent.Kind.FIELD_CREATED, field, actor=actor, now=now)
    return field


@transaction.atomic
def edit_field(
    *, field: CustomField, changes: Mapping[str, Any], actor: Actor, now: datetime
) -> CustomField:
    """
    Give the field new, clean values; only what differs counts as a change.

    :param changes: values by names of FIELDS.
    :raises KeyTaken: if another field of the project has the key.
    :raises FieldInUse: if users have values and key, type or a choice of theirs would go.
    """
    _locked(field.project)
    field = CustomField.objects.select_for_update().select_related("project").get(pk=field.pk)
    changed = [one for one in FIELDS if one in changes and changes[one] != getattr(field, one)]
    if not changed:
        return field
    if FIXED_ONCE_USED.intersection(changed) and is_used(field):
        raise FieldInUse
    gone = [one for one in field.choices if one not in changes.get("choices", field.choices)]
    if choices_held(field, gone):
        raise FieldInUse
    for name in changed:
        setattr(field, name, changes[name])
    _save_or_refuse(field)
    _record(AuditEvent.Kind.FIELD_EDITED, field, actor=actor, now=now, fields=changed)
    return field


@transaction.atomic
def archive_field(*, field: CustomField, actor: Actor, now: datetime) -> None:
    """Ask for the field no more; the values that users have stay. Again changes nothing."""
    if CustomField.objects.filter(pk=field.pk, archived_at=None).update(archived_at=now):
        _record(AuditEvent.Kind.FIELD_ARCHIVED, field, actor=actor, now=now)


@transaction.atomic
def restore_field(*, field: CustomField, actor: Actor, now: datetime) -> None:
    """Ask for an archived field again. Again changes nothing."""
    archived = CustomField.objects.filter(pk=field.pk, archived_at__isnull=False)
    if archived.update(archived_at=None):
        _record(AuditEvent.Kind.FIELD_RESTORED, field, actor=actor, now=now)


@transaction.atomic
def move_field(*, field: CustomField, is_up: bool, actor: Actor, now: datetime) -> None:
    """Put the field one place up or down among the live ones; at either end it stays."""
    project = _locked(field.project)
    in_order = list(project.custom_fields.order_by("position", "pk"))
    live = [one for one in in_order if one.archived_at is None]
    places = [one.pk for one in live]
    if field.pk not in places:
        return
    other = places.index(field.pk) + (-1 if is_up else 1)
    if not 0 <= other < len(live):
        return
    one, two = in_order.index(live[places.index(field.pk)]), in_order.index(live[other])
    in_order[one], in_order[two] = in_order[two], in_order[one]
    for position, moved in enumerate(in_order):
        moved.position = position
    CustomField.objects.bulk_update(in_order, ["position"])
    _record(AuditEvent.Kind.FIELD_EDITED, field, actor=actor, now=now, fields=["position"])


def _locked(project: Project) -> Project:
    """Line up the changes of one project's fields."""
    return Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _save_or_refuse(field: CustomField) -> None:
    try:
        with transaction.atomic():
            field.save()
    except IntegrityError as error:
        if "custom_field_key_unique_in_project" not in str(error):
            raise
        raise KeyTaken from error


def _record(
    kind: AuditEvent.Kind, field: CustomField, *, actor: Actor, now: datetime, **data: Any
) -> None:
    record(
        kind,
        actor=actor,
        now=now,
        project=field.project,
        target=field,
        data={"key": field.key, **data},
    )
