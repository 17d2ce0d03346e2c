"""Plans cover a raster once, with whole patches and as few as can."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.errors import SceneError
from rsfuse.geometry.plan import Plan

sides = st.integers(1, 300)


@st.composite
def sliding_plans(draw):
    size = draw(st.integers(1, 96))
    halo = draw(st.integers(0, (size - 1) // 2))
    longest = size + 5 * (size - 2 * halo)  # smaller than a patch up to six patches
    height, width = draw(st.integers(1, longest)), draw(st.integers(1, longest))
    return Plan.sliding(height, width, size=size, halo=halo), halo


def times_answered(plan):
    answered = np.zeros(plan.shape, int)
    for patch in plan:
        answered[patch.keep.toslices()] += 1
    return answered


@given(sliding_plans())
def test_keeps_cover_the_raster_exactly_once(drawn):
    plan, _ = drawn
    assert (times_answered(plan) == 1).all()


@given(sliding_plans())
def test_every_patch_reads_its_full_size_and_keeps_only_what_it_reads(drawn):
    plan, _ = drawn
    for patch in plan:
        assert (patch.read.height, patch.read.width) == plan.size
        assert patch.read.row_off <= patch.keep.row_off
        assert patch.read.col_off <= patch.keep.col_off
        assert patch.keep.row_off + patch.keep.height <= patch.read.row_off + patch.read.height
        assert patch.keep.col_off + patch.keep.width <= patch.read.col_off + patch.read.width
        assert patch.keep.height > 0
        assert patch.keep.width > 0


@given(sliding_plans())
def test_no_patch_hangs_over_a_raster_that_is_at_least_as_large(drawn):
    plan, _ = drawn
    for starts, size, length in zip((plan.tops, plan.lefts), plan.size, plan.shape, strict=True):
        assert starts[0] == 0
        assert starts[-1] + size == max(length, size)
        assert list(starts) == sorted(set(starts))


@given(sliding_plans())
def test_there_are_as_few_patches_as_the_step_allows(drawn):
    plan, halo = drawn
    step = plan.size[0] - 2 * halo
    wanted = [math.ceil(max(length - plan.size[0], 0) / step) + 1 for length in plan.shape]
    assert [len(plan.tops), len(plan.lefts)] == wanted
    assert len(plan) == math.prod(wanted) == len(list(plan))


@given(sliding_plans())
def test_every_kept_pixel_has_its_halo_unless_the_raster_ends(drawn):
    plan, halo = drawn
    height, width = plan.shape
    for patch in plan:
        (top, bottom), (left, right) = patch.keep.toranges()
        (read_top, read_bottom), (read_left, read_right) = patch.read.toranges()
        assert top - read_top >= halo or top == 0
        assert left - read_left >= halo or left == 0
        assert read_bottom - bottom >= halo or bottom == height
        assert read_right - right >= halo or right == width


@given(sliding_plans())
def test_patches_come_row_by_row_from_left_to_right(drawn):
    plan, _ = drawn
    offsets = [(patch.read.row_off, patch.read.col_off) for patch in plan]
    assert offsets == sorted(offsets)


@given(height=sides, width=sides, multiple=st.integers(1, 8), size=st.integers(20, 60), halo=st.integers(0, 5))
def test_at_a_multiple_every_patch_begins_and_none_hangs_over_by_more(height, width, multiple, size, halo):
    plan = Plan.sliding(height, width, size=size, halo=halo, multiple=multiple)
    assert (times_answered(plan) == 1).all()
    assert size <= plan.size[0] < size + multiple
    for starts, length in zip((plan.tops, plan.lefts), plan.shape, strict=True):
        assert not any(number % multiple for number in (*starts, *plan.size))
        assert starts[-1] + plan.size[0] - max(length, plan.size[0]) in range(multiple)
        assert all(start + plan.size[0] - after >= 2 * halo for start, after in pairwise(starts))


@given(height=sides, width=sides, multiple=st.integers(1, 64))
def test_a_whole_plan_is_one_patch_rounded_up_to_the_multiple(height, width, multiple):
    plan = Plan.whole(height, width, multiple=multiple)
    (patch,) = plan
    assert patch.keep.toranges() == ((0, height), (0, width))
    assert (patch.read.row_off, patch.read.col_off) == (0, 0)
    for padded, length in zip(plan.size, (height, width), strict=True):
        assert padded % multiple == 0
        assert length <= padded < length + multiple


@pytest.mark.parametrize(("size", "halo"), [(64, 32), (64, 40), (1, 1), (64, -1)])
def test_a_halo_that_leaves_nothing_is_refused_with_the_largest_that_does(size, halo):
    with pytest.raises(SceneError, match=f"{size} px with a halo of {halo} px") as caught:
        Plan.sliding(100, 100, size=size, halo=halo)
    assert f"between 0 and {(size - 1) // 2}" in caught.value.hint


@given(size=st.integers(1, 60))
def test_the_largest_halo_that_the_hint_names_is_accepted(size):
    plan = Plan.sliding(size + 9, size + 4, size=size, halo=(size - 1) // 2)
    assert (times_answered(plan) == 1).all()
