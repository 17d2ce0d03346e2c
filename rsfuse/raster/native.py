"""Bands of a file on its own grid, and where they have data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window


class NativeBands:
    """Some bands of an open file, read in windows that lie inside it.

    Args:
        file: open for reading; whoever opened it closes it.
        bands: counted from 1, in the order in which they are wanted.
        alpha: bands of transparency, which say where there is data.
        is_unsigned: whether the wanted bands hold unsigned numbers. These have none to spare for "no data": a dark
            lake may be 0 in one band. Only all bands tell.
    """

    def __init__(
        self, file: DatasetReader, bands: tuple[int, ...], *, alpha: tuple[int, ...], is_unsigned: bool
    ) -> None:
        self.file, self.bands, self.is_unsigned = file, bands, is_unsigned
        self.dtype: str = file.dtypes[bands[0] - 1]
        """What `read` gives if it may choose."""
        self._alpha = alpha
        # asked once: with each answer GDAL takes as long as for a thousand pixels
        self._nodata = [file.nodatavals[band - 1] for band in bands]
        flags = [file.mask_flag_enums[band - 1] for band in bands]
        self._only_numbers = all(flag in ([MaskFlags.nodata], [MaskFlags.all_valid]) for flag in flags)
        self._all_data = all(flag == [MaskFlags.all_valid] for flag in flags)
        self.knows_no_gaps: bool = self._all_data and not alpha
        """Whether the file says of every pixel that it is data (NaN may be among them)."""
        self.has_masks: bool = bool(alpha) or not self._only_numbers
        """Whether something other than a number in the band itself says where there is data."""

    def read(self, window: Window, dtype: DTypeLike | None = None) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Pixels (C, h, w) of a window and where they are data (h, w); what stands elsewhere is as the file has it.

        Without a type they come in the file's own.
        """
        pixels = self.pixels(window, dtype)
        valid = np.ones(pixels.shape[1:], np.bool_)
        if np.issubdtype(pixels.dtype, np.floating):
            valid = np.isfinite(pixels).all(0)
        masks = self._masks(pixels, window)
        if masks:
            valid &= np.any(masks, axis=0) if self.is_unsigned else np.all(masks, axis=0)
        for band in self._alpha:
            valid &= np.asarray(self.file.read(band, window=window) > 0)
        return pixels, valid

    def pixels(self, window: Window, dtype: DTypeLike | None) -> NDArray[Any]:
        """The numbers (C, h, w) of a window as they stand in the file, data or not."""
        return np.asarray(self.file.read(self.bands, window=window, out_dtype=dtype))

    def nodata_masks(self, pixels: NDArray[Any]) -> list[NDArray[np.bool_]]:
        """For each band (h, w), which of these pixels do not hold the number that the file gives for "no data"."""
        return [_differs(band, value) for band, value in zip(pixels, self._nodata, strict=True)]

    def _masks(self, pixels: NDArray[Any], window: Window) -> list[NDArray[np.bool_]]:
        """Where each band has data; nothing if the file knows no pixel without."""
        if self._all_data:
            return []
        if self._only_numbers:
            # the numbers are here already: GDAL would decode their blocks a second time to compare them
            return self.nodata_masks(pixels)
        return [mask > 0 for mask in self.file.read_masks(self.bands, window=window)]


def alpha_bands(file: DatasetReader) -> tuple[int, ...]:
    """Numbers of the bands that the file calls transparency."""
    return tuple(band for band, means in enumerate(file.colorinterp, 1) if means == ColorInterp.alpha)


def _differs(band: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    if nodata is None or (band.dtype.kind in "iu" and not nodata.is_integer()):
        return np.ones(band.shape, np.bool_)
    if band.dtype.kind in "iu":
        limits = np.iinfo(band.dtype)
        if not limits.min <= nodata <= limits.max:
            return np.ones(band.shape, np.bool_)
        return np.asarray(band != int(nodata))
    if np.isnan(nodata):
        return np.asarray(~np.isnan(band))
    with np.errstate(over="ignore"):  # the lowest float64 is minus infinity in a float32, as it is among the pixels
        return np.asarray(band != band.dtype.type(nodata))
