"""Depth: how far it is to the nearest pixel without data."""

import numpy as np
import pytest

from rsfuse.geometry.depth import Depth


def depth_of(valid, rows=17):
    depth = Depth(valid.shape)
    for top in range(0, len(valid), rows):
        depth.add(top, valid[top : top + rows])
    return depth


def by_hand(valid):
    """From the middle of each pixel to the nearest edge of one without data, along the line between the middles."""
    padded = np.pad(valid, 1)
    holes = np.argwhere(~padded)
    places = np.argwhere(padded)
    away = np.sqrt(((places[:, None] - holes) ** 2).sum(-1)).min(1) - 0.5
    depth = np.full(valid.shape, 0.5)
    depth[valid] = np.maximum(away, 0.5)
    return depth


def test_of_a_small_scene_it_is_the_distance_to_the_pixel():
    valid = np.random.default_rng(0).random((40, 60)) > 0.03
    found = depth_of(valid).at((0, 40), (0, 60))
    np.testing.assert_allclose(found[valid], by_hand(valid)[valid], atol=1e-5)
    assert (found[~valid] == 0.5).all()


@pytest.mark.parametrize("shape", [(1024, 2048), (2048, 300)])
def test_of_a_large_scene_it_is_linear_to_the_edge(shape):
    rows, columns = np.indices(shape)
    straight = np.minimum(np.minimum(rows, shape[0] - 1 - rows), np.minimum(columns, shape[1] - 1 - columns)) + 0.5
    found = depth_of(np.ones(shape, bool), 512).at((0, shape[0]), (0, shape[1]))
    side = max(shape) / 256
    assert np.abs(found - straight).max() < side  # at the ridges, where it turns
    middle = shape[0] // 2
    np.testing.assert_allclose(found[middle, :100], straight[middle, :100], atol=1e-3)


def test_windows_agree_with_the_whole_and_a_hole_counts_however_small_it_is():
    valid = np.ones((700, 900), bool)
    valid[333, 444] = False
    depth = depth_of(valid, 512)
    whole = depth.at((0, 700), (0, 900))
    np.testing.assert_array_equal(depth.at((300, 512), (400, 700)), whole[300:512, 400:700])
    assert whole[333, 444] == 0.5
    assert whole[333, 480] < 40 < whole[333, 600]


def test_rows_may_come_in_any_order():
    valid = np.random.default_rng(0).random((600, 500)) > 0.001
    one, other = Depth(valid.shape), Depth(valid.shape)
    for top in (0, 256, 512):
        one.add(top, valid[top : top + 256])
    for top in (450, 0, 300, 150):
        other.add(top, valid[top : top + 150])
    np.testing.assert_array_equal(one.at((0, 600), (0, 500)), other.at((0, 600), (0, 500)))
