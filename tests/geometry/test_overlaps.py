"""What becomes of pixels that several scenes have, against rules spelt out pixel by pixel."""

from collections import Counter

import numpy as np
import pytest

from rsfuse.geometry.overlaps import NOBODY, Feathered, First, Heaviest, Majority, Share, elected

SHAPE = 40, 50


@pytest.fixture
def shares():
    """Twelve scenes here and there over a window, a third of them without data."""
    chance = np.random.default_rng(0)
    made = []
    for scene in range(12):
        top, left = chance.integers(0, 20, 2)
        size = chance.integers(10, 21), chance.integers(10, 31)
        made.append(
            Share(
                np.s_[top : top + size[0], left : left + size[1]],
                chance.choice(np.array([10, 20, 30], np.uint8), (1, *size)),
                chance.random(size) > 0.3,
                scene,
                chance.integers(0, 5, size).astype(np.float32),  # many of them equal
            )
        )
    return made


def merged(rule, shares, dtype=np.uint8):
    rule = rule((1, *SHAPE), dtype)
    for share in shares:
        rule.add(share)
    return rule.merged()


def heard(shares, row, column):
    """Of each scene with data at a pixel: its number, code and weight."""
    found = []
    for share in shares:
        rows, columns = share.at
        at = row - rows.start, column - columns.start
        if 0 <= at[0] < share.valid.shape[0] and 0 <= at[1] < share.valid.shape[1] and share.valid[at]:
            found.append((share.scene, int(share.pixels[0][at]), float(share.weight[at])))
    return found


def most(found):
    counted = Counter(code for _, code, _ in found)
    best = max(counted.values())
    return next((scene, code) for scene, code, _ in found if counted[code] == best)


CHOICES = {
    First: lambda found: found[0][:2],
    Heaviest: lambda found: max(found, key=lambda each: each[2])[:2],  # max takes the first of equals
    Majority: most,
}


@pytest.mark.parametrize("rule", CHOICES)
def test_each_pixel_is_what_the_rule_says(rule, shares):
    result = merged(rule, shares)
    for row, column in np.ndindex(SHAPE):
        found = heard(shares, row, column)
        if found:
            scene, code = CHOICES[rule](found)
            assert (result.scenes[row, column], result.pixels[0, row, column]) == (scene, code)
        else:
            assert result.scenes[row, column] == NOBODY
    assert 0 < result.valid.mean() < 1


def test_what_is_feathered_is_the_mean_by_weights(shares):
    result = merged(Feathered, shares, np.float32)
    for row, column in np.ndindex(SHAPE):
        found = [each for each in heard(shares, row, column) if each[2] > 0]
        if found:
            total = sum(weight for *_, weight in found)
            mean = sum(code * weight for _, code, weight in found) / total
            assert result.pixels[0, row, column] == pytest.approx(mean, rel=1e-5)
            assert result.scenes[row, column] == max(found, key=lambda each: each[2])[0]
        else:
            assert result.scenes[row, column] == NOBODY


def test_feathering_whole_numbers_rounds_them_and_leaves_constants_alone(shares):
    ones = [Share(each.at, np.full_like(each.pixels, 200), each.valid, each.scene, each.weight) for each in shares]
    result = merged(Feathered, ones)
    assert result.pixels.dtype == np.uint8
    assert (result.pixels[0][result.valid] == 200).all()
    exact = merged(Feathered, shares, np.float32)
    rounded = merged(Feathered, shares)
    np.testing.assert_array_equal(rounded.pixels, np.rint(exact.pixels).astype(np.uint8))


def test_what_stands_where_there_is_no_data_is_not_mixed_in(shares):
    spoilt = [
        Share(
            each.at,
            np.where(each.valid, each.pixels, np.nan).astype(np.float32),
            each.valid,
            each.scene,
            each.weight,
        )
        for each in shares
    ]
    result = merged(Feathered, spoilt, np.float32)
    np.testing.assert_array_equal(result.pixels, merged(Feathered, shares, np.float32).pixels)


def test_no_scene_is_asked_once_all_pixels_have_theirs(shares):
    rule = First((1, 2, 2), np.uint8)
    assert not rule.is_full()
    rule.add(Share(np.s_[0:2, 0:2], np.ones((1, 2, 2), np.uint8), np.ones((2, 2), bool), 3))
    assert rule.is_full()


def test_of_equals_the_row_further_up_is_elected():
    votes = np.array([[9, 255, 1, 255], [2, 5, 2, 255], [2, 4, 3, 255], [9, 4, 3, 255]], np.uint8)
    codes, first = elected(votes)
    assert codes.tolist() == [9, 4, 3, 255]
    assert first.tolist()[:3] == [0, 2, 2]
