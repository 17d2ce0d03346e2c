"""What the values of patches look like, and whether those of PanCollection are the sensor's at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.pancollection import PanCollection, PatchFile, Sensor, reading_patches
from rsfuse.raster.statistics import BandStatistics
from rsfuse.strict import Strict

_SAMPLE = 4_000_000  # values a band, from which statistics are taken
_BLOCK_BYTES = 2**25  # read at once
_OVERSHOOT = 0.125  # of the maximum: bicubic reduction swings over beside bright roofs, by less than this


class SharpeningStatistics(Strict):
    """Digital numbers of the training patches: of each band of ms, and of pan."""

    ms: tuple[BandStatistics, ...]
    pan: BandStatistics


def measure_patches(collection: PanCollection, *, sample: int = _SAMPLE) -> SharpeningStatistics | None:
    """Check every value that a network may see, and take statistics of the training patches on the way.

    Args:
        collection: whose files are read from end to end, a block at a time.
        sample: how many values of a band, evenly spaced, statistics are taken from at most.

    Returns:
        None where there is no training file.

    Raises:
        TileSetError: if a value is none that the sensor gives, or a file is damaged.
    """
    statistics = None
    for file in collection.files:
        with reading_patches(file.path), h5py.File(file.path) as opened:
            blocks = {key: _checked(file, key, opened[key], collection.sensor) for key in file.keys}
            if file.split == "train":
                described = {key: _describe(opened[key], blocks.pop(key), sample) for key in ("ms", "pan")}
                statistics = _named(described, collection.sensor.bands)
            for each in blocks.values():
                for _ in each:
                    pass
    return statistics


def describe_training(path: Path, bands: Sequence[str], *, sample: int = _SAMPLE) -> SharpeningStatistics:
    """Statistics of a file of training patches whose values are known to be good.

    Args:
        path: of the HDF5 file.
        bands: names of those of ms.
        sample: as for `measure_patches`.

    Raises:
        TileSetError: if the file is damaged.
    """
    with reading_patches(path), h5py.File(path) as opened:
        described = {key: _describe(opened[key], _blocks(opened[key]), sample) for key in ("ms", "pan")}
    return _named(described, bands)


def _named(described: Mapping[str, tuple[BandStatistics, ...]], bands: Sequence[str]) -> SharpeningStatistics:
    ms = zip(described["ms"], bands, strict=True)
    return SharpeningStatistics(
        ms=tuple(band.model_copy(update={"name": name}) for band, name in ms),
        pan=described["pan"][0].model_copy(update={"name": "pan"}),
    )


def _blocks(patches: Any) -> Iterator[NDArray[Any]]:
    """Some patches (n, C, h, w) of an array after the other."""
    rows = max(1, _BLOCK_BYTES // (patches.dtype.itemsize * int(np.prod(patches.shape[1:]))))
    for first in range(0, len(patches), rows):
        yield patches[first : first + rows]


def _checked(file: PatchFile, key: str, patches: Any, sensor: Sensor) -> Iterator[NDArray[Any]]:
    """Blocks (n, C, h, w) of an array, one after the other, each after a look at its values."""
    original = key == "gt" or file.split == "full"  # all others were filtered
    spare = 0.0 if original else _OVERSHOOT * sensor.maximum
    peak, first = 0.0, 0
    for block in _blocks(patches):
        low, high = block.min((1, 2, 3)), block.max((1, 2, 3))
        strange = np.flatnonzero(~((low >= -spare) & (high <= sensor.maximum + spare)))  # nor is NaN within them
        if strange.size:
            at = int(strange[0])
            raise _beyond(f"{file.path}: patch {first + at} of {key!r}", float(low[at]), float(high[at]), sensor)
        peak, first = max(peak, float(high.max())), first + len(block)
        yield block
    if peak <= 1:
        raise TileSetError(
            f"{file.path}: no value of {key!r} is above {peak:g}; digital numbers go up to {sensor.maximum}",
            hint="give PanCollection's own files: values that were divided by something are not taken",
        )


def _beyond(where: str, low: float, high: float, sensor: Sensor) -> TileSetError:
    hint = "check which sensor the file is of, and that it is complete"
    if sensor.code == "gf2":
        hint += f"; GF2 ends at {sensor.maximum}, though the code of CF2N divides it by 2047 like all others"
    return TileSetError(
        f"{where} has values from {low:g} to {high:g}, {sensor.name} gives 0 to {sensor.maximum}", hint=hint
    )


def _describe(patches: Any, blocks: Iterator[NDArray[Any]], sample: int) -> tuple[BandStatistics, ...]:
    """Statistics of every k-th value of each band, through all blocks."""
    count, bands, height, width = patches.shape
    step = -(-count * height * width // sample) | 1  # odd: an even step would meet few of the columns of 64
    taken: list[list[NDArray[np.float32]]] = [[] for _ in range(bands)]
    seen = 0
    for block in blocks:
        for band, values in enumerate(taken):
            values.append(block[:, band].reshape(-1)[-seen % step :: step].astype(np.float32))
        seen += len(block) * height * width
    return tuple(
        BandStatistics.of(f"band {band}", patches.dtype.name, np.concatenate(values), "DN")
        for band, values in enumerate(taken, 1)
    )
