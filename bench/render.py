"""The table of 50 rows: what its template costs of CPU."""

from datetime import datetime
from typing import Any

from bench.harness import Report, cpu_times, largest_project

RUNS = 100


def measure(report: Report, now: datetime) -> None:
    """Time the rendering of the list's table, its context made before."""
    from django.template.loader import get_template

    template = get_template("users/_table.html")
    context = table_context(largest_project(), now)
    rows = len(context["table"]["rows"])
    times = cpu_times(lambda: template.render(context), runs=RUNS)
    report.at_most(f"table of {rows} rows, rendering", times.median, 8, "ms of CPU")


def table_context(project: Any, now: datetime) -> dict[str, Any]:
    """Return what the view gives the table's template, for an owner."""
    from django.test import RequestFactory

    from backoffice.core.permissions import ROLE_PERMISSIONS, Role
    from bench.harness import asked_of
    from users.views.user_list import UserList

    view = UserList()
    view.setup(RequestFactory().get("/users/"))
    view.now, view.project, view.zone = now, project, project.zone
    view.permissions = ROLE_PERMISSIONS[Role.OWNER]
    table = view._table(asked_of(project, now, "period=all"))  # noqa: SLF001  # What is timed.
    return {"table": table, "zone_name": project.zone.key}
