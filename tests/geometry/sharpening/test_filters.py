"""Filters along rows and columns, held against explicit sums and scipy."""

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from rsfuse.geometry.sharpening.filters import Axis, Filter, within
from rsfuse.geometry.sharpening.kernels import LANCZOS, gaussian

CHANCE = np.random.default_rng(0)


def lanczos(distance):
    if distance == 0:
        return 1.0
    if abs(distance) >= 4:
        return 0.0
    x = math.pi * distance
    return 4 * math.sin(x) * math.sin(x / 4) / x**2


def bell(gain, ratio):
    sigma = ratio * math.sqrt(-2 * math.log(gain)) / math.pi
    return lambda distance: math.exp(-((distance / sigma) ** 2) / 2) if abs(distance) <= 4.5 * sigma else 0.0


def summed(line, step, first, count, weigh, reach=40):
    """Every output by a sum over the input, whose ends go on for ever."""
    found = []
    for number in range(count):
        centre = first + number * step
        taps = range(math.floor(centre) - reach, math.floor(centre) + reach + 1)
        weights = [weigh(tap - centre) for tap in taps]
        values = [line[min(max(tap, 0), len(line) - 1)] for tap in taps]
        found.append(sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights))
    return np.array(found)


PLACES = {
    "four times as large": (0.25, -0.375, 80, "lanczos"),
    "twice as large": (0.5, -0.25, 40, "lanczos"),
    "nearly twice as large, aside": (1 / 2.0001, 1.37, 40, "lanczos"),
    "nearly four times as large, from far outside": (1 / 3.98, -7.3, 110, "lanczos"),
    "a quarter": (4.0, 1.5, 5, "bell"),
    "a half, aside": (2.0, 0.137, 10, "bell"),
    "nearly a quarter, past the end": (3.98, -3.2, 8, "bell"),
    "as large, blurred": (1.0, 0.0, 20, "bell"),
}


@pytest.mark.parametrize(("step", "first", "count", "kind"), PLACES.values(), ids=PLACES)
def test_along_one_axis_it_is_the_sum_over_the_kernel(step, first, count, kind):
    line = CHANCE.uniform(0, 2000, 20)
    kernel, weigh = (LANCZOS, lanczos) if kind == "lanczos" else (gaussian(0.3, 4), bell(0.3, 4))
    axis = Axis(20, step, first, kernel)
    low, high = axis.needed((0, count))
    found = axis.matrix((0, count)).astype(np.float64) @ line[low:high]
    np.testing.assert_allclose(found, summed(line, step, first, count, weigh), atol=2e-3)


@pytest.mark.parametrize("gain", [0.11, 0.22, 0.35])
@pytest.mark.parametrize("ratio", [2, 4, 3.98])
def test_a_low_pass_is_that_of_scipy_and_leaves_its_gain_at_nyquist(gain, ratio):
    line = CHANCE.uniform(0, 2000, 70)
    sigma = ratio * math.sqrt(-2 * math.log(gain)) / math.pi
    axis = Axis(70, 1.0, 0.0, gaussian(gain, ratio))
    expected = gaussian_filter1d(line, sigma, mode="nearest", truncate=6)
    np.testing.assert_allclose(axis.matrix((0, 70)) @ line, expected, atol=0.2)
    wave = np.cos(np.pi * np.arange(70) / ratio)  # the Nyquist frequency of pixels so large
    assert (axis.matrix((0, 70)) @ wave)[36] / wave[36] == pytest.approx(gain, abs=2e-3)


@pytest.mark.parametrize(("step", "first"), [(0.25, -0.375), (1 / 3.98, 1.37), (4.0, 1.5), (1.0, 0.0)])
def test_an_image_is_filtered_along_both_axes_whatever_window_is_asked_for(step, first):
    image = CHANCE.uniform(0, 2000, (3, 40, 50)).astype(np.float32)
    kernel = LANCZOS if step < 1 else gaussian(0.25, 4)
    filtering = Filter(Axis(40, step, first, kernel), Axis(50, step, first + 0.1, kernel))
    shape = int(40 / step), int(50 / step)
    whole = filtering.whole(image, shape)
    rows, columns = (
        axis.matrix((0, count)) for axis, count in zip((filtering.rows, filtering.columns), shape, strict=True)
    )
    np.testing.assert_allclose(whole, rows @ image.astype(np.float64) @ columns.T, atol=1e-3)
    for part in (((0, 7), (3, 9)), ((5, shape[0]), (1, 2)), ((shape[0] // 2, shape[0] // 2 + 1), (0, shape[1]))):
        (top, bottom), (left, right) = filtering.needed(*part)
        found = filtering(image[:, top:bottom, left:right], *part)
        np.testing.assert_allclose(found, whole[:, slice(*part[0]), slice(*part[1])], atol=1e-3)


def test_what_is_needed_is_all_that_matters():
    axis = Axis(60, 1 / 4, -0.375, LANCZOS)
    line = CHANCE.uniform(0, 1, 60)
    low, high = axis.needed((80, 100))
    spoilt = line.copy()
    spoilt[:low] = spoilt[high:] = np.nan
    assert np.isfinite(axis.matrix((80, 100)) @ spoilt[low:high]).all()
    assert high - low <= 20 / 4 + 2 * 4 + 1


def test_all_of_the_output_is_found_in_all_of_an_input_that_is_wider():
    axis = Axis(60, 1 / 4, 20.0, LANCZOS)  # the output lies in the middle of the input
    image = np.arange(60, dtype=np.float32)[None, None].repeat(60, 1)
    found = Filter(axis, axis).whole(image, (40, 40))
    np.testing.assert_allclose(found[0, 0], 20 + np.arange(40) / 4, atol=0.02)


@pytest.mark.parametrize("span", [(-50, -40), (0, 3), (300, 310)])
def test_beyond_the_ends_the_last_pixel_goes_on(span):
    line = np.arange(10.0) + 1
    axis = Axis(10, 1 / 4, -0.375, LANCZOS)
    low, high = axis.needed(span)
    found = axis.matrix(span) @ line[low:high]
    if span[0] == 0:
        np.testing.assert_allclose(found, summed(line, 1 / 4, -0.375, 3, lanczos), rtol=1e-5)
    else:
        np.testing.assert_allclose(found, 1 if span[0] < 0 else 10, rtol=1e-6)


@pytest.mark.parametrize("kernel", [LANCZOS, gaussian(0.3, 4)], ids=["lanczos", "gaussian"])
@pytest.mark.parametrize("step", [1 / 4, 1 / 2.0001, 1.0, 4.0])
def test_a_flat_image_stays_flat_and_a_ramp_the_ramp(kernel, step):
    first, count = 20.0, int(20 / step)
    axis = Axis(60, step, first, kernel)
    low, high = axis.needed((0, count))
    matrix = axis.matrix((0, count)).astype(np.float64)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)
    places = matrix @ np.arange(low, high)
    np.testing.assert_allclose(places, first + step * np.arange(count), atol=0.016)  # 1.5 % of a pixel


@pytest.mark.parametrize("gain", [0.0, 1.0, -0.3, 1.5])
def test_a_gain_that_is_none_is_refused(gain):
    with pytest.raises(ValueError, match="between 0 and 1"):
        gaussian(gain, 4)


def test_a_part_is_found_in_a_wider_one():
    wide = np.arange(20 * 30).reshape(20, 30)
    rows, columns = within(((15, 18), (40, 50)), ((10, 30), (35, 65)))
    np.testing.assert_array_equal(wide[rows, columns], wide[5:8, 5:15])
