"""Matching across sensors: what is found is what was moved, whatever became of contrast."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from rsfuse.geometry.matching import Smoothing, correlation, locate, orientations

SIDE, RADIUS = 96, 12
ALL = np.ones((SIDE + 2 * RADIUS + 40,) * 2, np.bool_)


def ground(seed=0):
    """Fields with straight borders."""
    chance = np.random.default_rng(seed)
    points = chance.uniform(0, len(ALL), (60, 2))
    rows, columns = np.indices(ALL.shape)
    nearest = np.argmin((rows[..., None] - points[:, 0]) ** 2 + (columns[..., None] - points[:, 1]) ** 2, axis=-1)
    return ndimage.gaussian_filter(chance.uniform(0.2, 1, 60)[nearest], 0.7).astype(np.float32)


def texture():
    return np.random.default_rng(0).normal(size=ALL.shape).astype(np.float32)


def other_sensor(image, dx=0.0, dy=0.0, looks=10.0):
    """Other brightness, partly the other way round, moved, and under speckle."""
    moved = ndimage.shift(image, (dy, dx), order=3, mode="reflect")
    speckle = np.random.default_rng(1).gamma(looks, 1 / looks, image.shape) if np.isfinite(looks) else 1
    return (np.abs(moved - 0.6) * speckle + 0.05).astype(np.float32)


def find(first, second):
    one, two = (orientations(each, ALL) for each in (first, second))
    rim = (len(ALL) - SIDE) // 2
    here, around = np.s_[:, rim:-rim, rim:-rim], np.s_[:, rim - RADIUS : RADIUS - rim, rim - RADIUS : RADIUS - rim]
    return locate(correlation(one[here], two[around]), SIDE)


@settings(max_examples=20, deadline=None)
@given(dx=st.floats(-9, 9), dy=st.floats(-9, 9), seed=st.integers(0, 50))
def test_a_shift_is_found_to_a_part_of_a_pixel(dx, dy, seed):
    image = ground(seed)
    found = find(image, other_sensor(image, dx, dy))
    assert not found.on_border
    assert (found.dx, found.dy) == pytest.approx((dx, dy), abs=0.35)


@settings(max_examples=20, deadline=None)
@given(dx=st.floats(-6, 6), dy=st.floats(-6, 6), seed=st.integers(0, 50))
def test_swapped_images_are_shifted_the_other_way(dx, dy, seed):
    image = ground(seed)
    other = other_sensor(image, dx, dy, looks=np.inf)  # speckle is not the same in both templates
    there, back = find(image, other), find(other, image)
    assert (there.dx + back.dx, there.dy + back.dy) == pytest.approx((0, 0), abs=0.1)


def test_neither_contrast_nor_its_sign_counts():
    image = ground()
    np.testing.assert_allclose(orientations(5 - 3 * image, ALL), orientations(image, ALL), atol=1e-4)


def test_directions_are_those_of_gradients():
    rows, columns = np.indices(ALL.shape).astype(np.float32)
    inner = np.s_[:, 8:-8, 8:-8]
    for image, angle in ((columns, 0), (rows, np.pi), (rows + columns, np.pi / 2), (rows - columns, -np.pi / 2)):
        expected = np.array([np.cos(angle), np.sin(angle)])[:, None, None]
        field = orientations(image.astype(np.float32), ALL)[inner]
        np.testing.assert_allclose(field, np.broadcast_to(expected, field.shape), atol=2e-3)


def test_correlation_is_that_of_the_textbook():
    chance = np.random.default_rng(0)
    window, template = chance.normal(3, 1, (2, 30, 30)).astype("f4"), chance.normal(0, 2, (2, 20, 20)).astype("f4")
    scores = correlation(template, window)
    assert scores.shape == (11, 11)
    centred = template - template.mean((1, 2), keepdims=True)
    for row in range(11):
        for column in range(11):
            part = window[:, row : row + 20, column : column + 20]
            part = part - part.mean((1, 2), keepdims=True)
            expected = (centred * part).sum() / np.sqrt((centred**2).sum() * (part**2).sum())
            assert scores[row, column] == pytest.approx(expected, abs=1e-5)


def test_what_is_constant_matches_nothing():
    template, window = np.ones((2, 20, 20), "f4"), np.random.default_rng(0).normal(size=(2, 30, 30)).astype("f4")
    assert (correlation(template, window) == 0).all()
    assert (correlation(window[:, :20, :20], np.ones((2, 30, 30), "f4")) == 0).all()


def test_a_shift_beyond_what_is_searched_lies_on_the_border():
    window = np.random.default_rng(0).normal(size=(1, 40, 40)).astype("f4")
    smooth = ndimage.gaussian_filter(window, (0, 4, 4))
    assert locate(correlation(smooth[:, 16:36, 16:36], smooth[:, :30, :30]), 20).on_border


def test_what_lies_beyond_the_edge_of_data_says_nothing():
    image, valid = texture(), ALL.copy()
    valid[:60] = False
    field = orientations(np.where(valid, image, 0), valid)
    assert (field[:, :60] == 0).all()
    reach = Smoothing().margin
    np.testing.assert_allclose(field[:, 60 + 2 * reach :], orientations(image, ALL)[:, 60 + 2 * reach :], atol=0.02)


@pytest.mark.parametrize("smoothing", [Smoothing(), Smoothing(0, 0.8), Smoothing(2, 2)])
def test_orientations_inside_the_margin_do_not_depend_on_what_lies_outside(smoothing):
    image, margin = texture(), smoothing.margin
    part = orientations(image[20:120, 30:130], ALL[:100, :100], smoothing)[:, margin:-margin, margin:-margin]
    whole = orientations(image, ALL, smoothing)[:, 20 + margin : 120 - margin, 30 + margin : 130 - margin]
    np.testing.assert_allclose(part, whole, atol=2e-3)  # but for the mean energy
