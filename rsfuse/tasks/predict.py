"""Predict: a scene and a bundle in, a land cover map out, strip by strip."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsfuse.errors import BundleError
from rsfuse.geometry.blend import Blend
from rsfuse.geometry.plan import Plan
from rsfuse.learn.bundle import Bundle
from rsfuse.learn.inference.conveyor import Conveyor, Tally
from rsfuse.learn.inference.decide import decide
from rsfuse.learn.inference.predictor import Predictor
from rsfuse.learn.inference.rows import ScaledRows
from rsfuse.learn.scaling import Scaler
from rsfuse.legend import Legend
from rsfuse.raster.map_layer import Layer
from rsfuse.raster.map_writer import MapWriter
from rsfuse.raster.scene import Scene
from rsfuse.tasks.memory import peak_memory_mb
from rsfuse.tasks.progress import Progress, unheard

_log = logging.getLogger(__name__)

LARGEST_GSD_RATIO = 1.5
"""Beyond this, things look so much larger or smaller than in training that the map is not to be trusted."""


@dataclass(frozen=True)
class PredictSettings:
    """What a user may choose about a prediction.

    Args:
        batch_size: patches that go through the network together.
        blend: "hann" and "gaussian" blend where patches overlap, "crop" cuts.
        readers: threads that read the scene.
        overwrite: replace a map that is there already.
    """

    batch_size: int = 4
    blend: Blend = "hann"
    readers: int = 2
    overwrite: bool = False


@dataclass(frozen=True)
class PredictReport:
    """What a prediction made, and what it took."""

    output: Path
    legend: Legend
    pixels: NDArray[np.int64]
    """(K,) pixels of each class in the map."""
    gsd_m: float
    megapixels: float
    patches: int
    patches_skipped: int
    seconds: float
    peak_memory_mb: int


def predict(
    scene: Scene,
    predictor: Predictor,
    output: Path,
    settings: PredictSettings = PredictSettings(),
    progress: Progress = unheard,
) -> PredictReport:
    """Map a scene.

    Raises:
        BundleError: if the bundle was trained on other bands than the scene has.
        OutputError: if the map is there already or the disk is full.
        SceneError: if the scene cannot be read to its end.
    """
    start = time.monotonic()
    bundle = predictor.bundle
    agree(scene, bundle)
    legend, patch = bundle.legend, bundle.manifest.patch
    plan = Plan.sliding(*scene.grid.shape, size=patch.size, halo=patch.halo)
    tags = {"bundle": bundle.name, "network": str(bundle.manifest.network["name"])}
    counts, tally = np.zeros(256, np.int64), Tally()
    layers = [Layer(output, legend=legend, tags=tags)]
    with MapWriter(layers, scene.grid, overwrite=settings.overwrite) as writer:
        scaler = Scaler(bundle.manifest.inputs, bundle.manifest.statistics or scene.statistics())
        conveyor = Conveyor([predictor], plan, batch_size=settings.batch_size, blend=settings.blend)
        with ExitStack() as opened:
            scenes = [opened.enter_context(scene.again()) for _ in range(settings.readers)]
            rows = opened.enter_context(ScaledRows([each.read for each in scenes], [scaler], plan, scene.block))
            pen = opened.enter_context(ThreadPoolExecutor(1, "writer"))
            written: Future[None] | None = None
            for strip in conveyor.strips(rows, tally, progress):
                codes = decide(strip, legend)
                if written is not None:
                    written.result()  # one strip behind at most: memory stays, and errors come out
                written = pen.submit(writer.write, strip.top, codes)
                counts += np.bincount(codes.ravel(), minlength=256)
            if written is not None:
                written.result()
    return PredictReport(
        output=output,
        legend=legend,
        pixels=counts[list(legend.codes)],
        gsd_m=scene.gsd_m,
        megapixels=scene.grid.height * scene.grid.width / 1e6,
        patches=len(plan),
        patches_skipped=tally.skipped,
        seconds=time.monotonic() - start,
        peak_memory_mb=peak_memory_mb(),
    )


def agree(scene: Scene, bundle: Bundle) -> None:
    """Refuse a scene that the bundle cannot read; warn of one that it was not made for.

    Raises:
        BundleError: if the number of bands differs.
    """
    inputs = bundle.manifest.inputs
    for sensor, has, takes in (("optical", scene.optical_bands, inputs.optical), ("SAR", scene.sar_bands, inputs.sar)):
        if len(has) != len(takes) and (has or sensor == "optical"):
            numbers = ",".join(str(number) for number in range(1, len(takes) + 1))
            advice = f"say which bands these are: --{sensor.lower()}-bands {numbers}" if takes else "leave --sar out"
            raise BundleError(
                f"the {sensor} raster has {len(has)} bands ({', '.join(has)}), "
                f"bundle {bundle.name} takes {len(takes)} ({', '.join(takes)})",
                hint=f"{advice}; or choose another bundle: rsfuse bundles",
            )
    if inputs.sar and not scene.sar_bands:
        _log.warning("no SAR: bundle %s was trained on optical and SAR together, the map will be worse", bundle.name)
    trained, here = bundle.manifest.gsd_m, scene.gsd_m
    if trained > 0 and here > 0 and max(trained / here, here / trained) > LARGEST_GSD_RATIO:
        _log.warning(
            "a pixel of the scene is %.3g m, bundle %s was trained at %.3g m: expect a poor map; "
            "resample the scene to about %.3g m first",
            *(here, bundle.name, trained, trained),
        )
