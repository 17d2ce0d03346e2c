from __future__ import annotations

import numpy as np
import pytest

from rsfuse.geometry.speckle.filters import speckle_filter
from rsfuse.geometry.speckle.halves import HALVES, chosen_half, half_sums

# down and right, of where a half lies
SIDES = dict(zip(HALVES, ((0, 1), (0, -1), (1, 0), (-1, 0), (-1, 1), (1, -1), (1, 1), (-1, -1)), strict=True))


def side_of(half, shape=(61, 61)):
    """How far pixels lie beyond a line through the middle, toward a half."""
    rows, columns = (index - length // 2 for index, length in zip(np.indices(shape), shape, strict=True))
    down, right = SIDES[half]
    return rows * down + columns * right


def nine_means(image):
    """Of 3 x 3 pixels each, two apart, around the middle of 7 x 7."""
    return np.array([image[row : row + 3, column : column + 3].mean() for row in (0, 2, 4) for column in (0, 2, 4)])


@pytest.mark.parametrize("number", range(8))
def test_half_sums_are_over_the_pixels_on_their_side(number):
    image = np.random.default_rng(0).integers(0, 9, (12, 15))
    within = side_of(HALVES[number], (7, 7)) >= 0
    assert within.sum() == 28
    sums = list(half_sums(image))[number]
    windows = np.lib.stride_tricks.sliding_window_view(image, (7, 7))
    np.testing.assert_array_equal(sums, (windows * within).sum((-1, -2)))


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(("here", "beyond"), [(1, 10), (10, 1)])
@pytest.mark.parametrize("away", [0, 1])
def test_a_pixel_at_an_edge_looks_at_its_own_side(half, here, beyond, away):
    """The edge is beyond the middle of the window, and the half is away from it."""
    window = np.where(side_of(half, (7, 7)) < -away, beyond, here).astype(np.float32)
    assert HALVES[chosen_half(nine_means(window)[:, None])[0]] == half


@pytest.mark.parametrize("half", HALVES)
def test_the_side_is_found_under_speckle(half):
    """Of 16 looks and a step of 10 dB, for 9 pixels out of 10 beside the edge."""
    level = np.where(side_of(half) >= 0, 10, 1)
    power = (level * np.random.default_rng(0).gamma(16, 1 / 16, level.shape)).astype(np.float32)
    beside = np.argwhere(side_of(half)[3:-3, 3:-3] == 0)
    means = np.array([nine_means(power[row : row + 7, column : column + 7]) for row, column in beside]).T
    assert (chosen_half(means) == HALVES.index(half)).mean() > 0.9


@pytest.mark.parametrize("half", HALVES)
def test_refined_lee_smooths_along_an_edge_and_not_across(half):
    """Lee's leaves the pixels at the edge as noisy as they are."""
    beyond = side_of(half, (201, 201))
    power = np.random.default_rng(0).gamma(16, 1 / 16, beyond.shape).astype(np.float32)
    power[beyond >= 0] *= 10
    refined, lee = (speckle_filter(name, looks=16)(power)[10:-10, 10:-10] for name in ("refined-lee", "lee"))
    step = 2 if 0 not in SIDES[half] else 1  # of the next line of pixels, measured along rows and columns
    for level, beside in ((10, 0), (1, -step)):
        here = beyond[10:-10, 10:-10] == beside
        assert refined[here].mean() == pytest.approx(level, rel=0.1)
        assert refined[here].var() < 0.5 * lee[here].var()
