"""The audit trail: no statement changes or removes an event."""

import pytest
from django.db import IntegrityError, connection, transaction

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import SYSTEM, record
from tests.conftest import NOW


@pytest.fixture(autouse=True)
def _event(db):
    record(AuditEvent.Kind.SIGNED_IN, actor=SYSTEM, now=NOW)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditevent SET reason = 'x'",
        "UPDATE audit_auditevent SET reason = 'x' WHERE false",
        "DELETE FROM audit_auditevent",
        "TRUNCATE audit_auditevent",
        "TRUNCATE audit_auditevent CASCADE",
        "INSERT INTO audit_auditevent TABLE audit_auditevent ON CONFLICT (id) DO UPDATE SET id=1",
    ],
)
def test_refused(statement):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent ENABLE TRIGGER audit_event_no_truncate")

        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            cursor.execute(statement)

    assert AuditEvent.objects.get().reason == ""


def test_the_models_own_ways_are_refused():
    event = AuditEvent.objects.get()

    with pytest.raises(IntegrityError, match="UPDATE refused"), transaction.atomic():
        event.save()
    with pytest.raises(IntegrityError, match="DELETE refused"), transaction.atomic():
        event.delete()
