"""Before and after: a part of a scene as it was, and sharpened, side by side at full resolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.grid import window_of
from rsfuse.geometry.sharpening.filters import Span
from rsfuse.raster.aligned import AlignedRaster
from rsfuse.raster.disk import writing
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.reports.panels import draw_panels
from rsfuse.reports.shown_bands import shown_bands

_SIDE, _TRIED = 448, 6  # pixels a side; places along an axis that are looked at
_LOW, _HIGH = 1, 99  # percentiles that become black and white


def write_preview(scene: PanMsScene, sharp: Path, path: Path, method: str) -> None:
    """Multispectral, panchromatic and sharpened pixels of the most detailed of some places, as a PNG.

    All colours are stretched alike, so that what differs between before and after is in the images.

    Args:
        scene: what was sharpened.
        sharp: the result.
        path: of the PNG; what is there is replaced.
        method: for the caption.

    Raises:
        OutputError: if it cannot be written.
    """
    rows, columns = _detailed(scene)
    bands = list(shown_bands(scene.bands))
    pan, _ = scene.pan(rows, columns)
    before = _coarse(scene, rows, columns)[bands]
    with AlignedRaster(sharp, bands=tuple(band + 1 for band in bands)) as raster:
        after, valid = raster.read(window_of(rows, columns))
    shades = _shades(after, valid)
    captions = f"multispectral, {scene.placement.ratio:.3g} px a pixel", "panchromatic", f"sharpened: {method}"
    pictures = (_stretched(before, shades), _stretched(pan, _shades(pan, valid)), _stretched(after, shades))
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    with writing(path):
        try:
            draw_panels(dict(zip(captions, pictures, strict=True)), None, part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _detailed(scene: PanMsScene) -> tuple[Span, Span]:
    """The place whose panchromatic pixels differ most from their neighbours, of some spread over the scene."""
    height, width = scene.grid.shape
    tops, lefts = ({round(at) for at in np.linspace(0, max(each - _SIDE, 0), _TRIED)} for each in (height, width))
    places = [
        ((top, min(top + _SIDE, height)), (left, min(left + _SIDE, width)))
        for top in sorted(tops)
        for left in sorted(lefts)
    ]
    return max(places, key=lambda place: _detail(scene, *place))


def _detail(scene: PanMsScene, rows: Span, columns: Span) -> float:
    pan, valid = scene.pan(rows, columns)
    return float(np.abs(np.diff(pan[0], axis=1)).mean() * valid.mean()) if valid.any() else 0.0


def _coarse(scene: PanMsScene, rows: Span, columns: Span) -> NDArray[np.float32]:
    """Each panchromatic pixel as the multispectral one that it lies in."""
    down, across = scene.placement.rows.nearest(rows), scene.placement.columns.nearest(columns)
    down, across = np.maximum(down, 0), np.maximum(across, 0)
    ms, _ = scene.ms((int(down.min()), int(down.max()) + 1), (int(across.min()), int(across.max()) + 1))
    coarse: NDArray[np.float32] = ms[:, down - down.min()][:, :, across - across.min()]
    return coarse


def _shades(pixels: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(2, B) what becomes black and white in each band."""
    seen = pixels[:, valid] if valid.any() else pixels.reshape(len(pixels), -1)
    shades: NDArray[np.float64] = np.percentile(seen, (_LOW, _HIGH), axis=1)
    return shades


def _stretched(pixels: NDArray[np.float32], shades: NDArray[np.float64]) -> NDArray[np.uint8]:
    low, high = shades[..., None, None]
    unit = np.clip((pixels - low) / np.maximum(high - low, 1e-6), 0, 1)
    picture = np.moveaxis(np.rint(unit * 255).astype(np.uint8), 0, -1)
    return np.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else picture
