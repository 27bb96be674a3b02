"""The switch of language."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.i18n import LANGUAGE_QUERY_PARAMETER, set_language

from backoffice.staff.actions import choose_language
from backoffice.staff.models import StaffMember


@method_decorator(login_not_required, name="dispatch")
class SetLanguage(View):
    """Keeps the language on this browser and, for a member, with the account."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        language = request.POST.get(LANGUAGE_QUERY_PARAMETER, "")
        if isinstance(request.user, StaffMember) and language in dict(settings.LANGUAGES):
            choose_language(staff=request.user, language=language)
        return set_language(request)
