"""The manifest of a set of patches for sharpening: a table of patches, and the files that they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import rsfuse
from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.pancollection import RATIO, PanCollection, Split
from rsfuse.raster.manifest import TILES
from rsfuse.raster.sharpening.values import SharpeningStatistics
from rsfuse.raster.table import read_table, write_table
from rsfuse.strict import Strict, checked

Source = Literal["pancollection", "wald"]
"""Where patches come from: files of PanCollection, or a scene of the user's own, by Wald's protocol."""

_WRITTEN_BY: dict[str, str] = {
    "pancollection": "rsfuse tile --dataset pancollection ROOT",
    "wald": "rsfuse tile --wald PAN MS",
}

_FIELDS = {
    "name": "string",
    "split": "string",
    "file": "string",
    "index": "integer",
    "height": "integer",
    "width": "integer",
}


class SharpeningEntry(Strict):
    """One patch.

    Args:
        name: unique in its set.
        split: what it may be used for; a patch of "full" has no reference.
        file: name of the HDF5 file.
        index: its place there, from 0.
        height: rows of its panchromatic image.
        width: columns likewise.
    """

    name: str
    split: Split
    file: str
    index: int
    height: int
    width: int


class _Patches(Strict):
    patches: tuple[SharpeningEntry, ...]


class SourceFile(Strict):
    """An HDF5 file: its path, from the set's own folder if it lies there, and its size in bytes when it was written."""

    path: str
    bytes: int


class SharpeningHeader(Strict):
    """All there is to know about a set besides its patches.

    Args:
        kind: tells it from sets of tiles.
        version: of this format.
        software: what wrote it.
        dataset: where the patches come from.
        scenes: files that they were cut from, as a card tells them; none where they were patches from the first.
        sensor: its code, as "gf2".
        bands: names of the multispectral bands, in order.
        ratio: panchromatic pixels along the side of a multispectral one.
        maximum: the sensor's largest digital number, by which a network's input is divided.
        split: one sentence on how the splits were made.
        statistics: of the training patches, in digital numbers; None where there are none.
        files: by their names.
        notes: what a user should know before trusting it.
    """

    kind: Literal["sharpening"] = "sharpening"
    version: Literal[1] = 1
    software: str
    dataset: Source = "pancollection"
    scenes: tuple[str, ...] = ()
    sensor: str
    bands: tuple[str, ...]
    ratio: int
    maximum: int
    split: str
    statistics: SharpeningStatistics | None
    files: dict[str, SourceFile]
    notes: tuple[str, ...]


def plan_patches(collection: PanCollection) -> tuple[SharpeningHeader, list[SharpeningEntry]]:
    """Header and patches of a collection; the statistics are still None."""
    sensor = collection.sensor
    header = SharpeningHeader(
        software=f"rsfuse {rsfuse.__version__}",
        sensor=sensor.code,
        bands=sensor.bands,
        ratio=RATIO,
        maximum=sensor.maximum,
        split="as PanCollection's own files are named: train, valid, test, and test at full resolution",
        statistics=None,
        files={file.path.name: SourceFile(path=str(file.path), bytes=file.bytes) for file in collection.files},
        notes=collection.notes,
    )
    entries = [
        SharpeningEntry(
            name=f"{file.path.stem}_{index:05d}",
            split=file.split,
            file=file.path.name,
            index=index,
            height=file.size[0],
            width=file.size[1],
        )
        for file in collection.files
        for index in range(file.patches)
    ]
    return header, entries


def write_sharpening_manifest(folder: Path, header: SharpeningHeader, entries: Sequence[SharpeningEntry]) -> None:
    """Write tiles.json into a folder that is there.

    Raises:
        OutputError: if the disk is full.
    """
    write_table(folder / TILES, header.model_dump(), [entry.model_dump() for entry in entries], _FIELDS)


def again(folder: Path, dataset: str) -> str:
    """What to do about a set that is no longer good for anything, for hints."""
    return f"write the set again: {_WRITTEN_BY.get(dataset, 'rsfuse tile ...')} --out {folder} --overwrite"


def read_sharpening_manifest(folder: Path) -> tuple[SharpeningHeader, tuple[SharpeningEntry, ...]]:
    """Header and patches of a set.

    Raises:
        TileSetError: if there is none, it is damaged, or of another kind.
    """
    path = folder / TILES
    if not path.is_file():
        raise TileSetError(
            f"{folder} is not a tile set: it has no {TILES}",
            hint="name a folder that this wrote: " + _writing(folder),
        )
    header, records = read_table(path)
    if header.get("kind") != "sharpening":
        raise TileSetError(
            f"{path} is of {header.get('kind', 'another kind')}, not of patches for sharpening",
            hint="name a folder that this wrote: " + _writing(folder),
        )
    hint = again(folder, header.get("dataset", ""))
    told = checked(SharpeningHeader, header, str(path), kind=TileSetError, hint=hint)
    patches = checked(_Patches, {"patches": records}, str(path), kind=TileSetError, hint=hint).patches
    strange = {entry.file for entry in patches} - told.files.keys()
    if strange:
        raise TileSetError(
            f"{path} has patches of {', '.join(sorted(strange))}, and does not say where that lies",
            hint=hint,
        )
    return told, patches


def _writing(folder: Path) -> str:
    return ", or ".join(f"{command} --out {folder}" for command in _WRITTEN_BY.values())
