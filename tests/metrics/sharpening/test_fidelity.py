"""Scores of sharpening are those of loops that spell out their definitions, and have the properties of the field."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.metrics.sharpening import Fidelity


def images(seed=0, bands=4, side=6, noise=30.0):
    """A reference of 11 bits and something near it."""
    random = np.random.default_rng(seed)
    reference = random.uniform(50, 2047, (bands, side, side + 1))
    return reference, reference + random.normal(0, noise, reference.shape)


def spelt_out(reference, sharp, ratio, maximum):
    """ERGAS, SAM and PSNR, value by value."""
    bands, height, width = reference.shape
    pixels = [(row, column) for row in range(height) for column in range(width)]
    relative, decibels, angles = [], [], []
    for band in range(bands):
        mse = sum((float(sharp[band][at]) - float(reference[band][at])) ** 2 for at in pixels) / len(pixels)
        mean = sum(float(reference[band][at]) for at in pixels) / len(pixels)
        relative.append(mse / mean**2)
        decibels.append(10 * math.log10(maximum**2 / mse))
    for row, column in pixels:
        x, y = ([float(value) for value in image[:, row, column]] for image in (reference, sharp))
        lengths = math.sqrt(sum(a * a for a in x)), math.sqrt(sum(b * b for b in y))
        if min(lengths) > 0:
            cosine = sum(a * b for a, b in zip(x, y, strict=True)) / (lengths[0] * lengths[1])
            angles.append(math.acos(max(-1.0, min(1.0, cosine))))
    ergas = 100 / ratio * math.sqrt(sum(relative) / bands)
    return ergas, math.degrees(sum(angles) / len(angles)), sum(decibels) / bands


@pytest.mark.parametrize("bands", [1, 3, 4, 8])
@pytest.mark.parametrize(("ratio", "maximum"), [(4, 2047), (2, 1023)])
def test_scores_are_those_of_their_definitions(bands, ratio, maximum):
    reference, sharp = images(bands, bands)
    reference[:, 0, 0], sharp[:, 1, 1] = 0, 0  # no spectrum, no angle
    found = Fidelity.of(reference, sharp)
    wanted = spelt_out(reference, sharp, ratio, maximum)
    assert (found.ergas(ratio), found.sam, found.psnr(maximum)) == pytest.approx(wanted, rel=1e-9, abs=1e-5)
    assert found.spectra == found.pixels - 2


def test_images_that_are_the_same_have_ideal_scores_exactly():
    reference, _ = images()
    found = Fidelity.of(reference.astype(np.float32), reference.astype(np.float32))
    assert (found.ergas(4), found.sam, found.psnr(2047)) == (0, 0, math.inf)


def test_the_denominator_of_ergas_is_the_mean_of_the_reference():
    reference = np.full((2, 3, 3), 100.0)
    assert Fidelity.of(reference, reference + 100).ergas(4) == pytest.approx(25)  # by the other's mean it were 12.5


def test_the_angle_of_spectra_is_that_between_the_bands_of_a_pixel():
    reference, sharp = np.zeros((2, 2)), np.zeros((2, 2))
    reference[0], sharp[1] = 3, 5  # one has the first band alone, the other the second
    assert Fidelity.of(reference[..., None], sharp[..., None]).sam == pytest.approx(90)
    assert Fidelity.of(reference[..., None], (reference + sharp * 3 / 5)[..., None]).sam == pytest.approx(45)
    assert Fidelity.of(reference[..., None], -reference[..., None]).sam == pytest.approx(180)


@given(st.floats(1e-4, 1e4), st.integers(0, 5))
def test_the_unit_of_the_images_changes_nothing(unit, seed):
    reference, sharp = images(seed)
    one, other = Fidelity.of(reference, sharp), Fidelity.of(reference * unit, sharp * unit)
    assert other.ergas(4) == pytest.approx(one.ergas(4))
    assert other.sam == pytest.approx(one.sam)
    assert other.psnr(2047 * unit) == pytest.approx(one.psnr(2047))


@given(st.floats(0.1, 10))
def test_the_angle_knows_no_brightness(gain):
    reference, _ = images()
    assert Fidelity.of(reference, reference * gain).sam == pytest.approx(0, abs=1e-6)


@given(st.integers(0, 6), st.integers(0, 100))
def test_strips_add_up_to_the_whole(rows, seed):
    reference, sharp = images(seed)
    whole = Fidelity.of(reference, sharp)
    parts = Fidelity.of(reference[:, :rows], sharp[:, :rows]) + Fidelity.of(reference[:, rows:], sharp[:, rows:])
    assert (parts.pixels, parts.spectra) == (whole.pixels, whole.spectra)
    assert (parts.ergas(4), parts.sam, parts.psnr(2047)) == pytest.approx((whole.ergas(4), whole.sam, whole.psnr(2047)))


def test_scores_are_nan_where_they_are_not_defined():
    nothing = Fidelity.empty(4)
    assert all(math.isnan(score) for score in (nothing.ergas(4), nothing.sam, nothing.psnr(2047)))
    dark = np.zeros((4, 2, 2))
    assert math.isnan(Fidelity.of(dark, dark + 1).ergas(4))
    assert math.isnan(Fidelity.of(dark, dark + 1).sam)
    half = dark.copy()
    half[:2] = 7
    assert math.isnan(Fidelity.of(half, half + 1).ergas(4))


def test_float32_is_summed_in_float64():
    random = np.random.default_rng(0)
    reference = random.uniform(0, 1, (1, 300, 300)).astype(np.float32) + np.float32(1e4)
    exact = reference.astype(np.float64)
    assert Fidelity.of(reference, reference + np.float32(1)).levels[0] == pytest.approx(
        math.fsum(exact.flat), rel=1e-13
    )


def test_images_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 6, 7\)"):
        Fidelity.of(images()[0], images(bands=3)[0])


def test_pixels_that_are_not_valid_are_left_out():
    reference, sharp = images(3)
    valid = np.random.default_rng(0).random(reference.shape[1:]) < 0.7
    sharp[:, ~valid] = np.nan
    found, wanted = Fidelity.of(reference, sharp, valid), Fidelity.of(reference[:, valid], sharp[:, valid])
    assert found.pixels == np.count_nonzero(valid)
    assert (found.ergas(4), found.sam, found.psnr(2047)) == (wanted.ergas(4), wanted.sam, wanted.psnr(2047))


def test_ergas_falls_with_the_ratio_and_grows_with_the_error():
    reference, sharp = images(4)
    plain = Fidelity.of(reference, sharp).ergas(4)
    assert Fidelity.of(reference, sharp).ergas(2) == pytest.approx(2 * plain)
    assert Fidelity.of(reference, 3 * sharp - 2 * reference).ergas(4) == pytest.approx(3 * plain)
    assert Fidelity.of(reference + 1000, sharp + 1000).ergas(4) < plain
