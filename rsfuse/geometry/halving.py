"""Class codes at half the size: what an overview of a map shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsfuse.legend import NODATA

Codes = NDArray[np.uint8]


def halved(codes: Codes) -> Codes:
    """The most frequent class of every four pixels, of equals the first of them; no data only where all four have none.

    Args:
        codes: (h, w); of an odd row or column at the end, two pixels or one stand for four.

    Returns:
        codes: (h / 2, w / 2), rounded up.
    """
    height, width = codes.shape
    if height % 2 or width % 2:
        codes = np.pad(codes, ((0, height % 2), (0, width % 2)), constant_values=NODATA)
    # copies side by side: numpy compares these ten times as fast as every other pixel
    first, second, third, fourth = (codes[row::2, column::2].copy() for row in (0, 1) for column in (0, 1))
    # from the last resort to the best choice; each goes before those above it
    chosen = fourth
    for code in (third, second, first):
        chosen = _either(code, chosen, code != NODATA)
    for one, other in (
        (third, fourth),
        (second, fourth),
        (second, third),
        (first, fourth),
        (first, third),
        (first, second),
    ):
        chosen = _either(one, chosen, (one == other) & (one != NODATA))
    return chosen


def _either(one: Codes, other: Codes, where: NDArray[np.bool_]) -> Codes:
    """One where a condition holds and the other elsewhere, by bits: several times as fast as np.where."""
    chosen: Codes = other ^ ((one ^ other) & np.negative(where.view(np.uint8)))
    return chosen
