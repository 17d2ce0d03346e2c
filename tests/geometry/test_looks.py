from __future__ import annotations

import numpy as np
import pytest

from rsfuse.geometry.looks import effective_looks, multilook, reduced, square_looks


def _by_hand(power, rows, columns):
    height, width = power.shape
    looks = np.full((-(-height // rows), -(-width // columns)), np.nan)
    for row, column in np.ndindex(looks.shape):
        block = power[row * rows : (row + 1) * rows, column * columns : (column + 1) * columns].astype(float)
        known = block[~np.isnan(block)]
        if 2 * known.size >= block.size:
            looks[row, column] = known.mean()
    return looks


@pytest.fixture
def power():
    rng = np.random.default_rng(0)
    power = rng.gamma(1, 1, (2, 23, 38)).astype(np.float32)
    power[rng.random(power.shape) < 0.45] = np.nan
    return power


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (4, 1), (1, 5), (3, 7), (40, 50)])
def test_a_block_becomes_the_mean_of_its_pixels_that_have_data(power, rows, columns):
    looks = multilook(power, rows, columns)
    assert looks.dtype == np.float32
    for band, look in zip(power, looks, strict=True):
        np.testing.assert_allclose(look, _by_hand(band, rows, columns), rtol=1e-6)


def test_one_band_comes_back_as_one_band(power):
    np.testing.assert_array_equal(multilook(power[0], 2, 3), multilook(power, 2, 3)[0])


def test_half_of_a_block_is_enough_and_less_is_not():
    power = np.array([[1, np.nan, 1, np.nan], [3, np.nan, np.nan, np.nan]], np.float32)
    np.testing.assert_array_equal(multilook(power, 2, 2), [[2, np.nan]])


def test_a_block_that_is_cut_short_counts_what_there_is():
    power = np.array([[1, 2, 4], [3, 4, np.nan], [5, 7, np.nan]], np.float32)
    np.testing.assert_array_equal(multilook(power, 2, 2), [[2.5, 4], [6, np.nan]])


def test_windows_of_whole_blocks_give_the_same_bits(power):
    whole = multilook(power, 3, 4)
    for top, bottom, left, right in ((0, 9, 0, 38), (9, 23, 8, 20), (6, 12, 4, 8), (21, 23, 36, 38)):
        part = multilook(power[:, top:bottom, left:right], 3, 4)
        here = whole[:, top // 3 : -(-bottom // 3), left // 4 : -(-right // 4)]
        assert np.array_equal(part, here, equal_nan=True)


def test_whole_numbers_are_averaged_without_rounding_or_overflow():
    pixels = np.full((1, 64, 64), 65535, np.uint16)
    pixels[0, 0, 0] = 0
    valid = np.ones((64, 64), bool)
    valid[1, 1] = False
    means, found = reduced(pixels, valid, 2, 2)
    assert found.all()
    assert means[0, 0, 0] == np.float32(2 * 65535 / 3)
    assert (means[0].ravel()[1:] == 65535).all()


def test_reduced_pixels_without_data_are_zero(power):
    valid = ~np.isnan(power[0])
    means, found = reduced(power[:1], valid, 2, 2)
    np.testing.assert_array_equal(np.where(found, means[0], np.nan), multilook(power[0], 2, 2))
    assert not found.all()
    assert (means[0, ~found] == 0).all()


def test_pixels_that_are_not_valid_have_no_say_whatever_they_hold():
    pixels = np.array([[[1, np.inf], [np.nan, 3]]], np.float32)
    means, found = reduced(pixels, np.isfinite(pixels[0]), 2, 2)
    assert found.all()
    np.testing.assert_array_equal(means, [[[2]]])


@pytest.mark.parametrize(
    ("spacing_m", "looks"),
    [
        ((5, 5), (1, 1)),
        ((2.6, 5), (2, 1)),
        ((5.2, 2.25), (1, 2)),
        ((3, 4), (1, 1)),
        ((1, 3.4), (3, 1)),
        ((9, 2), (1, 4)),
    ],
)
def test_looks_make_pixels_as_square_as_whole_numbers_allow(spacing_m, looks):
    assert square_looks(spacing_m) == looks


def test_averaged_looks_count_for_less_than_their_number():
    assert effective_looks(1, 1) == 1
    assert effective_looks(2, 3) == pytest.approx(4.8)
