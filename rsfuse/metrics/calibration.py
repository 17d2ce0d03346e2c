"""Whether a map is as often right as it says: expected calibration error, and the table of a reliability diagram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rsfuse.legend import NODATA
from rsfuse.metrics.ratios import Counts, Floats, ratio, ratios

BINS = 15
"""Of confidence, as in Guo et al.'s experiments."""


class ReliabilityBin(NamedTuple):
    """One bar of a reliability diagram: confidence from just above `low` up to `high`; means are NaN without pixels."""

    low: float
    high: float
    pixels: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """Pixels by how sure the map is of them, in M bins of equal width from 0 to 1; a bin holds its upper border.

    Those of parts add up to those of the whole. Pixels without a label, and those that the map leaves empty and so says
    no confidence of, are left out.

    Args:
        pixels: (M,) in each bin.
        right: (M,) of them mapped right.
        sure: (M,) sum of their confidences.
    """

    pixels: Counts
    right: Counts
    sure: Floats

    @classmethod
    def empty(cls, bins: int = BINS) -> Calibration:
        """Of no pixels."""
        return cls(np.zeros(bins, np.int64), np.zeros(bins, np.int64), np.zeros(bins))

    @classmethod
    def of(
        cls,
        labels: NDArray[np.uint8],
        mapped: NDArray[np.uint8],
        confidence: NDArray[np.floating],
        bins: int = BINS,
    ) -> Calibration:
        """Count arrays of one shape.

        Args:
            labels: reference indices, 0 to K-1 or 255.
            mapped: mapped indices, 0 to K-1 or 255 for "no class".
            confidence: probability of the mapped class, 0 to 1; anything where there is none.
            bins: M.
        """
        known = _known(labels, mapped)
        hits = (labels == mapped)[known]
        return _binned(confidence[known], np.ones(len(hits), np.int64), hits, bins)

    @classmethod
    def of_bytes(
        cls,
        labels: NDArray[np.uint8],
        mapped: NDArray[np.uint8],
        confidence: NDArray[np.uint8],
        *,
        full: int,
        bins: int,
    ) -> Calibration:
        """Count arrays of one shape, with confidence as it stands in a file of bytes: several times as fast.

        Args:
            labels: reference indices, 0 to K-1 or 255.
            mapped: mapped indices, 0 to K-1 or 255 for "no class".
            confidence: of the mapped class, 0 to `full`; anything where there is none.
            full: byte that means a probability of 1.
            bins: M.
        """
        packed = (labels == mapped).astype(np.uint16) << 8 | confidence
        wrong, right = np.bincount(packed[_known(labels, mapped)], minlength=512).reshape(2, 256)[:, : full + 1]
        return _binned(np.arange(full + 1) / full, wrong + right, right, bins)

    def __add__(self, other: Calibration) -> Calibration:
        return Calibration(self.pixels + other.pixels, self.right + other.right, self.sure + other.sure)

    @property
    def ece(self) -> float:
        """Expected calibration error, 0 at best; NaN without pixels.

        Sum over bins of n_m / n |acc(m) - conf(m)|, that is how far accuracy and mean confidence of a bin lie apart, in
        the mean over pixels (Guo et al., ICML 2017, eq. 3; bins after Naeini et al., AAAI 2015).
        """
        return ratio(np.abs(self.right - self.sure).sum(), self.pixels.sum())

    @property
    def table(self) -> list[ReliabilityBin]:
        """The bins from the least to the most sure, for a reliability diagram (Guo et al., figure 1)."""
        borders = np.linspace(0, 1, len(self.pixels) + 1).tolist()
        means = ratios(self.sure, self.pixels).tolist(), ratios(self.right, self.pixels).tolist()
        rows = zip(borders[:-1], borders[1:], self.pixels.tolist(), *means, strict=True)
        return [ReliabilityBin(*row) for row in rows]

    @property
    def reason(self) -> str:
        """Why its scores are NaN, in words; empty if they are not."""
        return "" if self.pixels.any() else "no labelled pixel that the map is sure of to any degree"


def _known(labels: NDArray[np.uint8], mapped: NDArray[np.uint8]) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = (labels != NODATA) & (mapped != NODATA)
    return known


def _binned(
    confidence: NDArray[np.floating], pixels: Counts, right: NDArray[np.integer | np.bool_], bins: int
) -> Calibration:
    """Confidences in bins, each with how many pixels have it and how many of them are right."""
    # in the precision of the confidences: 0.2 as float32 lies above 0.2 as float64, and would leave its bin
    borders = np.linspace(0, 1, bins + 1)[1:-1].astype(confidence.dtype)
    places = np.searchsorted(borders, confidence)
    counted, hits = (np.bincount(places, each, bins).astype(np.int64) for each in (pixels, right))
    sure = np.asarray(np.bincount(places, pixels * confidence.astype(np.float64), bins), np.float64)
    return Calibration(counted, hits, sure)
