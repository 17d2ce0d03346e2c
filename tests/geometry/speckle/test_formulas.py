"""The filters against their formulas, a pixel at a time."""

from __future__ import annotations

import numpy as np
import pytest

from rsfuse.geometry.speckle.filters import FILTERS, speckle_filter

HALVES = {
    (0, 1): lambda down, right: right >= 0,
    (0, -1): lambda down, right: right <= 0,
    (1, 0): lambda down, right: down >= 0,
    (-1, 0): lambda down, right: down <= 0,
    (-1, 1): lambda down, right: right >= down,
    (1, -1): lambda down, right: right <= down,
    (1, 1): lambda down, right: right >= -down,
    (-1, -1): lambda down, right: right <= -down,
}


def moments(pixels):
    pixels = pixels[~np.isnan(pixels)]
    return pixels.mean(), pixels.var(ddof=1) if pixels.size > 1 else 0.0


def lee(window, looks):
    mean, variance = moments(window)
    ratio = variance / mean**2
    weight = 0 if ratio < 1 / looks else 1 - 1 / looks / ratio
    return mean + weight * (middle(window) - mean)


def frost(window, looks):
    mean, variance = moments(window)
    distance = np.abs(np.indices(window.shape) - len(window) // 2).max(0)
    weights = np.exp(-2 * variance / mean**2 * distance) * ~np.isnan(window)
    return np.nansum(weights * window) / weights.sum()


def gamma_map(window, looks):
    mean, variance = moments(window)
    ratio = variance / mean**2
    if ratio <= 1 / looks:
        return mean
    if ratio >= 2 / looks:
        return middle(window)
    alpha = (1 + 1 / looks) / (ratio - 1 / looks)
    factor = alpha - looks - 1

    def likeliest(pixel):
        return (factor * mean + np.sqrt(mean**2 * factor**2 + 4 * alpha * looks * mean * pixel)) / (2 * alpha)

    return likeliest(middle(window)) * mean / likeliest(mean)


def refined_lee(window, looks):
    parts = [window[row : row + 3, column : column + 3] for row in (0, 2, 4) for column in (0, 2, 4)]
    known = [moments(part) for part in parts if (~np.isnan(part)).sum() >= 5]
    ratios = sorted(variance / mean**2 for mean, variance in known)[:5]
    speckle = np.mean(ratios) if ratios else 1 / looks
    whole = moments(window)
    means = np.array([whole[0] if np.isnan(part).all() else np.nanmean(part) for part in parts]).reshape(3, 3)
    mean, variance = whole
    if means.var() / means.mean() ** 2 > 0.75 / looks:
        mean, variance = moments(window[own_half(means)])
    signal = max(0, (variance - mean**2 * speckle) / (1 + speckle))
    return mean + (signal / variance * (middle(window) - mean) if variance else 0)


def own_half(means):
    """The gradient across each edge is the sum of the means on one side of the middle, less that of the others."""
    rows, columns = np.indices((3, 3)) - 1
    strongest = max(
        ((0, 1), (1, 0), (-1, 1), (1, 1)),
        key=lambda side: abs((means * np.sign(rows * side[0] + columns * side[1])).sum()),
    )
    ends = {
        side: abs(means[1 + side[0], 1 + side[1]] - means[1, 1]) for side in (strongest, tuple(-n for n in strongest))
    }
    down, right = np.indices((7, 7)) - 3
    return HALVES[min(ends, key=ends.get)](down, right)


def middle(window):
    return window[len(window) // 2, len(window) // 2]


FORMULAS = {"lee": lee, "refined-lee": refined_lee, "frost": frost, "gamma-map": gamma_map}


@pytest.fixture
def power():
    """Steps in several directions under speckle, and no data here and there."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((36, 44))
    level = 1 + 9 * (columns > 12) + 30 * (rows + columns > 50) + 20 * (rows - columns > 15) + 60 * (rows < 5)
    power = level * rng.gamma(3, 1 / 3, level.shape)
    power[rng.random(power.shape) < 0.05] = np.nan
    power[20:30, 25:33] = np.nan
    return power.astype(np.float32)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("window", [5, 7])
@pytest.mark.parametrize("looks", [1, 3])
def test_every_pixel_is_as_the_formula_says(power, name, window, looks):
    filtered = speckle_filter(name, window, looks=looks)(power)
    side = 7 if name == "refined-lee" else window
    padded = np.pad(power.astype(float), side // 2, constant_values=np.nan)
    expected = np.full(power.shape, np.nan)
    for row, column in np.argwhere(~np.isnan(power)):
        expected[row, column] = FORMULAS[name](padded[row : row + side, column : column + side], looks)
    np.testing.assert_allclose(filtered, expected, rtol=2e-4)
