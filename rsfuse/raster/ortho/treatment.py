"""What is done to pixels while an image is laid out, in the geometry of its sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.looks import multilook, reduced
from rsfuse.geometry.speckle.speckle_filter import SpeckleFilter
from rsfuse.raster.products.sar_calibration import Backscatter

Block = tuple[int, int]
"""Rows and columns of pixels that become one."""


class Treatment(Protocol):
    """What is done to pixels in the geometry of the sensor."""

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns that become one pixel."""

    @property
    def halo(self) -> int:
        """Rows beyond a strip, of those that have become of it, on which its pixels depend."""

    def reduce(self, pixels: NDArray[Any], row: int) -> NDArray[Any]:
        """Pixels (B, h, W) from some row of the image on: those of whole blocks, (b, h / rows, W / columns)."""

    def smooth(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Pixels (b, h, W) of which the halo at either end is cut off later."""


@dataclass(frozen=True)
class OpticalTreatment:
    """Digital numbers as they are, or their means over blocks.

    Args:
        block: see `Treatment`.
        nodata: number of the file for no data; None where it has none. Unsigned pixels that are 0 in all bands never
            have any: that is what lies beyond the edges of every delivered image.
    """

    block: tuple[int, int] = (1, 1)
    nodata: float | None = None
    halo: int = 0

    def reduce(self, pixels: NDArray[Any], row: int) -> NDArray[Any]:
        """Whole numbers of at most 16 bits as they are, 0 where there is no data; else float32, and NaN."""
        known = np.asarray(pixels.any(0) if pixels.dtype.kind == "u" else np.isfinite(pixels).all(0), np.bool_)
        if self.nodata is not None:
            known &= (pixels != self.nodata).any(0)
        if self.block == (1, 1) and pixels.dtype in (np.uint8, np.uint16):
            return pixels if self.nodata in (None, 0) or known.all() else np.where(known, pixels, 0)
        means, known = reduced(pixels, known, *self.block)
        means[:, ~known] = np.nan
        return means

    def smooth(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """As they are."""
        return pixels


@dataclass(frozen=True)
class SarTreatment:
    """Digital numbers become power, blocks looks, and speckle less.

    Args:
        backscatter: by which they do.
        block: see `Treatment`.
        speckle: a filter; None for none.
    """

    backscatter: Backscatter
    block: tuple[int, int] = (1, 1)
    speckle: SpeckleFilter | None = None

    @property
    def halo(self) -> int:
        """That of the filter."""
        return 0 if self.speckle is None else self.speckle.halo

    def reduce(self, pixels: NDArray[Any], row: int) -> NDArray[Any]:
        """Power (1, h, W), NaN where there is no data."""
        power = self.backscatter.power(pixels, row, 0)
        return (power if self.block == (1, 1) else multilook(power, *self.block))[None]

    def smooth(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Filtered."""
        return pixels if self.speckle is None else self.speckle(pixels[0])[None]
