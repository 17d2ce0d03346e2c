"""The conveyor: from a plan to finished strips. Reading runs ahead while the network works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.geometry.plan import Patch, Plan
from rsfuse.geometry.stitch import Blend, Stitcher, Strip
from rsfuse.learn.predictor import Predictor
from rsfuse.learn.scaling import Scaler
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.scene import Sample

Read = Callable[[Window], Sample]


@dataclass
class Tally:
    """How many patches have passed, and how many of them had no data and were not scored."""

    passed: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class Conveyor:
    """Scores a covering of patches and stitches them.

    Args:
        predictor: the network.
        scaler: of the scene that is read.
        plan: the patches.
        batch_size: patches that go through the network together.
        blend: how overlaps are joined.
    """

    predictor: Predictor
    scaler: Scaler
    plan: Plan
    batch_size: int = 4
    blend: Blend = "hann"

    def strips(self, read: Read, tally: Tally, progress: Callable[[int, int], None] | None = None) -> Iterator[Strip]:
        """Finished rows from top to bottom; their scores are probabilities.

        Args:
            read: gives the sample of a window; called from another thread, one call at a time.
            tally: counted up while strips come.
            progress: told (done, total) after each patch.
        """
        stitcher = Stitcher(self.plan, len(self.predictor.bundle.legend), self.blend)
        for patch, sample, scores in self._scored(read):
            tally.passed += 1
            tally.skipped += scores is None
            if progress is not None:
                progress(tally.passed, len(self.plan))
            strip = stitcher.add(patch, scores, sample.valid)
            if strip is not None:
                yield strip
                del strip  # or the next one is made while this one, K x h x W floats, is still held

    def _scored(self, read: Read) -> Iterator[tuple[Patch, Sample, NDArray[np.float32] | None]]:
        """Each patch with its probabilities (K, h, w), or None where it has no data."""
        patches = iter(self.plan)

        def read_batch() -> list[tuple[Patch, Sample]]:
            return [(patch, read(patch.read)) for patch in islice(patches, self.batch_size)]

        with ThreadPoolExecutor(1, "reader") as reader:
            ahead = reader.submit(read_batch)
            while batch := ahead.result():
                ahead = reader.submit(read_batch)
                seen = [sample for _, sample in batch if sample.valid.any()]
                scores = iter(self.predictor.probabilities(seen, self.scaler)) if seen else iter(())
                for patch, sample in batch:
                    yield patch, sample, next(scores) if sample.valid.any() else None


def decide(strip: Strip, legend: Legend) -> NDArray[np.uint8]:
    """The class code of the best score of each pixel of a strip, (h, W); 255 where there is no data."""
    best, index = strip.scores[0].copy(), np.zeros(strip.valid.shape, np.uint8)
    for number, scores in enumerate(strip.scores[1:], 1):  # ten times as fast as argmax over the first axis
        index[scores > best] = number
        np.maximum(best, scores, out=best)
    index[~strip.valid] = NODATA
    return legend.to_code(index)
