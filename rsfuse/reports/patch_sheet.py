"""The contact sheet of a set for sharpening: a few patches of every split, one row a patch: ms, pan, reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsfuse.raster.sharpening.manifest import SharpeningHeader
from rsfuse.raster.sharpening.patches import SharpeningSample, SharpeningSet
from rsfuse.raster.sharpening.values import SharpeningStatistics
from rsfuse.raster.statistics import PERCENTILES, BandStatistics
from rsfuse.reports.sheet import Sheet, SheetBlock, SheetRow, counted, evenly, write_sheet
from rsfuse.reports.shown_bands import shown_bands
from rsfuse.reports.thumbnails import SIDE, Picture, Reducer, measured, picture

EACH = 4
"""Patches of a split, at most."""

_FOOT = (
    "Brightness from the 2nd to the 98th percentile of the training patches, alike in all; ms without interpolation."
)
_FOOT_UNKNOWN = "Brightness from 0 to the sensor's maximum; ms without interpolation."


def draw_patch_sheet(patches: SharpeningSet, path: Path) -> None:
    """Draw patches, spread evenly over each split, into a PNG; the same patches every time.

    Args:
        patches: the set.
        path: of the PNG; a file that is there is replaced.

    Raises:
        TileSetError: if a file of the set is gone or damaged.
        OutputError: if the file cannot be written.
    """
    header = patches.header
    blocks = []
    for split in ("train", "val", "test", "full"):
        there = patches.select(split)
        shown = evenly(there, EACH)
        rows = tuple(SheetRow(entry.name, (), _pictures(patches.read(entry), header)) for entry in shown)
        if rows:
            blocks.append(SheetBlock(f"{split}: {counted(len(shown), len(there), 'patch', 'patches')}", rows))
    sheet = Sheet(
        title=f"{patches.folder.resolve().name}: {len(patches.entries):,} patches of {header.sensor}",
        columns=("ms: " + ", ".join(header.bands[band] for band in shown_bands(header.bands)), "pan", "reference"),
        blocks=tuple(blocks),
        legend=(),
        foot=_FOOT if header.statistics else _FOOT_UNKNOWN,
        cell=SIDE,
    )
    write_sheet(sheet, path)


def _pictures(sample: SharpeningSample, header: SharpeningHeader) -> tuple[Picture, ...]:
    """Of ms, pan and, if there is one, the reference."""
    statistics = header.statistics or _any_value(header)
    bands = shown_bands(header.bands)
    colors = [statistics.ms[band] for band in bands]
    pictures = [
        _picture(sample.ms[list(bands)], colors),
        _picture(sample.pan.repeat(3, 0), [statistics.pan] * 3),  # as three bands: bent like the colours beside it
    ]
    if sample.reference is not None:
        pictures.append(_picture(sample.reference[list(bands)], colors))
    return tuple(pictures)


def _picture(pixels: NDArray[np.float32], bands: Sequence[BandStatistics]) -> Picture:
    reducer = Reducer(*pixels.shape[1:])
    reducer.add(0, measured(pixels, np.ones(pixels.shape[1:], np.bool_), range(len(pixels))))
    return picture(reducer.means, bands)


def _any_value(header: SharpeningHeader) -> SharpeningStatistics:
    """What stands for statistics where no patch trains: every number of the sensor is as frequent as any other."""
    top = float(header.maximum)
    pan = BandStatistics(
        name="pan",
        dtype="float32",
        minimum=0,
        maximum=top,
        mean=top / 2,
        std=top / 12**0.5,
        percentiles={at: top * at / 100 for at in PERCENTILES},
    )
    return SharpeningStatistics(ms=tuple(pan.model_copy(update={"name": name}) for name in header.bands), pan=pan)
