"""The filters on real single-look tiles of Gaofen-3."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from rsfuse.geometry.looks import multilook
from rsfuse.geometry.speckle.enl import estimate_enl
from rsfuse.geometry.speckle.filters import FILTERS, speckle_filter

SIDE = 32  # of an area
EVEN = 12  # areas of a tile that vary least
HALO = 3


@pytest.fixture(scope="module")
def tiles(shared_data):
    """Power of five tiles, HH and HV; they hold amplitudes, 0 where there is no data."""
    folder = shared_data("gf3_tiles") / "testA"
    return [power(folder / f"{number}_{channel}.tiff") for number in range(1, 6) for channel in ("HH", "HV")]


@pytest.fixture(scope="module")
def even(tiles):
    """Of each tile, where the most even areas lie: (12,) numbers of areas, row by row."""
    ratios = [areas.var((1, 2)) / areas.mean((1, 2)) ** 2 for areas in map(split, tiles)]
    return [np.argsort(ratio)[:EVEN] for ratio in ratios]  # that of areas without data is NaN, and comes last


def power(path):
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(path) as source:
        amplitude = source.read(1).astype(np.float32)
    return np.where(amplitude > 0, amplitude**2, np.float32(np.nan))


def split(tile):
    down, across = (length // SIDE for length in tile.shape)
    return tile.reshape(down, SIDE, across, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE).astype(float)


def inside(areas):
    """Away from what lies around an area."""
    return areas[:, HALO:-HALO, HALO:-HALO]


def looks(areas):
    return np.median(areas.mean((1, 2)) ** 2 / areas.var((1, 2)))


def correlation(areas):
    """Of pixels some rows and columns apart, up to 6, (13, 13)."""
    lags = 2 * HALO
    relative = areas / areas.mean((1, 2), keepdims=True) - 1
    padded = np.pad(relative, ((0, 0), (lags, lags), (lags, lags)))
    found = np.empty((2 * lags + 1, 2 * lags + 1))
    for down, right in np.ndindex(found.shape):
        overlap = (SIDE - abs(down - lags)) * (SIDE - abs(right - lags))
        found[down, right] = (padded[:, down : down + SIDE, right : right + SIDE] * relative).sum() / overlap
    return found / found[lags, lags]


def test_tiles_are_single_look(tiles):
    """And oversampled: 2 x 2 pixels make half as many looks as independent ones would."""
    assert np.median([estimate_enl(tile) for tile in tiles]) == pytest.approx(1, rel=0.15)
    assert 1 < np.median([estimate_enl(multilook(tile, 2, 2), window=16) for tile in tiles]) < 2


@pytest.mark.parametrize(
    ("name", "window", "limit"),
    [("lee", 7, 0.01), ("refined-lee", 7, 0.01), ("gamma-map", 7, 0.01), ("frost", 9, 0.01), ("frost", 7, 0.015)],
)
def test_filters_keep_the_mean_of_even_areas(tiles, even, name, window, limit):
    """Frost's comes short of it in a window of 7: bright spots of speckle are several pixels wide here.

    A window that just touches one varies more than one that it fills, so that its weights fall the faster: the spot
    counts for less where it is off the middle, and does not gain as much where it is in the middle.
    """
    changes = []
    for tile, numbers in zip(tiles, even, strict=True):
        filtered = split(speckle_filter(name, window, looks=1)(tile))[numbers]
        changes.append(inside(filtered).mean((1, 2)) / inside(split(tile)[numbers]).mean((1, 2)) - 1)
    assert abs(np.mean(changes)) < limit


def test_looks_of_even_areas_rise_as_the_correlation_of_pixels_lets_them(tiles, even):
    """A mean of 49 pixels has 49 / sum(overlap correlation) times their looks, about 8 here and not 49.

    Lee's and Gamma-MAP's come near to it, Frost's, whose weights fall with the distance, and refined Lee's, which
    measures speckle over 3 x 3 pixels that are alike, double them at least.
    """
    overlap = np.convolve(np.ones(7), np.ones(7)) / 7
    gains = {name: [] for name in FILTERS}
    expected = []
    for tile, numbers in zip(tiles, even, strict=True):
        before = split(tile)[numbers]
        expected.append(49 / (np.multiply.outer(overlap, overlap) * correlation(before)).sum())
        for name in FILTERS:
            after = split(speckle_filter(name, looks=1)(tile))[numbers]
            gains[name].append(looks(inside(after)) / looks(inside(before)))
    assert 5 < np.median(expected) < 12
    for name in ("lee", "gamma-map"):
        assert np.median(gains[name]) == pytest.approx(np.median(expected), rel=0.2)
    for name in ("frost", "refined-lee"):
        assert 2 < np.median(gains[name]) < np.median(expected)
