"""PanCollection: patches for pan-sharpening of WorldView-3, QuickBird, Gaofen-2 and WorldView-2, in HDF5 files.

A file holds N patches of C bands under four keys, as digital numbers:

    ms    N x C x h x w      the multispectral image
    pan   N x 1 x 4h x 4w    the panchromatic image
    lms   N x C x 4h x 4w    ms, interpolated; rsfuse never reads it, its networks interpolate themselves
    gt    N x C x 4h x 4w    what a network shall find; not in files of full resolution, where nobody knows it

In all files but those of full resolution ms and pan were made from the originals: filtered, and a quarter of the side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import h5py

from rsfuse.errors import TileSetError

RATIO = 4
"""Panchromatic pixels along the side of a multispectral one."""

Split = Literal["train", "val", "test", "full"]
"""What a file may be used for; "full" is the test at full resolution, without a reference."""

_NAME = re.compile(r"(train|valid|test)_([a-z0-9]+)(_\w+)?\.h5", re.IGNORECASE)
_USES: dict[str, Split] = {"train": "train", "valid": "val"}
_TESTS: dict[str, Split] = {"_multiexm1": "test", "_origscale_multiexm1": "full"}
_WANTED: dict[Split, str] = {"train": "training", "val": "validation"}


@dataclass(frozen=True)
class Sensor:
    """A sensor of PanCollection.

    Args:
        code: as the names of files have it.
        name: in words.
        bands: of the multispectral image, in the order of the files.
        maximum: its largest digital number, by which a network's input is divided.
    """

    code: str
    name: str
    bands: tuple[str, ...]
    maximum: int


_EIGHT = ("coastal", "blue", "green", "yellow", "red", "red edge", "nir1", "nir2")
_FOUR = ("blue", "green", "red", "nir")
SENSORS: dict[str, Sensor] = {
    each.code: each
    for each in (
        Sensor("wv3", "WorldView-3", _EIGHT, 2047),
        Sensor("qb", "QuickBird", _FOUR, 2047),
        Sensor("gf2", "Gaofen-2", _FOUR, 1023),
        Sensor("wv2", "WorldView-2", _EIGHT, 2047),
    )
}
"""The sensors by their codes."""


@dataclass(frozen=True)
class PatchFile:
    """One HDF5 file.

    Args:
        path: absolute.
        split: what it may be used for.
        patches: N.
        size: height and width of its panchromatic patches.
        bytes: its size on disk.
    """

    path: Path
    split: Split
    patches: int
    size: tuple[int, int]
    bytes: int

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the arrays that are read."""
        return ("ms", "pan") if self.split == "full" else ("ms", "pan", "gt")


@dataclass(frozen=True)
class PanCollection:
    """The files of one sensor.

    Args:
        sensor: the one.
        files: at most one a split, in the order train, val, test, full.
        notes: what a user should know before trusting it, a sentence each.
    """

    sensor: Sensor
    files: tuple[PatchFile, ...]
    notes: tuple[str, ...] = ()


def read_pancollection(root: Path) -> PanCollection:
    """The files of PanCollection under a folder, in it or up to two folders below, and what they hold.

    Names, keys and shapes are checked here, in milliseconds; values by `measure_patches`, which reads all of them.

    Args:
        root: folder with files of one sensor.

    Raises:
        TileSetError: if there is none, several are for one use, they are of several sensors, or one is not what its
            name says.
    """
    named = [(path, *_parse(path)) for path in _find(root.resolve())]
    codes = sorted({sensor.code for _, sensor, _ in named})
    if len(codes) > 1:
        raise TileSetError(
            f"{root} holds files of {len(codes)} sensors, {', '.join(codes)}; a set is of one",
            hint="name the folder of one sensor; where they share a folder, link the files of one into another",
        )
    sensor, notes = named[0][1], []
    by_split: dict[Split, PatchFile] = {}
    for path, _, split in named:
        if split in by_split:
            raise TileSetError(f"{path} and {by_split[split].path} are both for {split}", hint="move one of them away")
        by_split[split], unread = _open_file(path, sensor, split)
        notes += [f"{path.name} also holds {', '.join(unread)}, which nothing reads."] if unread else []
    files = tuple(by_split[split] for split in ("train", "val", "test", "full") if split in by_split)
    missing = [f"There is no {told} file." for split, told in _WANTED.items() if split not in by_split]
    return PanCollection(sensor, files, (*missing, *notes))


