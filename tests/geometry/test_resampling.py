"""Pixels between pixels: linear ramps stay what they are, and what is no data stays out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.geometry.resampling import sampled

ROWS, COLUMNS = np.indices((40, 50)).astype(np.float32)
RAMPS = np.stack([3 * ROWS - 2 * COLUMNS + 5, ROWS + 100])


def around(rows, columns, height=6, width=7):
    return np.stack(np.meshgrid(rows + np.arange(height), columns + np.arange(width), indexing="ij")).astype(float)


@given(row=st.floats(0, 33.9), column=st.floats(0, 42.9))
def test_between_pixels_values_are_linear(row, column):
    places = around(row, column)
    mixed, found = sampled(RAMPS, np.ones((40, 50), bool), places)
    assert found.all()
    np.testing.assert_allclose(mixed[0], 3 * places[0] - 2 * places[1] + 5, atol=1e-3)
    np.testing.assert_allclose(mixed[1], places[0] + 100, atol=1e-3)


def test_what_has_no_data_takes_no_part():
    valid = np.ones((40, 50), bool)
    valid[:, 20:] = False
    pixels = np.where(valid, RAMPS, 9999).astype("f4")
    mixed, found = sampled(pixels, valid, around(10.5, 16.25))
    # columns 16.25 to 22.25: 19.25 has three quarters of its weight from 19, 20.25 none
    np.testing.assert_array_equal(found[0], [True] * 4 + [False] * 3)
    np.testing.assert_allclose(mixed[1][:, 3], 110.5 + np.arange(6), atol=1e-3)
    assert (mixed[:, ~found] == 0).all()


def test_beyond_the_edge_there_is_nothing():
    _, found = sampled(RAMPS, np.ones((40, 50), bool), around(-2.0, -0.4))
    np.testing.assert_array_equal(found[:, 0], [False, False, True, True, True, True])


@pytest.mark.parametrize(("dtype", "expected"), [("u1", "f4"), ("i4", "f4"), ("f4", "f4"), ("f8", "f8")])
def test_numbers_keep_their_precision(dtype, expected):
    mixed, _ = sampled(RAMPS.clip(0, 200).astype(dtype), np.ones((40, 50), bool), around(3, 4))
    assert mixed.dtype == expected
