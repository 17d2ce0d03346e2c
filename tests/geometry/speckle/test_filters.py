"""What every speckle filter must keep to."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from rsfuse.geometry.speckle.filters import FILTERS, speckle_filter


def even(looks, shape=(384, 384), seed=0):
    """A homogeneous field of independent pixels."""
    return np.random.default_rng(seed).gamma(looks, 1 / looks, shape).astype(np.float32)


def enl(power):
    return power.mean(dtype=float) ** 2 / power.var(dtype=float)


def windows(looks, number=20_000):
    """Windows of 7 x 7 independent pixels, their means and variances."""
    pixels = np.random.default_rng(1).gamma(looks, 1 / looks, (number, 49))
    return pixels, pixels.mean(1), pixels.var(1, ddof=1)


@pytest.fixture
def scene():
    """Larger than what is worked on at once: fields, bright points, and no data, in an area and scattered."""
    rng = np.random.default_rng(2)
    power = even(1, (300, 290)) * np.where(np.add.outer(np.arange(300), np.arange(290)) // 40 % 2, 5, 1)
    power[rng.random(power.shape) < 0.002] *= 1000
    power[rng.random(power.shape) < 0.01] = np.nan
    power[100:140, 230:] = np.nan
    power[:3, :7] = np.nan
    return power.astype(np.float32)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("window", [3, 7, 9])
def test_parts_give_the_same_bits_as_the_whole(scene, name, window):
    smooth = speckle_filter(name, window, looks=1)
    whole = smooth(scene)
    for top, bottom, left, right in (
        (0, 300, 0, 131),
        (0, 57, 131, 290),
        (57, 300, 131, 290),
        (7, 8, 3, 260),
        (9, 283, 277, 278),
    ):
        above, before = min(smooth.halo, top), min(smooth.halo, left)
        part = smooth(scene[top - above : bottom + smooth.halo, left - before : right + smooth.halo])
        part = part[above : above + bottom - top, before : before + right - left]
        assert np.array_equal(part, whole[top:bottom, left:right], equal_nan=True)


@pytest.mark.parametrize("name", FILTERS)
def test_no_data_stays_and_does_not_spread(scene, name):
    filtered = speckle_filter(name, looks=1)(scene)
    assert filtered.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(filtered), np.isnan(scene))
    assert (filtered[~np.isnan(scene)] >= 0).all()


@pytest.mark.parametrize("name", FILTERS)
def test_pixels_without_data_have_no_say(name):
    """A strip as high as it is alone: beside no data, and at the end of the image."""
    strip = even(1, (20, 60))
    framed = np.full((60, 90), np.nan, np.float32)
    framed[30:50, 20:80] = strip
    smooth = speckle_filter(name, looks=1)
    np.testing.assert_array_equal(smooth(framed)[30:50, 20:80], smooth(strip))


@pytest.mark.parametrize("name", FILTERS)
def test_a_pixel_alone_stays_as_it_is(name):
    power = np.full((15, 15), np.nan, np.float32)
    power[7, 7] = 0.25
    np.testing.assert_array_equal(speckle_filter(name, looks=4)(power), power)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("level", [0, 1e-5, 0.1, 1e6])
def test_what_is_even_stays_as_it_is(name, level):
    power = np.full((20, 20), level, np.float32)
    np.testing.assert_allclose(speckle_filter(name, looks=1)(power), power, rtol=1e-6)


@pytest.mark.parametrize("name", FILTERS)
def test_the_unit_of_power_does_not_matter(scene, name):
    smooth = speckle_filter(name, looks=1)
    np.testing.assert_array_equal(smooth(scene * np.float32(2**20)), smooth(scene) * np.float32(2**20))


@pytest.mark.parametrize("name", FILTERS)
def test_an_image_may_be_turned(scene, name):
    smooth = speckle_filter(name, looks=1)
    square = scene[:120, :120]
    np.testing.assert_allclose(smooth(square[::-1].T), smooth(square)[::-1].T, rtol=2e-4)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("looks", [1, 4])
def test_even_areas_keep_their_mean(name, looks):
    """Lee's and Frost's do so exactly on average: pixels may change places, and the weights of the window stay."""
    power = even(looks)
    change = speckle_filter(name, looks=looks)(power).mean(dtype=float) / power.mean(dtype=float) - 1
    assert abs(change) < 0.01


@pytest.mark.parametrize("looks", [1, 4])
def test_lee_raises_the_looks_of_even_areas_as_theory_says(looks):
    """The variance is that of the mean, 1 / 49 L, and E[w^2 v] of what is left of the pixel.

    The pixel is one of the window's by chance: so of m + w (c - m), the parts do not correlate, and (c - m)^2 is v on
    average. Of 384 x 384 pixels, about 3000 windows do not overlap: the variance scatters by sqrt(2 / 3000), or 3 %.
    """
    _, mean, variance = windows(looks)
    weight = np.maximum(1 - mean**2 / looks / variance, 0)
    expected = 1 / (1 / (49 * looks) + (weight**2 * variance).mean())
    measured = enl(speckle_filter("lee", looks=looks)(even(looks))[3:-3, 3:-3])
    assert measured == pytest.approx(expected, rel=0.1)
    assert 49 * looks / 3 < measured < 49 * looks


def test_lee_and_gamma_map_average_the_window_where_it_varies_no_more_than_speckle():
    """49 times the looks where all windows do: so if there seem to be fewer looks than there are."""
    power = even(4)
    for name in ("lee", "gamma-map"):
        # Ci^2 of 49 pixels scatters by about sqrt((2 + 2 / L) / 49), or a quarter: 4 times Cu^2 is beyond chance
        filtered = speckle_filter(name, looks=1)(power)[3:-3, 3:-3]
        assert enl(filtered) == pytest.approx(49 * 4, rel=0.1)


def test_gamma_map_raises_the_looks_of_even_areas_about_as_lee_does():
    assert enl(speckle_filter("gamma-map", looks=4)(even(4))) == pytest.approx(
        enl(speckle_filter("lee", looks=4)(even(4))), rel=0.15
    )


def test_frost_raises_the_looks_of_even_areas_as_theory_says():
    """Of 16 looks, Ci^2 is about 1 / 16 everywhere: so weights w are fixed, and looks L (sum w)^2 / (sum w^2)."""
    weights = np.exp(-2 / 16 * np.arange(4)).repeat([1, 8, 16, 24])
    measured = enl(speckle_filter("frost", looks=16)(even(16))[3:-3, 3:-3])
    assert measured == pytest.approx(16 * weights.sum() ** 2 / (weights**2).sum(), rel=0.1)


def test_refined_lee_raises_the_looks_of_even_areas():
    """By less than Lee's: of nine pixels, the least variance is far below that of speckle."""
    for looks in (1, 4):
        gain = enl(speckle_filter("refined-lee", looks=looks)(even(looks))[3:-3, 3:-3]) / looks
        assert 7 < gain < 49