@contextmanager
def reading_patches(path: Path) -> Iterator[None]:
    """Turn what goes wrong while an HDF5 file is opened or read into an error of the user's.

    Raises:
        TileSetError: naming the file.
    """
    try:
        yield
    except OSError as error:
        raise TileSetError(
            f"{path} cannot be read as HDF5: {error}", hint="the file is probably incomplete: copy or download it again"
        ) from error


def _find(root: Path) -> list[Path]:
    if not root.is_dir():
        raise TileSetError(f"there is no folder {root}", hint="name the folder that PanCollection's files lie in")
    found = [path for pattern in ("*.h5", "*/*.h5", "*/*/*.h5") for path in root.glob(pattern)]
    shown = [path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts)]
    if not shown:
        raise TileSetError(
            f"{root} and the folders in it hold no .h5 file",
            hint="name the folder with train_wv3.h5 and the like; PanCollection's .mat files are not read",
        )
    return sorted(shown)


def _parse(path: Path) -> tuple[Sensor, Split]:
    """Sensor and use of a file, from its name."""
    found = _NAME.fullmatch(path.name)
    use, code, rest = (part.lower() for part in found.groups(default="")) if found else ("", "", "")
    split = _TESTS.get(rest) if use == "test" else _USES.get(use)
    if code not in SENSORS or split is None:
        why = f"{code!r} is none of {', '.join(SENSORS)}" if use and code not in SENSORS else "its name says no use"
        raise TileSetError(
            f"{path} is not a file of PanCollection: {why}",
            hint="move it away; names are like train_wv3.h5, valid_wv3.h5, test_wv3_multiExm1.h5 and "
            "test_wv3_OrigScale_multiExm1.h5",
        )
    return SENSORS[code], split


def _open_file(path: Path, sensor: Sensor, split: Split) -> tuple[PatchFile, list[str]]:
    """A file, checked but for its values, and the names of what it holds besides."""
    needed = ("ms", "pan", "lms") if split == "full" else ("ms", "pan", "lms", "gt")
    with reading_patches(path), h5py.File(path) as opened:
        names = list(opened)
        missing = [key for key in needed if not isinstance(opened.get(key), h5py.Dataset)]
        if missing:
            raise TileSetError(
                f"{path} lacks {', '.join(missing)}; it holds {', '.join(names) or 'nothing'}",
                hint="download the file again, in its H5 format",
            )
        kinds = {key: opened[key].dtype.name for key in needed if opened[key].dtype.kind not in "fiu"}
        if kinds:
            raise TileSetError(f"{path} holds no numbers: {kinds}", hint="download the file again")
        shapes: dict[str, tuple[int, ...]] = {key: opened[key].shape for key in needed}
    _check_shapes(path, shapes, sensor)
    count, _, *size = shapes["pan"]
    return PatchFile(path, split, count, (size[0], size[1]), path.stat().st_size), sorted(set(names) - set(needed))


def _check_shapes(path: Path, shapes: dict[str, tuple[int, ...]], sensor: Sensor) -> None:
    hint = "download the file again, or move it away if it is not PanCollection's"
    ms = shapes["ms"]
    if len(ms) != 4 or min(ms) < 1:
        raise TileSetError(f"{path}: 'ms' is {_told(ms)}, it should be patches x bands x height x width", hint=hint)
    count, bands, height, width = ms
    if bands != len(sensor.bands):
        raise TileSetError(
            f"{path}: 'ms' has {bands} bands, {sensor.name} has {len(sensor.bands)}",
            hint="check which sensor the file is of, and name it accordingly",
        )
    for key in ("pan", "lms", "gt")[: len(shapes) - 1]:
        right = (count, 1 if key == "pan" else bands, height * RATIO, width * RATIO)
        if shapes[key] != right:
            raise TileSetError(
                f"{path}: {key!r} is {_told(shapes[key])}, with 'ms' of {_told(ms)} it should be {_told(right)}",
                hint=hint,
            )


def _told(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
