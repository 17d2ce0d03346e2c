"""The files of a mosaic: few are open at a time, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from rsfuse.raster.opening import Closing

_OPEN = 200  # a process may have some 1,000 files open

Opened = TypeVar("Opened", bound=Closing)


class Shelf(Closing, Generic[Opened]):
    """Opens what is asked for by number, and closes what was not asked for the longest.

    Args:
        open_number: opens one of them.
    """

    def __init__(self, open_number: Callable[[int], Opened]) -> None:
        self._open, self._kept = open_number, dict[int, Opened]()

    def take(self, number: int) -> Opened:
        """One of them, open."""
        found = self._kept.pop(number, None)
        if found is None:
            if len(self._kept) >= _OPEN:
                self._kept.pop(next(iter(self._kept))).close()
            found = self._open(number)
        self._kept[number] = found
        return found

    def close(self) -> None:
        """Let go of all."""
        while self._kept:
            self._kept.popitem()[1].close()
