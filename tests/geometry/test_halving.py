"""Overviews: of class codes the most frequent of four, of images their mean."""

from collections import Counter

import numpy as np
import pytest

from rsfuse.geometry.halving import averaged, halved


def by_hand(codes):
    height, width = codes.shape
    half = np.full((-(-height // 2), -(-width // 2)), 255, np.uint8)
    for row, column in np.ndindex(half.shape):
        four = codes[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].ravel().tolist()
        known = [code for code in four if code != 255]
        if known:
            half[row, column] = Counter(known).most_common(1)[0][0]  # of equals the one that was seen first
    return half


@pytest.mark.parametrize("shape", [(64, 64), (33, 40), (40, 33), (1, 1), (1, 7)])
def test_the_most_frequent_of_four_wins_and_of_equals_the_first(shape):
    chance = np.random.default_rng(0)
    for known in ([0, 1, 255], [10, 20, 30, 40, 255], [7]):
        codes = chance.choice(np.array(known, np.uint8), shape)
        np.testing.assert_array_equal(halved(codes), by_hand(codes))


def test_what_is_halved_in_parts_is_what_is_halved_as_a_whole():
    codes = np.random.default_rng(1).choice(np.array([1, 2, 3, 255], np.uint8), (64, 96))
    parts = np.block(
        [[halved(codes[:32, :64]), halved(codes[:32, 64:])], [halved(codes[32:, :64]), halved(codes[32:, 64:])]]
    )
    np.testing.assert_array_equal(parts, halved(codes))


def mean_by_hand(pixels, valid, nodata):
    height, width = valid.shape
    shape = -(-height // 2), -(-width // 2)
    half, seen = np.full((len(pixels), *shape), nodata or 0, pixels.dtype), np.zeros(shape, bool)
    for row, column in np.ndindex(shape):
        four = np.s_[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        seen[row, column] = valid[four].any()
        if seen[row, column]:
            mean = pixels[:, *four][:, valid[four]].astype(np.float64).mean(1)
            mean = np.floor(mean + 0.5) if pixels.dtype.kind in "iu" else mean
            half[:, row, column] = np.where(mean == nodata, 1, mean) if nodata == 0 else mean
    return half, seen


@pytest.mark.parametrize("shape", [(32, 48), (33, 40), (40, 33), (7, 9), (1, 1), (1, 6)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "uint32", "float32"])
@pytest.mark.parametrize("nodata", [0, None])
def test_an_image_is_halved_by_the_mean_of_what_is_valid(shape, dtype, nodata):
    chance = np.random.default_rng(2)
    kind = np.dtype(dtype)
    low, high = (-1, 1) if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
    pixels = chance.uniform(low, high, (3, *shape)).astype(kind)
    for valid in (np.ones(shape, bool), chance.random(shape) > 0.6, np.zeros(shape, bool)):
        half, seen = averaged(pixels, valid, nodata)
        expected, known = mean_by_hand(pixels, valid, nodata)
        assert half.dtype == kind
        np.testing.assert_array_equal(seen, known)
        np.testing.assert_allclose(half, expected, rtol=1e-6, atol=1e-6)


def test_a_mean_of_what_is_valid_is_never_no_data():
    pixels = np.array([[[-1, 1, 0, 0], [2, -2, 0, 0]]], np.int16)
    half, seen = averaged(pixels, pixels[0] != 0, 0)
    np.testing.assert_array_equal(half[0] != 0, seen)


def test_no_data_that_is_not_a_number_does_not_spread():
    pixels = np.array([[[1, np.nan, np.nan, np.nan], [3, 5, np.nan, np.nan]]], np.float32)
    half, seen = averaged(pixels, np.isfinite(pixels[0]), np.nan)
    np.testing.assert_array_equal(half, [[[3, np.nan]]])
    np.testing.assert_array_equal(seen, [[True, False]])


def test_an_image_halved_in_parts_is_that_halved_as_a_whole():
    chance = np.random.default_rng(3)
    pixels, valid = chance.integers(0, 2047, (2, 37, 61)).astype(np.uint16), chance.random((37, 61)) > 0.3
    whole = averaged(pixels, valid, 0)
    for rows in (slice(0, 16), slice(16, 37)):
        for columns in (slice(0, 32), slice(32, 61)):
            part = averaged(pixels[:, rows, columns], valid[rows, columns], 0)
            at = [slice(each.start // 2, (each.stop + 1) // 2) for each in (rows, columns)]
            np.testing.assert_array_equal(part[0], whole[0][:, *at])
            np.testing.assert_array_equal(part[1], whole[1][*at])
