"""Ring: rows of a tall raster in a buffer of few, each where its number says, without ever being moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Ring:
    """Where rows lie in a buffer that holds some of them: row r at r modulo `rows`."""

    rows: int

    def segments(self, first: int, count: int) -> Iterator[tuple[slice, slice]]:
        """Consecutive rows as one or two runs: where each lies in the buffer, and where among the rows asked for.

        Raises:
            ValueError: if more are asked for than the buffer holds.
        """
        if count > self.rows:
            raise ValueError(f"{count} rows in a ring of {self.rows}")
        done = 0
        while done < count:
            at = (first + done) % self.rows
            run = min(count - done, self.rows - at)
            yield slice(at, at + run), slice(done, done + run)
            done += run
