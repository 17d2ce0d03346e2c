"""Numbers for the scenes of a mosaic, so small that a byte tells whose each pixel is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def scene_numbers(boxes: NDArray[np.int64]) -> list[int]:
    """Numbers from 0 on; scenes whose boxes touch have different ones, as far as these go.

    Args:
        boxes: (n, 4) top, left, bottom, right of each.

    Returns:
        of each; more than a byte holds where so many scenes lie on one another.
    """
    numbers = np.full(len(boxes), -1)
    for at, (top, left, bottom, right) in enumerate(boxes.tolist()):
        before = boxes[:at]
        near = (before[:, 0] <= bottom) & (before[:, 2] >= top) & (before[:, 1] <= right) & (before[:, 3] >= left)
        taken = np.zeros(at + 1, np.bool_)
        taken[numbers[:at][near]] = True
        numbers[at] = np.flatnonzero(~taken)[0]
    found: list[int] = numbers.tolist()
    return found
