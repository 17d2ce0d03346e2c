"""PanMsScene: a panchromatic and a multispectral raster of one place, each on its own grid."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.grid import Grid, window_of
from rsfuse.geometry.sharpening.filling import filled
from rsfuse.geometry.sharpening.filters import Filter, Span
from rsfuse.geometry.sharpening.placement import Along, Placement
from rsfuse.raster.aligned import AlignedRaster
from rsfuse.raster.footprint import coarseness
from rsfuse.raster.opening import Closing

_RATIOS = 1.5, 16.0  # of panchromatic to multispectral pixels
_UPRIGHT_PX = 0.01  # multispectral pixels that one grid may be turned against the other, from end to end

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PanMsSample:
    """The pixels of a window, in digital numbers.

    Args:
        pan: (1, h, w).
        ms: (B, h / ratio, w / ratio), on the panchromatic grid made coarser by the whole ratio.
        valid: (h, w) where both have data.
    """

    pan: Image
    ms: Image
    valid: Mask


@dataclass(frozen=True)
class FineWindow:
    """Both images at the panchromatic pixels of a window.

    Args:
        exp: (B, h, w), the multispectral bands interpolated.
        pan: (1, h, w).
        valid: (h, w) where both have data.
        limits: the lowest and the highest number of both, before any was interpolated.
    """

    exp: Image
    pan: Image
    valid: Mask
    limits: tuple[float, float]


@dataclass(frozen=True)
class _Asked:
    pan: Path
    ms: Path
    bands: tuple[int, ...] | None
    shift: tuple[float, float]


class PanMsScene(Closing):
    """Two rasters of one place, open for reading. One thread at a time.

    A multispectral raster whose pixels lie upright among the panchromatic ones is read as it is stored, whatever its
    ratio and offset; another is warped to the panchromatic grid made coarser. Without coordinates both are taken to
    cover the same ground.

    Args:
        pan: a raster of one band that GDAL reads.
        ms: likewise of some bands, of pixels 1.5 to 16 times as large.
        bands: of the multispectral raster, in this order, counted from 1; None for all but transparency.
        shift: (right, down) by which the multispectral image lies aside of the panchromatic one, in its own pixels.

    Raises:
        SceneError: if a file is missing, not a raster, or lacks a band.
        GridMismatchError: if the two do not overlap, or the ratio of their pixels is none.
    """

    def __init__(
        self, pan: Path, ms: Path, *, bands: tuple[int, ...] | None = None, shift: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        self._asked = _Asked(pan, ms, bands, shift)
        with ExitStack() as opened:
            self._pan = opened.enter_context(AlignedRaster(pan))
            if len(self._pan.dtypes) != 1:
                raise SceneError(
                    f"{pan} has {len(self._pan.dtypes)} bands, a panchromatic raster has one",
                    hint="name the panchromatic raster before the other, or take a band out: gdal_translate -b N",
                )
            self.grid: Grid = self._pan.grid
            own = opened.enter_context(AlignedRaster(ms, bands=bands))
            if any(dtype.startswith("complex") for dtype in own.dtypes):
                raise SceneError(f"{ms} holds complex numbers", hint="give the multispectral raster, not a SAR one")
            self._ratios = _ratios(self.grid, own.grid)
            self._check_ratio(own.grid)
            self.ratio: int = round(math.sqrt(self._ratios[0] * self._ratios[1]))
            """Nearest whole number of panchromatic pixels along the side of a multispectral one."""
            coarse = self._coarse_grid(own.grid)
            self._coarse = opened.enter_context(AlignedRaster(ms, coarse, bands=bands))
            placement = _placement(self.grid, own.grid, self._ratios)
            self._ms = self._coarse if placement is None else own
            # the coarse grid is moved already
            by_area = _by_area(self.ratio, self.grid, coarse)
            self.placement: Placement = by_area if placement is None else placement.moved(*shift)
            """Where multispectral pixels lie among panchromatic ones."""
            self._opened = opened.pop_all()
        self.bands: tuple[str, ...] = self._ms.names
        """Names of the multispectral bands."""
        self.dtype: str = own.dtypes[0]
        """Numpy's name for the type of the multispectral raster."""
        self.nodata: float | None = own.nodata
        """Number of the multispectral raster for no data; None if it has none."""
        self.block: tuple[int, int] = self._pan.block
        """Rows and columns of the blocks in which the panchromatic raster is stored."""

    @property
    def paths(self) -> tuple[Path, Path]:
        """Of the panchromatic and the multispectral raster."""
        return self._asked.pan, self._asked.ms

    @property
    def ms_bands(self) -> tuple[int, ...]:
        """Numbers of the bands that are read of the multispectral raster."""
        return self._ms.bands

    @property
    def transparent(self) -> tuple[int, ...]:
        """Numbers of the bands of the multispectral raster that are taken for transparency, not for data."""
        return self._ms.transparent

    @property
    def is_gapless(self) -> bool:
        """Whether every panchromatic pixel is known to have data in both."""
        inside = all(
            along.nearest((0, 1))[0] >= 0 and along.nearest((along.fine - 1, along.fine))[0] >= 0
            for along in (self.placement.rows, self.placement.columns)
        )
        return inside and self._pan.is_gapless and self._ms.is_gapless

    def again(self) -> PanMsScene:
        """The same rasters opened once more, for another thread."""
        return PanMsScene(self._asked.pan, self._asked.ms, bands=self._asked.bands, shift=self._asked.shift)

    def moved(self, shift: tuple[float, float]) -> PanMsScene:
        """The same opened once more, with the multispectral image taken to lie aside by (right, down) of its pixels."""
        return PanMsScene(self._asked.pan, self._asked.ms, bands=self._asked.bands, shift=shift)

    def read(self, window: Window) -> PanMsSample:
        """What a network sees of a window.

        Args:
            window: in panchromatic pixels, all numbers multiples of the ratio; it may hang over an edge.

        Raises:
            SceneError: if a file is truncated or damaged.
            GridMismatchError: if there are no coordinates, and a shift is to be undone, or one raster is not the ratio
                times as large as the other.
        """
        if self.grid.crs is None:
            self._check_alike()
        left, top, width, height = (int(each) for each in window.flatten())
        coarse = Window(*(each // self.ratio for each in (left, top, width, height)))
        pan, known = self._pan.read(window)
        ms, seen = self._coarse.read(coarse)
        return PanMsSample(pan, ms, known & seen.repeat(self.ratio, 0).repeat(self.ratio, 1))

    def pan(self, rows: Span, columns: Span) -> tuple[Image, Mask]:
        """Panchromatic pixels (1, h, w), the nearest where there is no data; and where there is (h, w)."""
        return _read(self._pan, rows, columns)

    def ms(self, rows: Span, columns: Span) -> tuple[Image, Mask]:
        """Multispectral pixels (B, h, w) of its own rows and columns, likewise."""
        return _read(self._ms, rows, columns)

    def exp(self, rows: Span, columns: Span) -> tuple[Image, Mask]:
        """The multispectral bands interpolated at panchromatic pixels, (B, h, w), and where they have data (h, w)."""
        _, exp, seen = self._interpolated(rows, columns)
        return exp, seen

    def fine(self, rows: Span, columns: Span) -> FineWindow:
        """Both images at panchromatic pixels; each is read once."""
        pan, known = self.pan(rows, columns)
        ms, exp, seen = self._interpolated(rows, columns)
        return FineWindow(exp, pan, known & seen, _extremes(pan, ms))

    def _interpolated(self, rows: Span, columns: Span) -> tuple[Image, Image, Mask]:
        """The multispectral pixels that some panchromatic ones depend on, these interpolated, and where they are."""
        enlarging = self.placement.enlarging()
        needed = enlarging.needed(rows, columns)
        ms, valid = self.ms(*needed)
        return ms, enlarging(ms, rows, columns), self._seen(valid, needed, rows, columns)

    def limits(self, rows: Span, columns: Span) -> tuple[float, float]:
        """The lowest and the highest number of both images in a window of panchromatic pixels."""
        pan, _ = self.pan(rows, columns)
        ms, _ = self.ms(*self.placement.enlarging().needed(rows, columns))
        return _extremes(pan, ms)

    def low(self, gains: tuple[float, ...], rows: Span, columns: Span) -> Image:
        """The panchromatic image as sensors of some gains at Nyquist see it: reduced and enlarged again, (B, h, w)."""
        enlarging = self.placement.enlarging()
        coarse = enlarging.needed(rows, columns)
        seen = {gain: self._reduced(self.placement.reducing(gain), *coarse) for gain in dict.fromkeys(gains)}
        low = {gain: enlarging(image, rows, columns) for gain, image in seen.items()}
        return np.concatenate([low[gain] for gain in gains])

    def reduced(self, gain: float, rows: Span, columns: Span) -> Image:
        """The panchromatic image (1, h, w) at rows and columns of the multispectral one, as a sensor sees it."""
        return self._reduced(self.placement.reducing(gain), rows, columns)

    def has_pan(self, rows: Span, columns: Span) -> Mask:
        """Which multispectral pixels (h, w) lie where every panchromatic one has data."""
        axes = (self.placement.rows, rows), (self.placement.columns, columns)
        inside = np.ix_(*(along.nearest(along.covered(span)) - span[0] for along, span in axes))
        seen = np.zeros((rows[1] - rows[0], columns[1] - columns[0]), np.bool_)
        if all(map(len, inside)) and min(each.size for each in inside):
            _, known = self.pan(*(along.covered(span) for along, span in axes))
            seen[inside] = True
            down, across = np.nonzero(~known)
            seen[inside[0][down, 0], inside[1][0, across]] = False
        return seen

    def _reduced(self, reducing: Filter, rows: Span, columns: Span) -> Image:
        pan, _ = self.pan(*reducing.needed(rows, columns))
        return reducing(pan, rows, columns)

    def _seen(self, valid: Mask, needed: tuple[Span, Span], rows: Span, columns: Span) -> Mask:
        """Whether the multispectral pixel that each panchromatic one lies in is there and valid."""
        down, across = (
            along.nearest(span) for along, span in ((self.placement.rows, rows), (self.placement.columns, columns))
        )
        seen: Mask = valid[np.clip(down - needed[0][0], 0, len(valid) - 1)][:, np.clip(across - needed[1][0], 0, None)]
        seen[down < 0] = False
        seen[:, across < 0] = False
        return seen

    @property
    def _coarse_shape(self) -> tuple[int, int]:
        """Of the panchromatic grid made coarser by the whole ratio."""
        return -(-self.grid.height // self.ratio), -(-self.grid.width // self.ratio)

    def _coarse_grid(self, own: Grid) -> Grid:
        """The panchromatic grid made coarser by the whole ratio, moved to where the multispectral image says it is."""
        if self.grid.crs is None and own.crs is None:
            return own
        scaled = self.grid.transform * Affine.scale(self.ratio)
        return Grid(self.grid.crs, scaled * Affine.translation(*self._asked.shift), self._coarse_shape)

    def _check_alike(self) -> None:
        """Without coordinates no raster is brought to the grid of another: a network takes what lies on it already."""
        (height, width), (rows, columns) = self.grid.shape, self._coarse.grid.shape
        hint = "give both a CRS: gdal_edit.py -a_srs EPSG:... FILE; or choose a --method"
        if (rows, columns) != self._coarse_shape:
            raise GridMismatchError(
                f"{self._asked.pan} is {width} x {height} px and {self._asked.ms} {columns} x {rows}, without "
                f"coordinates: at ratio {self.ratio} a network wants {self._coarse_shape[1]} x {self._coarse_shape[0]}",
                hint=hint,
            )
        if self._asked.shift != (0.0, 0.0):
            right, down = self._asked.shift
            raise GridMismatchError(
                f"a shift of {right:+.2f}, {down:+.2f} pixels cannot be undone for a network without coordinates",
                hint=hint,
            )

    def _check_ratio(self, own: Grid) -> None:
        low, high = _RATIOS
        if all(low <= each <= high for each in self._ratios) and max(self._ratios) < 1.25 * min(self._ratios):
            return
        down, across = self._ratios
        pan, ms = self.paths
        if max(down, across) < 1 / low:
            hint = "the first is the coarser one: name the panchromatic raster first"
        elif max(down, across) < low:
            hint = "give the multispectral raster as it was recorded, not enlarged to the panchromatic pixels"
        else:
            hint = "give both the coordinates of the same ground"
        raise GridMismatchError(
            f"a pixel of {ms} ({own.width} x {own.height} px) is {across:.3g} x {down:.3g} pixels of {pan} "
            f"({self.grid.width} x {self.grid.height} px); sharpening takes {low:g} to {high:g}, alike on both axes",
            hint=hint,
        )

    def close(self) -> None:
        """Let go of both files."""
        self._opened.close()


def _ratios(fine: Grid, coarse: Grid) -> tuple[float, float]:
    """Panchromatic pixels along the (rows, columns) of a multispectral one; by their sizes without coordinates."""
    if fine.crs is None and coarse.crs is None:
        return fine.height / coarse.height, fine.width / coarse.width
    if fine.crs is None or coarse.crs is None:
        without = "panchromatic" if fine.crs is None else "multispectral"
        raise GridMismatchError(
            f"the {without} raster has no CRS, the other has one",
            hint="give it its CRS: gdal_edit.py -a_srs EPSG:... FILE",
        )
    across, down = coarseness(coarse, fine)
    return down, across


def _placement(fine: Grid, coarse: Grid, ratios: tuple[float, float]) -> Placement | None:
    """Where the pixels lie; None where they lie askew, or only a projection knows."""
    if fine.crs is None:
        rows, columns = (Along.by_area(*each) for each in zip(ratios, fine.shape, coarse.shape, strict=True))
        return Placement(rows, columns)
    if fine.crs != coarse.crs:
        return None
    back = ~coarse.transform * fine.transform
    if abs(back.b) * fine.height > _UPRIGHT_PX or abs(back.d) * fine.width > _UPRIGHT_PX or min(back.a, back.e) <= 0:
        return None
    rows = Along(1 / back.e, back.f + back.e / 2 - 0.5, fine.height, coarse.height)
    columns = Along(1 / back.a, back.c + back.a / 2 - 0.5, fine.width, coarse.width)
    return Placement(rows, columns)


def _by_area(ratio: int, fine: Grid, coarse: Grid) -> Placement:
    rows, columns = (Along.by_area(ratio, *lengths) for lengths in zip(fine.shape, coarse.shape, strict=True))
    return Placement(rows, columns)


def _read(raster: AlignedRaster, rows: Span, columns: Span) -> tuple[Image, Mask]:
    pixels, valid = raster.read(window_of(rows, columns))
    return filled(pixels, valid), valid


def _extremes(pan: Image, ms: Image) -> tuple[float, float]:
    return float(min(pan.min(), ms.min())), float(max(pan.max(), ms.max()))
