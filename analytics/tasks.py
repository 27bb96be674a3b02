"""Long work on figures."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from analytics.rules import RULES, change_rules
from backoffice.core.permissions import Permission
from backoffice.jobs.running import Running, job


@job(
    "analytics.change_rules",
    label=_("Apply settings to all figures"),
    permission=Permission.SETTINGS_EDIT,
)
def apply_rules(running: Running) -> dict[str, Any]:
    changes = {name: running.arguments[name] for name in RULES if name in running.arguments}
    changed = change_rules(
        project=running.project,
        changes=changes,
        actor=running.recorded_actor,
        now=running.now(),
    )
    return {"changed": changed}
