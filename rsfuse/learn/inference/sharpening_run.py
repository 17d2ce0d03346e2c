"""One pair of rasters sharpened by a network, in finished rows from the top down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.geometry.blend import Blend
from rsfuse.geometry.plan import Plan
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.inference.agreement import check_patches
from rsfuse.learn.inference.conveyor import Conveyor, Progress, Tally
from rsfuse.learn.inference.predictor import SharpeningPredictor, default_batch
from rsfuse.learn.inference.rows import Floats, ScaledRows
from rsfuse.learn.inference.sharpening_agreement import agree_to_sharpen
from rsfuse.learn.sharpening_scaling import by_divisor
from rsfuse.raster.sharpening.scene import PanMsSample, PanMsScene


@dataclass(frozen=True)
class SharpenSettings:
    """What a user may choose about sharpening by a network.

    Args:
        patch: side of a patch in panchromatic pixels; None for what the bundle says. Larger ones are done in less time,
            for less is seen twice, but the network sees more at once than it learnt from.
        overlap: panchromatic pixels that neighbouring patches share; None for what the bundle says.
        blend: "hann" and "gaussian" blend where patches overlap, "crop" cuts.
        batch_size: patches that go through the network together at most; None for what suits the device.
        readers: threads that read the scene.
    """

    patch: int | None = None
    overlap: int | None = None
    blend: Blend = "hann"
    batch_size: int | None = None
    readers: int = 2


@dataclass(frozen=True)
class SharpStrip:
    """Finished rows of a sharpened image.

    Args:
        top: first row.
        pixels: (B, h, W) in digital numbers, not rounded and not clipped; they say nothing where they are not valid.
        valid: (h, W), true where both rasters have data.
    """

    top: int
    pixels: Floats
    valid: NDArray[np.bool_]


def sharpen_strips(
    scene: PanMsScene,
    predictor: SharpeningPredictor,
    settings: SharpenSettings = SharpenSettings(),
    progress: Progress | None = None,
) -> Iterator[SharpStrip]:
    """Sharpen a scene of any size; memory is that of some rows. The scene is checked before the first row is asked for.

    Args:
        scene: opened once more for each reader.
        predictor: the network.
        settings: see there.
        progress: told (done, total) patches after every batch.

    Raises:
        BundleError: if the scene is not one that the bundle can sharpen.
        SceneError: if a file is truncated or damaged.
    """
    plan = _plan(scene, predictor.bundle, settings)
    check_patches(plan, [predictor])
    agree_to_sharpen(scene, predictor.bundle, plan)
    return _strips(scene, predictor, plan, settings, progress)


def _plan(scene: PanMsScene, bundle: SharpeningBundle, settings: SharpenSettings) -> Plan:
    patch = bundle.manifest.patch
    halo = patch.halo if settings.overlap is None else settings.overlap // 2
    return Plan.sliding(*scene.grid.shape, size=settings.patch or patch.size, halo=halo, multiple=scene.ratio)


def _strips(
    scene: PanMsScene,
    predictor: SharpeningPredictor,
    plan: Plan,
    settings: SharpenSettings,
    progress: Progress | None,
) -> Iterator[SharpStrip]:
    inputs = predictor.bundle.manifest.inputs
    batch_size = settings.batch_size or default_batch(predictor)
    conveyor = Conveyor([predictor], plan, batch_size=batch_size, blend=settings.blend)
    with ExitStack() as opened:
        scenes = [opened.enter_context(scene.again()) for _ in range(settings.readers)]
        reads = [partial(_Seen.read, each) for each in scenes]
        scaler = _Divider((1, len(inputs.ms)), scene.ratio, inputs.divisor)
        rows = opened.enter_context(ScaledRows(reads, [scaler], plan, block=scene.block))
        for strip in conveyor.strips(rows, Tally(), progress):
            pixels: Floats = strip.arrays.to_numpy(strip.scores) * np.float32(inputs.divisor)
            yield SharpStrip(strip.top, pixels, strip.valid)


@dataclass(frozen=True)
class _Seen:
    """A window of a scene, as the conveyor takes it."""

    sample: PanMsSample

    @classmethod
    def read(cls, scene: PanMsScene, window: Window) -> _Seen:
        return cls(scene.read(window))

    @property
    def sensors(self) -> NDArray[np.uint8]:
        return self.sample.valid.view(np.uint8)


@dataclass(frozen=True)
class _Divider:
    """`by_divisor` as the conveyor takes it."""

    channels: tuple[int, int]
    ratio: int
    divisor: float

    def __call__(self, seen: _Seen) -> tuple[Floats, Floats]:
        return by_divisor(seen.sample, self.ratio, self.divisor)
