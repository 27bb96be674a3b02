"""What the roll-ups of viewings should hold, for `check_figures`."""

from analytics.rollups import ROLLUPS
from backoffice.core.derived import Check


def checks() -> list[Check]:
    """Return the comparisons of the roll-ups with the raw viewings, in the order of repair."""
    return [rollup.check({"projects": None, "users": None}) for rollup in ROLLUPS]
