"""A scene one scale down, by Wald's protocol: the multispectral image is then what shall be found.

Both images are made as many times coarser as the panchromatic one is finer, each as its sensor would see it from afar.
All pixels are areas on the ground: at ratio r, multispectral pixel (i, j) one scale down covers r x r of the original,
from (r i, r j) on, and the panchromatic image one scale down has the very pixels of the original multispectral one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rsfuse.geometry.sharpening.bandwise import BandFilters
from rsfuse.geometry.sharpening.filters import Image, Span, within
from rsfuse.geometry.sharpening.placement import Along, Placement
from rsfuse.geometry.sharpening.sensors import SensorGains
from rsfuse.raster.sharpening.scene import PanMsScene


@dataclass(frozen=True)
class ReducedSample:
    """A part of a scene one scale down, in digital numbers.

    Args:
        reference: (B, h, w), the original multispectral image.
        ms: (B, h / ratio, w / ratio), what its sensor would see from so much farther away.
        pan: (1, h, w), the panchromatic image likewise.
    """

    reference: Image
    ms: Image
    pan: Image


class ReducedScene:
    """A scene one scale down, read part by part: every part is that of the whole scene reduced at once.

    The scene stays the caller's to close.

    Args:
        scene: both rasters.
        sensor: what its bands still show at Nyquist.

    Raises:
        SceneError: if the sensor has another number of bands.
    """

    def __init__(self, scene: PanMsScene, sensor: SensorGains) -> None:
        self.scene, self.ratio = scene, scene.ratio
        self.gains: tuple[float, ...] = sensor.of(len(scene.bands))
        """Of the multispectral bands."""
        fine = scene.placement
        self._reducing_pan = fine.reducing(sensor.pan)
        coarser = (_coarser(each, self.ratio) for each in (fine.rows, fine.columns))
        placement = Placement(*coarser)
        self._reducing_ms = BandFilters(tuple(placement.reducing(gain) for gain in self.gains))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the multispectral raster, in whose pixels parts are named."""
        return self.scene.placement.rows.coarse, self.scene.placement.columns.coarse

    @property
    def inside(self) -> tuple[Span, Span]:
        """Rows and columns of it that lie in the panchromatic raster."""
        placement = self.scene.placement
        return placement.rows.inside((0, placement.rows.fine)), placement.columns.inside((0, placement.columns.fine))

    @property
    def reach(self) -> int:
        """Multispectral pixels beyond a part, on each side, that filters look at."""
        ms = max(each.rows.kernel.reach for each in self._reducing_ms.filters)
        return math.ceil(max(ms, self._reducing_pan.rows.kernel.reach / self.ratio))

    def largest(self, rows: Span, columns: Span) -> float | None:
        """The largest number of both images in a part; None where a pixel of either has no data.

        Raises:
            SceneError: if a file is truncated or damaged.
        """
        ms, valid = self.scene.ms(rows, columns)
        if not valid.all():
            return None
        placement = self.scene.placement
        pan, known = self.scene.pan(placement.rows.covered(rows), placement.columns.covered(columns))
        return max(float(ms.max()), float(pan.max())) if known.all() else None

    def read(self, rows: Span, columns: Span) -> ReducedSample:
        """A part of the scene.

        Args:
            rows: of the multispectral raster; both ends are multiples of the ratio.
            columns: likewise.

        Raises:
            SceneError: if a file is truncated or damaged.
        """
        coarse = _over(rows, self.ratio), _over(columns, self.ratio)
        needed = self._reducing_ms.needed(*coarse)
        image, _ = self.scene.ms(*needed)
        pan, _ = self.scene.pan(*self._reducing_pan.needed(rows, columns))
        return ReducedSample(
            reference=image[:, *within((rows, columns), needed)],
            ms=self._reducing_ms(image, *coarse),
            pan=self._reducing_pan(pan, rows, columns),
        )


def _coarser(along: Along, ratio: int) -> Along:
    return Along.by_area(ratio, along.coarse, -(-along.coarse // ratio))


def _over(span: Span, ratio: int) -> Span:
    if any(end % ratio for end in span):
        raise ValueError(f"pixels {span} begin or end within one of {ratio} times their size")
    return span[0] // ratio, span[1] // ratio
