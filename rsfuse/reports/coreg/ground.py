"""The ground: a pair's optical raster made small and pale, for tiles to be drawn on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.geometry.shift_field import Floats
from rsfuse.raster.footprint import carried
from rsfuse.raster.registration.checked import Checked
from rsfuse.raster.registration.overlay import Image, Overlay
from rsfuse.raster.statistics import BandStatistics
from rsfuse.reports.html.markup import drawing, element, embedded
from rsfuse.reports.thumbnails import Picture, hatched, picture

_LONGEST = 1000  # px of the picture
_READ = 1024  # px a side, at once
_ID = "ground"
_PALEST = 0.55  # of white in what is black: dark arrows are to be seen on it
_TAIL = 6.0  # times the median: so bright are roofs in radar power, which is shown in dB, and not in amplitude


class Ground:
    """Where tiles are drawn.

    Args:
        overlay: the pair; its optical raster is read once, square by square.
        room: width and height of drawings at most, in units of SVG.
    """

    def __init__(self, overlay: Overlay, room: tuple[float, float]) -> None:
        self._grid = overlay.grid
        self._scale = min(room[0] / overlay.grid.width, room[1] / overlay.grid.height)
        self.size = self._grid.width * self._scale, self._grid.height * self._scale
        factor = max(math.ceil(max(overlay.grid.shape) / _LONGEST), 1)
        self._picture = _small(overlay, factor)
        rows, columns = self._picture.shape[:2]
        self._shown = columns * factor * self._scale, rows * factor * self._scale

    @property
    def definition(self) -> Element:
        """The picture, to stand on the page once; every drawing refers to it."""
        width, height = self._shown
        pale = (255 * _PALEST + self._picture * (1 - _PALEST)).astype(np.uint8)
        image = element("image", id=_ID, href=embedded(pale), width=width, height=height, preserveAspectRatio="none")
        held = drawing(self.size, "the optical raster", element("defs", image))
        held.set("class", "held")
        return held

    def draw(self, told: str, *inside: Element) -> Element:
        """Something drawn on it; what hangs over its edge is cut off."""
        return drawing(self.size, told, element("use", href=f"#{_ID}"), *inside)

    def places(self, checked: Checked) -> Floats:
        """Where the tiles of a look lie in drawings (n, 2), whatever its grid."""
        places: Floats = carried(checked.found.tiles.places, checked.overlay.grid, self._grid) * self._scale
        return places

    def lengths(self, shifts: Floats) -> Floats:
        """Pixels of the raster as units of drawings."""
        return shifts * self._scale


def stretched(image: Image) -> Picture:
    """A window as a picture (h, w, 3), grey from its 2nd to its 98th percentile, hatched where there is no data."""
    return _stretched(np.stack(image).astype(np.float32))


def _stretched(planes: NDArray[np.float32]) -> Picture:
    """Planes as `picture` takes them: values, 0 where there is no data, and the share of data."""
    filled = planes[1] >= 0.5
    if not filled.any():
        return hatched(*filled.shape)
    values = planes[0][filled] / planes[1][filled]
    band = BandStatistics.of("", str(values.dtype), values)
    is_power = band.percentiles[98] > _TAIL * max(band.percentiles[50], 0) and band.minimum >= 0
    return picture(planes, [band.model_copy(update={"unit": "linear" if is_power else ""})])


def _small(overlay: Overlay, factor: int) -> Picture:
    """The optical raster with pixels so many times as large; means of those that are data."""
    rows, columns = (max(length // factor, 1) for length in overlay.grid.shape)
    planes = np.zeros((2, rows, columns), np.float32)
    for top, left, height, width in _squares((rows, columns), max(_READ // factor, 1)):
        window = Window(left * factor, top * factor, width * factor, height * factor)
        read = np.stack(overlay.optical(window)).astype(np.float32)
        means = read.reshape(2, height, factor, width, factor).mean((2, 4))
        planes[:, top : top + height, left : left + width] = means
    return _stretched(planes)


def _squares(shape: tuple[int, int], side: int) -> Iterator[tuple[int, int, int, int]]:
    """Top, left, height and width of squares that cover a shape; those at the edge are less."""
    for top in range(0, shape[0], side):
        for left in range(0, shape[1], side):
            yield top, left, min(side, shape[0] - top), min(side, shape[1] - left)
