"""Overviews of class codes: the most frequent of four."""

from collections import Counter

import numpy as np
import pytest

from rsfuse.geometry.halving import halved


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
