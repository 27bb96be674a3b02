"""The help: what figures and statuses mean, what files hold, how an import reads one."""

from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from backoffice.core.permissions import Permission
from backoffice.staff.pages import StaffPage
from users.resources import BasicResource, CompleteResource, columns_of
from users.selectors import custom_fields


class Help(StaffPage, TemplateView):  # type: ignore[misc]  # The request is narrower here.
    """One page for everybody, with the rules and the sign-up fields of the project at hand."""

    permission_required = Permission.USERS_VIEW
    http_method_names = ("get", "head")
    template_name = "users/help.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        language = get_language() or "en"
        fields = [one for one in custom_fields(self.project.pk) if one.archived_at is None]
        return super().get_context_data(**kwargs) | {
            "title": _("Help"),
            "zone": self.zone.key,
            "files": [
                {"label": label, "columns": [(c.column_name, c.label) for c in columns_of(kind)]}
                for label, kind in (
                    (_("Basic list"), BasicResource),
                    (_("Complete list"), CompleteResource),
                )
            ],
            "fields": [(one.label(language), one.key, one.get_type_display()) for one in fields],
            "step_up_minutes": settings.STEP_UP_MINUTES,
        }
