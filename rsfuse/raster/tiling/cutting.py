"""Cutting: neighbouring tiles from one read, and a record of it that a later run can go on from.

A unit of work is done when its record has its name. Until the last one is done the folder has no manifest, and is no
tile set.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import TileSetError
from rsfuse.legend import Legend
from rsfuse.raster.disk import writing
from rsfuse.raster.labelled import LabelledSample, LabelledScene, SceneSource
from rsfuse.raster.manifest import TileEntry
from rsfuse.raster.statistics import BandStatistics, SceneStatistics
from rsfuse.raster.tiling.inspection import with_units
from rsfuse.raster.tiling.stored_blocks import StoredBlocks
from rsfuse.raster.tiling.tile_files import StoredPart, TileFiles
from rsfuse.raster.tiling.tile_plan import PlannedTile

_UNIT_BYTES = 64 * 2**20  # of pixels read at once: 4 x 4 tiles of 512 px of four bands of uint16, SAR and labels
_SAMPLED_PIXELS = 2**20  # of training that statistics look at: their error is a thousandth of the spread


@dataclass(frozen=True)
class Piece:
    """Tiles of one scene that are cut from one read.

    Args:
        source: the scene.
        bands: names of its optical and of its SAR bands.
        tiles: neighbours.
        strips: whether its files are stored in blocks as wide as the scene.
    """

    source: SceneSource
    bands: tuple[tuple[str, ...], tuple[str, ...]]
    tiles: tuple[PlannedTile, ...]
    strips: bool = False

    @property
    def window(self) -> Window:
        """What is read for all of them."""
        windows = [tile.window for tile in self.tiles]
        left, top = min(each.col_off for each in windows), min(each.row_off for each in windows)
        right = max(each.col_off + each.width for each in windows)
        bottom = max(each.row_off + each.height for each in windows)
        return Window(left, top, right - left, bottom - top)


@dataclass(frozen=True)
class Unit:
    """What one process does in one go."""

    number: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Cutting:
    """What all units have in common.

    Args:
        records: folder for their records.
        legend: of the labels.
        files: how tiles are written, None where no pixel is copied.
        min_valid: tiles with a smaller share of valid pixels are left out.
        step: every so many rows and columns statistics look at a pixel.
    """

    records: Path
    legend: Legend
    files: TileFiles | None
    min_valid: float
    step: int

    def record(self, number: int) -> Path:
        """Where the record of a unit lies when it is done."""
        return self.records / f"{number:06d}.npz"

    def read(self, number: int) -> Record:
        """The record of a unit that is done."""
        return _read(self.record(number))

    def run(self, unit: Unit) -> None:
        """Cut the tiles of a unit, and record them.

        Raises:
            SceneError: if a file is damaged.
            OutputError: if the disk is full.
        """
        entries: list[TileEntry] = []
        left_out: list[str] = []
        values: dict[str, list[NDArray[Any]]] = {"optical": [], "sar": []}
        for piece in unit.pieces:
            with ExitStack() as opened:
                scene = opened.enter_context(piece.source.open())
                stored = scene.scene.stored_blocks() if self.files else {}
                for blocks in stored.values():
                    opened.enter_context(blocks)
                for tile, labelled in _cut(scene, piece):
                    why = self._why_not(labelled)
                    if why:
                        left_out.append(why)
                        continue
                    entries.append(self._entry(tile, labelled))
                    if self.files:
                        parts = {name: _part(blocks, tile.window) for name, blocks in stored.items()}
                        grid = scene.scene.grid.window(tile.window)
                        self.files.write(tile.name, grid, labelled, bands=piece.bands, stored=parts)
                    if tile.sampled:
                        self._look_at(labelled.sample, values)
        self._write_record(unit.number, entries, left_out, values)

    def _why_not(self, labelled: LabelledSample) -> str:
        valid = labelled.sample.valid
        return "" if valid.all() or valid.mean() >= self.min_valid else "too few valid pixels"

    def _entry(self, tile: PlannedTile, labelled: LabelledSample) -> TileEntry:
        valid = labelled.sample.valid
        whole = bool(valid.all())
        seen = labelled.labels.ravel() if whole else labelled.labels[valid]
        counts = np.bincount(seen, minlength=256)
        return TileEntry(
            name=tile.name,
            scene=tile.scene,
            split=tile.split,
            window=tile.place,
            valid=1.0 if whole else round(float(valid.mean()), 6),
            classes={code: int(counts[code]) for code in self.legend.codes if counts[code]},
        )

    def _look_at(self, sample: Any, values: dict[str, list[NDArray[Any]]]) -> None:
        here = np.s_[:: self.step, :: self.step]
        valid = sample.valid[here]
        for layer, pixels in (("optical", sample.optical), ("sar", sample.sar)):
            values[layer].append(pixels[:, *here][:, valid])

    def _write_record(
        self, number: int, entries: Sequence[TileEntry], left_out: list[str], values: dict[str, list[NDArray[Any]]]
    ) -> None:
        told = {"tiles": [entry.model_dump(mode="json") for entry in entries], "left_out": left_out}
        arrays = {layer: np.concatenate(parts, axis=1) for layer, parts in values.items() if parts}
        path = self.record(number)
        part = path.with_suffix(".part")
        with writing(path):
            with part.open("wb") as file:
                np.savez(file, allow_pickle=False, told=np.frombuffer(json.dumps(told).encode(), np.uint8), **arrays)
            part.replace(path)


@dataclass(frozen=True)
class Record:
    """What a finished unit has found.

    Args:
        tiles: those that are there.
        left_out: a reason for each that is not.
        values: sampled valid pixels (bands, n) by layer, "optical" and "sar"; none where nothing was sampled.
    """

    tiles: tuple[TileEntry, ...]
    left_out: tuple[str, ...]
    values: dict[str, NDArray[Any]]


def _read(path: Path) -> Record:
    with np.load(path) as arrays:
        told = json.loads(arrays["told"].tobytes())
        values = {layer: arrays[layer] for layer in ("optical", "sar") if layer in arrays}
    tiles = tuple(TileEntry.model_validate(each) for each in told["tiles"])
    return Record(tiles, tuple(told["left_out"]), values)


def sampled_statistics(
    records: Sequence[Record],
    bands: tuple[tuple[str, ...], ...],
    dtypes: tuple[str | None, ...],
    units: tuple[tuple[str, ...], ...],
) -> SceneStatistics:
    """Statistics of every band over all pixels that the units have sampled.

    Args:
        records: of all units, in their order.
        bands: names of the optical and of the SAR bands.
        dtypes: of their files.
        units: of their values, as the files say.

    Raises:
        TileSetError: if no valid pixel was sampled.
    """
    layers = []
    for layer, names, dtype in zip(("optical", "sar"), bands, dtypes, strict=True):
        found = [record.values[layer] for record in records if layer in record.values]
        values = np.concatenate(found, axis=1) if found else np.zeros((len(names), 0))
        if names and values.shape[1] == 0:
            raise TileSetError(
                "no training tile has a pixel where every sensor has data", hint="choose another split or part"
            )
        named = zip(names, values, strict=True)
        layers.append(tuple(BandStatistics.of(name, str(dtype), band) for name, band in named))
    return with_units(SceneStatistics(optical=layers[0], sar=layers[1]), bands, units)


def share_out(pieces: Sequence[Piece], bytes_per_pixel: int) -> list[Unit]:
    """Units of nearly one size: rows of tiles of large scenes, several small scenes together.

    Args:
        pieces: one for each scene, its tiles row by row.
        bytes_per_pixel: of all bands as stored.
    """
    groups: list[list[Piece]] = [[]]
    room = _UNIT_BYTES
    for piece in pieces:
        for part in _split(piece, bytes_per_pixel):
            needs = int(part.window.width * part.window.height) * bytes_per_pixel
            if groups[-1] and needs > room:
                groups.append([])
                room = _UNIT_BYTES
            groups[-1].append(part)
            room -= needs
    return [Unit(number, tuple(group)) for number, group in enumerate(groups) if group]


def sampling_step(pixels: int) -> int:
    """Every how many rows and columns to look at one of so many pixels for statistics."""
    step = 1
    while pixels // step**2 > _SAMPLED_PIXELS:
        step += 1
    return step


def _split(piece: Piece, bytes_per_pixel: int) -> Iterator[Piece]:
    """Squares of neighbouring tiles that fit into the memory of a unit; of a scene stored in strips, whole rows."""
    width, height = piece.tiles[0].place[2:]
    side = math.isqrt(_UNIT_BYTES // bytes_per_pixel)
    across, down = max(side // width, 1), max(side // height, 1)
    if piece.strips:  # whoever reads any of a strip unpacks all of it
        across, down = len(piece.tiles), max(side**2 // (int(piece.window.width) * height), 1)
    lefts, tops = (
        {at: n for n, at in enumerate(sorted({tile.place[axis] for tile in piece.tiles}))} for axis in (0, 1)
    )
    parts: dict[tuple[int, int], list[PlannedTile]] = {}
    for tile in piece.tiles:
        place = tops[tile.place[1]] // down, lefts[tile.place[0]] // across
        parts.setdefault(place, []).append(tile)
    for place in sorted(parts):
        yield replace(piece, tiles=tuple(parts[place]))


def _part(blocks: StoredBlocks, window: Window) -> StoredPart:
    return StoredPart(blocks.codec, blocks.take(window), blocks.layout)


def _cut(scene: LabelledScene, piece: Piece) -> Iterator[tuple[PlannedTile, LabelledSample]]:
    """Every tile with its pixels, each block of the files decoded once."""
    region = piece.window
    read = scene.read_stored(region)
    for tile in piece.tiles:
        left, top = tile.window.col_off - region.col_off, tile.window.row_off - region.row_off
        window = Window(left, top, tile.window.width, tile.window.height)
        yield tile, LabelledSample(read.sample.crop(window), read.labels[window.toslices()])
