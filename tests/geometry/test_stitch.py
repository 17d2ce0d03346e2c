"""Stitched patches are the map that one look at the whole raster would have given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.geometry.plan import Plan
from rsfuse.geometry.stitch import Stitcher, patch_weights

BLENDS = ("crop", "hann")


@st.composite
def plans(draw):
    size = draw(st.integers(1, 40))
    halo = draw(st.integers(0, (size - 1) // 2))
    longest = size + 4 * (size - 2 * halo)  # smaller than a patch up to five patches
    height, width = draw(st.integers(1, longest)), draw(st.integers(1, longest))
    if draw(st.booleans()):
        return Plan.sliding(height, width, size=size, halo=halo)
    return Plan.whole(height, width, multiple=size)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def crop(canvas, window, size):
    """A patch of a canvas, padded with junk where it hangs over: nothing of that may reach the map."""
    seen = np.full((len(canvas), *size), np.nan, np.float32)
    part = canvas[:, *window.toslices()]
    seen[:, : part.shape[1], : part.shape[2]] = part
    return seen


def stitch(plan, blend, scores):
    """The map and its strips; `scores` is a list of arrays (K, h, w), one per patch, or None for one nobody scored."""
    classes = next(len(each) for each in scores if each is not None)
    stitcher = Stitcher(plan, classes, blend)
    strips = [stitcher.add(patch, each) for patch, each in zip(plan, scores, strict=True)]
    strips = [strip for strip in strips if strip is not None]
    return np.concatenate([strip.scores for strip in strips], axis=1), strips


def whole_canvas(plan, blend, scores, classes):
    """The definition, in float64 and all of the raster at once: sum of weight times score over sum of weights."""
    height, width = (max(length, size) for length, size in zip(plan.shape, plan.size, strict=True))
    sums, total = np.zeros((classes, height, width)), np.zeros((height, width))
    for patch, each in zip(plan, scores, strict=True):
        if each is None:
            continue
        rows, columns = patch_weights(plan, patch, blend)
        weight = np.outer(rows.astype(np.float64), columns)
        sums[:, *patch.read.toslices()] += weight * each
        total[patch.read.toslices()] += weight
    seen = np.s_[: plan.shape[0], : plan.shape[1]]
    return np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)[:, *seen]


@given(plans())
def test_cropped_patches_of_an_identity_network_are_the_raster_bit_for_bit(plan):
    raster = noise(2, *plan.shape)
    mapped, _ = stitch(plan, "crop", [crop(raster, patch.read, plan.size) for patch in plan])
    np.testing.assert_array_equal(mapped, raster)


@given(plans())
def test_blended_patches_of_an_identity_network_are_the_raster_but_for_rounding(plan):
    raster = noise(2, *plan.shape)
    mapped, _ = stitch(plan, "hann", [crop(raster, patch.read, plan.size) for patch in plan])
    np.testing.assert_allclose(mapped, raster, rtol=1e-6, atol=1e-6)


@given(plans(), st.sampled_from([1.0, -3.7, 1e-12, 6e10]))
def test_a_blended_constant_stays_constant(plan, value):
    constant = np.full((1, *plan.size), value, np.float32)
    mapped, _ = stitch(plan, "hann", [constant] * len(plan))
    # up to four patches a corner, and more where the last was moved back: a rounding each
    np.testing.assert_allclose(mapped, np.float32(value), rtol=8 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("blend", BLENDS)
@given(plan=plans(), seed=st.integers(0, 9))
def test_strips_are_the_weighted_mean_of_all_patches_over_the_whole_canvas(plan, blend, seed):
    scores = list(noise(len(plan), 3, *plan.size, seed=seed))
    mapped, _ = stitch(plan, blend, scores)
    np.testing.assert_allclose(mapped, whole_canvas(plan, blend, scores, 3), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("blend", BLENDS)
@given(plan=plans())
def test_strips_come_in_order_and_cover_all_rows_once(plan, blend):
    _, strips = stitch(plan, blend, [np.zeros((1, *plan.size), np.float32)] * len(plan))
    rows = [row for strip in strips for row in range(strip.top, strip.top + strip.scores.shape[1])]
    assert rows == list(range(plan.shape[0]))
    assert {strip.scores.shape[::2] for strip in strips} == {(1, plan.shape[1])}
    assert len(strips) == len(plan.tops)


def test_pixels_that_only_unscored_patches_reach_get_0():
    plan = Plan.sliding(64, 64, size=32, halo=0)
    ones = np.ones((2, 32, 32), np.float32)
    for blend in BLENDS:
        mapped, _ = stitch(plan, blend, [ones, None, None, ones])
        assert (mapped[:, :32, :32] == 1).all()
        assert (mapped[:, :32, 32:] == 0).all()
        assert (mapped[:, 32:, :32] == 0).all()


def test_a_blended_pixel_is_left_to_the_scored_patch_where_its_neighbour_is_not():
    plan = Plan.sliding(32, 48, size=32, halo=8)
    scored, unscored = np.full((1, 32, 32), 5, np.float32), None
    mapped, _ = stitch(plan, "hann", [scored, unscored])
    np.testing.assert_allclose(mapped[:, :, :32], 5, rtol=1e-6)
    assert (mapped[:, :, 32:] == 0).all()


def test_every_blended_weight_is_above_0_and_at_most_1():
    for size, halo, length in [(32, 15, 200), (32, 8, 33), (7, 3, 40), (2, 0, 9), (64, 24, 50)]:
        plan = Plan.sliding(length, length + 5, size=size, halo=halo)
        for patch in plan:
            for weights in patch_weights(plan, patch, "hann"):
                assert weights.shape == (size,)
                assert (weights > 0).all()
                assert (weights <= 1).all()


def test_crop_weights_of_all_patches_add_up_to_1_on_every_pixel():
    plan = Plan.sliding(75, 101, size=32, halo=5)
    total = np.zeros(plan.shape)
    for patch in plan:
        total[patch.read.toslices()] += np.outer(*patch_weights(plan, patch, "crop"))
    assert (total == 1).all()


def test_evenly_spaced_hann_weights_add_up_to_1_inside():
    plan = Plan.sliding(32, 32 + 4 * 16, size=32, halo=8)  # each overlap is half a patch
    total = np.zeros(plan.shape[1])
    for patch in plan:
        _, columns = patch_weights(plan, patch, "hann")
        total[patch.read.col_off : patch.read.col_off + 32] += columns
    np.testing.assert_allclose(total, 1, rtol=1e-6)


def test_blending_fades_from_one_patch_to_the_next_without_a_step():
    plan = Plan.sliding(32, 48, size=32, halo=8)
    mapped, _ = stitch(plan, "hann", [np.full((1, 32, 32), value, np.float32) for value in (0, 1)])
    row = mapped[0, 0]
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() < 0.11  # pi / 2 / 16, the steepest of a quarter wave squared over 16 px, is .098
    assert row[0] == 0
    assert row[-1] == 1


@pytest.mark.parametrize("blend", BLENDS)
def test_memory_held_does_not_depend_on_the_height(blend):
    def held(height):
        plan = Plan.sliding(height, 100, size=32, halo=8)
        stitcher = Stitcher(plan, 3, blend)
        most = 0
        for patch in plan:
            stitcher.add(patch, np.ones((3, 32, 32), np.float32))
            most = max(most, sum(value.nbytes for value in vars(stitcher).values() if isinstance(value, np.ndarray)))
        return most

    assert held(2000) == held(200)
    assert held(200) <= (3 + 1) * 32 * 100 * 4 + 32 * 100  # sums and weights in float32, validity in bytes


@pytest.mark.parametrize("blend", BLENDS)
@given(plan=plans(), seed=st.integers(0, 9))
def test_a_pixel_is_valid_where_a_patch_that_answers_for_it_has_data(plan, blend, seed):
    rng = np.random.default_rng(seed)
    wanted = rng.random(plan.shape) < 0.5
    scored = rng.random(len(plan)) < 0.7
    stitcher, strips, seen = Stitcher(plan, 1, blend), [], np.zeros(plan.shape, bool)
    for patch, with_scores in zip(plan, scored, strict=True):
        scores = np.ones((1, *plan.size), np.float32) if with_scores else None
        strips.append(stitcher.add(patch, scores, crop(wanted[None], patch.read, plan.size)[0] == 1))
        if with_scores:
            seen[(patch.keep if blend == "crop" else patch.read).toslices()] = True
    valid = np.concatenate([strip.valid for strip in strips if strip is not None])
    np.testing.assert_array_equal(valid, wanted & seen)


def test_without_a_validity_every_scored_pixel_is_valid():
    plan = Plan.sliding(64, 64, size=32, halo=0)
    stitcher = Stitcher(plan, 1, "hann")
    ones = np.ones((1, 32, 32), np.float32)
    strips = [stitcher.add(patch, scores) for patch, scores in zip(plan, [ones, None, ones, ones], strict=True)]
    valid = np.concatenate([strip.valid for strip in strips if strip is not None])
    assert not valid[:32, 32:].any()
    assert valid.sum() == 3 * 32 * 32


def test_a_strip_does_not_change_when_the_next_patches_come_in():
    plan = Plan.sliding(80, 32, size=32, halo=4)
    stitcher = Stitcher(plan, 1, "hann")
    taken = [stitcher.add(patch, np.full((1, 32, 32), at, np.float32)) for at, patch in enumerate(plan)]
    again, _ = stitch(plan, "hann", [np.full((1, 32, 32), at, np.float32) for at in range(len(plan))])
    np.testing.assert_array_equal(np.concatenate([strip.scores for strip in taken], axis=1), again)
