"""What is known of a map once it was held against labels: samples, and every score that follows from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rsfuse.legend import Legend
from rsfuse.metrics.confusion import Confusion, mean_kappa


@dataclass(frozen=True)
class JudgedSample:
    """A part of a map and how well it agrees.

    Args:
        source: the map, or the tile.
        place: its first column and row, in pixels.
        confusion: of its pixels.
    """

    source: str
    place: tuple[int, int]
    confusion: Confusion


@dataclass(frozen=True)
class Evaluation:
    """Scores of a map, or of several together, against labels.

    Args:
        legend: its classes.
        samples: all that have a label.
        sample: what a sample is, in words.
    """

    legend: Legend
    samples: Sequence[JudgedSample]
    sample: str

    @cached_property
    def confusion(self) -> Confusion:
        """Of all pixels together."""
        return sum((each.confusion for each in self.samples), Confusion.empty(len(self.legend)))

    @cached_property
    def mkappa(self) -> float:
        """Mean kappa of the samples, see `mean_kappa`."""
        return mean_kappa(each.confusion for each in self.samples)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; a score that is not defined is None."""
        scores = self.confusion
        columns = scores.iou, scores.precision, scores.recall, scores.f1
        return {
            "oa": number(scores.oa),
            "miou": number(scores.miou),
            "mf1": number(scores.mf1),
            "kappa": number(scores.kappa),
            "mkappa": number(self.mkappa),
            "sample": self.sample,
            "samples": len(self.samples),
            "pixels": scores.pixels,
            "classes": [
                {
                    "code": each.code,
                    "name": each.name,
                    **{name: number(column[at]) for name, column in zip(CLASS_SCORES, columns, strict=True)},
                    "pixels": int(scores.labelled[at]),
                    "mapped": int(scores.counts[:, at].sum()),
                }
                for at, each in enumerate(self.legend)
            ],
            "confusion": scores.counts.tolist(),
            "unmapped": scores.unmapped.tolist(),
        }


CLASS_SCORES = "iou", "precision", "recall", "f1"


def number(value: float) -> float | None:
    """A figure for JSON, None where there is none."""
    return float(value) if math.isfinite(value) else None
