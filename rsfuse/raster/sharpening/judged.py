"""A sharpened raster and what it is judged by, read window by window."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.grid import Grid, window_of
from rsfuse.geometry.sharpening.bandwise import BandFilters
from rsfuse.geometry.sharpening.filling import filled
from rsfuse.geometry.sharpening.filters import Span, within
from rsfuse.geometry.sharpening.sensors import SensorGains
from rsfuse.metrics.sharpening import FullResolution
from rsfuse.raster.aligned import AlignedRaster
from rsfuse.raster.opening import Closing
from rsfuse.raster.sharpening.scene import PanMsScene

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Referenced:
    """A window of both images.

    Args:
        reference: (B, h, w), in the type of its file.
        sharp: (B, h, w), likewise.
        valid: (h, w) where both have data.
    """

    reference: NDArray[Any]
    sharp: NDArray[Any]
    valid: Mask


class WithReference(Closing):
    """A sharpened raster and the one that it should be, open for reading. One thread at a time.

    Args:
        sharp: a raster.
        reference: likewise, of the same pixels.
        bands: of the reference, in the order of those of the sharpened raster, counted from 1; None for all but
            transparency.

    Raises:
        SceneError: if a file is missing, not a raster, or the numbers of bands differ.
        GridMismatchError: if the two do not have the same pixels.
    """

    def __init__(self, sharp: Path, reference: Path, *, bands: tuple[int, ...] | None = None) -> None:
        self._asked = sharp, reference, bands
        self.path = sharp
        with ExitStack() as opened:
            self._sharp = opened.enter_context(AlignedRaster(sharp))
            self._reference = opened.enter_context(AlignedRaster(reference, bands=bands))
            _check_grid(self._sharp, reference, self._reference.grid)
            self.bands: tuple[str, ...] = self._reference.names
            """Names of the bands."""
            _check_bands(self._sharp, reference, self.bands)
            self.grid: Grid = self._sharp.grid
            self._opened = opened.pop_all()

    def again(self) -> WithReference:
        """The same opened once more, for another thread."""
        sharp, reference, bands = self._asked
        return WithReference(sharp, reference, bands=bands)

    def read(self, rows: Span, columns: Span) -> Referenced:
        """A window.

        Raises:
            SceneError: if a file is truncated or damaged.
        """
        window = window_of(rows, columns)
        reference, known = self._reference.read_stored(window)
        sharp, made = self._sharp.read_stored(window)
        return Referenced(reference, sharp, known & made)

    def close(self) -> None:
        """Let go of both files."""
        self._opened.close()


class WithoutReference(Closing):
    """A sharpened raster and the pair that it was made of, open for reading. One thread at a time.

    The coarse panchromatic image is reduced by cubic convolution, as in the toolbox of Vivone et al. (2015, 2021), and
    interpolated at its own pixels again like the multispectral one.

    Args:
        sharp: a raster of the pixels of the panchromatic one.
        pan: panchromatic raster.
        ms: multispectral raster.
        sensor: what its bands still show at Nyquist.
        bands: of the multispectral raster, as for `PanMsScene`.
        shift: of the multispectral raster, likewise.

    Raises:
        SceneError: if a file is missing, not a raster, or the numbers of bands differ.
        GridMismatchError: if the sharpened raster has other pixels than the panchromatic one, or the pair is none.
    """

    def __init__(
        self,
        sharp: Path,
        pan: Path,
        ms: Path,
        *,
        sensor: SensorGains,
        bands: tuple[int, ...] | None = None,
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self._asked = sharp, pan, ms, sensor, bands, shift
        self.path = sharp
        with ExitStack() as opened:
            self._scene = opened.enter_context(PanMsScene(pan, ms, bands=bands, shift=shift))
            self._sharp = opened.enter_context(AlignedRaster(sharp))
            _check_grid(self._sharp, pan, self._scene.grid)
            _check_bands(self._sharp, ms, self._scene.bands)
            self.gains: tuple[float, ...] = sensor.of(len(self._scene.bands))
            """Of the multispectral bands at Nyquist."""
            self.grid: Grid = self._scene.grid
            placement = self._scene.placement
            self.ratio: float = placement.ratio
            """Panchromatic pixels along the side of a multispectral one."""
            self.bands: tuple[str, ...] = self._scene.bands
            """Names of the multispectral bands."""
            self._smoothing = BandFilters(tuple(placement.smoothing(gain) for gain in self.gains))
            self._opened = opened.pop_all()

    def again(self) -> WithoutReference:
        """The same opened once more, for another thread."""
        sharp, pan, ms, sensor, bands, shift = self._asked
        return WithoutReference(sharp, pan, ms, sensor=sensor, bands=bands, shift=shift)

    def read(self, rows: Span, columns: Span) -> tuple[FullResolution, Mask]:
        """A window, and where all three have data (h, w).

        Raises:
            SceneError: if a file is truncated or damaged.
        """
        wide = self._smoothing.needed(rows, columns)
        around, made = self._sharp.read(window_of(*wide))
        inner = within((rows, columns), wide)
        pan, known = self._scene.pan(rows, columns)
        exp, seen = self._scene.exp(rows, columns)
        images = FullResolution(
            sharp=around[:, *inner],
            ms=exp,
            pan=pan,
            pan_low=self._pan_low(rows, columns),
            sharp_low=self._smoothing(filled(around, made), rows, columns),
        )
        return images, made[inner] & known & seen

    def _pan_low(self, rows: Span, columns: Span) -> NDArray[np.float32]:
        """The panchromatic image as coarse as the multispectral one, on its own grid, (1, h, w)."""
        enlarging, resizing = self._scene.placement.enlarging(), self._scene.placement.resizing()
        coarse = enlarging.needed(rows, columns)
        pan, _ = self._scene.pan(*resizing.needed(*coarse))
        return enlarging(resizing(pan, *coarse), rows, columns)

    def close(self) -> None:
        """Let go of all files."""
        self._opened.close()


def _check_grid(sharp: AlignedRaster, other: Path, grid: Grid) -> None:
    """Refuse a sharpened raster of other pixels. Without coordinates, pixels are the same where shapes are."""
    own = sharp.grid
    hint = f"give a raster of the very pixels of {other}"
    if own.shape != grid.shape:
        raise GridMismatchError(
            f"{sharp.path} has {own.width} x {own.height} px, {other} has {grid.width} x {grid.height} px", hint=hint
        )
    if own.crs != grid.crs:
        raise GridMismatchError(
            f"{sharp.path} has the CRS {own.crs or 'none'}, {other} has {grid.crs or 'none'}", hint=hint
        )
    if own.crs is not None and not own.matches(grid):
        raise GridMismatchError(
            f"pixels of {sharp.path} lie up to {grid.offset_to(own):.3g} px aside of those of {other}", hint=hint
        )


def _check_bands(sharp: AlignedRaster, other: Path, names: tuple[str, ...]) -> None:
    if len(sharp.bands) != len(names):
        raise SceneError(
            f"{sharp.path} has {len(sharp.bands)} bands, {len(names)} of {other} are to be compared with it",
            hint="choose those that were sharpened: --ms-bands N,N,...",
        )
