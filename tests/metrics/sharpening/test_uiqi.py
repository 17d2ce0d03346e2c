"""UIQI is that of its definition and has its published properties."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rsfuse.metrics.sharpening import BandLikeness, block_strips


def spelt_out(x, y):
    """UIQI of two blocks, value by value."""
    x, y = ([float(value) for value in each.ravel()] for each in (x, y))
    count = len(x)
    mx, my = sum(x) / count, sum(y) / count
    vx = sum((a - mx) ** 2 for a in x) / (count - 1)
    vy = sum((b - my) ** 2 for b in y) / (count - 1)
    cov = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / (count - 1)
    return 4 * cov * mx * my / ((vx + vy) * (mx**2 + my**2))


@pytest.mark.parametrize("shape", [(32, 64), (50, 40)])
def test_it_is_that_of_its_definition(images, naive_blocks, shape):
    reference, sharp = images(1, 2, shape)
    found = BandLikeness.of([reference, sharp])
    blocks = [[*one, *other] for one, other in zip(naive_blocks(reference), naive_blocks(sharp), strict=True)]
    assert found.blocks == len(blocks)
    for i in range(4):
        for j in range(4):
            wanted = sum(spelt_out(block[i], block[j]) for block in blocks) / len(blocks)
            assert found.means[i, j] == pytest.approx(wanted, rel=1e-9)


def test_a_band_and_its_copy_have_1_exactly(images):
    reference, _ = images(2, 3, (64, 64))
    for each in (reference, reference / 2047, reference.astype(np.float32) * np.float32(0.1)):
        found = BandLikeness.of([each, each.copy()]).means
        assert (found.diagonal() == 1).all()
        assert (found[:3, 3:].diagonal() == 1).all()


def test_the_negative_of_a_band_of_mean_0_and_of_mean_1():
    x = np.random.default_rng(0).normal(size=(1, 32, 32))
    x -= x.mean()
    assert BandLikeness.of([1 + x, 1 - x]).means[0, 1] == pytest.approx(-1)


def test_a_factor_and_a_shift_cost_what_the_formula_says(images):
    reference, _ = images(3, 1, (32, 32))
    gain = 3.0
    assert BandLikeness.of([reference, reference * gain]).means[0, 1] == pytest.approx((2 * gain / (1 + gain**2)) ** 2)
    mean = reference.mean()
    moved = 2 * mean * (mean + 500) / (mean**2 + (mean + 500) ** 2)
    assert BandLikeness.of([reference, reference + 500.0]).means[0, 1] == pytest.approx(moved)


def test_the_unit_is_of_no_matter(images):
    pair = images(4)
    scaled = [each * 0.001 for each in pair]
    np.testing.assert_allclose(BandLikeness.of(scaled).means, BandLikeness.of(pair).means)


def test_flat_bands_differ_by_their_level_alone():
    one, other, varied = np.full((1, 32, 32), 0.1), np.full((1, 32, 32), 0.3), np.random.default_rng(0).random((32, 32))
    found = BandLikeness.of([one, other, np.zeros((1, 32, 32)), varied[None]]).means
    assert found[0, 1] == pytest.approx(2 * 0.03 / (0.01 + 0.09))
    assert found[2, 2] == 1
    assert found[0, 2] == 0
    assert found[0, 3] == found[2, 3] == 0


def test_strips_add_up_to_the_whole(images):
    reference, sharp = images(5, 2, (5 * 32 + 7, 50))
    whole = BandLikeness.of([reference, sharp])
    parts = BandLikeness.empty(4)
    for strip in block_strips(reference.shape[1], 64):
        parts += BandLikeness.of([reference[:, strip], sharp[:, strip]])
    assert parts.blocks == whole.blocks
    np.testing.assert_allclose(parts.means, whole.means, rtol=0, atol=1e-12)


def test_blocks_with_a_pixel_that_is_not_valid_are_left_out(images):
    reference, sharp = (each.astype(float) for each in images(6, 2, (32, 96)))
    valid = np.ones((32, 96), bool)
    valid[31, 63], reference[:, 31, 63] = False, np.nan
    found = BandLikeness.of([reference, sharp], valid)
    halves = [BandLikeness.of([reference[:, :, cut], sharp[:, :, cut]]) for cut in (slice(0, 32), slice(64, 96))]
    assert found.blocks == 2
    np.testing.assert_allclose(found.totals, halves[0].totals + halves[1].totals)


def test_without_blocks_it_is_nan():
    assert np.isnan(BandLikeness.empty(2).means).all()
    assert math.isnan(BandLikeness.of([np.ones((1, 32, 32))], np.zeros((32, 32), bool)).means[0, 0])
