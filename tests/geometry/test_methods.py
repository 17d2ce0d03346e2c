"""Methods of matching: each is what the textbook says, finds what was moved, and knows unrelated places."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from rsfuse.geometry.matching import Smoothing
from rsfuse.geometry.methods import METHODS, brightness, levels, mutual_information, phase_correlation

SIDE, RADIUS, RIM = 64, 8, 12
WHOLE = SIDE + 2 * (RADIUS + RIM)
ALL = np.ones((WHOLE, WHOLE), np.bool_)
PLAIN = Smoothing()


def texture(seed):
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(WHOLE, WHOLE)), 1.5).astype("f4")


def find(name, first, second):
    method = METHODS[name]
    one, two = (method.features(each, ALL, PLAIN) for each in (first, second))
    inner = RIM + RADIUS
    return method, method.match(one[:, inner:-inner, inner:-inner], two[:, RIM:-RIM, RIM:-RIM])


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=5)
@given(dx=st.floats(-5, 5), dy=st.floats(-5, 5), seed=st.integers(0, 50))
def test_every_method_finds_and_accepts_what_was_moved(name, dx, dy, seed):
    image = texture(seed)
    method, found = find(name, image, 3 * ndimage.shift(image, (dy, dx), order=3, mode="reflect") - 1)
    assert (found.dx, found.dy) == pytest.approx((dx, dy), abs=0.3)
    assert method.accepts(found)


@pytest.mark.parametrize("name", METHODS)
def test_no_method_accepts_what_is_unrelated(name):
    for seed in range(10):
        method, found = find(name, texture(seed), texture(100 + seed))
        assert not method.accepts(found)


@pytest.mark.parametrize("name", METHODS)
def test_no_method_accepts_what_is_constant(name):
    for first, second in ((texture(0), np.ones_like(texture(0))), (np.ones_like(texture(0)), texture(0))):
        method, found = find(name, first, second)
        assert found.peak == pytest.approx(0, abs=1e-5)
        assert not method.accepts(found)


@pytest.mark.parametrize("name", METHODS)
def test_no_method_accepts_a_peak_on_the_border(name):
    image = texture(0)
    method, found = find(name, image, np.roll(image, RADIUS, 1))
    assert found.on_border
    assert found.margin * SIDE > method.margin
    assert not method.accepts(found)


def test_a_method_asks_for_both_peak_and_margin():
    method, found = find("orientation", texture(0), texture(0))
    for least in ({"peak": found.peak * SIDE * 1.01}, {"margin": found.margin * SIDE * 1.01}):
        assert not type(method)(method.features, method.scores, **{"peak": 0, "margin": 0} | least).accepts(found)


def test_phase_correlation_is_that_of_the_textbook():
    chance = np.random.default_rng(0)
    template, window = chance.normal(5, 2, (1, 20, 20)).astype("f4"), chance.normal(-1, 3, (1, 30, 30)).astype("f4")
    across = np.sin(np.pi * np.arange(1, 21) / 21) ** 2
    one, two = (
        np.fft.fft2((each - each.mean()) * np.outer(across, across)) for each in (template[0], window[0, 5:25, 5:25])
    )
    expected = np.fft.ifft2(two * one.conj() / np.abs(two * one.conj()))
    scores = phase_correlation(template, window)
    assert scores.shape == (11, 11)
    for row in range(-5, 6):
        for column in range(-5, 6):
            assert scores[5 + row, 5 + column] == pytest.approx(expected[row, column].real, abs=2e-3)


def test_phase_correlation_is_1_where_equal_images_lie_on_each_other_and_turns_with_contrast():
    window = np.random.default_rng(0).normal(size=(1, WHOLE, WHOLE)).astype("f4")
    template = window[:, RADIUS:-RADIUS, RADIUS:-RADIUS]
    scores = phase_correlation(template, window)
    assert scores[RADIUS, RADIUS] == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(phase_correlation(2 - 3 * template, window), -scores, atol=1e-3)


def textbook(first, second):
    """Mutual information of two lists of levels."""
    counts, *_ = np.histogram2d(first, second, bins=(np.arange(33), np.arange(33)))
    both = counts / counts.sum()
    apart = both.sum(1, keepdims=True) * both.sum(0, keepdims=True)
    return (both[both > 0] * np.log(both[both > 0] / apart[both > 0])).sum()


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_mutual_information_is_that_of_the_textbook_where_both_have_data(missing):
    chance = np.random.default_rng(0)
    window, template = chance.integers(0, 32, (1, 30, 30)), chance.integers(0, 32, (1, 24, 24))
    for each in (window, template):
        each[chance.random(each.shape) < missing] = 32
    scores = mutual_information(template.astype("f4"), window.astype("f4"))
    assert scores.shape == (7, 7)
    for row in range(7):
        for column in range(7):
            part = window[0, row : row + 24, column : column + 24]
            known = (part < 32) & (template[0] < 32)
            assert scores[row, column] == pytest.approx(textbook(template[0][known], part[known]), rel=1e-4)


def test_mutual_information_does_not_care_what_levels_are_called():
    chance = np.random.default_rng(0)
    window = levels(texture(0), ALL, PLAIN)
    template, names = window[:, 10:-10, 10:-10], chance.permutation(32)
    renamed = names[template.astype(int)].astype("f4")
    np.testing.assert_allclose(mutual_information(renamed, window), mutual_information(template, window), rtol=1e-4)


def test_levels_are_of_one_width_and_bright_points_do_not_stretch_them():
    ramp = np.tile(np.linspace(0, 1, 1001, dtype="f4"), (3, 1))
    codes = levels(ramp, np.ones_like(ramp, np.bool_), PLAIN)[0]
    widths = np.bincount(codes[1].astype(int))
    assert len(widths) == 32
    assert np.ptp(widths[1:-1]) <= 1
    assert widths[0] == pytest.approx(10 + widths[5], abs=2)  # 1 per cent lies below
    ramp[0, ::200] = 1e6
    assert (levels(ramp, np.ones_like(ramp, np.bool_), PLAIN)[0, 1] == codes[1]).mean() > 0.9


def test_where_there_is_no_data_brightness_is_the_mean_and_the_level_one_of_its_own():
    image, valid = texture(0), ALL.copy()
    valid[:20] = False
    wrong = np.where(valid, image, 1e9).astype("f4")
    plain = brightness(wrong, valid, PLAIN)
    assert plain[0, :20] == pytest.approx(image[valid].mean(), abs=1e-5)
    np.testing.assert_array_equal(plain[0, 20:], image[20:])
    codes = levels(wrong, valid, PLAIN)[0]
    assert (codes[:20] == 32).all()
    assert (codes[20:] < 32).all()
    assert (levels(image, ~ALL, PLAIN) == 32).all()
    assert (brightness(image, ~ALL, PLAIN) == 0).all()
