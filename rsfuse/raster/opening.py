"""The one door through which rasters are opened: memory bounded, no noise from GDAL, errors that name the file."""

from __future__ import annotations

import os
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from xml.etree.ElementTree import SubElement, tostring

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from rsfuse.errors import SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.vrt import show, vrt_on

GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError)
"""Whatever rasterio raises when GDAL fails: it wraps most of GDAL's errors, not all."""

_CACHE_MB = 256  # decoded blocks kept by GDAL; its own default of 5 % of the memory is 6 GB on a machine with 128
_warnings = threading.Lock()  # Python's list of warning filters belongs to all threads


def bound_cache(megabytes: int = _CACHE_MB) -> None:
    """Keep GDAL's cache of decoded blocks small, unless the user has chosen a size.

    GDAL reads this setting once, at its first input or output, and it holds for the whole process. A `rasterio.Env`
    would not do: on leaving the first of several open ones the bound falls for all.
    """
    if os.environ.get("GDAL_CACHEMAX", str(_CACHE_MB)) == str(_CACHE_MB):  # a process inherits what its parent has set
        os.environ["GDAL_CACHEMAX"] = str(megabytes)


class Closing(ABC):
    """What holds files open: close it, or say `with`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def quiet() -> Iterator[None]:
    """Let rasters without coordinates be opened without a warning: whoever needs coordinates checks for them."""
    bound_cache()
    with _warnings, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def open_raster(path: Path) -> DatasetReader:
    """A raster, open for reading.

    Raises:
        SceneError: if it is missing or not a raster.
    """
    if not path.exists():
        raise SceneError(f"{path} does not exist", hint="check the path")
    return open_source(str(path), str(path))


def open_source(source: str, name: str) -> DatasetReader:
    """Whatever GDAL opens: a path, a member of an archive, the text of a virtual raster.

    Args:
        source: in GDAL's words.
        name: of it in messages.

    Raises:
        SceneError: if it is not a raster.
    """
    try:
        with quiet():
            return rasterio.open(source)
    except GDAL_ERRORS as error:
        raise SceneError(
            f"{name} cannot be read as a raster: {_told(error)}",
            hint="give a raster that GDAL knows, such as a GeoTIFF; rsfuse doctor lists the formats",
        ) from error


@contextmanager
def reading(path: Path | str, window: Window) -> Iterator[None]:
    """Turn what goes wrong while a window is read into an error of the user's.

    Raises:
        SceneError: naming the file and the window.
    """
    try:
        yield
    except GDAL_ERRORS as error:
        raise SceneError(
            f"{path} cannot be read at row {window.row_off:.0f}, column {window.col_off:.0f} "
            f"({window.height:.0f} x {window.width:.0f} px): {_told(error)}",
            hint="the file is probably truncated: copy or download it again",
        ) from error


def open_plain(path: Path, file: DatasetReader) -> DatasetReader:
    """A view of an open raster as plain numbers: complex ones as their amplitude, and no band as transparency.

    A warp of the view never mixes phases, which would cancel, and mixes a band that is falsely called transparency
    like any other.
    """
    root = vrt_on(Grid(file.crs, file.transform, file.shape))
    for number, (dtype, nodata) in enumerate(zip(file.dtypes, file.nodatavals, strict=True), 1):
        band = SubElement(root, "VRTRasterBand", dataType="Float32", band=str(number))
        if nodata is not None:
            SubElement(band, "NoDataValue").text = repr(nodata)
        if dtype.startswith("complex"):
            band.set("subClass", "VRTDerivedRasterBand")
            SubElement(band, "PixelFunctionType").text = "mod"
            SubElement(band, "SourceTransferType").text = "CFloat32"
        show(band, path, number, beside=False)
    with quiet():
        return rasterio.open(tostring(root, "unicode"))


def _told(error: BaseException) -> str:
    """What GDAL said: rasterio keeps it in the cause, and says only where to look itself."""
    cause = error.__cause__ or error
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
