"""Evaluate: how well a map, or a bundle on tiles, agrees with reference labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from rsfuse.errors import TileSetError
from rsfuse.geometry.plan import Plan
from rsfuse.learn.inference.conveyor import Conveyor, Tally
from rsfuse.learn.inference.predictor import Predictor
from rsfuse.learn.inference.products import Products
from rsfuse.learn.inference.rows import ScaledRows
from rsfuse.learn.scaling import Scaler
from rsfuse.legend import NODATA, Legend
from rsfuse.metrics import Confusion, mean_kappa
from rsfuse.raster.tiles import Labels, TileSet
from rsfuse.tasks.progress import Progress, unheard

SAMPLE_SIZE = 512
"""Side in pixels of the samples whose kappas mKappa averages where a map is evaluated, not tiles."""


@dataclass(frozen=True)
class EvalReport:
    """Scores of a map against labels.

    Args:
        legend: its classes.
        confusion: of all pixels together.
        mkappa: mean kappa of samples.
        sample: what a sample is, in words.
        samples: how many there were.
    """

    legend: Legend
    confusion: Confusion
    mkappa: float
    sample: str
    samples: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; a score that is not defined is None."""
        scores = self.confusion
        rows = zip(
            self.legend,
            scores.iou,
            scores.precision,
            scores.recall,
            scores.f1,
            scores.labelled,
            scores.counts.sum(0),
            strict=True,
        )
        return {
            "oa": _number(scores.oa),
            "miou": _number(scores.miou),
            "mf1": _number(scores.mf1),
            "kappa": _number(scores.kappa),
            "mkappa": _number(self.mkappa),
            "sample": self.sample,
            "samples": self.samples,
            "pixels": scores.pixels,
            "classes": [
                {
                    "code": each.code,
                    "name": each.name,
                    "iou": _number(iou),
                    "precision": _number(precision),
                    "recall": _number(recall),
                    "f1": _number(f1),
                    "pixels": int(pixels),
                    "mapped": int(mapped),
                }
                for each, iou, precision, recall, f1, pixels, mapped in rows
            ],
            "confusion": scores.counts.tolist(),
            "unmapped": scores.unmapped.tolist(),
        }


def evaluate_map(
    map_path: Path, labels: Path, legend: Legend | None = None, progress: Progress = unheard
) -> EvalReport:
    """Compare a map with a label raster, which is brought onto the map's grid (nearest) where it lies on another.

    Args:
        map_path: class codes.
        labels: reference codes.
        legend: of both; None for the legend that rsfuse wrote into the map.
        progress: told after every sample.

    Raises:
        SceneError: if one cannot be read or they do not overlap.
        LegendMismatchError: if a code is not in the legend, or the map says nothing of its legend.
    """
    with Labels(map_path) as mapped, Labels(labels, mapped.grid) as reference:
        legend = legend or mapped.known_legend()
        plan = Plan.sliding(*_padded(mapped.grid.shape), size=SAMPLE_SIZE)
        samples = []
        for done, patch in enumerate(plan, 1):
            window = patch.read.intersection(Window(0, 0, mapped.grid.width, mapped.grid.height))
            truth, codes = reference.read(window), mapped.read(window)
            legend.check(truth, str(labels))
            legend.check(codes, str(map_path))
            samples.append(Confusion.of(legend.to_index(truth), legend.to_index(codes), len(legend)))
            progress(done, len(plan))
    return _report(legend, samples, f"{SAMPLE_SIZE} x {SAMPLE_SIZE} px of the map")


def evaluate_bundle(
    predictor: Predictor, folder: Path, split: str = "test", progress: Progress = unheard
) -> EvalReport:
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
    samples = list(_tile_confusions(predictor, tiles, split, progress))
    size = tiles.manifest.size
    return _report(tiles.legend, samples, f"one tile of {size} x {size} px")


def _tile_confusions(predictor: Predictor, tiles: TileSet, split: str, progress: Progress) -> Iterator[Confusion]:
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
        yield Confusion.of(truth, legend.to_index(mapped), len(legend))
        progress(done, len(chosen))


def _report(legend: Legend, samples: list[Confusion], what: str) -> EvalReport:
    judged = [sample for sample in samples if sample.pixels]
    return EvalReport(legend, sum(judged, Confusion.empty(len(legend))), mean_kappa(judged), what, len(judged))


def _padded(shape: tuple[int, int]) -> tuple[int, int]:
    """Sides rounded up to whole samples, so that no two of them overlap."""
    height, width = (-(-side // SAMPLE_SIZE) * SAMPLE_SIZE for side in shape)
    return height, width


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
