"""Evaluate: how well maps agree with reference labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rsfuse.coding import LabelCoding
from rsfuse.errors import GridMismatchError, LegendMismatchError, SceneError
from rsfuse.legend import NODATA, Legend
from rsfuse.metrics import BoundaryCounts, Calibration, Rivals
from rsfuse.metrics.calibration import BINS
from rsfuse.metrics.code_pairs import check_pairs, confusion_of
from rsfuse.metrics.confusion import count_pairs
from rsfuse.metrics.evaluation import SAMPLE_SIZE, Evaluation, Extras, JudgedSample
from rsfuse.raster.compared import Compared, Strip
from rsfuse.raster.disk import replace_text, writing
from rsfuse.raster.drawn.pixel_area import row_areas_m2
from rsfuse.raster.map_layer import FULL
from rsfuse.raster.map_pairs import MapPair
from rsfuse.reports.evaluation import exports
from rsfuse.reports.evaluation.page import EvaluationPage, write_page
from rsfuse.tasks.progress import Progress, unheard


@dataclass(frozen=True)
class EvalSettings:
    """What a user may choose.

    Args:
        legend: of maps and labels; None for the one that rsfuse wrote into the first map.
        coding: what labels say the classes by; None for the legend's codes, colours or names.
        field: attribute of polygons that says the class; None for the one that is obvious.
        on: whose grid counts, where they differ.
        boundary: tolerances in pixels, at each of which boundaries are judged.
        rival: another map of the place, that the same labels judge.
        stratified: labels are a random sample in every class of the map, so that accuracies and areas are estimated.
    """

    legend: Legend | None = None
    coding: LabelCoding | None = None
    field: str | None = None
    on: Literal["map", "labels"] = "map"
    boundary: tuple[int, ...] = ()
    rival: Path | None = None
    stratified: bool = False


DEFAULTS = EvalSettings()
NOTHING = Extras()


def evaluate_maps(
    pairs: Sequence[MapPair], settings: EvalSettings = DEFAULTS, progress: Progress = unheard
) -> Evaluation:
    """Compare maps with their labels; the scores are those of all pixels together.

    Args:
        pairs: class codes, and a raster, polygons or points that say what is there.
        settings: what a user may choose.
        progress: told of strips of `SAMPLE_SIZE` rows.

    Raises:
        SceneError: if one cannot be read or they do not overlap.
        LegendMismatchError: if a code is not in the legend, or a map says nothing of its legend, or another than the
            one before.
    """
    if settings.rival is not None and len(pairs) > 1:
        raise SceneError(
            f"{settings.rival} is one map, and there are {len(pairs)} to compare it with",
            hint="compare them one by one",
        )
    tally: _Tally | None = None
    for number, (mapped, labels) in enumerate(pairs):
        with _open(settings, mapped, labels) as compared:
            if tally is None:
                tally = _Tally(compared.legend, settings)
            elif tally.legend != compared.legend:
                raise LegendMismatchError(
                    f"{mapped} has the classes {compared.legend}, {pairs[0][0]} has {tally.legend}",
                    hint="evaluate maps of different legends one by one",
                )
            count = -(-compared.grid.height // SAMPLE_SIZE)
            areas = _areas(compared) if settings.stratified else None
            for done, strip in enumerate(compared.strips(SAMPLE_SIZE, tally.halo), 1):
                tally.add(strip, compared.paths, areas)
                progress(number * count + done, len(pairs) * count)
    if tally is None:
        raise ValueError("there is no pair to evaluate")
    what = f"{SAMPLE_SIZE} x {SAMPLE_SIZE} px of the map"
    return Evaluation.of(tally.legend, tally.samples, what, tally.extras)


def _areas(compared: Compared) -> NDArray[np.float64]:
    areas = row_areas_m2(compared.grid)
    if not np.isfinite(areas).all():
        raise GridMismatchError(
            f"{compared.paths[0]} does not say how large its pixels are on the ground, so no area can be estimated",
            hint="give it its CRS: gdal_edit.py -a_srs ..., or leave out --stratified",
        )
    return areas


class _Tally:
    """What was counted so far.

    Args:
        legend: of all maps.
        settings: what is to be counted.
    """

    def __init__(self, legend: Legend, settings: EvalSettings) -> None:
        self.legend, self.samples = legend, list[JudgedSample]()
        self.halo = max((each + 1 for each in settings.boundary), default=0)
        classes = len(legend)
        self.extras = NOTHING
        if settings.boundary or settings.rival is not None or settings.stratified:
            self.extras = Extras(
                boundary=tuple(BoundaryCounts.empty(classes, each) for each in settings.boundary),
                rivals=None if settings.rival is None else Rivals.empty(),
                mapped=np.zeros(classes) if settings.stratified else None,
            )

    def add(self, strip: Strip, paths: MapPair, areas: NDArray[np.float64] | None) -> None:
        """Count a strip.

        Args:
            strip: its rows.
            paths: of map and labels.
            areas: square metres of a pixel in each row of the raster; None where nobody wants to know.
        """
        mapped, labels = paths
        lefts = range(0, strip.labels.shape[1], SAMPLE_SIZE)
        parts = [(strip.inner, slice(left, left + SAMPLE_SIZE)) for left in lefts]
        counted = [count_pairs(strip.labels[part], strip.mapped[part]) for part in parts]
        check_pairs(sum(counted, np.zeros_like(counted[0])), self.legend, str(labels), str(mapped))
        for left, pairs in zip(lefts, counted, strict=True):
            self.samples.append(JudgedSample(str(mapped), (left, strip.top), confusion_of(pairs, self.legend)))
        if self.extras is not NOTHING or strip.confidence is not None:
            self.extras = self._extras(strip, areas)

    def _extras(self, strip: Strip, areas: NDArray[np.float64] | None) -> Extras:
        so_far, rows, classes = self.extras, strip.inner, len(self.legend)
        truth, chart = self.legend.to_index(strip.labels), self.legend.to_index(strip.mapped)
        inner = rows, slice(0, truth.shape[1])
        boundary = tuple(
            each + BoundaryCounts.of(truth, chart, classes=classes, tolerance=each.tolerance, inner=inner)
            for each in so_far.boundary
        )
        truth, chart = truth[rows], chart[rows]
        calibration, rivals, mapped = so_far.calibration, so_far.rivals, so_far.mapped
        if strip.confidence is not None:
            counted = Calibration.of_bytes(truth, chart, strip.confidence[rows], full=FULL, bins=BINS)
            calibration = counted if calibration is None else calibration + counted
        if rivals is not None and strip.rival is not None:
            rivals += Rivals.of(truth, chart, self.legend.to_index(strip.rival[rows]))
        if mapped is not None and areas is not None:
            of_rows = areas[strip.top : strip.top + len(chart)]
            mapped = mapped + sum(
                area * np.bincount(row, minlength=NODATA + 1)[:classes]
                for area, row in zip(of_rows, chart, strict=True)
            )
        return Extras(boundary, calibration, rivals, mapped)


def write_reports(
    evaluation: Evaluation, reports: Sequence[Path], pairs: Sequence[MapPair] = (), settings: EvalSettings = DEFAULTS
) -> None:
    """Scores as files, by their ending: .html, .csv, .md or .json.

    Args:
        evaluation: the scores.
        reports: to write; what is there is replaced.
        pairs: what was compared, for pictures; none of a bundle.
        settings: how.

    Raises:
        OutputError: if one cannot be written.
    """
    for path in reports:
        if path.suffix == ".html":
            write_page(EvaluationPage(evaluation, tuple(pairs), partial(_open, settings)), path)
            continue
        with writing(path):
            replace_text(path, exports.WAYS[path.suffix](evaluation))


def _open(settings: EvalSettings, mapped: Path, labels: Path) -> Compared:
    return Compared(
        mapped,
        labels,
        legend=settings.legend,
        coding=settings.coding,
        field=settings.field,
        on=settings.on,
        rival=settings.rival,
    )
