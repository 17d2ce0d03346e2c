"""The confusion matrix, and every score that follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsfuse.legend import NODATA
from rsfuse.metrics.ratios import Counts, Floats, mean, ratio, ratios

NO_LABELS = "no labelled pixel"
"""Why a score is NaN where there is nothing to judge by."""

_NUMBERS = 256


def count_pairs(labels: NDArray[np.uint8], mapped: NDArray[np.uint8]) -> Counts:
    """How many pixels have which two numbers, (256, 256): label first. Counts of parts add up to those of the whole."""
    # one histogram of packed pairs: a hundred times as fast as a loop over classes
    pairs = labels.astype(np.uint16) << 8 | mapped
    return np.bincount(pairs.ravel(), minlength=_NUMBERS**2).reshape(_NUMBERS, _NUMBERS).astype(np.int64, copy=False)


@dataclass(frozen=True)
class Confusion:
    """Counts of pixels by reference class (rows) and mapped class (columns).

    Confusions of parts add up to the confusion of the whole. A pixel with a label but without a mapped class counts
    as missed: it stands in `unmapped`, and every score but precision takes it for an error.

    Args:
        counts: (K, K) pixels.
        unmapped: (K,) labelled pixels of each class that the map leaves empty.
    """

    counts: NDArray[np.int64]
    unmapped: NDArray[np.int64]

    @classmethod
    def empty(cls, classes: int) -> Confusion:
        """The confusion of no pixels."""
        return cls(np.zeros((classes, classes), np.int64), np.zeros(classes, np.int64))

    @classmethod
    def of(cls, labels: NDArray[np.uint8], mapped: NDArray[np.uint8], classes: int) -> Confusion:
        """Count two index arrays of one shape; a pixel labelled 255 is left out.

        Args:
            labels: reference indices, 0 to K-1 or 255.
            mapped: mapped indices, 0 to K-1 or 255 for "no class".
            classes: K.
        """
        table = count_pairs(labels, mapped)
        return cls(table[:classes, :classes], table[:classes, NODATA])

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.counts + other.counts, self.unmapped + other.unmapped)

    @property
    def labelled(self) -> NDArray[np.int64]:
        """(K,) reference pixels of each class."""
        labelled: NDArray[np.int64] = self.counts.sum(1) + self.unmapped
        return labelled

    @property
    def pixels(self) -> int:
        """Labelled pixels in all."""
        return int(self.labelled.sum())

    @property
    def oa(self) -> float:
        """Overall accuracy: the share of labelled pixels that are mapped right; NaN without labels."""
        return ratio(self.counts.trace(), self.pixels)

    @property
    def recall(self) -> Floats:
        """(K,) share of each reference class that is mapped right (producer's accuracy); NaN where absent."""
        return ratios(self.counts.diagonal(), self.labelled)

    @property
    def precision(self) -> Floats:
        """(K,) share of each mapped class that is right (user's accuracy); NaN where never mapped."""
        return ratios(self.counts.diagonal(), self.counts.sum(0))

    @property
    def iou(self) -> Floats:
        """(K,) intersection over union; NaN for a class neither labelled nor mapped."""
        hits = self.counts.diagonal()
        return ratios(hits, self.labelled + self.counts.sum(0) - hits)

    @property
    def f1(self) -> Floats:
        """(K,) harmonic mean of precision and recall; NaN for a class neither labelled nor mapped.

        The Dice coefficient is this very figure: 2 |A and B| / (|A| + |B|) of the pixels labelled and mapped as a class
        (Dice 1945), so mf1 is what others print as mDice.
        """
        return ratios(2 * self.counts.diagonal(), self.labelled + self.counts.sum(0))

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occur in labels or map (nanmean, as mmsegmentation)."""
        return mean(self.iou)

    @property
    def fwiou(self) -> float:
        """Frequency-weighted IoU: the mean over classes, each as heavy as it has labelled pixels.

        (1 / sum of t_i) sum of t_i IoU_i, with t_i labelled pixels of class i (Long et al., CVPR 2015).
        """
        return ratio(np.nansum(self.labelled * self.iou), self.pixels)

    @property
    def mf1(self) -> float:
        """Mean F1 over the classes that occur in labels or map."""
        return mean(self.f1)

    @property
    def kappa(self) -> float:
        """Cohen's kappa, (po - pe) / (1 - pe) (Cohen 1960); NaN where chance alone would be right (pe = 1)."""
        total = self.pixels
        if total == 0:
            return float("nan")
        # in floats: the products of int64 counts wrap around at some seven gigapixels
        chance = float(self.labelled.astype(np.float64) @ self.counts.sum(0)) / total**2
        return (self.oa - chance) / (1 - chance) if chance < 1 else float("nan")

    def reason(self, score: str) -> str:
        """Why a score is NaN, in words; empty where it is not, or not for all classes.

        Args:
            score: name of a property, such as "kappa".
        """
        if not np.isnan(getattr(self, score)).all():
            return ""
        return NO_LABELS if not self.pixels else _REASONS[score]

    def __repr__(self) -> str:
        return f"Confusion({self.pixels} px, oa {self.oa:.4f}, miou {self.miou:.4f})"


def mean_kappa(samples: Iterable[Confusion]) -> float:
    """mKappa: the mean over samples of the kappa of each (PAD eq. 23 and its code); NaN if none has one that counts.

    Not comparable with the kappa of all pixels together.
    """
    return mean(kappas(samples))


def kappas(samples: Iterable[Confusion]) -> Floats:
    """Kappa of each sample, NaN where mKappa leaves it out: not defined (pe = 1) or below chance (po < pe)."""
    values = np.array([sample.kappa for sample in samples], np.float64)
    values[values < 0] = np.nan
    return values


_REASONS = {
    "kappa": "one class only, labelled and mapped: chance alone would be right",
    "precision": "no class is mapped where there are labels",
}
