"""A raster moved to where another says that it lies: by its coordinates alone, or by resampling it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import DatasetReader, DatasetWriter
from rasterio.windows import Window

from rsfuse.geometry.correction import Correction
from rsfuse.geometry.grid import Grid, window_of
from rsfuse.geometry.resampling import sampled
from rsfuse.raster.aligned import AlignedRaster
from rsfuse.raster.cog import DRAFT, write_cog
from rsfuse.raster.described import describe_like
from rsfuse.raster.disk import check_space, writing
from rsfuse.raster.footprint import carried
from rsfuse.raster.map_layer import BLOCK
from rsfuse.raster.native import alpha_bands
from rsfuse.raster.opening import Closing, open_raster, quiet
from rsfuse.raster.registration.measure import Progress
from rsfuse.raster.registration.overlay import Overlay
from rsfuse.raster.scene import Bands, Scene
from rsfuse.raster.statistics import sar_unit

_EVERY = 32  # px between places where the field is asked
_TAG = "RSFUSE_COREG"


def write_aligned(overlay: Overlay, correction: Correction, path: Path, progress: Progress) -> None:
    """The SAR raster of a pair, all bands at its own resolution, to lie on the optical one.

    A shift that is the same everywhere changes coordinates only: every pixel stays what it is. Any other field is
    resampled on the grid that the raster has; between its pixels values are bilinear, of dB in power.

    Args:
        overlay: the pair, in whose pixels the field is told.
        correction: see there.
        path: cloud optimised GeoTIFF to write; what is there is replaced in one go.
        progress: told (done, total) of blocks.

    Raises:
        OutputError: if the disk is full.
        SceneError: if the raster is truncated or damaged.
    """
    with ExitStack() as opened:
        opened.enter_context(writing(path))
        file = opened.enter_context(open_raster(overlay.paths[1]))
        folder = Path(opened.enter_context(TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent)))
        size = sum(np.dtype(dtype).itemsize for dtype in file.dtypes) * file.height * file.width
        check_space(path, size * 8 // 3)  # the raster, the same with overviews, and these once more
        if correction.kind == "shift" and file.crs is not None:
            draft = folder / "moved.vrt"
            _draft_moved(overlay.paths[1], _moved(file, overlay.grid, correction), draft)
        else:
            draft = folder / "aligned.tif"
            with _Resampling(overlay, correction, file) as resampling:
                resampling.write(draft, progress)
        finished = folder / "aligned.cog.tif"
        plain = not any(dtype.startswith("complex") for dtype in file.dtypes)
        write_cog(draft, finished, resampling="AVERAGE" if plain else "NEAREST", predictor=plain)
        finished.replace(path)


def _moved(file: DatasetReader, grid: Grid, correction: Correction) -> Affine:
    """The transform of a file whose pixels all lie aside by the same in pixels of a grid."""
    own = Grid(file.crs, file.transform, file.shape)
    middle = np.array([[grid.width / 2, grid.height / 2]])
    start, end = carried(np.concatenate([middle, middle + correction.field.at(middle)]), grid, own)
    moved: Affine = file.transform * Affine.translation(*(start - end).tolist())
    return moved


def _draft_moved(source: Path, transform: Affine, draft: Path) -> None:
    """A virtual raster that shows a file elsewhere."""
    with quiet():
        rasterio.shutil.copy(source, draft, driver="VRT")
    tree = ElementTree.parse(draft)
    root = tree.getroot()
    for node in [*root.findall("GeoTransform"), *root.findall("GCPList")]:
        root.remove(node)
    ElementTree.SubElement(root, "GeoTransform").text = ", ".join(map(repr, transform.to_gdal()))
    about = root.find("Metadata")
    if about is None:
        about = ElementTree.SubElement(root, "Metadata")
    ElementTree.SubElement(about, "MDI", key=_TAG).text = "shift"
    tree.write(draft)


class _Resampling(Closing):
    """A raster read where a field says that its pixels are.

    Args:
        overlay: a pair, of which the SAR raster is resampled.
        correction: the field, in pixels of the overlay.
        file: the SAR raster, for what is told of it.
    """

    def __init__(self, overlay: Overlay, correction: Correction, file: DatasetReader) -> None:
        source = overlay.paths[1]
        self._overlay, self._correction, self._file = overlay, correction, file
        transparent = set(alpha_bands(file)).difference(overlay.bands.sar or ())
        self._bands = tuple(band for band in file.indexes if band not in transparent)
        self._raster = AlignedRaster(source, bands=self._bands)
        self._own = overlay.grid if file.crs is None else self._raster.grid
        with Scene(None, source, bands=Bands(sar=self._bands)) as scene:
            units = [
                sar_unit(told, band.dtype, band.percentiles[50])
                for told, band in zip(self._raster.units, scene.statistics().sar, strict=True)
            ]
        self._in_db = np.array([unit.lower() == "db" for unit in units])
        dtype = np.result_type(*self._raster.dtypes)
        self._dtype = np.dtype(np.float32) if dtype.kind == "c" else dtype
        self._nodata = np.nan if file.nodata is None and self._dtype.kind == "f" else file.nodata

    def write(self, path: Path, progress: Progress) -> None:
        """Block by block into a GeoTIFF."""
        windows = list(_blocks(self._own))
        place = {"crs": self._own.crs, "transform": self._own.transform, "nodata": self._nodata}
        size = {"width": self._own.width, "height": self._own.height, "count": len(self._bands), "dtype": self._dtype}
        with ExitStack() as opened:
            opened.enter_context(rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True))
            with quiet():
                target = opened.enter_context(rasterio.open(path, "w", **DRAFT, **place, **size))
            self._describe(target)
            for done, window in enumerate(windows, 1):
                pixels, valid = self._read(window)
                target.write(self._stored(pixels, valid), window=window)
                if self._nodata is None:
                    target.write_mask(valid, window=window)
                progress(done, len(windows))

    def _read(self, window: Window) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        places = self._places(window)
        (top, left), (bottom, right) = places.min((1, 2)), places.max((1, 2))
        rows = max(int(np.floor(top)), 0), min(int(np.floor(bottom)) + 2, self._own.height)
        columns = max(int(np.floor(left)), 0), min(int(np.floor(right)) + 2, self._own.width)
        if rows[0] >= rows[1] or columns[0] >= columns[1]:
            nothing = np.zeros((int(window.height), int(window.width)), np.bool_)
            return np.zeros((len(self._bands), *nothing.shape), np.float32), nothing
        needed = window_of(rows, columns)
        pixels, valid = self._raster.read_stored(needed)
        pixels[self._in_db] = 10 ** (pixels[self._in_db] / 10)
        mixed, found = sampled(pixels, valid, places - [[[rows[0]]], [[columns[0]]]])
        mixed[self._in_db] = 10 * np.log10(np.where(found, mixed[self._in_db], 1))
        return mixed, found

    def _places(self, window: Window) -> NDArray[np.float64]:
        """Rows and columns (2, h, w) of the file where the pixels of a window are; 0 is the middle of the first."""
        rows, down = _knots(int(window.row_off), int(window.height))
        columns, across = _knots(int(window.col_off), int(window.width))
        here = np.stack(np.meshgrid(columns + 0.5, rows + 0.5), -1)
        grid = self._overlay.grid
        there = carried(here, self._own, grid)
        there += self._correction.field.at(there.reshape(-1, 2)).reshape(there.shape)
        back = carried(there, grid, self._own) - 0.5
        known = np.nan_to_num(np.moveaxis(back[..., ::-1], -1, 0), nan=-_EVERY)  # beyond the edge
        places: NDArray[np.float64] = down @ known @ across.T
        return places

    def _stored(self, pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
        if self._dtype.kind in "iu":
            limits = np.iinfo(str(self._dtype))
            pixels = np.clip(np.rint(pixels), limits.min, limits.max)
        stored = pixels.astype(self._dtype)
        stored[:, ~valid] = 0 if self._nodata is None else self._nodata
        return stored

    def _describe(self, target: DatasetWriter) -> None:
        """What is told of the file, but not where points lie in pixels nor statistics: both have changed."""
        tags = self._file.tags()
        target.update_tags(**{key: value for key, value in tags.items() if key != "AREA_OR_POINT"})
        target.update_tags(**{_TAG: self._correction.kind})
        describe_like(target, self._file, self._bands)

    def close(self) -> None:
        """Let go of the file."""
        self._raster.close()


def _blocks(grid: Grid) -> Iterator[Window]:
    for top in range(0, grid.height, BLOCK):
        for left in range(0, grid.width, BLOCK):
            yield Window(left, top, min(BLOCK, grid.width - left), min(BLOCK, grid.height - top))


def _knots(start: int, length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places every so often along an axis, and the weights (length, n) with which pixels lie between these."""
    count = -(-length // _EVERY) + 1
    knots = start + _EVERY * np.arange(count, dtype=np.float64)
    between = np.arange(length) / _EVERY
    weights = np.clip(1 - np.abs(between[:, None] - np.arange(count)), 0, None)
    return knots, weights
