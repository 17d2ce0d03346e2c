"""The manifest of a tile set: what was cut from which scenes, and how.

It is a table, one row a tile, that `pandas.read_json("tiles.json", orient="table")` opens; its header is `Manifest`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import field_validator

from rsfuse.coding import LabelCoding
from rsfuse.errors import LegendMismatchError, TileSetError
from rsfuse.legend import Legend, parse_color
from rsfuse.raster.statistics import SceneStatistics
from rsfuse.raster.table import read_table, write_table
from rsfuse.strict import Strict, checked

TILES = "tiles.json"
"""Name of the manifest in its folder."""

VERSION = 2
Split = Literal["train", "val", "test"]
LAYERS = ("optical", "sar", "labels")
"""Folders of a tile set."""

_FIELDS = {"name": "string", "scene": "string", "split": "string", **dict.fromkeys(("column", "row"), "integer")}
_FIELDS |= {"width": "integer", "height": "integer", "valid": "number"}
_PIXELS = "pixels_"  # column of a class: how many pixels of it


class SceneEntry(Strict):
    """One scene that tiles come from.

    Args:
        name: of the scene.
        optical: name of its optical raster; in a set without copies of pixels its absolute path, like the next two.
        sar: likewise, or None.
        labels: likewise, or None.
        bytes: size of these files together.
        modified: when the last of them was changed, in UTC.
        crs: coordinate reference system as text, or None.
        gsd_m: ground sample distance in metres, NaN where nobody knows.
        statistics: of its bands over the whole scene; None in a set of chips, where those of the set stand for all.
    """

    name: str
    optical: str
    sar: str | None
    labels: str | None
    bytes: int
    modified: str = ""
    crs: str | None
    gsd_m: float
    statistics: SceneStatistics | None

    @field_validator("gsd_m", mode="before")
    @classmethod
    def _may_be_unknown(cls, gsd_m: Any) -> Any:
        return math.nan if gsd_m is None else gsd_m  # a table has null for NaN


class Reading(Strict):
    """How the pixels are read where tiles are windows of the scenes, not files.

    Args:
        optical_bands: which bands of the optical raster, counted from 1; None for all.
        sar_bands: likewise.
        codes: number in a label raster to code of the legend.
        colors: colour in a label picture ("#00ff7f") to code of the legend.
        names: attribute of a polygon to code of the legend.
        binarised_at: see `LabelCoding`.
        field: attribute of polygons that says their class.
        area: file of the polygons outside of which nothing is labelled.
        by_size: whether files without a CRS lie on the optical raster if they have its size.
    """

    optical_bands: tuple[int, ...] | None
    sar_bands: tuple[int, ...] | None
    codes: dict[int, int]
    colors: dict[str, int]
    names: dict[str, int]
    binarised_at: int | None
    field: str | None
    area: str | None
    by_size: bool

    @property
    def coding(self) -> LabelCoding:
        """How the label files say what they mean."""
        colors = {parse_color(color): code for color, code in self.colors.items()}
        return LabelCoding(self.codes, colors, self.names, self.binarised_at)


class TileEntry(Strict):
    """One tile.

    Args:
        name: of its files, without the ending.
        scene: name of the scene that it is a part of.
        split: what it may be used for.
        window: first column, first row, width, height in the scene's pixels.
        valid: share of its pixels, 0 to 1, where every sensor has data; None where nobody has counted.
        classes: code of each class in it, and how many pixels with data have it; None where nobody has counted.
    """

    name: str
    scene: str
    split: Split
    window: tuple[int, int, int, int]
    valid: float | None
    classes: dict[int, int] | None


class Manifest(Strict):
    """All there is to know about a tile set.

    Args:
        version: of this format.
        software: what wrote it.
        dataset: name of the data set; empty for scenes of one's own.
        layers: which of `LAYERS` it has.
        scenes: what the tiles are parts of.
        reading: how windows of the scenes are read; None where tiles are files.
        size: side of a tile in pixels.
        options: every choice that decides what the tiles hold and which split they are in.
        split: on how the splits were made, in words.
        notes: what a user should know before trusting the set, a sentence each.
        left_out: how many tiles are not there, for each reason.
        statistics: of each band, over valid pixels of training tiles (of all tiles where none trains).
        statistics_of: which pixels these were, in words.
        legend: as `Legend.to_dict` gives it.
        tiles: every tile; the rows of the table.
    """

    version: Literal[2] = 2
    software: str
    dataset: str
    layers: tuple[str, ...]
    scenes: tuple[SceneEntry, ...]
    reading: Reading | None
    size: int
    options: dict[str, Any]
    split: str
    notes: tuple[str, ...]
    left_out: dict[str, int]
    statistics: SceneStatistics
    statistics_of: str
    legend: dict[str, Any]
    tiles: tuple[TileEntry, ...]

    @field_validator("legend")
    @classmethod
    def _is_legend(cls, legend: dict[str, Any]) -> dict[str, Any]:
        try:
            Legend.from_dict(legend)
        except LegendMismatchError as error:
            raise ValueError(str(error)) from error
        return legend

    @property
    def gsd_m(self) -> float:
        """Ground sample distance in metres, the mean of the scenes that know theirs; NaN where none does."""
        known = [scene.gsd_m for scene in self.scenes if not math.isnan(scene.gsd_m)]
        return sum(known) / len(known) if known else math.nan

    @property
    def told_scenes(self) -> tuple[str, ...]:
        """What the tiles come from, for people: the data set, or the scenes by their files."""
        return (self.dataset,) if self.dataset else tuple(scene.optical.rpartition("/")[2] for scene in self.scenes)

    @property
    def balance(self) -> dict[str, dict[int, int]]:
        """Labelled pixels of each split and class code, as far as they were counted."""
        codes = Legend.from_dict(self.legend).codes
        there = self.splits
        counts = {split: dict.fromkeys(codes, 0) for split in there}
        for tile in self.tiles:
            for code, pixels in (tile.classes or {}).items():
                counts[tile.split][code] += pixels
        return counts

    @property
    def splits(self) -> dict[str, int]:
        """How many tiles each split has; none that has none."""
        counts = Counter(tile.split for tile in self.tiles)
        return {split: counts[split] for split in get_args(Split) if counts[split]}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make a folder of tiles a tile set.

    Raises:
        OutputError: if the disk is full.
    """
    codes = Legend.from_dict(manifest.legend).codes
    # null, where nobody has counted, is no whole number for pandas
    kind = "number" if any(tile.classes is None for tile in manifest.tiles) else "integer"
    fields = {**_FIELDS, **{f"{_PIXELS}{code}": kind for code in codes}}
    rows = [_row(tile, codes) for tile in manifest.tiles]
    write_table(folder / TILES, manifest.model_dump(mode="json", exclude={"tiles"}), rows, fields)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a tile set.

    Raises:
        TileSetError: if there is none, it is damaged, or of a version that this rsfuse does not read.
    """
    path = folder / TILES
    if not path.is_file():
        raise TileSetError(f"{folder} is not a tile set: it has no {TILES}", hint="cut tiles first: rsfuse tile")
    header, rows = read_table(path)
    hint = "cut the tiles again: rsfuse tile --overwrite"
    if header.get("kind") == "sharpening":
        raise TileSetError(
            f"{path} lists patches for sharpening ({header.get('dataset')}, sensor {header.get('sensor')}), not tiles",
            hint=f"name a folder of land cover tiles, or look at this one: rsfuse info {folder}",
        )
    if header.get("version") != VERSION:
        raise TileSetError(f"{path} is of version {header.get('version')}, this rsfuse reads {VERSION}", hint=hint)
    try:
        tiles = [_entry(row) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise TileSetError(f"{path}: {error!r}", hint=hint) from error
    return checked(Manifest, {**header, "tiles": tiles}, str(path), kind=TileSetError, hint=hint)


def _row(tile: TileEntry, codes: tuple[int, ...]) -> dict[str, Any]:
    place = dict(zip(("column", "row", "width", "height"), tile.window, strict=True))
    pixels = {f"{_PIXELS}{code}": None if tile.classes is None else tile.classes.get(code, 0) for code in codes}
    return {"name": tile.name, "scene": tile.scene, "split": tile.split, **place, "valid": tile.valid, **pixels}


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    pixels = {int(key.removeprefix(_PIXELS)): value for key, value in row.items() if key.startswith(_PIXELS)}
    counted = None not in pixels.values()
    return {
        "name": row["name"],
        "scene": row["scene"],
        "split": row["split"],
        "window": tuple(row[key] for key in ("column", "row", "width", "height")),
        "valid": row["valid"],
        "classes": {code: count for code, count in pixels.items() if count} if counted else None,
    }
