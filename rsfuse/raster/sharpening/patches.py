"""SharpeningSet: patches for pan-sharpening, read straight from HDF5 files.

Of PanCollection no pixel is copied: the folder holds tiles.json alone, a table of patches, with the files that they lie
in. Patches of a user's own scene (`rsfuse.raster.sharpening.wald`) lie beside their table.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from rsfuse.errors import OutputError, TileSetError
from rsfuse.raster.datasets.pancollection import read_pancollection, reading_patches
from rsfuse.raster.disk import writing
from rsfuse.raster.manifest import TILES
from rsfuse.raster.opening import Closing
from rsfuse.raster.sharpening.manifest import (
    SharpeningEntry,
    SharpeningHeader,
    again,
    plan_patches,
    read_sharpening_manifest,
    write_sharpening_manifest,
)
from rsfuse.raster.sharpening.values import measure_patches


@dataclass(frozen=True)
class SharpeningSample:
    """A patch in digital numbers.

    Args:
        ms: (C, h, w), the multispectral image.
        pan: (1, H, W), the panchromatic image; H and W are h and w times the ratio.
        reference: (C, H, W), what a network shall find; None at full resolution.
    """

    ms: NDArray[np.float32]
    pan: NDArray[np.float32]
    reference: NDArray[np.float32] | None


@dataclass(frozen=True)
class SharpeningReport:
    """What writing a set came to.

    Args:
        folder: of the set.
        sensor: its code.
        patches: how many each split has.
        written: false where the set was there already, of the same files.
        notes: what a user should know before trusting it, a sentence each.
        left_out: how many patches are not in it, for which reason.
    """

    folder: Path
    sensor: str
    patches: dict[str, int]
    written: bool
    notes: tuple[str, ...]
    left_out: dict[str, int] = field(default_factory=dict)


def write_sharpening_set(root: Path, folder: Path, *, overwrite: bool = False) -> SharpeningReport:
    """Check the files of PanCollection in a folder, and write down which patches they hold.

    Where the set is there already, of the same files with the same sizes, nothing is read or written.

    Args:
        root: folder with the files of one sensor.
        folder: of the set; made if it is not there.
        overwrite: check the values again, and replace the set that is there.

    Raises:
        TileSetError: if the files are not what they should be.
        OutputError: if the folder holds anything else, or cannot be written.
    """
    collection = read_pancollection(root)
    header, entries = plan_patches(collection)
    done = SharpeningReport(
        folder, header.sensor, dict(Counter(entry.split for entry in entries)), written=True, notes=header.notes
    )
    if not overwrite and _holds(folder, header, entries):
        return replace(done, written=False)
    check_folder(folder, (), overwrite=overwrite)
    header = header.model_copy(update={"statistics": measure_patches(collection)})
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_sharpening_manifest(folder, header, entries)
    return done


class SharpeningSet(Closing):
    """A set of patches, open for reading, by one thread at a time. It may travel to other processes, forked or not.

    Args:
        folder: what `write_sharpening_set` wrote.

    Raises:
        TileSetError: if the folder is no such set, or a file that it names is gone or has changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.header: SharpeningHeader
        self.entries: tuple[SharpeningEntry, ...]
        self.header, self.entries = read_sharpening_manifest(folder)
        for name in self.header.files:
            self._locate(name)
        self._handles: dict[str, Any] = {}
        self._owner = os.getpid()

    def select(self, split: str) -> list[SharpeningEntry]:
        """The patches of "train", "val", "test" or "full"."""
        return [entry for entry in self.entries if entry.split == split]

    def read(self, entry: SharpeningEntry) -> SharpeningSample:
        """A patch.

        Args:
            entry: one of this set's.

        Raises:
            TileSetError: if its file is gone, has changed or is damaged.
        """
        opened = self._handle(entry.file)
        with reading_patches(self._path(entry.file)):
            ms, pan = (opened[key][entry.index].astype(np.float32) for key in ("ms", "pan"))
            reference = None if entry.split == "full" else opened["gt"][entry.index].astype(np.float32)
        return SharpeningSample(ms, pan, reference)

    def close(self) -> None:
        """Let go of the files; the next read opens them again."""
        handles, self._handles = self._handles, {}
        for opened in handles.values():
            opened.close()

    def _handle(self, name: str) -> Any:
        if self._owner != os.getpid():  # a fork shares the place in the file with its parent, so it needs its own
            self.close()
            self._owner = os.getpid()
        if name not in self._handles:
            path = self._locate(name)
            with reading_patches(path):
                self._handles[name] = h5py.File(path)
        return self._handles[name]

    def _locate(self, name: str) -> Path:
        """Path of a file that is still what it was."""
        source, path = self.header.files[name], self._path(name)
        hint = f"put the file back, or {again(self.folder, self.header.dataset)}"
        if not path.is_file():
            raise TileSetError(f"{path}, which {self.folder / TILES} names, is gone", hint=hint)
        size = path.stat().st_size
        if size != source.bytes:
            raise TileSetError(
                f"{path} has {size} bytes; it had {source.bytes} when {self.folder / TILES} was written",
                hint=hint,
            )
        return path

    def _path(self, name: str) -> Path:
        return self.folder / self.header.files[name].path

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_handles": {}}


def _holds(folder: Path, header: SharpeningHeader, entries: list[SharpeningEntry]) -> bool:
    """Whether a set of these files is there already."""
    try:
        there, patches = read_sharpening_manifest(folder)
    except TileSetError:
        return False
    return patches == tuple(entries) and header == there.model_copy(
        update={"statistics": None, "software": header.software}
    )


def check_folder(folder: Path, files: Collection[str], *, overwrite: bool) -> None:
    """Refuse a folder with anything in it but what may be replaced.

    Args:
        folder: of a set to be written.
        files: names of patch files that a set may have in its folder.
        overwrite: whether a set that is there may be replaced.

    Raises:
        OutputError: saying what it holds.
    """
    left = {part_of(name) for name in (TILES, *files)}  # by a run that was killed
    held = {path.name for path in folder.iterdir()} - left if folder.is_dir() else set()
    ours = TILES in held and held <= {TILES, *files}
    if not (held or folder.is_file()) or (overwrite and ours):
        return
    raise OutputError(
        f"{folder} {'is a file' if folder.is_file() else 'is not empty: it holds ' + _first(held)}",
        hint="choose another --out, or " + ("add --overwrite to replace the set" if ours else "empty the folder"),
    )


def part_of(name: str) -> str:
    """What a file is called until it is whole."""
    return f".{name}.part"


def _first(names: set[str]) -> str:
    shown = sorted(names)[:3]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
