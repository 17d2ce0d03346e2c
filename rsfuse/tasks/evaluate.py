"""Evaluate: how well maps, or a bundle on tiles, agree with reference labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from rsfuse.coding import LabelCoding
from rsfuse.errors import LegendMismatchError, TileSetError
from rsfuse.geometry.plan import Plan
from rsfuse.learn.inference.conveyor import Conveyor, Tally
from rsfuse.learn.inference.predictor import Predictor
from rsfuse.learn.inference.products import Products
from rsfuse.learn.inference.rows import ScaledRows
from rsfuse.learn.scaling import Scaler
from rsfuse.legend import NODATA, Legend
from rsfuse.metrics import Confusion
from rsfuse.metrics.code_pairs import check_pairs, confusion_of, count_pairs
from rsfuse.metrics.evaluation import Evaluation, JudgedSample
from rsfuse.raster.compared import Compared
from rsfuse.raster.tiles import TileSet
from rsfuse.tasks.progress import Progress, unheard

SAMPLE_SIZE = 512
"""Side in pixels of the samples whose kappas mKappa averages where a map is evaluated, not tiles."""


@dataclass(frozen=True)
class EvalSettings:
    """What a user may choose.

    Args:
        legend: of maps and labels; None for the one that rsfuse wrote into the first map.
        coding: what labels say the classes by; None for the legend's codes, colours or names.
        field: attribute of polygons that says the class; None for the one that is obvious.
        on: whose grid counts, where they differ.
    """

    legend: Legend | None = None
    coding: LabelCoding | None = None
    field: str | None = None
    on: Literal["map", "labels"] = "map"


DEFAULTS = EvalSettings()


def evaluate_maps(
    pairs: Sequence[tuple[Path, Path]], settings: EvalSettings = DEFAULTS, progress: Progress = unheard
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
    legend, samples = settings.legend, []
    for number, (mapped, labels) in enumerate(pairs):
        with Compared(
            mapped, labels, legend=settings.legend, coding=settings.coding, field=settings.field, on=settings.on
        ) as compared:
            if legend is not None and legend != compared.legend:
                raise LegendMismatchError(
                    f"{mapped} has the classes {compared.legend}, {pairs[0][0]} has {legend}",
                    hint="evaluate maps of different legends one by one",
                )
            legend = compared.legend
            strips = -(-compared.grid.height // SAMPLE_SIZE)
            for done, found in enumerate(_judged(compared), 1):
                samples.extend(found)
                progress(number * strips + done, len(pairs) * strips)
    if legend is None:
        raise ValueError("there is no pair to evaluate")
    return _evaluation(legend, samples, f"{SAMPLE_SIZE} x {SAMPLE_SIZE} px of the map")


def _judged(compared: Compared) -> Iterator[list[JudgedSample]]:
    """The samples of each strip."""
    mapped, labels = compared.paths
    for strip in compared.strips(SAMPLE_SIZE):
        found = []
        for left in range(0, compared.grid.width, SAMPLE_SIZE):
            part = np.s_[:, left : left + SAMPLE_SIZE]
            pairs = count_pairs(strip.labels[part], strip.mapped[part])
            check_pairs(pairs, compared.legend, str(labels), str(mapped))
            found.append(JudgedSample(str(mapped), (left, strip.top), confusion_of(pairs, compared.legend)))
        yield found


def evaluate_bundle(
    predictor: Predictor, folder: Path, split: str = "test", progress: Progress = unheard
) -> Evaluation:
    """Run a bundle on the tiles of a split, each for itself, and compare with their labels.

    Raises:
        TileSetError: if there are no such tiles, or they are not of the bundle's classes.
    """
    tiles, bundle = TileSet(folder), predictor.bundle
    chosen = tiles.select(split)
    if not chosen or tiles.legend.codes != bundle.legend.codes:
        raise TileSetError(
            f"{folder} has {len(chosen)} {split} tiles of the classes {tiles.legend}; "
            f"bundle {bundle.name} maps {bundle.legend}",
            hint=f"cut {split} tiles with the bundle's legend: rsfuse tile --split {split}",
        )
    samples = list(_judged_tiles(predictor, tiles, split, progress))
    size = tiles.manifest.size
    return _evaluation(tiles.legend, samples, f"one tile of {size} x {size} px")


def _judged_tiles(predictor: Predictor, tiles: TileSet, split: str, progress: Progress) -> Iterator[JudgedSample]:
    bundle, chosen, legend = predictor.bundle.manifest, tiles.select(split), tiles.legend
    patch, products = bundle.patch, Products(legend)
    for done, entry in enumerate(chosen, 1):
        scaler = Scaler(bundle.inputs, bundle.statistics or tiles.statistics_of(entry))
        labelled = tiles.read(entry)
        height, width = labelled.labels.shape
        # patches as in prediction: spectra, and so scores, depend on the size of what the network sees
        plan = Plan.sliding(height, width, size=min(patch.size, height, width), halo=patch.halo)
        with ScaledRows([labelled.sample.crop], [scaler], plan) as rows:
            strips = Conveyor([predictor], plan).strips(rows, Tally())
            mapped = np.concatenate([products.of(strip)[0] for strip in strips])
        truth = np.where(labelled.sample.valid, legend.to_index(labelled.labels), np.uint8(NODATA))
        confusion = Confusion.of(truth, legend.to_index(mapped), len(legend))
        yield JudgedSample(entry.name, entry.window[:2], confusion)
        progress(done, len(chosen))


def _evaluation(legend: Legend, samples: Sequence[JudgedSample], what: str) -> Evaluation:
    return Evaluation(legend, tuple(each for each in samples if each.confusion.pixels), what)
