"""Which field of shifts to correct an image by: no more general one than what was measured justifies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.local_field import LEAST_TILES, LocalField
from rsfuse.geometry.shift_field import AffineField, Floats, fit_affine

Kind = Literal["shift", "affine", "local"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_PARTS = 5
_BETTER = 0.9, 0.05  # a more general field leaves at most this share of the residual, and so many pixels less


class Field(Protocol):
    """Shifts (n, 2) at places (n, 2), both x before y."""

    def at(self, places: Floats) -> Floats:
        """See the class."""


@dataclass(frozen=True)
class Correction:
    """A field of shifts that an image is to lose.

    Args:
        kind: "shift" the same everywhere, "affine", or "local", from place to place.
        field: see there.
        held_out: pixels, for every kind: the median length of what it leaves where it was not fitted.
    """

    kind: Kind
    field: Field
    held_out: Mapping[Kind, float]


def choose(places: Floats, shifts: Floats, block: int, kind: Kind | None = None) -> Correction:
    """The simplest field that does nearly as well as the best where it was not fitted.

    Tiles lie in blocks; in turn a fifth of these is left out, and what a field of the others leaves there is measured
    (block cross-validation: Roberts et al., Ecography 40, 2017). Neighbours show partly the same, so that single tiles
    would not do.

    Args:
        places: (n, 2) x and y of tiles.
        shifts: (n, 2) dx and dy there; n is 30 at least, and they are not all on one line.
        block: side of a block.
        kind: what to take whatever is measured; None for the best.
    """
    part = _parts(places, block)
    held_out = {each: _left_over(_FITS[each], places, shifts, part) for each in KINDS}
    chosen = kind or KINDS[0]
    if kind is None:
        for each in KINDS[1:]:
            if held_out[each] < min(held_out[chosen] * _BETTER[0], held_out[chosen] - _BETTER[1]):
                chosen = each
    return Correction(chosen, _FITS[chosen](places, shifts), held_out)


def _parts(places: Floats, block: int) -> NDArray[np.intp]:
    """For every place, in which turn it is left out."""
    _, blocks = np.unique(places // block, axis=0, return_inverse=True)
    order = np.random.default_rng(0).permutation(int(blocks.max()) + 1)
    return order[blocks] % _PARTS


def _left_over(fit: Callable[[Floats, Floats], Field], places: Floats, shifts: Floats, part: NDArray[np.intp]) -> float:
    lengths = np.full(len(places), np.nan)
    for turn in range(_PARTS):
        out = part == turn
        if out.any() and (~out).sum() >= LEAST_TILES:
            lengths[out] = np.hypot(*(shifts[out] - fit(places[~out], shifts[~out]).at(places[out])).T)
    return float(np.nanmedian(lengths)) if np.isfinite(lengths).any() else float("nan")


def _same_everywhere(places: Floats, shifts: Floats) -> AffineField:
    return AffineField(np.zeros((2, 2)), np.median(shifts, 0))


def _affine(places: Floats, shifts: Floats) -> AffineField:
    return fit_affine(places, shifts).field


_FITS: Mapping[Kind, Callable[[Floats, Floats], Field]] = {
    "shift": _same_everywhere,
    "affine": _affine,
    "local": LocalField,
}
