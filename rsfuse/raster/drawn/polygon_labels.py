"""Labels that were drawn as polygons, read like a raster of class codes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.coding import LabelCoding
from rsfuse.geometry.grid import Grid
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.drawn.burning import Burner
from rsfuse.raster.drawn.polygons import NO_VALUE, read_polygons
from rsfuse.raster.opening import Closing
from rsfuse.raster.unknown_values import refuse_unknown


class PolygonLabels(Closing):
    """Class codes of the pixels whose centres lie in polygons. One thread at a time.

    Where polygons overlap, the later one in the file counts.

    Args:
        path: of the polygons; their CRS may be another than the grid's.
        grid: on which they are burned.
        coding: what their attribute means.
        field: that attribute; None for the one that is obvious, see `read_polygons`.
        points: the file may hold points instead, each of which labels the pixel that it lies in.

    Raises:
        SceneError: if the file is missing or damaged, or it is not clear which layer or attribute is meant.
        GridMismatchError: if file or grid lack a CRS, or no polygon lies in the grid.
    """

    legend: Legend | None = None
    """Polygons carry none."""

    def __init__(
        self, path: Path, grid: Grid, *, coding: LabelCoding, field: str | None = None, points: bool = False
    ) -> None:
        self.path, self.grid = path, grid
        polygons = read_polygons(path, grid, field, points=points)
        self.field: str = polygons.field
        """The attribute that says the class."""
        codes = [coding.code_of_name(value) for value in polygons.values]
        self._strange: dict[int, str] = {
            place: _told(polygons.values[place]) for place, code in enumerate(codes) if code is None
        }
        known = np.array([NODATA if code is None else code for code in codes], np.uint8)
        self._burner = Burner(polygons.outlines, known, grid.shape, fill=NODATA)

    @property
    def unknown_polygons(self) -> dict[str, int]:
        """Each value of the attribute that has no code, and how many polygons in the grid have it."""
        return dict(Counter(self._strange.values()))

    def check(self) -> None:
        """Refuse the file as a whole before work starts.

        Raises:
            LegendMismatchError: naming each unknown value, and how many polygons have it.
        """
        refuse_unknown(f"{self.path}, attribute {self.field!r}", self.unknown_polygons, "polygons")

    def look(self, window: Window) -> tuple[NDArray[np.uint8], dict[str, int]]:
        """Codes of a window, whatever the polygons say.

        Returns:
            codes: (h, w), 255 where nobody said, where the value is not known, and outside the grid.
            unknown: each value without a code, and how many polygons in the window have it.
        """
        strange: Counter[str] = Counter()
        if self._strange:
            touching = self._burner.touching(window).tolist()
            strange.update(self._strange[place] for place in touching if place in self._strange)
        return self._burner.read(window), dict(strange)

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Codes (h, w) of a window in whole pixels; 255 where nobody said and outside the grid.

        Raises:
            LegendMismatchError: if a polygon in the window says what is not known.
        """
        codes, unknown = self.look(window)
        refuse_unknown(
            f"{self.path}, attribute {self.field!r}, at row {window.row_off:.0f}, column {window.col_off:.0f}",
            unknown,
            "polygons",
        )
        return codes

    def has_labels(self, window: Window) -> bool:
        """Whether any polygon shares area with a window; costs nothing beside reading it."""
        return len(self._burner.touching(window)) > 0

    def close(self) -> None:
        """Nothing is open: the polygons are in memory."""


def _told(value: object) -> str:
    if value == NO_VALUE:
        return "no value"
    return f"{value:g}" if isinstance(value, float) else str(value)
