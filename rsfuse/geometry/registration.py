"""Do two images lie on each other? What the shifts of many tiles say together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.shift_field import FittedField, Floats, fit_affine

Outcome = Literal["pass", "fail", "inconclusive"]

_LEAST_TILES, _LEAST_SHARE, _LEAST_IN_QUADRANT = 30, 0.15, 5


class TileState(IntEnum):
    """What became of a tile."""

    ACCEPTED = 0
    REJECTED = 1
    """Nothing stood out clearly enough, or it lay on the border of what was searched."""
    FLAT = 2
    """Hardly any texture in one of the two images, as over open water."""
    EMPTY = 3
    """Too little data in one of the two."""


@dataclass(frozen=True)
class TileShifts:
    """Shifts of n tiles of one image against another, in pixels of the grid that both were brought to.

    Args:
        places: (n, 2) x and y of their middles.
        shifts: (n, 2) dx and dy, right and down positive; NaN where nothing was measured.
        peaks: (n,) correlation there.
        margins: (n,) how much higher it is than elsewhere.
        states: (n,) of `TileState`.
        shape: rows and columns of the grid.
    """

    places: Floats
    shifts: Floats
    peaks: Floats
    margins: Floats
    states: NDArray[np.uint8]
    shape: tuple[int, int]

    def count(self, state: TileState) -> int:
        """How many tiles are in a state."""
        return int((self.states == state).sum())

    @property
    def is_accepted(self) -> NDArray[np.bool_]:
        """(n,) which tiles count."""
        accepted: NDArray[np.bool_] = self.states == TileState.ACCEPTED
        return accepted


@dataclass(frozen=True)
class Limits:
    """What passes, in pixels.

    Args:
        ce90: of the lengths of all shifts that were accepted, nine of ten must not be above this.
        median: nor may the length of the median shift be above this.
    """

    ce90: float = 1.0
    median: float = 0.5


@dataclass(frozen=True)
class Verdict:
    """Whether a pair passes, and why."""

    outcome: Outcome
    why: str


class Registration:
    """Figures of one pair, in pixels; those of shifts are NaN where no tile was accepted.

    Args:
        tiles: what was measured.
    """

    def __init__(self, tiles: TileShifts) -> None:
        self.tiles = tiles
        accepted = tiles.is_accepted
        self._places, self._shifts = tiles.places[accepted], tiles.shifts[accepted]
        self.accepted: tuple[Floats, Floats] = self._places, self._shifts
        """Places (n, 2) and shifts (n, 2) of the tiles that count."""
        self._lengths = np.hypot(*self._shifts.T)

    @property
    def median(self) -> tuple[float, float]:
        """Median dx and dy."""
        return (float(np.median(self._shifts[:, 0])), float(np.median(self._shifts[:, 1]))) if self._any else _NOTHING

    @property
    def rmse(self) -> float:
        """Root of the mean square of the lengths of shifts; with it comes the noise of matching."""
        return float(np.sqrt(np.mean(self._lengths**2))) if self._any else np.nan

    @property
    def debiased_rmse(self) -> float:
        """The same less what matching alone would give: sqrt(rmse^2 - 2 noise^2), 0 where noise is all."""
        return float(np.sqrt(max(self.rmse**2 - 2 * self.noise**2, 0.0))) if self._any else np.nan

    @property
    def noise(self) -> float:
        """Spread of one component around the affine field: of matching, and of what no affine field explains."""
        return self.fitted.sigma if self.fitted else np.nan

    def ce(self, per_cent: float) -> float:
        """Circular error: so many per cent of the shifts are no longer than this."""
        return float(np.percentile(self._lengths, per_cent)) if self._any else np.nan

    @cached_property
    def fitted(self) -> FittedField | None:
        """The affine field of the tiles that were accepted; None of fewer than ten."""
        return fit_affine(self._places, self._shifts) if len(self._shifts) >= 10 else None

    @property
    def is_affine(self) -> bool:
        """Whether an affine field explains four of five tiles; where it does not, shifts vary from place to place."""
        return self.fitted is not None and bool(self.fitted.inliers.mean() >= 0.8)

    def verdict(self, limits: Limits = Limits()) -> Verdict:
        """Pass or fail, or too little to tell."""
        doubt = self._doubt()
        if doubt:
            return Verdict("inconclusive", doubt)
        ce90, median = self.ce(90), float(np.hypot(*self.median))
        told = f"CE90 {ce90:.2f} px (at most {limits.ce90:g}), median {median:.2f} px (at most {limits.median:g})"
        return Verdict("pass" if ce90 <= limits.ce90 and median <= limits.median else "fail", told)

    def _doubt(self) -> str:
        accepted, tiles = len(self._shifts), self.tiles
        measured = accepted + tiles.count(TileState.REJECTED)
        if accepted < _LEAST_TILES:
            return f"{accepted} of {len(tiles.states)} tiles were accepted, at least {_LEAST_TILES} are needed"
        if accepted < _LEAST_SHARE * measured:
            return f"{accepted} of {measured} tiles with texture were accepted, at least {_LEAST_SHARE:.0%} are needed"
        right, below = (self._places > np.array(tiles.shape[::-1]) / 2).T
        quadrants = np.bincount(2 * below + right, minlength=4)
        full = int((quadrants >= _LEAST_IN_QUADRANT).sum())
        if full < 3:
            return f"{full} of 4 quadrants have {_LEAST_IN_QUADRANT} accepted tiles, at least 3 are needed"
        return ""

    @property
    def _any(self) -> bool:
        return len(self._shifts) > 0


_NOTHING = np.nan, np.nan
