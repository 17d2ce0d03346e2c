"""Evaluate sharpening: how good a sharpened raster is, with a reference and without."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from rsfuse.errors import SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.geometry.sharpening.filters import Span, within
from rsfuse.geometry.sharpening.sensors import find_sensor
from rsfuse.geometry.sharpening.storage import bits_maximum
from rsfuse.metrics.sharpening import BLOCK, Agreement, Distortion, block_strips
from rsfuse.metrics.sharpening.evaluation import FullScores, ReducedScores, SharpeningEvaluation
from rsfuse.raster.disk import replace_text, writing
from rsfuse.raster.sharpening.judged import WithoutReference, WithReference
from rsfuse.raster.sharpening.offset import Offset, measure_offset, undone
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.raster.windows import Windows, each_window
from rsfuse.reports.evaluation import sharpening_exports
from rsfuse.tasks.progress import Progress, Stages, unseen

CUT = 21
"""Pixels at the border that the toolbox of Vivone et al. (2015, 2021) leaves out, see `inside`."""

_RATIO = 4.0
_LEAST = BLOCK // 2  # pixels that can be mirrored to a block
_WINDOW = 512, 1024  # rows and columns that are worked on together


@dataclass(frozen=True)
class Judges:
    """What a sharpened raster is held against; one of the two at least.

    Args:
        reference: what it should be.
        pair: panchromatic and multispectral raster that it was made of.
    """

    reference: Path | None = None
    pair: tuple[Path, Path] | None = None


@dataclass(frozen=True)
class SharpeningRules:
    """What a user may choose.

    Args:
        ratio: panchromatic pixels along the side of a multispectral one, for ERGAS; None for that of the pair, or 4.
        cut: pixels at the border that are not held against the reference, see `inside`.
        maximum: largest number that the sensor can give, for PSNR; None for the next with all bits set above the
            largest of the reference, or 1 where that is not above 1.
        sensor: its code, by which the sharpened raster is low-passed.
        bands: of the reference and of the multispectral raster that the sharpened one has, counted from 1.
        align: undo the shift between the pair that matching finds, as for a raster that was sharpened so.
    """

    ratio: float | None = None
    cut: int = CUT
    maximum: float | None = None
    sensor: str = "other"
    bands: tuple[int, ...] | None = None
    align: bool = False


DEFAULTS = SharpeningRules()


def evaluate_sharpening(
    sharp: Path, judges: Judges, rules: SharpeningRules = DEFAULTS, stages: Stages = unseen
) -> SharpeningEvaluation:
    """Score a sharpened raster of any size; memory is that of a few windows.

    Args:
        sharp: the raster.
        judges: what it is held against.
        rules: what a user may choose.
        stages: told of the parts of the work.

    Raises:
        SceneError: if a raster cannot be read, has no pixel to compare, or has another number of bands than the sensor.
        GridMismatchError: if two rasters do not have the same pixels.
    """
    start = time.monotonic()
    sensor = find_sensor(rules.sensor)
    with ExitStack() as opened:  # mistakes are told before the work
        against = without = offset = None
        if judges.reference is not None:
            against = opened.enter_context(WithReference(sharp, judges.reference, bands=rules.bands))
        if judges.pair is not None:
            offset = _offset(judges.pair, rules, stages)
            without = opened.enter_context(
                WithoutReference(sharp, *judges.pair, sensor=sensor, bands=rules.bands, shift=undone(offset))
            )
        ratio = rules.ratio or (_RATIO if without is None else round(without.ratio, 4))
        reduced = None if against is None else _reduced(against, replace(rules, ratio=ratio), stages)
        full = None if without is None else _full(without, rules, stages)
    shift = None if offset is None or not offset.is_known else offset.shift
    return SharpeningEvaluation(sharp, reduced, full, time.monotonic() - start, shift)


def _offset(pair: tuple[Path, Path], rules: SharpeningRules, stages: Stages) -> Offset | None:
    """By which the multispectral raster is taken to lie aside; None where nobody asks."""
    if not rules.align:
        return None
    with PanMsScene(*pair, bands=rules.bands) as scene, stages("matching", "tiles") as progress:
        return measure_offset(scene, progress)


def _reduced(judged: WithReference, rules: SharpeningRules, stages: Stages) -> ReducedScores:
    rows, columns = (inside(length, rules.cut) for length in judged.grid.shape)
    _check_size(judged.grid, rules.cut)
    windows = _windows(rows, columns)
    compared = partial(_compared, limits=(rows, columns))
    with stages("comparing", "windows") as progress:
        nothing = Agreement.empty(len(judged.bands))
        agreement = _summed(each_window(judged, windows, compared), nothing, len(windows), progress)
    _check_pixels(judged.path, agreement.fidelity.pixels)
    maximum = rules.maximum or (1 if agreement.highest <= 1 else bits_maximum(agreement.highest))
    return ReducedScores(agreement, judged.bands, rules.ratio or _RATIO, maximum, rules.cut)


def inside(length: int, cut: int) -> Span:
    """What is left of a side of an image.

    The toolbox takes the pixels from the 21st on to the 21st before the last, so that a cut of 21 leaves 20 out at the
    one end and 21 at the other.
    """
    return max(cut - 1, 0), length - cut


def _compared(judged: WithReference, rows: Span, columns: Span, *, limits: tuple[Span, Span]) -> Agreement:
    """A window, read with a pixel more on every side: edges are where neighbours differ."""
    (top, bottom), (left, right) = limits
    wide = (max(rows[0] - 1, top), min(rows[1] + 1, bottom)), (max(columns[0] - 1, left), min(columns[1] + 1, right))
    found = judged.read(*wide)
    return Agreement.of(found.reference, found.sharp, found.valid, within((rows, columns), wide))


def _full(judged: WithoutReference, rules: SharpeningRules, stages: Stages) -> FullScores:
    _check_size(judged.grid, 0)
    windows = _windows(*((0, length) for length in judged.grid.shape))
    nothing = _Counted(0, Distortion.empty(len(judged.bands)))
    with stages("judging by the pair", "windows") as progress:
        found = _summed(each_window(judged, windows, _judged), nothing, len(windows), progress)
    _check_pixels(judged.path, found.pixels)
    return FullScores(found.distortion, found.pixels, rules.sensor, judged.gains)


@dataclass(frozen=True)
class _Counted:
    """Sums, and over how many pixels."""

    pixels: int
    distortion: Distortion

    def __add__(self, other: _Counted) -> _Counted:
        return _Counted(self.pixels + other.pixels, self.distortion + other.distortion)


def _judged(judged: WithoutReference, rows: Span, columns: Span) -> _Counted:
    images, valid = judged.read(rows, columns)
    return _Counted(int(np.count_nonzero(valid)), Distortion.of(images, None if valid.all() else valid))


Sums = TypeVar("Sums", Agreement, _Counted)


def _summed(found: Iterable[Sums], total: Sums, windows: int, progress: Progress) -> Sums:
    for done, each in enumerate(found, 1):
        total += each
        progress(done, windows)
    return total


def _windows(rows: Span, columns: Span) -> Windows:
    """All of a part of a raster, in windows whose blocks are those of the whole part."""
    down, across = (
        [(first + each.start, first + each.stop) for each in block_strips(past - first, most)]
        for (first, past), most in zip((rows, columns), _WINDOW, strict=True)
    )
    return [(high, wide) for high in down for wide in across]


def _check_size(grid: Grid, cut: int) -> None:
    height, width = (past - first for first, past in (inside(length, cut) for length in grid.shape))
    if min(height, width) >= _LEAST:
        return
    without = f" without {cut} px at the border" if cut else ""
    raise SceneError(
        f"of {grid.width} x {grid.height} px, {max(width, 0)} x {max(height, 0)} are left{without}; a block of {BLOCK} "
        f"px is made of {_LEAST} at least",
        hint="keep the border: --cut 0" if cut and min(grid.shape) >= _LEAST else "give a larger part of the scene",
    )


def _check_pixels(sharp: Path, pixels: int) -> None:
    if not pixels:
        raise SceneError(
            f"no pixel of {sharp} has data there and in what it is held against",
            hint="check the nodata values of all rasters",
        )


def write_sharpening_reports(evaluation: SharpeningEvaluation, reports: Sequence[Path]) -> None:
    """Scores as files, by their ending: .csv, .md or .json.

    Raises:
        OutputError: if one cannot be written.
    """
    for path in reports:
        with writing(path):
            replace_text(path, sharpening_exports.WAYS[path.suffix](evaluation))
