"""Ids of rows that stay, remembered by the process that looked them up."""

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from django.db.models.signals import post_migrate
from django.dispatch import receiver

Key = TypeVar("Key")

_all: list["KnownIds[Any]"] = []


class KnownIds(Generic[Key]):
    """Ids by what names their rows, of committed rows alone; the oldest leave first."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._ids: dict[Key, int] = {}
        self._writing = threading.Lock()
        _all.append(self)

    def among(self, keys: Iterable[Key]) -> dict[Key, int | None]:
        """Return the id of each distinct key, None where it is not known here."""
        get = self._ids.get
        return {key: get(key) for key in keys}

    def add(self, ids: Mapping[Key, int]) -> None:
        """Remember committed rows."""
        with self._writing:
            self._ids.update(ids)
            while len(self._ids) > self._most:
                del self._ids[next(iter(self._ids))]

    def forget(self) -> None:
        """Forget all, for a process whose database was emptied or replaced."""
        with self._writing:
            self._ids.clear()


@receiver(post_migrate)
def forget_all(**_kwargs: Any) -> None:
    """Forget the rows that a flush may have taken."""
    for known in _all:
        known.forget()
