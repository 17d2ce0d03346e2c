"""How far a score can be trusted: bootstrap intervals over samples, and McNemar's test between two maps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rsfuse.legend import NODATA
from rsfuse.metrics.confusion import NO_LABELS, Confusion
from rsfuse.metrics.ratios import Counts, Floats, ratios

DRAWS = 1000
"""Resamples of a bootstrap, enough for the ends of a 95 % interval."""

EXACT_BELOW = 25
"""Discordant pixels below which McNemar's test is the exact binomial one."""


class Interval(NamedTuple):
    """From where to where a score lies in 95 % of the resamples; NaN if it is defined in none."""

    low: float
    high: float


def bootstrap(
    samples: Sequence[Confusion], score: Callable[[Confusion], float], *, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """95 % percentile interval of a score of all samples together (Efron and Tibshirani 1993, chapter 13).

    Samples (tiles, or squares of a map) are drawn with replacement, as many as there are, and scored together; so the
    interval says how the score would vary with other samples of the same kind. Samples that lie side by side have much
    in common, and then the interval is too narrow. Resamples in which the score is not defined are left out.

    Args:
        samples: one confusion each.
        score: of a confusion, such as `lambda confusion: confusion.miou`.
        draws: resamples.
        seed: of the draw.
    """
    if not samples:
        return _interval(np.full(1, np.nan))
    tables = np.stack([np.column_stack([each.counts, each.unmapped]) for each in samples])
    # in floats, for which there is a fast product; they hold whole numbers up to 9e15 exactly
    sums = _resampled(len(samples), draws, seed) @ tables.reshape(len(samples), -1).astype(np.float64)
    drawn = sums.astype(np.int64).reshape(draws, *tables.shape[1:])
    return _interval(np.array([score(Confusion(each[:, :-1], each[:, -1])) for each in drawn], np.float64))


def bootstrap_mean(values: Floats, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """The same of a score that is a mean over samples, such as mKappa of `kappas(samples)`.

    Args:
        values: (n,) score of each sample; a NaN takes part in the draw and not in the mean.
        draws: resamples.
        seed: of the draw.
    """
    if not len(values):
        return _interval(np.full(1, np.nan))
    drawn, known = _resampled(len(values), draws, seed), ~np.isnan(values)
    return _interval(ratios(drawn @ np.where(known, values, 0), drawn @ known))


@dataclass(frozen=True)
class Rivals:
    """Labelled pixels by which of two maps is right; those of parts add up to those of the whole.

    Args:
        counts: (2, 2) pixels: row 1 where the first map is right, column 1 where the second is.
    """

    counts: Counts

    @classmethod
    def empty(cls) -> Rivals:
        """Of no pixels."""
        return cls(np.zeros((2, 2), np.int64))

    @classmethod
    def of(cls, labels: NDArray[np.uint8], first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Rivals:
        """Compare index arrays of one shape; a pixel labelled 255 is left out, one mapped 255 is wrong."""
        known = labels != NODATA
        one, other = (labels == first) & known, (labels == second) & known
        pixels, ones, others, both = (int(np.count_nonzero(each)) for each in (known, one, other, one & other))
        return cls(np.array([[pixels - ones - others + both, others - both], [ones - both, both]], np.int64))

    def __add__(self, other: Rivals) -> Rivals:
        return Rivals(self.counts + other.counts)

    @property
    def discordant(self) -> int:
        """Pixels that one map has right and the other wrong."""
        return int(self.counts[0, 1] + self.counts[1, 0])

    @property
    def p_value(self) -> float:
        """Of McNemar's test that both maps are right equally often (McNemar 1947); NaN without labelled pixels.

        With b and c discordant pixels of each kind, (|b - c| - 1)^2 / (b + c) against chi-squared of one degree of
        freedom, the 1 being Edwards' correction for continuity (Edwards 1948); the exact, two-sided binomial test where
        b + c < 25; 1 where b = c.

        Pixels are not independent: neighbours are right or wrong together, so that there are far fewer independent ones
        than the test believes, and p is optimistic (too small). A difference that is not significant even here is none
        to speak of; for any other compare `bootstrap` intervals over samples.
        """
        ahead, behind = int(self.counts[1, 0]), int(self.counts[0, 1])
        if not self.counts.any():
            return math.nan
        if ahead == behind:
            return 1.0
        if self.discordant < EXACT_BELOW:
            tail = sum(math.comb(self.discordant, hits) for hits in range(min(ahead, behind) + 1))
            return math.ldexp(tail, 1 - self.discordant)
        # a chi-squared of one degree of freedom is the square of a normal number
        return math.erfc((abs(ahead - behind) - 1) / math.sqrt(2 * self.discordant))

    @property
    def reason(self) -> str:
        """Why its p-value is NaN, in words; empty if it is not."""
        return "" if self.counts.any() else NO_LABELS


def _resampled(samples: int, draws: int, seed: int) -> Floats:
    """(draws, samples) how often each sample is drawn."""
    drawn = np.random.default_rng(seed).multinomial(samples, np.full(samples, 1 / samples), size=draws)
    return drawn.astype(np.float64)


def _interval(scores: Floats) -> Interval:
    known = scores[~np.isnan(scores)]
    return Interval(*np.quantile(known, (0.025, 0.975)).tolist()) if len(known) else Interval(math.nan, math.nan)
