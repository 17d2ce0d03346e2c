"""Stitched patches are the map that one look at the whole raster would have given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window

from rsfuse.geometry.blend import blend_weights
from rsfuse.geometry.plan import Plan
from rsfuse.learn.inference.stitcher import Stitcher
from rsfuse.learn.runtimes.ndarrays import NdArrays

BLENDS = ("crop", "hann", "gaussian")
ARRAYS = NdArrays()


@st.composite
def plans(draw):
    size = draw(st.integers(1, 40))
    halo = draw(st.integers(0, (size - 1) // 2))
    longest = size + 4 * (size - 2 * halo)  # smaller than a patch up to five patches
    height, width = draw(st.integers(1, longest)), draw(st.integers(1, longest))
    whole = (
        Plan.sliding(height, width, size=size, halo=halo)
        if draw(st.booleans())
        else Plan.whole(height, width, multiple=size)
    )
    if draw(st.booleans()):
        return whole
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    return whole.within(Window(left, top, draw(st.integers(1, width - left)), draw(st.integers(1, height - top))))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def cut(canvas, window, size):
    """A patch of a canvas, padded with junk where it hangs over: nothing of that may reach the map."""
    seen = np.full((len(canvas), *size), np.nan, np.float32)
    part = canvas[:, *window.toslices()]
    seen[:, : part.shape[1], : part.shape[2]] = part
    return seen


def stitch(plan, blend, scores):
    """The map, and the first row and height of its runs; `scores` is one (K, h, w) a patch, or None."""
    classes = next(len(each) for each in scores if each is not None)
    stitcher, across = Stitcher(plan, classes, blend, ARRAYS), len(plan.lefts)
    runs = []
    for row in range(len(plan.tops)):
        for column, each in enumerate(scores[row * across : (row + 1) * across]):
            if each is not None:
                stitcher.add(row, column, each)
        runs += [(top, finished.copy()) for top, finished in stitcher.finish(row)]
    return np.concatenate([rows for _, rows in runs], axis=1), [(top, rows.shape[1]) for top, rows in runs]


def wanted(canvas, plan):
    return canvas[:, slice(*plan.rows), slice(*plan.columns)]


@given(plans())
def test_cropped_patches_of_an_identity_network_are_the_raster_bit_for_bit(plan):
    raster = noise(2, *plan.shape)
    mapped, _ = stitch(plan, "crop", [cut(raster, patch.read, plan.size) for patch in plan])
    np.testing.assert_array_equal(mapped, wanted(raster, plan))


@pytest.mark.parametrize("blend", ["hann", "gaussian"])
@given(plan=plans())
def test_blended_patches_of_an_identity_network_are_the_raster_but_for_rounding(plan, blend):
    raster = noise(2, *plan.shape)
    mapped, _ = stitch(plan, blend, [cut(raster, patch.read, plan.size) for patch in plan])
    np.testing.assert_allclose(mapped, wanted(raster, plan), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("blend", ["hann", "gaussian"])
@given(plan=plans(), value=st.sampled_from([1.0, -3.7, 1e-12, 6e10]))
def test_a_blended_constant_stays_constant_to_the_last_pixel(plan, blend, value):
    mapped, _ = stitch(plan, blend, [np.full((1, *plan.size), value, np.float32)] * len(plan))
    # four roundings of the weights, and one for each patch that is added
    np.testing.assert_allclose(mapped, np.float32(value), rtol=16 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("blend", BLENDS)
@given(plan=plans(), seed=st.integers(0, 9))
def test_the_map_is_the_weighted_sum_of_all_patches_over_the_whole_canvas(plan, blend, seed):
    scores = list(noise(len(plan), 3, *plan.size, seed=seed))
    canvas = np.zeros((3, *(max(pair) for pair in zip(plan.shape, plan.size, strict=True))))
    rows, columns = blend_weights(plan, blend)
    for number, (patch, each) in enumerate(zip(plan, scores, strict=True)):
        row, column = divmod(number, len(plan.lefts))
        canvas[:, *patch.read.toslices()] += np.outer(rows[row], columns[column]) * each
    mapped, _ = stitch(plan, blend, scores)
    np.testing.assert_allclose(mapped, wanted(canvas, plan), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("blend", BLENDS)
@given(plan=plans())
def test_rows_come_in_order_and_each_once(plan, blend):
    _, runs = stitch(plan, blend, [np.zeros((1, *plan.size), np.float32)] * len(plan))
    assert [row for top, count in runs for row in range(top, top + count)] == list(range(*plan.rows))


@pytest.mark.parametrize("blend", BLENDS)
def test_pixels_that_only_unscored_patches_reach_get_0(blend):
    plan = Plan.sliding(64, 64, size=32, halo=0)
    ones = np.ones((2, 32, 32), np.float32)
    mapped, _ = stitch(plan, blend, [ones, None, None, ones])
    assert (mapped[:, :32, :32] == 1).all()
    assert (mapped[:, :32, 32:] == 0).all()
    assert (mapped[:, 32:, :32] == 0).all()


@pytest.mark.parametrize("blend", BLENDS)
def test_memory_held_does_not_depend_on_the_height(blend):
    def held(height):
        stitcher = Stitcher(Plan.sliding(height, 100, size=32, halo=8), 3, blend, ARRAYS)
        return stitcher._sums.nbytes

    assert held(2000) == held(200) == 3 * 32 * 100 * 4
