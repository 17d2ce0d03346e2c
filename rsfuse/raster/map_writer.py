"""A class map, written strip by strip into a hidden file and sealed at the end: a half-written map has no name."""

from __future__ import annotations

import glob
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.windows import Window

import rsfuse
from rsfuse.geometry.grid import Grid
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.disk import check_free, check_space, writing
from rsfuse.raster.opening import GDAL_ERRORS, quiet
from rsfuse.raster.painted import category_names, paint

BLOCK = 512
"""Side in pixels of the blocks of a map."""


class MapWriter:
    """A map on its way to the disk: strips from the top down, then sealed as a cloud optimised GeoTIFF.

    The map has class codes uint8, nodata 255, a colour table, class names, and overviews in which the most frequent
    class of four pixels stands for them. Memory is one row of blocks, whatever the height.

    Args:
        path: of the finished map.
        grid: where its pixels lie.
        legend: what the codes mean.
        overwrite: replace a map that is there.
        tags: whatever else the file shall say of itself.

    Raises:
        OutputError: if the path is taken, or its folder is missing.
    """

    def __init__(
        self,
        path: Path,
        grid: Grid,
        legend: Legend,
        *,
        overwrite: bool = False,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        check_free(path, overwrite=overwrite)
        self._path, self._grid, self._legend = path, grid, legend
        # beside the map: on the same disk, so that the last step is a change of name
        self._stem = f".{path.name}.{os.getpid()}."
        self._raw = path.with_name(f"{self._stem}part.tif")
        self._cog = path.with_name(f"{self._stem}cog.part.tif")
        self._rows = 0
        self._block = np.full((min(BLOCK, grid.height), grid.width), NODATA, np.uint8)
        self._checksum = 0
        with writing(path), quiet():
            self._file = rasterio.open(self._raw, "w", **_profile(grid))
        paint(self._file, legend)
        self._file.update_tags(**(tags or {}), TIFFTAG_SOFTWARE=f"rsfuse {rsfuse.__version__}")

    def write(self, top: int, codes: NDArray[np.uint8]) -> None:
        """Take the next rows.

        Args:
            top: first row; strips come in order and leave no gap.
            codes: (h, W), any h.

        Raises:
            OutputError: if the disk is full.
        """
        if top != self._rows or codes.shape[1:] != (self._grid.width,) or codes.dtype != np.uint8:
            raise ValueError(f"a strip {codes.dtype} {codes.shape} at row {top}, after {self._rows} rows")
        if top + len(codes) > self._grid.height:
            raise ValueError(f"{top + len(codes)} rows for a map of {self._grid.height}")
        self._checksum = zlib.crc32(codes.tobytes(), self._checksum)
        while len(codes):
            filled = self._rows % BLOCK
            taken = codes[: BLOCK - filled]
            self._block[filled : filled + len(taken)] = taken
            self._rows += len(taken)
            codes = codes[len(taken) :]
            if self._rows % BLOCK == 0 or self._rows == self._grid.height:
                self._flush()

    def _flush(self) -> None:
        """Write the row of blocks that is complete: each compressed block goes to the disk once."""
        count = (self._rows - 1) % BLOCK + 1
        rows = self._block[:count]
        check_space(self._path, rows.nbytes)
        with writing(self._path):
            self._file.write(rows, 1, window=Window(0, self._rows - count, self._grid.width, count))

    def seal(self) -> None:
        """Finish the map and give it its name.

        Raises:
            OutputError: if the disk is full.
        """
        if self._rows != self._grid.height:
            raise ValueError(f"{self._rows} rows of {self._grid.height} are there")
        with writing(self._path):
            self._file.close()
            # a third for overviews, and another while they are in a file of their own
            check_space(self._path, self._raw.stat().st_size * 5 // 3)
            with quiet():
                rasterio.shutil.copy(self._raw, self._cog, **_COG)
            self._verify()
            names = self._cog.with_name(f"{self._cog.name}.aux.xml")
            names.write_text(category_names(self._legend), encoding="utf-8")
            names.replace(self._path.with_name(f"{self._path.name}.aux.xml"))
            self._cog.replace(self._path)
        self._remove_parts()

    def _verify(self) -> None:
        """Read everything back: when GDAL closes a file on a full disk, nobody may hear of it."""
        checksums = [_checksum(self._cog, **level) for level in ({}, *_levels(self._cog))]
        if checksums[0] != self._checksum:
            raise OSError("what can be read is not what was written")

    def abort(self) -> None:
        """Leave nothing of this map; what was there before stays."""
        with suppress(*GDAL_ERRORS):
            self._file.close()
        self._remove_parts()

    def _remove_parts(self) -> None:
        for part in self._path.parent.glob(f"{glob.escape(self._stem)}*"):  # GDAL puts its own files beside ours
            part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.seal()
        finally:
            self.abort()


def _levels(path: Path) -> list[dict[str, int]]:
    """Options that open each overview of a file."""
    with quiet(), rasterio.open(path) as file:
        return [{"OVERVIEW_LEVEL": level} for level in range(len(file.overviews(1)))]


def _checksum(path: Path, **options: int) -> int:
    """Checksum of all pixels, row of blocks by row of blocks."""
    with quiet(), rasterio.open(path, **options) as file:
        checksum = 0
        for top in range(0, file.height, BLOCK):
            rows = Window(0, top, file.width, min(BLOCK, file.height - top))
            checksum = zlib.crc32(file.read(1, window=rows), checksum)
        return checksum


def _profile(grid: Grid) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": 1,
        "height": grid.height,
        "width": grid.width,
        "crs": grid.crs,
        "transform": grid.transform,
        "nodata": NODATA,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "DEFLATE",
        "zlevel": 1,  # it lives for minutes
        "bigtiff": "IF_SAFER",
        "num_threads": "ALL_CPUS",
    }


# no predictor: differences between class codes compress worse than the codes
_COG = {
    "driver": "COG",
    "compress": "DEFLATE",
    "predictor": "NO",
    "blocksize": BLOCK,
    "overviews": "IGNORE_EXISTING",
    "overview_resampling": "MODE",
    "bigtiff": "IF_SAFER",
    "num_threads": "ALL_CPUS",
}
