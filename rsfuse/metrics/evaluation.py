"""What is known of a map once it was held against labels: samples, and every score that follows from them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any

from rsfuse.legend import Legend
from rsfuse.metrics.area import StratifiedSample
from rsfuse.metrics.averaging import mean_ious
from rsfuse.metrics.boundary import BoundaryCounts
from rsfuse.metrics.calibration import Calibration
from rsfuse.metrics.confusion import Confusion, kappas, mean_kappa
from rsfuse.metrics.ratios import Floats
from rsfuse.metrics.uncertainty import Interval, Rivals, bootstrap, bootstrap_mean

SAMPLE_SIZE = 512
"""Side in pixels of the samples whose kappas mKappa averages where a map is evaluated, not tiles."""


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
class Extras:
    """What else was counted, where it was asked for or could be.

    Args:
        boundary: how well boundaries are drawn, at some tolerances.
        calibration: how often the map is right, by how sure it is; None where nobody wrote that.
        rivals: by which of two maps labelled pixels are right; None where there is one map.
        mapped: (K,) area of each class on the map in square metres; None unless labels are a random sample in every
            class of it.
    """

    boundary: tuple[BoundaryCounts, ...] = ()
    calibration: Calibration | None = None
    rivals: Rivals | None = None
    mapped: Floats | None = None


@dataclass(frozen=True)
class Evaluation:
    """Scores of a map, or of several together, against labels.

    Args:
        legend: its classes.
        samples: all that have a label.
        sample: what a sample is, in words.
        extras: what else was counted.
    """

    legend: Legend
    samples: Sequence[JudgedSample]
    sample: str
    extras: Extras = field(default_factory=Extras)

    @classmethod
    def of(
        cls, legend: Legend, samples: Iterable[JudgedSample], sample: str, extras: Extras | None = None
    ) -> Evaluation:
        """Of samples some of which may have no label: these are left out."""
        return cls(legend, tuple(each for each in samples if each.confusion.pixels), sample, extras or Extras())

    @cached_property
    def confusion(self) -> Confusion:
        """Of all pixels together."""
        return sum((each.confusion for each in self.samples), Confusion.empty(len(self.legend)))

    @cached_property
    def mkappa(self) -> float:
        """Mean kappa of the samples, see `mean_kappa`."""
        return mean_kappa(each.confusion for each in self.samples)

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Of the scores of all pixels together, where 95 % of resamples lie, see `bootstrap`; none of one sample."""
        confusions = [each.confusion for each in self.samples]
        if len(confusions) < 2:
            return {}
        found = {name: bootstrap(confusions, attrgetter(name)) for name in ("oa", "miou", "mf1", "kappa")}
        return {**found, "mkappa": bootstrap_mean(kappas(confusions))}

    @property
    def estimated(self) -> StratifiedSample | None:
        """Accuracies and areas put right by the mapped areas, where labels are a random sample in every class."""
        return None if self.extras.mapped is None else StratifiedSample(self.confusion, self.extras.mapped)

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
            "fwiou": number(scores.fwiou),
            "miou_by": {name: number(value) for name, value in mean_ious(scores).items()},
            "why": {name: scores.reason(name) for name in ("oa", "miou", "mf1", "kappa") if scores.reason(name)},
            "intervals": {name: [number(each) for each in ends] for name, ends in self.intervals.items()},
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
            **self._extras(),
        }

    def _extras(self) -> dict[str, Any]:
        names, extras = self.legend.names, self.extras
        told: dict[str, Any] = {}
        if extras.boundary:
            told["boundary"] = [
                {
                    "tolerance_px": each.tolerance,
                    "miou": number(each.miou),
                    "mf1": number(each.mf1),
                    "classes": [
                        {"name": name, "iou": number(iou), "f1": number(f1)}
                        for name, iou, f1 in zip(names, each.iou, each.f1, strict=True)
                    ],
                }
                for each in extras.boundary
            ]
        if extras.calibration is not None:
            bins = [each._asdict() for each in extras.calibration.table]
            told["calibration"] = {"ece": number(extras.calibration.ece), "bins": [_finite(each) for each in bins]}
        if extras.rivals is not None:
            told["mcnemar"] = {
                "p": number(extras.rivals.p_value),
                "only_this_right": int(extras.rivals.counts[1, 0]),
                "only_other_right": int(extras.rivals.counts[0, 1]),
            }
        if self.estimated is not None:
            told["estimated"] = _estimates(self.estimated, names)
        return told


CLASS_SCORES = "iou", "precision", "recall", "f1"


def _estimates(found: StratifiedSample, names: Sequence[str]) -> dict[str, Any]:
    """Each with half of its 95 % confidence interval."""
    by_class = {"users": found.users, "producers": found.producers, "area": found.areas}
    return {
        "oa": [number(float(found.overall.value)), number(float(found.overall.half_width))],
        "classes": [
            {
                "name": name,
                **{key: [number(each.value[at]), number(each.half_width[at])] for key, each in by_class.items()},
            }
            for at, name in enumerate(names)
        ],
        "why": found.reason,
    }


def _finite(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: number(value) if isinstance(value, float) else value for name, value in figures.items()}


def number(value: float) -> float | None:
    """A figure for JSON, None where there is none."""
    return float(value) if math.isfinite(value) else None
