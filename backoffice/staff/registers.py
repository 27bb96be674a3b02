"""What every register shares: a strict filter, keyset pages, rows shown as plain values."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from backoffice.core.pagination import Cursor, CursorRefused, Ordering, Page, keyset_page
from backoffice.core.permissions import Permission
from backoffice.staff.filters import RegisterFilter
from backoffice.staff.pages import StaffPage, StaffRequest

PER_PAGE = 50


class Register(StaffPage):
    """
    A list of what was done or exists, newest first, narrowed by one filter in the address.

    A filter or page link that cannot be is answered 400, with words beside the field.
    """

    filterset_class: ClassVar[type[RegisterFilter]]
    ordering: ClassVar[Ordering]
    template_name: ClassVar[str]

    asked: RegisterFilter
    """The filter of this request, valid or not."""

    def get_queryset(self) -> QuerySet[Any]:
        """Return every row that this reader may see, in no order."""
        raise NotImplementedError

    def lines(self, rows: Sequence[Any]) -> list[Any]:
        """Return the rows of one page as the template shows them."""
        return list(rows)

    def get_context_data(self) -> dict[str, Any]:
        """Return what the template needs besides filter, page and lines."""
        return {}

    def get(self, request: StaffRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        asked = self.asked = self.filter_asked()
        page = self.page_of(asked)
        if page:
            self.read(asked)
        context = {
            "form": asked.form,
            "page": page,
            "lines": self.lines(page.rows) if page else [],
            "zone": self.zone,
            "clear_url": request.path,
        }
        return TemplateResponse(
            request,
            self.template_name,
            context | self.get_context_data(),
            status=HTTPStatus.OK if page else HTTPStatus.BAD_REQUEST,
        )

    def filter_asked(self) -> RegisterFilter:
        return self.filterset_class(
            self.request.GET,
            queryset=self.get_queryset(),
            project=self.project,
            now=self.now,
            sees_identity=self.may(Permission.USERS_SEE_IDENTITY),
        )

    def page_of(self, asked: RegisterFilter) -> Page[Model] | None:
        """Return the page asked for; `None`, with words in the form, for what cannot be."""
        if not asked.is_valid():
            return None
        try:
            after, before = (self._cursor(name) for name in ("after", "before"))
        except CursorRefused:
            asked.form.add_error(None, _("This page link has expired: start from the top."))
            return None
        return keyset_page(
            asked.qs,
            self.ordering,
            of=self._list,
            per_page=PER_PAGE,
            at=self.now,
            after=after,
            before=None if after else before,
        )

    def read(self, asked: RegisterFilter) -> None:
        """Do what the reading of this register calls for: nothing, for most."""

    def _cursor(self, name: str) -> Cursor | None:
        text = self.request.GET.get(name)
        return Cursor.decode(text, self.ordering, of=self._list) if text else None

    @property
    def _list(self) -> str:
        return f"{type(self).__name__} {self.project.pk}"
