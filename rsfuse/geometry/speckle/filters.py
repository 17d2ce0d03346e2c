"""The speckle filters by name.

With c the pixel, m and v the mean and variance of the valid pixels of its window, Ci^2 = v / m^2, and Cu^2 the part of
that which is speckle:

| filter      | result                                                                                      |
|-------------|---------------------------------------------------------------------------------------------|
| lee         | m + w (c - m), w = 1 - Cu^2 / Ci^2, Cu^2 = 1 / looks                                        |
| refined-lee | likewise, of the half window on this side of an edge; Cu^2 is measured in the window, 7 x 7 |
| frost       | a mean with weights exp(-2 Ci^2 r), r the distance                                          |
| gamma-map   | m where Ci <= Cu, c where Ci^2 >= 2 Cu^2, the likeliest of gamma distributions between      |
"""

from __future__ import annotations

from typing import Literal, get_args

from rsfuse.geometry.speckle.frost import Frost
from rsfuse.geometry.speckle.gamma_map import GammaMap
from rsfuse.geometry.speckle.lee import Lee
from rsfuse.geometry.speckle.refined_lee import RefinedLee
from rsfuse.geometry.speckle.speckle_filter import SpeckleFilter

Filter = Literal["lee", "refined-lee", "frost", "gamma-map"]
FILTERS: tuple[Filter, ...] = get_args(Filter)

WINDOW = 7
"""Rows and columns of a window, where nobody says otherwise; those of refined Lee always."""


def speckle_filter(name: Filter, window: int = WINDOW, *, looks: float) -> SpeckleFilter:
    """A filter.

    Args:
        name: of the filter.
        window: rows and columns, an odd number from 3 on; refined Lee's is always 7.
        looks: of the image, see `estimate_enl` and `effective_looks`.

    Raises:
        ValueError: if the window is even or less than 3, or there are no looks.
    """
    if window < 3 or window % 2 == 0 or not looks > 0:
        raise ValueError(f"a window of {window} pixels, {looks} looks")
    match name:
        case "lee":
            return Lee(window // 2, looks)
        case "refined-lee":
            return RefinedLee(looks)
        case "frost":
            return Frost(window // 2)
        case "gamma-map":
            return GammaMap(window // 2, looks)
