"""What each kind of event reads like on the register, in the reader's language."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from backoffice.audit.models import AuditEvent

_Kind = AuditEvent.Kind

# Each sentence may name the facts of its event's data; a fact not recorded reads "?".
SENTENCES: Mapping[str, StrOrPromise] = {
    _Kind.SIGNED_IN: _("Signed in."),
    _Kind.SIGN_IN_REFUSED: _("Could not sign in."),
    _Kind.SIGNED_OUT: _("Signed out."),
    _Kind.STEP_UP_DONE: _("Confirmed the password."),
    _Kind.STEP_UP_REFUSED: _("Could not confirm the password."),
    _Kind.SECOND_FACTOR_ADDED: _("Set up a second factor."),
    _Kind.RECOVERY_CODES_MADE: _("Made new recovery codes."),
    _Kind.ACCESS_REFUSED: _("Was refused: the role does not allow %(permission)s."),
    _Kind.STAFF_CREATED: _("Created a staff member."),
    _Kind.ROLE_GRANTED: _("Granted the role %(role)s."),
    _Kind.ROLE_REMOVED: _("Removed the role %(role)s."),
    _Kind.STAFF_INVITED: _("Invited a staff member by mail."),
    _Kind.STAFF_JOINED: _("Accepted an invitation and chose a password."),
    _Kind.PROJECT_CREATED: _("Created the project %(slug)s."),
    _Kind.PLATFORM_CREATED: _("Created the platform %(slug)s."),
    _Kind.PROJECT_EDITED: _("Changed the project's settings: %(fields)s."),
    _Kind.PLATFORM_EDITED: _("Edited the platform %(slug)s."),
    _Kind.API_KEY_CREATED: _("Created the API key %(hint)s…"),
    _Kind.API_KEY_REVOKED: _("Revoked the API key %(hint)s…"),
    _Kind.USER_CREATED: _("Created a user."),
    _Kind.USER_EDITED: _("Edited a user."),
    _Kind.USER_REMOVED: _("Removed a user whom an import had created."),
    _Kind.IMPORT_UPLOADED: _("Uploaded a file of %(rows)s users."),
    _Kind.IMPORT_CONFIRMED: _("Confirmed an import: %(new)s new, %(changed)s changed."),
    _Kind.IMPORT_APPLIED: _(
        "Imported users: %(new)s new, %(changed)s changed, %(refused)s refused."
    ),
    _Kind.IMPORT_UNDONE: _(
        "Undid an import: %(removed)s removed, %(restored)s restored, %(kept)s kept."
    ),
    _Kind.IMPORT_REFUSED_ROWS_TAKEN: _("Took the %(rows)s refused rows of an import."),
    _Kind.IMPERSONATED: _("Was handed over to %(platform)s as a user, %(mode)s."),
    _Kind.IMPERSONATION_BEGUN: _("Redeemed a ticket: an impersonation began, %(mode)s."),
    _Kind.IMPERSONATION_REFUSED: _("Sent a ticket that does not work."),
    _Kind.IMPERSONATION_ENDED: _("Ended an impersonation."),
    _Kind.IMPERSONATION_HALTED: _("Switched impersonation off; %(ended)s were ended."),
    _Kind.IMPERSONATION_RESUMED: _("Switched impersonation on."),
    _Kind.RESET_SENT: _("Sent a reset link."),
    _Kind.USER_INVITED: _("Invited a user by mail."),
    _Kind.FIELD_CREATED: _("Created the sign-up field %(key)s."),
    _Kind.FIELD_EDITED: _("Edited the sign-up field %(key)s."),
    _Kind.FIELD_ARCHIVED: _("Archived the sign-up field %(key)s."),
    _Kind.FIELD_RESTORED: _("Restored the sign-up field %(key)s."),
    _Kind.USER_DELETED: _("Deleted a user; %(views)s views were kept without identity."),
    _Kind.FREE_COPY_GIVEN: _("Gave access for %(days)s days (offer %(offer)s)."),
    _Kind.SESSIONS_ENDED: _("Ended %(sessions)s device sessions of a user."),
    _Kind.VIEWING_EXPORTED: _("Exported the viewing of a user, %(rows)s rows."),
    _Kind.FREE_COPY_CHANGED: _("Changed the free copy %(reference)s."),
    _Kind.FREE_COPY_REVOKED: _("Took back the free copy %(reference)s."),
    _Kind.FREE_COPY_TOLD: _("Told of the free copy %(reference)s again."),
    _Kind.GIFT_TOLD: _("Told of the gift %(reference)s again."),
    _Kind.GIFT_CHANGED: _("Changed the gift %(reference)s."),
    _Kind.GIFT_REVOKED: _("Cancelled the gift %(reference)s."),
    _Kind.OFFER_CREATED: _("Created the offer %(offer)s."),
    _Kind.OFFER_EDITED: _("Edited the offer %(offer)s."),
    _Kind.MAIL_SENT_AGAIN: _("Sent a mail again (%(mail)s)."),
    _Kind.USERS_EXPORTED: _("Exported %(rows)s users."),
    _Kind.PAYMENTS_EXPORTED: _("Exported %(rows)s payments."),
    _Kind.CHART_EXPORTED: _("Exported the chart, %(rows)s days."),
    _Kind.PROVIDER_CONNECTED: _("Connected the account with %(provider)s, key …%(hint)s."),
    _Kind.PROVIDER_DISCONNECTED: _("Disconnected the account with %(provider)s, key …%(hint)s."),
    _Kind.SUBSCRIPTION_STOPPED: _("Asked %(provider)s to stop a subscription (%(when)s)."),
    _Kind.SUBSCRIPTION_RESUMED: _("Asked %(provider)s to resume a subscription."),
    _Kind.PAYMENT_REFUNDED: _("Asked %(provider)s to refund %(amount)s."),
    _Kind.CUSTOMER_ASSIGNED: _("Assigned a customer of %(provider)s to a user."),
    _Kind.EVENT_RETRIED: _("Tried an event of %(provider)s again."),
    _Kind.EXPORT_FETCHED: _("Fetched the file %(file)s, %(rows)s rows."),
    _Kind.JOB_STARTED: _("Started the job %(job)s."),
    _Kind.JOB_CANCELLED: _("Stopped the job %(job)s."),
    _Kind.JOB_RETRIED: _("Started the job %(job)s again."),
    _Kind.AUDIT_READ: _("Read the audit trail."),
}


class _Facts(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "?"


def sentence(event: AuditEvent) -> str:
    """Return what the event says to a reader; the actor stands beside it."""
    return str(SENTENCES[event.kind]) % _Facts(event.data)
