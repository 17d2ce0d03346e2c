from __future__ import annotations

import numpy as np
import pytest

from rsfuse.geometry.speckle.window_sums import Moments, Surroundings, box_sums, run_sums


@pytest.fixture
def whole_numbers():
    return np.random.default_rng(0).integers(0, 50, (31, 44))


@pytest.mark.parametrize("length", range(1, 17))
def test_runs_hold_the_sums_of_their_pixels(whole_numbers, length):
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(whole_numbers, length, axis)
        np.testing.assert_array_equal(run_sums(whole_numbers, length, axis), windows.sum(-1))


def test_boxes_hold_the_sums_of_their_pixels(whole_numbers):
    windows = np.lib.stride_tricks.sliding_window_view(whole_numbers, (5, 5))
    np.testing.assert_array_equal(box_sums(whole_numbers, 5), windows.sum((-1, -2)))


def test_a_bright_pixel_leaves_no_trace_beyond_its_window():
    dim = np.random.default_rng(0).gamma(1, 1, (40, 40)).astype(np.float32)
    bright = dim.copy()
    bright[3, 3] = 1e9
    np.testing.assert_array_equal(box_sums(bright, 7)[4:, 4:], box_sums(dim, 7)[4:, 4:])


def test_moments_are_of_the_pixels_that_have_data():
    power = np.random.default_rng(0).gamma(2, 1, (9, 9)).astype(np.float32)
    power[:4, :5] = np.nan
    moments = Surroundings.of(power, 3).moments()
    for row, column in np.ndindex(3, 3):
        known = power[row : row + 7, column : column + 7]
        known = known[~np.isnan(known)].astype(float)
        assert moments.mean[row, column] == pytest.approx(known.mean(), rel=1e-6)
        assert moments.variance[row, column] == pytest.approx(known.var(ddof=1), rel=1e-5)
        assert moments.contrast[row, column] == pytest.approx(known.var(ddof=1) / known.mean() ** 2, rel=1e-5)


def test_what_is_even_does_not_vary_and_nothing_has_no_moments():
    sums, squares, counts = (np.array([each], np.float32) for each in ([0.3, 0, 0], [0.03 - 1e-8, 0, 0], [3, 5, 0]))
    moments = Moments.of(sums, squares, counts.astype(np.uint16))
    np.testing.assert_array_equal(moments.variance, 0)
    np.testing.assert_array_equal(moments.contrast, 0)
    np.testing.assert_array_equal(moments.mean, sums / np.float32([3, 1, 1]))
