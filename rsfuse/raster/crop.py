"""Crop: the part of a scene that a user asks for, before anybody knows where the scene lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasterio.windows import Window

from rsfuse.errors import GridMismatchError, SceneError, TileSetError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.area import Area, Bounds, crop


@dataclass(frozen=True)
class Crop:
    """Part of every scene; all of it where nothing is given, and no two of these together.

    Args:
        pixels: first column, first row, width, height.
        bounds: left, bottom, right, top in units of the scene's CRS.
        polygons: file of polygons; outside of them nothing is labelled.
    """

    pixels: tuple[int, int, int, int] | None = None
    bounds: Bounds | None = None
    polygons: Path | None = None

    @property
    def told(self) -> Any:
        """As plain data; None for all of it."""
        if self.polygons is not None:
            there = self.polygons.stat() if self.polygons.is_file() else None
            return {"file": str(self.polygons.resolve()), "modified": there and there.st_mtime}
        if self.pixels is not None:
            return {"window": list(self.pixels)}
        return {"bounds": list(self.bounds)} if self.bounds is not None else None

    def area(self, grid: Grid) -> Area:
        """The part of one scene.

        Raises:
            TileSetError: if the pixels reach beyond the scene.
            GridMismatchError: if nothing of the scene is inside, or nobody knows where it lies.
        """
        if self.pixels is None:
            return crop(grid, bounds=self.bounds, polygons=self.polygons)
        left, top, width, height = self.pixels
        if min(left, top) < 0 or left + width > grid.width or top + height > grid.height:
            raise TileSetError(
                f"window (column {left}, row {top}, {width} x {height} px) reaches beyond the scene "
                f"of {grid.width} x {grid.height} px",
                hint="give --window COLUMN ROW WIDTH HEIGHT inside the scene",
            )
        return Area(Window(*self.pixels))


def parse_crop(text: str) -> Crop:
    """A crop as it is written on a command line: "left,bottom,right,top", a file of polygons, or nothing for all.

    Raises:
        GridMismatchError: if it is none of these.
        SceneError: if it is a file that is not there.
    """
    if not text:
        return Crop()
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers and Path(text).exists():
        return Crop(polygons=Path(text))
    if not numbers and "," not in text:
        raise SceneError(
            f"{text} does not exist", hint="check the path of the polygons, or write --crop LEFT,BOTTOM,RIGHT,TOP"
        )
    if len(numbers) != 4:
        raise GridMismatchError(
            f"{text!r} is neither a file of polygons nor four numbers", hint="write --crop LEFT,BOTTOM,RIGHT,TOP"
        )
    return Crop(bounds=(numbers[0], numbers[1], numbers[2], numbers[3]))
