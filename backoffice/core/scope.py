"""What a figure is asked of: one project, and the platforms that it is narrowed to."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Scope:
    """A project, and the platforms where the accounts counted were created."""

    project_id: int
    zone: ZoneInfo
    platform_ids: tuple[int, ...] = ()
    """None of them means all."""

    @property
    def platforms(self) -> list[int] | None:
        """Return the platforms for SQL: an array, or NULL for all."""
        return list(self.platform_ids) or None
