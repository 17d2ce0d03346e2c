"""Predict: a scene and bundles in, a land cover map out, strip by strip."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.learn.inference.conveyor import Tally
from rsfuse.learn.inference.needs import Needs
from rsfuse.learn.inference.predictor import Predictor
from rsfuse.learn.inference.predictor import seconds as seconds_of_pass
from rsfuse.learn.inference.scene_run import PredictSettings, SceneRun
from rsfuse.legend import Legend
from rsfuse.raster.disk import check_free
from rsfuse.raster.drawn.map_polygons import PolygonReport
from rsfuse.raster.map_layer import Layer
from rsfuse.raster.map_writer import MapWriter
from rsfuse.raster.scene import Scene
from rsfuse.reports.stac import ModelRun, item_path, map_item, write_item
from rsfuse.tasks.memory import peak_memory_mb
from rsfuse.tasks.progress import Progress, unheard

__all__ = ["DEFAULTS", "PredictPlan", "PredictReport", "PredictSettings", "plan", "predict"]

DEFAULTS = PredictSettings()


@dataclass(frozen=True)
class PredictReport:
    """What a prediction made, and what it took."""

    output: Path
    legend: Legend
    pixels: NDArray[np.int64]
    """(K,) pixels of each class in the map."""
    areas_m2: NDArray[np.float64]
    """(K,) ground that they cover; NaN without a CRS."""
    gsd_m: float
    megapixels: float
    patches: int
    """How many this run has passed."""
    patches_skipped: int
    rows_resumed: int
    """Rows that a run before this one had finished."""
    polygons: PolygonReport | None
    seconds: float
    peak_memory_mb: int
    finished_before: bool = False
    """Whether the map was there already, asked for the same: nothing was written."""


@dataclass(frozen=True)
class PredictPlan:
    """What a prediction would be."""

    shape: tuple[int, int]
    """Rows and columns of the map."""
    gsd_m: float
    patches: int
    size: tuple[int, int]
    """Rows and columns of a patch."""
    overlap: int
    batch_size: int
    needs: Needs
    output_bytes: int
    """Of all layers before they are packed."""
    seconds: float
    """Of the forward passes, from one that was timed."""


def plan(scene: Scene, predictor: Predictor | Sequence[Predictor], settings: PredictSettings) -> PredictPlan:
    """What `predict` would do, with one forward pass to time it; nothing is written.

    Raises:
        As `predict`.
    """
    run = SceneRun(scene, predictor if isinstance(predictor, Sequence) else [predictor], settings)
    if settings.polygons is not None:
        check_free(settings.polygons, overwrite=settings.overwrite)
    layers = run.layers(Path("map.tif"))
    pixel_bytes = sum(len(each.bands) * (4 if each.dtype == "float16" else 1) for each in layers)
    return PredictPlan(
        shape=run.grid.shape,
        gsd_m=scene.gsd_m,
        patches=len(run.plan),
        size=run.plan.size,
        overlap=2 * run.halo,
        batch_size=run.batch_size,
        needs=run.needs(),
        output_bytes=pixel_bytes * run.grid.height * run.grid.width,
        seconds=_patch_seconds(run) * len(run.plan),
    )


def _patch_seconds(run: SceneRun) -> float:
    """Time of the forward passes of a patch, in the largest batch that memory suffices for."""
    batch = run.batch_size
    while True:
        try:
            passes = ((seconds_of_pass(each, run.plan.size, batch), len(each.inputs)) for each in run.predictors)
            return sum(duration * count for duration, count in passes) / batch
        except MemoryError:
            if batch == 1:
                raise
            batch //= 2


def predict(
    scene: Scene,
    predictor: Predictor | Sequence[Predictor],
    output: Path,
    settings: PredictSettings = DEFAULTS,
    progress: Progress = unheard,
) -> PredictReport:
    """Map a scene. A run that was stopped is gone on with by asking for the same again.

    All files of a map are written before the memory of the run goes, so that one that was stopped at the very end is
    gone on with, too. A map that is finished already is left as it is, and reported.

    Args:
        scene: what is mapped.
        predictor: the network; of several, the probabilities are averaged, and patches are as the first wants them.
        output: the map.
        settings: what a user may choose.
        progress: told of patches.

    Raises:
        BundleError: if a bundle was trained on other bands than the scene has, or two map other classes.
        GridMismatchError: if the crop lies outside the scene.
        OutputError: if there is another map already, it was begun with other options, or the disk is full.
        SceneError: if the scene cannot be read to its end, or memory will not suffice.
    """
    start = time.monotonic()
    run = SceneRun(scene, predictor if isinstance(predictor, Sequence) else [predictor], settings)
    tally, polygons = Tally(), None
    with _writer(run, output) as writer:
        resumed = writer.rows
        if resumed < run.grid.height:
            with _telling_what_is_kept(writer):
                run.write_rest(writer, tally, progress)
        if settings.polygons is not None:
            polygons = run.draw(writer, settings.polygons)
        writer.seal()
        seconds = time.monotonic() - start
        if settings.stac and not writer.finished:
            write_item(item_path(output), _item(run, run.layers(output), seconds))
    return PredictReport(
        output=output,
        legend=run.products.legend,
        pixels=writer.counts[list(run.products.legend.codes)],
        areas_m2=writer.areas_m2[list(run.products.legend.codes)],
        gsd_m=scene.gsd_m,
        megapixels=run.grid.height * run.grid.width / 1e6,
        patches=tally.passed,
        patches_skipped=tally.skipped,
        rows_resumed=resumed,
        polygons=polygons,
        seconds=seconds,
        peak_memory_mb=peak_memory_mb(),
        finished_before=writer.finished,
    )


def _writer(run: SceneRun, output: Path) -> MapWriter:
    settings = run.settings
    beside = [settings.polygons, item_path(output) if settings.stac else None]
    return MapWriter(
        run.layers(output),
        run.grid,
        asked=run.asked(),
        overwrite=settings.overwrite,
        drafts=run.drafts(output),
        beside=[path for path in beside if path is not None],
    )


@contextmanager
def _telling_what_is_kept(writer: MapWriter) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if writer.kept:
            told = f"interrupted: {writer.kept:,} rows are kept in {writer.folder}; the same command goes on from there"
            raise KeyboardInterrupt(told) from interrupt
        raise


def _item(run: SceneRun, layers: Sequence[Layer], seconds: float) -> dict[str, Any]:
    """A finished map as a STAC item."""
    sources = [path for path in (run.scene.optical_path, run.scene.sar_path) if path is not None]
    runs, now = [_model_run(each, run, seconds) for each in run.predictors], datetime.now(UTC)
    return map_item(layers, run.grid, runs=runs, sources=sources, when=now, polygons=run.settings.polygons)


def _model_run(predictor: Predictor, run: SceneRun, seconds: float) -> ModelRun:
    bundle, manifest = predictor.bundle, predictor.bundle.manifest
    weights = bundle.weights
    return ModelRun(
        bundle=bundle.name,
        network=str(manifest.network["name"]),
        description=manifest.description,
        optical_bands=manifest.inputs.optical,
        sar_bands=manifest.inputs.sar,
        patch=run.plan.size,
        halo=0 if predictor.whole else run.halo,
        blend=run.settings.blend,
        looks=predictor.looks,
        whole=predictor.whole,
        scaling=manifest.inputs.scaling.model_dump(),
        weights=weights,
        weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        device=predictor.device,
        seconds=seconds,
        trained_on=manifest.trained_on,
        scores=manifest.scores,
    )
