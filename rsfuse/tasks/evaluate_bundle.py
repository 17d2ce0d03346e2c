"""Evaluate a bundle: how well what it maps of tiles agrees with their labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rsfuse.errors import TileSetError
from rsfuse.geometry.plan import Plan
from rsfuse.learn.inference.agreement import check_patches
from rsfuse.learn.inference.conveyor import Conveyor, Tally
from rsfuse.learn.inference.predictor import Predictor
from rsfuse.learn.inference.products import Products
from rsfuse.learn.inference.rows import ScaledRows
from rsfuse.learn.scaling import Scaler
from rsfuse.legend import NODATA
from rsfuse.metrics import Confusion
from rsfuse.metrics.evaluation import Evaluation, JudgedSample
from rsfuse.raster.tiles import TileSet
from rsfuse.tasks.progress import Progress, unheard


def evaluate_bundle(
    predictor: Predictor, folder: Path, split: str = "test", progress: Progress = unheard
) -> Evaluation:
    """Run a bundle on the tiles of a split, each for itself, and compare with their labels.

    Raises:
        TileSetError: if there are no such tiles, or they are not of the bundle's classes.
        BundleError: if the network does not take patches as small as the tiles.
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
    return Evaluation.of(tiles.legend, samples, f"one tile of {size} x {size} px")


def _judged_tiles(predictor: Predictor, tiles: TileSet, split: str, progress: Progress) -> Iterator[JudgedSample]:
    bundle, chosen, legend = predictor.bundle.manifest, tiles.select(split), tiles.legend
    patch, products = bundle.patch, Products(legend)
    for done, entry in enumerate(chosen, 1):
        scaler = Scaler(bundle.inputs, bundle.statistics or tiles.statistics_of(entry))
        labelled = tiles.read(entry)
        height, width = labelled.labels.shape
        # patches as in prediction: spectra, and so scores, depend on the size of what the network sees
        plan = Plan.sliding(height, width, size=min(patch.size, height, width), halo=patch.halo)
        check_patches(plan, [predictor])
        with ScaledRows([labelled.sample.crop], [scaler], plan) as rows:
            strips = Conveyor([predictor], plan).strips(rows, Tally())
            mapped = np.concatenate([products.of(strip)[0] for strip in strips])
        truth = np.where(labelled.sample.valid, legend.to_index(labelled.labels), np.uint8(NODATA))
        confusion = Confusion.of(truth, legend.to_index(mapped), len(legend))
        yield JudgedSample(entry.name, entry.window[:2], confusion)
        progress(done, len(chosen))
