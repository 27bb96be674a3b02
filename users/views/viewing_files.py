"""The files of one person's viewing: the graph's figures, and each viewing by itself."""

from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.translation import gettext as _

from analytics.exports import write_graph, write_viewings
from analytics.filters import ViewingFileFilter
from analytics.selectors import viewing_so_far
from backoffice.audit.models import AuditEvent
from backoffice.core.exports import MadeFile, TooSlow
from backoffice.core.permissions import Permission
from backoffice.core.sheets import SheetFile
from backoffice.jobs.views.files import FilePage
from users.exports import filter_for_audit
from users.views.profile import UserPage
from users.views.viewing import days_in_words


class ViewingFile(UserPage, FilePage):
    """What the profile shows of one user's viewing, over the same filter."""

    audit_kind: ClassVar[AuditEvent.Kind] = AuditEvent.Kind.VIEWING_EXPORTED
    list_name = "users:list"

    def check(self) -> None:
        self._asked()

    def make(self) -> HttpResponseBase:
        asked = self._asked()
        try:
            made = self.write(asked)
        except TooSlow as error:
            raise ValidationError(_("This takes too long: choose a shorter period.")) from error
        told = {"filter": filter_for_audit(asked)}
        words = {}
        for language, _name in settings.LANGUAGES:
            with translation.override(language):
                words[language] = [days_in_words(asked.date_range, language)]
        return self.send(made, self.what, told, target=self.user, words=words)

    def write(self, asked: ViewingFileFilter) -> MadeFile:
        """Return the file of a valid filter."""
        raise NotImplementedError

    def _asked(self) -> ViewingFileFilter:
        asked = ViewingFileFilter(
            self.request.GET,
            viewpoint=self.viewpoint,
            user=self.user,
            last_viewed_at=viewing_so_far(self.user).last_viewed_at,
        )
        self.checked(asked)
        return asked


class ViewingGraphExport(ViewingFile):
    """What was watched on each local day, by content."""

    permission_required = Permission.ANALYTICS_EXPORT
    what = "viewing-graph"

    def write(self, asked: ViewingFileFilter) -> MadeFile:
        return write_graph(asked)


class ViewingExport(ViewingFile):
    """Each viewing, with its device; for those who may see whose they are."""

    permission_required = Permission.USERS_EXPORT
    what = "viewing"

    def write(self, asked: ViewingFileFilter) -> MadeFile:
        return write_viewings(asked, is_sheet=self.kind_of_file is SheetFile)

    def _needed_permissions(self, request: HttpRequest) -> set[Permission]:
        # Of one person, viewing by viewing: more than a masked reader may take away.
        return super()._needed_permissions(request) | {Permission.USERS_SEE_IDENTITY}


class ViewingSheet(ViewingExport):
    """The same as a spreadsheet."""

    kind_of_file = SheetFile