@pytest.mark.parametrize("name", FILTERS)
def test_a_point_target_is_kept(name):
    power = even(4, (41, 41))
    power[20, 20] = 1000
    filtered = speckle_filter(name, looks=4)(power)
    if name == "gamma-map":
        assert filtered[20, 20] == 1000
    # refined Lee's divides what is left of the pixel by 1 + Cu^2, even where all is signal; Cu^2 is 1 / 4 at most
    assert filtered[20, 20] == pytest.approx(1000, rel=0.2 if name == "refined-lee" else 0.01)


@pytest.mark.parametrize("name", FILTERS)
def test_memory_does_not_grow_with_what_is_worked_out(name):
    power = even(1, (1500, 1500))
    smooth = speckle_filter(name, looks=1)
    tracemalloc.start()
    smooth(power)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * power.nbytes  # the result, and a few pieces


@pytest.mark.parametrize(("window", "looks"), [(4, 1), (1, 1), (0, 1), (-7, 1), (7, 0), (7, -1), (7, float("nan"))])
def test_windows_have_a_middle_and_images_have_looks(window, looks):
    for name in FILTERS:
        with pytest.raises(ValueError, match=f"{window} pixels, {looks} looks"):
            speckle_filter(name, window, looks=looks)


def test_refined_lee_has_a_window_of_its_own(scene):
    np.testing.assert_array_equal(
        speckle_filter("refined-lee", 11, looks=1)(scene), speckle_filter("refined-lee", looks=1)(scene)
    )
