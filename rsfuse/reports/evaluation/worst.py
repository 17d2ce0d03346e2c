"""Where a map is worst: the samples with most wrong pixels, and the maps to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from rsfuse.metrics.confusion import Confusion
from rsfuse.metrics.evaluation import SAMPLE_SIZE, Evaluation, JudgedSample
from rsfuse.metrics.ratios import ratio
from rsfuse.raster.map_pairs import MapPair

MOST = 6
"""Samples that are looked at, and maps that are drawn."""

_FEW = 0.5  # of the usual number of labelled pixels: what is wrong among fewer says little


@dataclass(frozen=True)
class Worst:
    """The samples of an evaluation from the worst on.

    Args:
        evaluation: of maps or of tiles.
    """

    evaluation: Evaluation

    @cached_property
    def few(self) -> float:
        """Labelled pixels below which a sample is not looked at."""
        return _FEW * float(np.median([each.confusion.pixels for each in self.evaluation.samples] or [0]))

    @cached_property
    def samples(self) -> list[JudgedSample]:
        """At most `MOST`, all with a wrong pixel."""
        enough = [each for each in self.evaluation.samples if each.confusion.pixels >= self.few]
        ordered = sorted(enough, key=lambda sample: -wrong_pixels(sample.confusion))[:MOST]
        return [each for each in ordered if wrong_pixels(each.confusion)]

    def ranks(self, mapped: Path) -> list[tuple[int, JudgedSample]]:
        """Those in a map, and which place they take, from 1 on."""
        return [(rank, each) for rank, each in enumerate(self.samples, 1) if each.source == str(mapped)]

    def maps(self, pairs: Sequence[MapPair]) -> list[MapPair]:
        """At most `MOST`, in their order: first those in which the worst lie, then those with most wrong pixels."""
        errors = {str(mapped): Confusion.empty(len(self.evaluation.legend)) for mapped, _ in pairs}
        for each in self.evaluation.samples:
            if each.source in errors:
                errors[each.source] += each.confusion
        keys = {pair: (not self.ranks(pair[0]), -wrong_pixels(errors[str(pair[0])])) for pair in pairs}
        chosen = sorted(keys, key=keys.__getitem__)[:MOST]
        return [pair for pair in keys if pair in chosen]


def wrong_pixels(confusion: Confusion) -> int:
    """Labelled pixels that are mapped as another class or as none."""
    return confusion.pixels - int(confusion.counts.trace())


def wrong_share(confusion: Confusion) -> float:
    """Their share of the labelled pixels; NaN without any."""
    return ratio(wrong_pixels(confusion), confusion.pixels)


def window_of(sample: JudgedSample, shape: tuple[int, int]) -> Window:
    """Where a sample lies in a map of this height and width."""
    (left, top), (height, width) = sample.place, shape
    return Window(left, top, min(SAMPLE_SIZE, width - left), min(SAMPLE_SIZE, height - top))
