"""Predictors: what the conveyor and those around it know of a network that is awake, whatever it runs on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.inference.arrays import Array, Arrays
from rsfuse.learn.inference.views import Look
from rsfuse.learn.recipes.inputs import Inputs
from rsfuse.learn.scaling import Scaler
from rsfuse.raster.scene import Sample

Precision = Literal["auto", "float32", "bfloat16", "float16"]

BATCH_CPU, BATCH_GPU = 4, 16
"""Patches that go through a network together, where the user names no number."""


class Scores(Protocol):
    """A network, awake on a device."""

    @property
    def arrays(self) -> Arrays:
        """Those that it takes and gives."""

    @property
    def device(self) -> str:
        """Where it is, such as "cpu" or "cuda:1"."""

    @property
    def patch(self) -> int | None:
        """The only side of patches that it takes; None for any."""

    @property
    def outputs(self) -> int:
        """K, how many numbers it gives for a pixel: the probability of each class, or the value of each band."""

    def score(self, first: Array, second: Array, /) -> Array:
        """Scores (B, K, h, w), float32, of both inputs of B patches.

        Raises:
            MemoryError: if that of its device does not suffice.
        """


class SharpeningPredictor(Scores, Protocol):
    """A bundle that sharpens, awake on a device."""

    @property
    def bundle(self) -> SharpeningBundle:
        """What runs."""


class Predictor(Scores, Protocol):
    """A bundle that maps land cover, awake on a device; its scores are probabilities."""

    @property
    def bundle(self) -> Bundle:
        """What runs."""

    @property
    def precision(self) -> str:
        """Of convolutions, such as "float32"."""

    @property
    def looks(self) -> tuple[Look, ...]:
        """Test-time augmentation: probabilities are the mean over all of these ways to look at a patch."""

    @property
    def whole(self) -> bool:
        """Whether patches are whole images."""

    @property
    def inputs(self) -> list[Inputs]:
        """How the pixels that it is given are to be scaled; once more for each where there are several."""

    def pass_bytes(self, size: tuple[int, int], batch: int) -> int | None:
        """Memory that a batch of patches takes on its way through; None where that cannot be told."""

    def free_bytes(self) -> int:
        """Memory that can still be had of its device."""

    def largest_side(self, budget: int) -> int | None:
        """Side in pixels of the largest square that fits so many bytes; None where that cannot be told."""


def default_batch(predictor: Scores) -> int:
    """Patches that go through a network together, where the user names no number."""
    return BATCH_GPU if predictor.device.startswith(("cuda", "tensorrt")) else BATCH_CPU


def probabilities(predictor: Predictor, samples: Sequence[Sample], scaler: Scaler) -> NDArray[np.float32]:
    """(B, K, h, w) class probabilities of B samples of one size."""
    arrays = predictor.arrays
    optical, sar = (arrays.taken(np.stack(each)) for each in zip(*map(scaler, samples), strict=True))
    found: NDArray[np.float32] = arrays.to_numpy(predictor.score(optical, sar))
    return found


def seconds(predictor: Predictor, size: tuple[int, int], batch: int) -> float:
    """Time of scoring a batch of empty patches; the second time, for the first is slower."""
    inputs, arrays = predictor.bundle.manifest.inputs, predictor.arrays
    empty = [arrays.zeros((batch, len(bands), *size)) for bands in (inputs.optical, inputs.sar)]
    for _ in range(2):
        start = time.perf_counter()
        arrays.to_numpy(predictor.score(empty[0], empty[1])[0, 0, 0])  # waits for the device
    return time.perf_counter() - start
