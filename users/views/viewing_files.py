"""The files of one person's viewing: the graph's figures, and each viewing by itself."""

from collections.abc import Callable
from typing import ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from analytics.exports import write_graph, write_viewings
from analytics.filters import ViewingFileFilter
from analytics.selectors import viewing_so_far
from backoffice.audit.models import AuditEvent
from backoffice.core.exports import CsvFile
from backoffice.core.permissions import Permission
from users.exports import filter_for_audit
from users.views.profile import UserPage
from users.views.user_files import FilePage


class ViewingFile(UserPage, FilePage):
    """What the profile shows of one user's viewing, over the same filter."""

    audit_kind = AuditEvent.Kind.VIEWING_EXPORTED
    what: ClassVar[str]
    write: ClassVar[Callable[[ViewingFileFilter], CsvFile]]

    def make(self) -> HttpResponseBase:
        asked = ViewingFileFilter(
            self.request.GET,
            viewpoint=self.viewpoint,
            user=self.user,
            last_viewed_at=viewing_so_far(self.user).last_viewed_at,
        )
        self.checked(asked)
        made = type(self).write(asked)
        told = {"filter": filter_for_audit(asked)}
        return self.send(made, self.what, told, target=self.user)


class ViewingGraphExport(ViewingFile):
    """What was watched on each local day, by content."""

    permission_required = Permission.ANALYTICS_EXPORT
    what = "viewing-graph"
    write = write_graph


class ViewingExport(ViewingFile):
    """Each viewing, with its device; for those who may see whose they are."""

    permission_required = Permission.USERS_EXPORT
    what = "viewing"
    write = write_viewings

    def _needed_permissions(self, request: HttpRequest) -> set[Permission]:
        # Of one person, viewing by viewing: more than a masked reader may take away.
        return super()._needed_permissions(request) | {Permission.USERS_SEE_IDENTITY}
