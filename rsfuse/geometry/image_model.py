"""What every way from the ground into an image can do: rational polynomials, control points, a grid."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS

Numbers = NDArray[np.float64]


class ImageModel(Protocol):
    """Where points on the ground lie in an image, and the other way round.

    Columns and rows count from the outer corner of the first pixel, whose centre is (0.5, 0.5).
    """

    @property
    def crs(self) -> CRS:
        """Of x and y; longitude is x, latitude y, in degrees, where it is geographic."""

    @property
    def heeds_height(self) -> bool:
        """Whether a point lies elsewhere in the image when it is higher."""

    def to_image(self, x: Numbers, y: Numbers, height: Numbers) -> tuple[Numbers, Numbers]:
        """Columns and rows of points, arrays of one shape; NaN where the model does not hold.

        Args:
            x: in units of the CRS.
            y: likewise.
            height: above the ellipsoid, in metres.
        """

    def to_ground(self, column: Numbers, row: Numbers, height: Numbers) -> tuple[Numbers, Numbers]:
        """Ground x and y of points of the image at some height, arrays of one shape; NaN where the model is void."""

    def reduced(self, rows: int, columns: int) -> ImageModel:
        """The model of the image in which blocks of so many rows and columns have become pixels."""
