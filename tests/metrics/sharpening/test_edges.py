"""SCC is that of its definition, and strips with a row around have exactly the gradients of the whole."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.metrics.sharpening import EdgeAgreement

SOBEL = ((1, 2, 1), (0, 0, 0), (-1, -2, -1))


def gradient(band, row, column):
    """Length of both differences of Sobel, pixel by pixel; beyond the band it is 0."""
    sums = [0.0, 0.0]
    for down in range(3):
        for across in range(3):
            y, x = row + down - 1, column + across - 1
            value = float(band[y, x]) if 0 <= y < band.shape[0] and 0 <= x < band.shape[1] else 0.0
            sums[0] += SOBEL[down][across] * value
            sums[1] += SOBEL[across][down] * value
    return math.hypot(*sums)


def spelt_out(reference, sharp, places):
    both = one = other = 0.0
    for wanted, made in zip(reference, sharp, strict=True):
        for place in places:
            g, h = gradient(wanted, *place), gradient(made, *place)
            both, one, other = both + g * h, one + g * g, other + h * h
    return both / math.sqrt(one * other)


@pytest.mark.parametrize("bands", [1, 4])
def test_it_is_that_of_its_definition(images, bands):
    reference, sharp = images(bands, bands, (12, 15))
    inner = [(row, column) for row in range(1, 11) for column in range(1, 14)]
    wanted = spelt_out(reference, sharp, inner)
    assert EdgeAgreement.of(reference, sharp).scc == pytest.approx(wanted, rel=1e-12)
    assert wanted < 0.99


def test_the_frame_of_the_toolbox_is_a_frame_of_zeros(images):
    reference, sharp = images(1, 2, (14, 13))
    cropped = [each[:, 1:-1, 1:-1] for each in (reference, sharp)]
    wanted = spelt_out(*cropped, [(row, column) for row in range(12) for column in range(11)])
    framed = [np.pad(each, ((0, 0), (1, 1), (1, 1))) for each in cropped]
    assert EdgeAgreement.of(*framed).scc == pytest.approx(wanted, rel=1e-12)
    assert wanted > EdgeAgreement.of(reference, sharp).scc


def test_images_that_are_the_same_have_1_exactly(images):
    reference, _ = images(2)
    for each in (reference, reference / 2047, reference.astype(np.float32) * np.float32(0.1)):
        assert EdgeAgreement.of(each, each.copy()).scc == 1


def test_brightness_and_contrast_are_of_no_matter(images):
    reference, sharp = images(3)
    plain = EdgeAgreement.of(reference, sharp).scc
    assert EdgeAgreement.of(reference, 5.0 * sharp + 300).scc == pytest.approx(plain)
    assert EdgeAgreement.of(reference, 2047.0 - sharp).scc == pytest.approx(plain)
    assert EdgeAgreement.of(sharp, reference).scc == pytest.approx(plain)


def test_edges_in_other_places_agree_in_nothing():
    reference, sharp = np.zeros((2, 1, 9, 20))
    reference[0, :, :5], sharp[0, :, 15:] = 1, 1
    assert EdgeAgreement.of(reference, sharp).scc == 0


def test_noise_lowers_it(images):
    scores = [EdgeAgreement.of(*images(4, noise=noise)).scc for noise in (0, 10, 40, 160)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 1


@given(st.lists(st.integers(1, 22), max_size=4, unique=True), st.integers(0, 9))
def test_strips_that_overlap_by_two_rows_add_up_to_the_whole(images, cuts, seed):
    reference, sharp = images(seed, 3, (24, 17))
    cuts = [1, *sorted(set(cuts) - {1}), 23]
    parts = EdgeAgreement.empty()
    for top, bottom in pairwise(cuts):
        rows = slice(top - 1, bottom + 1)
        parts += EdgeAgreement.of(reference[:, rows], sharp[:, rows])
    whole = EdgeAgreement.of(reference, sharp)
    assert (parts.both, parts.reference, parts.sharp) == pytest.approx(
        (whole.both, whole.reference, whole.sharp), rel=1e-12
    )


def test_gradients_near_a_pixel_that_is_not_valid_are_left_out(images):
    reference, sharp = (each.astype(float) for each in images(5, 2, (12, 15)))
    valid = np.ones((12, 15), bool)
    valid[6, 9], sharp[:, 6, 9] = False, np.nan
    places = [
        (row, column) for row in range(1, 11) for column in range(1, 14) if abs(row - 6) > 1 or abs(column - 9) > 1
    ]
    assert EdgeAgreement.of(reference, sharp, valid).scc == pytest.approx(spelt_out(reference, sharp, places))


def test_without_edges_it_is_nan():
    assert math.isnan(EdgeAgreement.empty().scc)
    assert math.isnan(EdgeAgreement.of(np.ones((2, 5, 5)), np.random.default_rng(0).random((2, 5, 5))).scc)
    assert math.isnan(EdgeAgreement.of(np.ones((2, 2, 5)), np.ones((2, 2, 5))).scc)


def test_images_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 5, 5\), the sharpened image \(1, 5, 5\)"):
        EdgeAgreement.of(np.zeros((2, 5, 5)), np.zeros((1, 5, 5)))
