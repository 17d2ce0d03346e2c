"""Plan: which patches of a raster are read, and which pixels each of them answers for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from rasterio.windows import Window

from rsfuse.errors import SceneError

T = TypeVar("T")


@dataclass(frozen=True)
class Patch:
    """A tile-sized part of a raster in flight.

    Args:
        read: the pixels the network sees; always the plan's full size, so it may hang over the lower or right edge.
        keep: the pixels this patch answers for where patches are cropped; inside the raster, and no two overlap.
    """

    read: Window
    keep: Window


@dataclass(frozen=True)
class Plan:
    """The covering of a raster, or of a part of it, by patches: integers only, made before anything is read.

    Args:
        shape: (height, width) of the raster.
        size: (height, width) of every patch.
        tops: first row of each row of patches, ascending.
        lefts: first column of each column of patches, ascending.
        part: (first row, past the last, first column, past the last) of what is wanted; None for all.
    """

    shape: tuple[int, int]
    size: tuple[int, int]
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    part: tuple[int, int, int, int] | None = None

    @classmethod
    def sliding(cls, height: int, width: int, *, size: int, halo: int = 0, multiple: int = 1) -> Plan:
        """Square patches that overlap by twice the halo, as few as can cover the raster.

        The last patch of a row is moved back so that it ends with the raster: nothing is padded unless the raster
        is smaller than one patch. With a multiple, all patches begin at one and are one wide, for which they may be
        larger, overlap more, and hang over a raster whose sides are none, by less than the multiple.

        Raises:
            SceneError: if nothing of a patch is left between its two halos.
        """
        size = math.ceil(size / multiple) * multiple
        step = (size - 2 * halo) // multiple * multiple
        if step <= 0 or halo < 0:
            raise SceneError(
                f"patches of {size} px with a halo of {halo} px on each side leave {step} px between the halos",
                hint=f"choose a halo between 0 and {(size - multiple) // 2}",
            )
        tops, lefts = (_starts(math.ceil(side / multiple) * multiple, size, step) for side in (height, width))
        return cls((height, width), (size, size), tops, lefts)

    @classmethod
    def whole(cls, height: int, width: int, *, window: Window | None = None, multiple: int = 1) -> Plan:
        """One patch that sees everything, or all of a window inside; its sides are rounded up to a multiple."""
        seen = window or Window(0, 0, width, height)
        padded = math.ceil(seen.height / multiple) * multiple, math.ceil(seen.width / multiple) * multiple
        return cls((height, width), padded, (int(seen.row_off),), (int(seen.col_off),)).within(seen)

    def within(self, window: Window) -> Plan:
        """The patches of this plan that a window inside the raster needs: it comes out as it does of the whole."""
        top, left = int(window.row_off), int(window.col_off)
        bottom, right = top + int(window.height), left + int(window.width)
        return replace(
            self,
            tops=tuple(start for start in self.tops if start < bottom and start + self.size[0] > top),
            lefts=tuple(start for start in self.lefts if start < right and start + self.size[1] > left),
            part=(top, bottom, left, right),
        )

    @property
    def rows(self) -> tuple[int, int]:
        """First row that is wanted, and past the last."""
        return self.part[:2] if self.part else (0, self.shape[0])

    @property
    def columns(self) -> tuple[int, int]:
        """First column that is wanted, and past the last."""
        return self.part[2:] if self.part else (0, self.shape[1])

    def __len__(self) -> int:
        return len(self.tops) * len(self.lefts)

    def __iter__(self) -> Iterator[Patch]:
        """Patches from left to right, row of patches by row of patches."""
        rows = keeps(self.tops, self.size[0], self.rows)
        columns = keeps(self.lefts, self.size[1], self.columns)
        for top, (first_row, last_row) in zip(self.tops, rows, strict=True):
            for left, (first_column, last_column) in zip(self.lefts, columns, strict=True):
                yield Patch(
                    read=Window(left, top, self.size[1], self.size[0]),
                    keep=Window(first_column, first_row, last_column - first_column, last_row - first_row),
                )


def _starts(length: int, size: int, step: int) -> tuple[int, ...]:
    """Where the ceil((length - size) / step) + 1 patches along one axis begin."""
    last = max(length - size, 0)
    return (*range(0, last, step), last)


def keeps(starts: tuple[int, ...], size: int, wanted: tuple[int, int]) -> list[tuple[int, int]]:
    """Where each patch along one axis answers, (first, past the last): neighbours meet in mid-overlap."""
    ends = [start + size for start in starts]
    borders = [(begin + end) // 2 for begin, end in zip(starts[1:], ends, strict=False)]
    borders = [min(max(border, wanted[0]), wanted[1]) for border in borders]
    return list(zip([wanted[0], *borders], [*borders, wanted[1]], strict=True))


def spread(items: Sequence[T], count: int) -> list[T]:
    """So many of a sequence at most, evenly spread, first and last among them."""
    places = np.linspace(0, len(items) - 1, min(len(items), count)).round().astype(int)
    return [items[place] for place in places]
