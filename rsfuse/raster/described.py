"""What a raster says of its bands, carried over to another."""

from __future__ import annotations

from collections.abc import Sequence

from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader, DatasetWriter


def describe_like(target: DatasetWriter, like: DatasetReader, bands: Sequence[int]) -> None:
    """Names, units, scales, offsets and colours of bands, which become those of a new raster in this order.

    Args:
        target: open for writing, with as many bands.
        like: the raster that says it.
        bands: of it, counted from 1.
    """
    at = [band - 1 for band in bands]
    target.descriptions = [like.descriptions[each] for each in at]
    target.units = [like.units[each] or "" for each in at]
    target.scales, target.offsets = [like.scales[each] for each in at], [like.offsets[each] for each in at]
    colors = [like.colorinterp[each] for each in at]  # what was asked for as data is no transparency
    target.colorinterp = [ColorInterp.undefined if each == ColorInterp.alpha else each for each in colors]
