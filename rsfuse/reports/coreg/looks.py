"""Looks at a pair, each with a name and a colour of its own all over the page."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.registration import TileShifts
from rsfuse.geometry.shift_field import Floats
from rsfuse.raster.registration.checked import Checked
from rsfuse.reports.html.markup import figure

BEFORE, AFTER = "#b34700", "#0067a8"
"""Vermilion and blue, which no colour blindness mixes up, dark enough for text on white."""


@dataclass(frozen=True)
class Look:
    """One look at the pair.

    Args:
        name: "before" or "after" the SAR was moved; "as it is" where it was not.
        color: of what is drawn of it.
        checked: what was seen.
    """

    name: str
    color: str
    checked: Checked

    @property
    def accepted(self) -> NDArray[np.intp]:
        """(n,) numbers of the tiles that were accepted."""
        return np.flatnonzero(self.checked.found.tiles.is_accepted)

    @property
    def shifts(self) -> Floats:
        """(n, 2) dx and dy of these."""
        return self.checked.found.tiles.shifts[self.accepted]

    @property
    def lengths(self) -> Floats:
        """(n,) lengths of these."""
        lengths: Floats = np.hypot(*self.shifts.T)
        return lengths


def looks(before: Checked, after: Checked | None) -> tuple[Look, ...]:
    """One, or two of a pair that was corrected."""
    if after is None:
        return (Look("as it is", AFTER, before),)
    return Look("before", BEFORE, before), Look("after", AFTER, after)


def shift_told(tiles: TileShifts, at: int) -> str:
    """The shift of one tile, and how sure it is."""
    dx, dy = tiles.shifts[at].tolist()
    told = f"{figure(dx, signed=True)}, {figure(dy, signed=True)} px ({figure(math.hypot(dx, dy))} px)"
    return f"{told}, peak {figure(tiles.peaks[at])}, margin {figure(tiles.margins[at])}"
