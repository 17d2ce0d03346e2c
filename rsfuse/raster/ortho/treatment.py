"""What is done to pixels while an image is laid out, in the geometry of its sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.looks import multilook, reduced
from rsfuse.geometry.speckle.speckle_filter import SpeckleFilter
from rsfuse.raster.products.sar_calibration import Backscatter

Block = tuple[int, int]
"""Rows and columns of pixels that become one."""


class Strip(NamedTuple):
    """Whole rows of an image.

    Args:
        row: the first.
        pixels: (B, h, W), as the file has them.
        valid: (h, W), where the file says that they are data.
    """

    row: int
    pixels: NDArray[Any]
    valid: NDArray[np.bool_]


class Treatment(Protocol):
    """What is done to pixels in the geometry of the sensor."""

    @property
    def block(self) -> Block:
        """Rows and columns that become one pixel."""

    @property
    def halo(self) -> int:
        """Rows beyond a strip, of those that have become of it, on which its pixels depend."""

    def reduce(self, strip: Strip) -> NDArray[Any]:
        """Pixels of whole blocks, (b, h / rows, W / columns)."""

    def smooth(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Pixels (b, h, W) of which the halo at either end is cut off later."""


@dataclass(frozen=True)
class OpticalTreatment:
    """Digital numbers as they are, or their means over blocks.

    Unsigned pixels that are 0 in all bands are never data: that is what lies beyond the edges of every delivered image.

    Args:
        block: see `Treatment`.
    """

    block: Block = (1, 1)
    halo: int = 0

    def reduce(self, strip: Strip) -> NDArray[Any]:
        """Whole numbers of at most 16 bits as they are, 0 where there is no data; else float32, and NaN."""
        pixels, known = strip.pixels, strip.valid
        if self.block == (1, 1) and pixels.dtype in (np.uint8, np.uint16):
            return pixels if known.all() else np.where(known, pixels, 0)
        if pixels.dtype.kind == "u":
            known = known & pixels.any(0)
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
    block: Block = (1, 1)
    speckle: SpeckleFilter | None = None

    @property
    def halo(self) -> int:
        """That of the filter."""
        return 0 if self.speckle is None else self.speckle.halo

    def reduce(self, strip: Strip) -> NDArray[Any]:
        """Power (1, h, W), NaN where there is no data."""
        power = self.backscatter.power(strip.pixels, strip.row, 0)
        return (power if self.block == (1, 1) else multilook(power, *self.block))[None]

    def smooth(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Filtered."""
        return pixels if self.speckle is None else self.speckle(pixels[0])[None]
