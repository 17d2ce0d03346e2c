"""Numbers of scenes: small, and different where scenes touch."""

from itertools import combinations

import numpy as np

from rsfuse.raster.mosaics.numbering import scene_numbers


def touch(one, other):
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def test_scenes_that_touch_have_different_numbers():
    chance = np.random.default_rng(0)
    corners, sizes = chance.integers(0, 500, (200, 2)), chance.integers(5, 60, (200, 2))
    boxes = np.concatenate([corners, corners + sizes], 1)
    numbers = scene_numbers(boxes)
    for one, other in combinations(range(200), 2):
        assert numbers[one] != numbers[other] or not touch(boxes[one], boxes[other])
    assert max(numbers) < 30


def test_a_thousand_scenes_side_by_side_take_few_numbers_and_as_many_on_one_another_take_all():
    rows, columns = np.indices((30, 30)).reshape(2, -1) * 100
    boxes = np.stack([rows, columns, rows + 120, columns + 120], 1)
    assert max(scene_numbers(boxes)) < 9
    assert sorted(scene_numbers(np.tile([0, 0, 10, 10], (300, 1)))) == list(range(300))
