"""Accuracies and areas estimated from a sample of a map: the stratified estimators of Olofsson et al. (2014).

They are for reference data that are a *probability sample*: units (pixels) drawn at random within strata, where the
strata are the classes of the map, so that a class of small area can be sampled as densely as a large one. A confusion
of such a sample says nothing by itself; each stratum has to be weighed by its mapped area. Where all pixels are
labelled there is nothing to estimate: their own confusion holds the accuracies and areas. Labels that lie where
somebody happened to draw them are no probability sample, and no formula makes them one.

P. Olofsson, G. M. Foody, M. Herold, S. V. Stehman, C. E. Woodcock, M. A. Wulder: Good practices for estimating area and
assessing accuracy of land change. Remote Sensing of Environment 148 (2014) 42-57. Equation numbers are of this paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsfuse.metrics.confusion import Confusion
from rsfuse.metrics.ratios import Floats, ratios

Z95 = 1.96
"""Standard errors on each side of a 95 % confidence interval, rounded as in the paper."""


@dataclass(frozen=True)
class Estimate:
    """Estimated figures and their standard errors, of one shape; NaN where the sample says nothing of them."""

    value: Floats
    error: Floats

    @property
    def half_width(self) -> Floats:
        """Half of the 95 % confidence interval: the interval is value - half_width to value + half_width."""
        return Z95 * self.error

    def times(self, factor: float) -> Estimate:
        """The same in another unit."""
        return Estimate(self.value * factor, self.error * factor)


@dataclass(frozen=True)
class StratifiedSample:
    """Reference labels of a random sample of units in every class of a map.

    Args:
        sample: counts of units. As everywhere in the house its rows are reference classes and its columns mapped ones;
            the paper prints them the other way round. Units that the map leaves empty lie in no stratum and are left
            out.
        mapped: (K,) area of each class on the map, in any unit, of all its pixels and not only the sampled ones.
    """

    sample: Confusion
    mapped: Floats

    @property
    def overall(self) -> Estimate:
        """Overall accuracy (eq. 1) and its standard error (eq. 5)."""
        return Estimate(np.asarray(self._parts.trace()), np.sqrt(np.asarray(self._variances.trace())))

    @property
    def users(self) -> Estimate:
        """(K,) user's accuracies (eq. 2) and their standard errors (eq. 6); NaN for a stratum without a sample."""
        right = self._shares.diagonal()
        return Estimate(right, np.sqrt(ratios(right * (1 - right), self._units - 1)))

    @property
    def producers(self) -> Estimate:
        """(K,) producer's accuracies (eq. 3) and their standard errors (eq. 7); NaN for a class never found."""
        areas, right, wrong = self._parts.sum(0), self._variances.diagonal(), self._variances.sum(0)
        value = ratios(self._parts.diagonal(), areas)
        variance = (1 - value) ** 2 * right + value**2 * (wrong - right)
        return Estimate(value, np.sqrt(ratios(variance, areas**2)))

    @property
    def proportions(self) -> Estimate:
        """(K,) share of each class in the area: what the map says, put right (eq. 9), with standard errors (eq. 10)."""
        return Estimate(self._parts.sum(0), np.sqrt(self._variances.sum(0)))

    @property
    def areas(self) -> Estimate:
        """(K,) area of each class (eq. 11) with standard errors, in the unit of the mapped areas."""
        return self.proportions.times(float(self.mapped.sum()))

    @property
    def reason(self) -> str:
        """Why estimates are NaN, in words; empty if the strata give none cause to be."""
        if not self.mapped.sum():
            return "no mapped area"
        few = [str(index) for index in np.flatnonzero((self._units < 2) & (self.mapped > 0))]
        return f"fewer than two sampled units in the strata of classes {', '.join(few)}" if few else ""

    @property
    def _units(self) -> Floats:
        """(K,) n_i: sampled units of each stratum."""
        units: Floats = self.sample.counts.sum(0).astype(np.float64)
        return units

    @property
    def _weights(self) -> Floats:
        """(K, 1) W_i: mapped share of each stratum."""
        return ratios(self.mapped, np.full(len(self.mapped), self.mapped.sum()))[:, None]

    @property
    def _shares(self) -> Floats:
        """(K, K) n_ij / n_i: share of a stratum's units (row) that are of a class (column); NaN without units."""
        return ratios(self.sample.counts.T, np.tile(self._units[:, None], len(self.mapped)))

    @property
    def _parts(self) -> Floats:
        """(K, K) p_ij: estimated share of the area that is mapped as one class and is of another (eq. 4)."""
        # a stratum without area has no part in anything, sampled or not
        return np.where(self._weights == 0, 0, self._weights * self._shares)

    @property
    def _variances(self) -> Floats:
        """(K, K) of these parts: W_i^2 p (1 - p) / (n_i - 1) of the share p; NaN with fewer than two units."""
        degrees = np.tile(self._units[:, None] - 1, len(self.mapped))
        spread = ratios(self._shares * (1 - self._shares), degrees)
        return np.where(self._weights == 0, 0, self._weights**2 * spread)
