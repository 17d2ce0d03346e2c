"""Weights of all patches sum to 1 wherever something is wanted, and are 0 elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window

from rsfuse.geometry.blend import blend_weights
from rsfuse.geometry.plan import Plan

BLENDS = ("crop", "hann", "gaussian")


@st.composite
def plans(draw):
    size = draw(st.integers(1, 40))
    halo = draw(st.integers(0, (size - 1) // 2))
    longest = size + 4 * (size - 2 * halo)  # smaller than a patch up to five patches
    height, width = draw(st.integers(1, longest)), draw(st.integers(1, longest))
    if draw(st.booleans()):
        return Plan.sliding(height, width, size=size, halo=halo)
    return Plan.whole(height, width, multiple=size)


@st.composite
def parts(draw):
    plan = draw(plans())
    top, left = (draw(st.integers(0, side - 1)) for side in plan.shape)
    height, width = draw(st.integers(1, plan.shape[0] - top)), draw(st.integers(1, plan.shape[1] - left))
    return plan.within(Window(left, top, width, height))


def totals(plan, blend):
    """Sum of the weights of all patches on every pixel of the raster and beyond."""
    rows, columns = blend_weights(plan, blend)
    total = np.zeros([max(side, starts[-1] + size) for side, starts, size in sides(plan)])
    for top, down in zip(plan.tops, rows, strict=True):
        for left, along in zip(plan.lefts, columns, strict=True):
            total[top : top + plan.size[0], left : left + plan.size[1]] += np.outer(down, along)
    return total


def sides(plan):
    return zip(plan.shape, (plan.tops, plan.lefts), plan.size, strict=True)


@pytest.mark.parametrize("blend", BLENDS)
@given(plan=st.one_of(plans(), parts()))
def test_weights_sum_to_1_on_what_is_wanted_and_to_0_elsewhere(plan, blend):
    total = totals(plan, blend)
    wanted = np.zeros(total.shape, bool)
    wanted[slice(*plan.rows), slice(*plan.columns)] = True
    np.testing.assert_allclose(total[wanted], 1, rtol=1e-6)
    assert (total[~wanted] == 0).all()


@given(plans())
def test_cropped_weights_are_1_where_a_patch_answers_and_0_elsewhere(plan):
    rows, columns = blend_weights(plan, "crop")
    for number, patch in enumerate(plan):
        weight = np.zeros([max(side, starts[-1] + size) for side, starts, size in sides(plan)])
        weight[patch.read.toslices()] = np.outer(*(rows[number // len(plan.lefts)], columns[number % len(plan.lefts)]))
        answered = np.zeros(weight.shape)
        answered[patch.keep.toslices()] = 1
        np.testing.assert_array_equal(weight, answered)


@pytest.mark.parametrize("blend", ["hann", "gaussian"])
@pytest.mark.parametrize(("size", "halo", "length"), [(32, 15, 200), (32, 8, 33), (7, 3, 40), (2, 0, 9), (64, 24, 50)])
def test_every_blended_weight_inside_the_raster_is_above_0_and_at_most_1(blend, size, halo, length):
    plan = Plan.sliding(length, length + 5, size=size, halo=halo)
    for weights, starts, side in zip(blend_weights(plan, blend), (plan.tops, plan.lefts), plan.shape, strict=True):
        for start, each in zip(starts, weights, strict=True):
            assert (each[: side - start] > 0).all()
            assert (each <= 1).all()


@pytest.mark.parametrize("blend", ["hann", "gaussian"])
def test_blending_fades_from_one_patch_to_the_next_without_a_step(blend):
    _, (first, second) = blend_weights(Plan.sliding(32, 48, size=32, halo=8), blend)
    fade = np.concatenate([np.zeros(16), second])
    np.testing.assert_allclose(fade, 1 - np.concatenate([first, np.zeros(16)]), atol=1e-6)
    assert (np.diff(fade) >= 0).all()
    assert np.diff(fade).max() < {"hann": 0.11, "gaussian": 0.25}[blend]  # pi / 2 / 16 is .098


@pytest.mark.parametrize("blend", BLENDS)
@given(plan=plans(), data=st.data())
def test_a_part_is_weighted_as_in_the_whole(plan, blend, data):
    top, left = (data.draw(st.integers(0, side - 1)) for side in plan.shape)
    window = Window(
        left, top, data.draw(st.integers(1, plan.shape[1] - left)), data.draw(st.integers(1, plan.shape[0] - top))
    )
    part = plan.within(window)
    for axis, (starts, chosen, (first, past)) in enumerate(
        ((plan.tops, part.tops, part.rows), (plan.lefts, part.lefts, part.columns))
    ):
        whole = dict(zip(starts, blend_weights(plan, blend)[axis], strict=True))
        for start, weights in zip(chosen, blend_weights(part, blend)[axis], strict=True):
            seen = slice(max(first - start, 0), max(past - start, 0))
            np.testing.assert_array_equal(weights[seen], whole[start][seen])
        dropped = [start for start in starts if start not in chosen]
        assert all(start >= past or start + plan.size[axis] <= first for start in dropped)
