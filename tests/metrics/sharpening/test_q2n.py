"""Q2n is that of its definition, pixel by pixel and by the tables of quaternions and octonions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.metrics.sharpening import BandLikeness, Q2n, block_strips


def by_halves(x, y):
    """Product of numbers of any power of two, as Garzelli and Nencini have it: second halves are conjugates."""
    if len(x) == 1:
        return x * y
    half = len(x) // 2
    a, b, c, d = x[:half], conjugate(x[half:]), y[:half], conjugate(y[half:])
    first = by_halves(a, c) - by_halves(d, conjugate(b))
    return np.concatenate([first, by_halves(conjugate(a), d) + by_halves(c, b)])


def conjugate(x):
    return np.concatenate([x[:1], -x[1:]])


def spelt_out(x, y, product):
    """Q of two blocks (P, 32, 32), pixel by pixel."""
    x, y = x.reshape(len(x), -1).copy(), y.reshape(len(y), -1).copy()
    for band, other in zip(x, y, strict=True):
        mean, deviation = band.mean(), band.std(ddof=1)
        if deviation == 0:
            deviation = np.finfo(float).eps
        band[:], other[:] = (band - mean) / deviation + 1, (other - mean) / deviation + 1
    y = conjugate(y)
    mx, my = x.mean(1), y.mean(1)
    correct = x.shape[1] / (x.shape[1] - 1)
    cov = correct * (product(x, y).mean(1) - product(mx[:, None], my[:, None])[:, 0])
    variances = correct * ((x**2).sum(0).mean() + (y**2).sum(0).mean() - (mx**2).sum() - (my**2).sum())
    lengths = math.sqrt((mx**2).sum()), math.sqrt((my**2).sum())
    q = 2 * lengths[0] * lengths[1] / (lengths[0] ** 2 + lengths[1] ** 2) * 2 / variances * cov
    return math.sqrt((q**2).sum())


def padded(image):
    """With bands of 0 up to a power of two."""
    missing = 2 ** math.ceil(math.log2(len(image))) - len(image)
    return np.concatenate([image, np.zeros((missing, *image.shape[1:]), image.dtype)])


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("shape", [(64, 32), (40, 50)])
def test_it_is_that_of_its_definition(images, naive_blocks, by_table, bands, shape):
    reference, sharp = images(bands, bands, shape, noise=150)
    blocks = zip(naive_blocks(padded(reference)), naive_blocks(padded(sharp)), strict=True)
    wanted = [spelt_out(x, y, by_table) for x, y in blocks]
    found = Q2n.of(reference, sharp)
    assert found.blocks == len(wanted)
    assert found.score == pytest.approx(sum(wanted) / len(wanted), rel=1e-10)
    assert found.score < 0.99


@pytest.mark.parametrize("bands", [4, 8, 13, 16])
def test_the_recursion_of_the_paper_has_the_same_modulus(images, bands):
    reference, sharp = images(bands, bands, (32, 32), noise=300)
    wanted = spelt_out(padded(reference).astype(float), padded(sharp).astype(float), by_halves)
    assert Q2n.of(reference, sharp).score == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("bands", [1, 3, 4, 8, 16])
def test_images_that_are_the_same_have_1_exactly(images, bands):
    reference, _ = images(bands, bands, (80, 70))
    for each in (reference, reference / 2047, reference.astype(np.float32) * np.float32(0.1), reference - 900.0):
        assert Q2n.of(each, each.copy()).score == 1
    flat = np.full((bands, 40, 40), 0.1)
    assert Q2n.of(flat, flat.copy()).score == 1
    flat[0] = reference[0, :40, :40]
    assert Q2n.of(flat, flat.copy()).score == 1


def test_it_never_exceeds_1_nor_falls_below_0():
    random = np.random.default_rng(0)
    for _ in range(20):
        x, y = random.normal(size=(2, 4, 32, 32)) * random.uniform(0.1, 10, (2, 4, 1, 1))
        assert 0 <= Q2n.of(x, y + random.uniform(0, 1) * (x - y)).score <= 1 + 1e-12


def test_of_one_band_it_is_the_size_of_uiqi_of_what_has_a_mean_and_deviation_of_1(images):
    reference, sharp = images(7, 1, (32, 32), noise=400)
    for y in (sharp, 2047.0 - sharp):
        pair = [1 + (each - reference.mean()) / reference.std(ddof=1) for each in (reference, y)]
        found = Q2n.of(reference, y).score
        assert found == pytest.approx(abs(BandLikeness.of(pair).means[0, 1]))
        assert found == pytest.approx(Q2n.of(*pair).score)


@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_the_unit_and_the_origin_of_the_images_are_of_no_matter(images, unit, origin):
    reference, sharp = images(8, 4, (32, 32))
    assert Q2n.of(reference * unit + origin, sharp * unit + origin).score == pytest.approx(
        Q2n.of(reference, sharp).score, rel=1e-6
    )


def test_a_shift_a_gain_and_noise_lower_it(images):
    reference, _ = images(9, 4)
    shifted = [Q2n.of(reference, reference + shift).score for shift in (0.0, 20.0, 80.0, 320.0)]
    gained = [Q2n.of(reference, reference * gain).score for gain in (1.0, 1.1, 1.5, 3.0)]
    noisy = [Q2n.of(*images(9, 4, noise=noise)).score for noise in (0, 10, 40, 160)]
    for scores in (shifted, gained, noisy):
        assert scores == sorted(scores, reverse=True)
        assert scores[0] == 1
        assert scores[-1] < 0.9


def test_bands_that_changed_places_are_seen(images):
    reference, _ = images(10, 4)
    assert Q2n.of(reference, reference[[1, 0, 2, 3]]).score < 0.95


def test_three_bands_are_four_of_which_one_is_0(images):
    reference, sharp = images(11, 3)
    assert Q2n.of(padded(reference), padded(sharp)).score == pytest.approx(Q2n.of(reference, sharp).score, rel=1e-12)


def test_a_band_flat_in_the_reference_alone_counts_next_to_0(images):
    reference, sharp = images(12, 4, (32, 32))
    reference[2] = 700
    assert Q2n.of(reference, sharp).score < 1e-6
    sharp[2] = 700
    assert Q2n.of(reference, sharp).score > 0.5


@pytest.mark.parametrize("level", [0.1, 0.3, 0.7, 1 / 3])
def test_a_band_flat_in_both_is_of_no_matter_whatever_its_level(images, level):
    reference, sharp = (each / 2047 for each in images(15, 4, (32, 32)))
    reference[1] = sharp[1] = 0
    plain = Q2n.of(reference, sharp).score
    reference[1] = sharp[1] = level
    assert Q2n.of(reference, sharp).score == pytest.approx(plain, rel=1e-12)


def test_strips_add_up_to_the_whole(images):
    reference, sharp = images(13, 3, (5 * 32 + 7, 50))
    whole, parts = Q2n.of(reference, sharp), Q2n.empty()
    for strip in block_strips(reference.shape[1], 64):
        parts += Q2n.of(reference[:, strip], sharp[:, strip])
    assert parts.blocks == whole.blocks == 12
    assert parts.score == pytest.approx(whole.score, abs=1e-12)


def test_blocks_with_a_pixel_that_is_not_valid_are_left_out(images):
    reference, sharp = (each.astype(float) for each in images(14, 4, (64, 64)))
    valid = np.ones((64, 64), bool)
    valid[5, 40], sharp[:, 5, 40] = False, np.nan
    found = Q2n.of(reference, sharp, valid)
    left, low = Q2n.of(reference[:, :32, :32], sharp[:, :32, :32]), Q2n.of(reference[:, 32:], sharp[:, 32:])
    assert found.blocks == 3
    assert found.score == pytest.approx((left + low).score, abs=1e-12)


def test_without_blocks_it_is_nan():
    assert math.isnan(Q2n.empty().score)
    assert math.isnan(Q2n.of(np.ones((2, 32, 32)), np.ones((2, 32, 32)), np.zeros((32, 32), bool)).score)


def test_images_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 32, 32\), the sharpened image \(3, 32, 32\)"):
        Q2n.of(np.zeros((2, 32, 32)), np.zeros((3, 32, 32)))
