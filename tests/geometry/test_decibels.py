from __future__ import annotations

import numpy as np
import pytest

from rsfuse.geometry.decibels import to_db, to_power


def test_decibels_are_ten_times_the_logarithm_and_nothing_where_there_is_none():
    power = np.array([[1, 10, 0.01, 2], [0, -1, np.nan, 1e-30]], np.float32)
    decibels = to_db(power)
    assert decibels.dtype == np.float32
    assert decibels[0] == pytest.approx([0, 10, -20, 3.0103], abs=1e-5)
    np.testing.assert_array_equal(np.isnan(decibels[1]), [True, True, True, False])
    assert decibels[1, 3] == pytest.approx(-300, abs=1e-4)
    assert to_db(power.astype(np.float64)) == pytest.approx(decibels, nan_ok=True)


def test_decibels_can_take_the_place_of_power():
    power = np.random.default_rng(0).gamma(1, 0.1, (33, 47)).astype(np.float32)
    power[3, 5] = 0
    expected = to_db(power)
    assert to_db(power, power) is power
    np.testing.assert_array_equal(power, expected)


def test_decibels_of_a_window_are_those_of_the_whole_bit_for_bit():
    power = np.random.default_rng(0).gamma(1, 0.1, (33, 47)).astype(np.float32)
    whole = to_db(power)
    np.testing.assert_array_equal(to_db(power[5:9, 7:8]), whole[5:9, 7:8])
    np.testing.assert_array_equal(to_db(power[:, 3:30]), whole[:, 3:30])
    np.testing.assert_array_equal(to_db(power[::2, ::3]), whole[::2, ::3])
    np.testing.assert_array_equal(to_db(power.T), whole.T)


def test_power_of_decibels_leads_back():
    power = np.array([[1, 1e-3, 40, np.nan]], np.float32)
    np.testing.assert_allclose(to_power(to_db(power)), power, rtol=1e-6)
