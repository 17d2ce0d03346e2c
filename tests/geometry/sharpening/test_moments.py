"""Means and covariances from sums that add up."""

import numpy as np
import pytest

from rsfuse.geometry.sharpening.moments import Moments, PairMoments

CHANCE = np.random.default_rng(0)


@pytest.mark.parametrize("level", [0.0, 30_000.0])
def test_they_are_those_of_numpy(level):
    values = (CHANCE.normal(level, 40, (4, 5000))).astype(np.float32)
    moments = Moments.of(values)
    assert moments.count == 5000
    np.testing.assert_allclose(moments.mean, values.astype(np.float64).mean(1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(values.astype(np.float64), bias=True), rtol=1e-6, atol=1e-3)


def test_parts_add_up_to_the_whole():
    values = CHANCE.uniform(0, 2047, (3, 1000)).astype(np.float32)
    whole, parts = (
        Moments.of(values),
        Moments.of(values[:, :300]) + Moments.of(values[:, 300:300]) + Moments.of(values[:, 300:]),
    )
    assert parts.count == whole.count
    np.testing.assert_allclose(parts.sums, whole.sums, rtol=1e-12)
    np.testing.assert_allclose(parts.products, whole.products, rtol=1e-12)


def test_of_pairs_the_lowest_and_the_highest_number_are_kept():
    one, other = (PairMoments(1, Moments.of(np.ones((3, n))), Moments.of(np.ones((4, n))), (-n, n)) for n in (7, 4))
    both = one + other
    assert (both.bands, both.fine.count, both.coarse.count, both.limits) == (1, 11, 11, (-7, 7))
