"""Coordinates in an image: as the model has them, the same bits whatever window asks."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform

from rsfuse.geometry.grid import Grid
from rsfuse.geometry.lattice import Lattice

UTM, LONLAT = CRS.from_epsg(32650), CRS.from_epsg(4326)
GRID = Grid(UTM, Affine(7, 0, 440_000, 0, -7, 4_375_000), (900, 1100))
HEIGHTS = np.random.default_rng(0).uniform(-100, 900, GRID.shape).astype("f4")


@dataclass(frozen=True)
class Slanted:
    """An image whose lines bend: of pixels of 0.00005 degrees, seen from aside.

    Args:
        bend: pixels aside, 0.1 degrees from its middle.
        lean: pixels aside for each metre of height.
        held: degrees from the middle, beyond which nothing is known.
        sway: pixels aside, as a wave of the height.
    """

    bend: float = 30.0
    lean: float = 0.05
    held: float = 9.0
    sway: float = 0.0

    crs = LONLAT

    @property
    def heeds_height(self):
        return self.lean != 0

    def to_image(self, x, y, height):
        assert not np.isinf(x + y).any()
        east, north = x - 116.4, y - 39.5
        held = np.maximum(np.abs(east), np.abs(north)) <= self.held
        east, north = np.where(held, east, np.nan), np.where(held, north, np.nan)
        lean = self.lean * height * (1 - height / 100_000) + self.sway * np.sin(height / 500)
        return (
            3000 + 20_000 * east + self.bend * 100 * (east * east - north * north) + lean,
            2000 - 20_000 * north + self.bend * 100 * east * north - 0.2 * lean * (1 + east),
        )


def to_lonlat(x, y):
    found = transform(UTM, LONLAT, x.ravel(), y.ravel())
    return tuple(np.array(along).reshape(x.shape) for along in found)


def lattice(model=None, grid=GRID, lowest=-100.0, highest=900.0):
    return Lattice(grid, model or Slanted(), to_lonlat, lowest, highest)


def truth(model, grid, rows, columns, heights):
    down, across = np.mgrid[slice(*rows), slice(*columns)] + 0.5
    return model.to_image(*to_lonlat(*(grid.transform * (across, down))), heights.astype(float))


@pytest.mark.parametrize("bend", [0.0, 30.0, 3000.0, 300_000.0])
@pytest.mark.parametrize("gsd_m", [1.0, 7.0, 30.0])
def test_is_right_to_five_thousandths_of_a_pixel(bend, gsd_m):
    model, grid = Slanted(bend), replace(GRID, transform=GRID.transform * Affine.scale(gsd_m / 7))
    rows, columns = (130, 420), (260, 611)
    heights = HEIGHTS[slice(*rows), slice(*columns)]
    found = lattice(model, grid).coordinates(rows, columns, heights)
    assert np.abs(np.subtract(found, truth(model, grid, rows, columns, heights))).max() <= 0.005


def test_nodes_are_as_far_apart_as_the_model_lets_them():
    steps = [lattice(Slanted(bend), replace(GRID, shape=(300, 300))).step for bend in (0, 30, 1e3, 1e4, 1e5, 1e6)]
    assert steps[0] == 64
    assert steps[-1] == 1
    assert sorted(steps, reverse=True) == steps
    assert len(set(steps)) >= 4


def test_as_many_powers_of_the_height_as_are_needed():
    assert lattice(Slanted(lean=0.0)).powers == 1
    assert lattice(lowest=120.0, highest=120.0).powers == 1
    assert lattice(lowest=120.0, highest=121.0).powers == 2
    assert lattice().powers == 3


@pytest.mark.parametrize(("sway", "powers"), [(0.05, 4), (0.2, 5), (4.0, 6)])
def test_places_are_right_between_the_heights_that_were_asked(sway, powers):
    model = Slanted(sway=sway)
    nodes = lattice(model)
    assert nodes.powers == powers
    found = nodes.coordinates((0, 100), (0, 100), HEIGHTS[:100, :100])
    expected = truth(model, GRID, (0, 100), (0, 100), HEIGHTS[:100, :100])
    assert np.abs(np.subtract(found, expected)).max() <= 0.005


def test_flat_ground_needs_no_heights_and_relief_does():
    flat = lattice(lowest=120.0, highest=120.0)
    found = flat.coordinates((0, 50), (0, 60), None)
    expected = truth(Slanted(), GRID, (0, 50), (0, 60), np.full((50, 60), 120.0))
    np.testing.assert_allclose(found, expected, atol=0.005)
    np.testing.assert_array_equal(flat.coordinates((0, 50), (0, 60), HEIGHTS[:50, :60]), found)
    with pytest.raises(ValueError, match="height"):
        lattice().coordinates((0, 50), (0, 60), None)


@pytest.mark.parametrize("model", [Slanted(), Slanted(1e4), Slanted(1e5), Slanted(1e6), Slanted(lean=0.0)])
def test_the_window_that_asks_does_not_show(model):
    grid = replace(GRID, shape=(300, 400))
    nodes = lattice(model, grid)
    heights = HEIGHTS[:300, :400]
    whole = np.array(nodes.coordinates((0, 300), (0, 400), heights))
    random = np.random.default_rng(1)
    for _ in range(30):
        (top, bottom), (left, right) = np.sort(random.choice(300, 2, False)), np.sort(random.choice(400, 2, False))
        here = np.s_[top:bottom, left:right]
        part = nodes.coordinates((top, bottom), (left, right), heights[here])
        np.testing.assert_array_equal(part, whole[:, *here])
    one = nodes.coordinates((299, 300), (399, 400), heights[299:, 399:])
    np.testing.assert_array_equal(one, whole[:, 299:, 399:])


@pytest.mark.parametrize("model", [Slanted(), Slanted(1e4), Slanted(1e6), Slanted(lean=0.0)])
def test_bounds_hold_all_that_a_window_meets_and_little_more(model):
    nodes = lattice(model)
    rows, columns = (130, 330), (260, 511)
    heights = HEIGHTS[slice(*rows), slice(*columns)]
    corners = [np.full(heights.shape, end, "f4") for end in (-100, 900)]
    reached = np.concatenate([nodes.coordinates(rows, columns, each) for each in (heights, *corners)], axis=1)
    for (first, past), places in zip(nodes.bounds(rows, columns), reached[::-1], strict=True):
        assert first <= places.min() < first + 1.01
        assert past - 1.01 < places.max() < past


def test_bounds_heed_the_heights_of_the_window():
    nodes = lattice()
    rows, columns = (130, 330), (260, 511)
    found = nodes.coordinates(rows, columns, HEIGHTS[slice(*rows), slice(*columns)].clip(300, 310))
    for (first, past), places in zip(nodes.bounds(rows, columns, (300, 310)), found[::-1], strict=True):
        assert first <= places.min() < first + 2
        assert past - 2 < places.max() < past


def test_where_the_model_does_not_hold_nothing_is_known():
    model = Slanted(held=0.02)
    nodes = lattice(model)
    found = np.array(nodes.coordinates((0, 900), (0, 1100), HEIGHTS))
    known = np.isfinite(truth(model, GRID, (0, 900), (0, 1100), HEIGHTS)[0])
    assert 0.05 < known.mean() < 0.95
    assert not np.isfinite(found[:, ~known]).any()
    # a cell is known where its nodes are
    assert np.isfinite(found).all(0).sum() > 0.7 * known.sum()
    (first, past), _ = nodes.bounds((0, 900), (0, 1100))
    assert first <= np.nanmin(found[1]) <= np.nanmax(found[1]) < past
    far = ~known.any(1)
    last = int(np.flatnonzero(far)[-1])
    assert nodes.bounds((last, last + 1), (0, 1100)) is None


def test_what_has_no_place_in_the_crs_of_the_model_is_unknown():
    def half(x, y):
        longitude, latitude = to_lonlat(x, y)
        return np.where(x < 444_000, np.inf, longitude), latitude

    known = np.isfinite(Lattice(GRID, Slanted(), half, 0.0, 0.0).coordinates((0, 100), (0, 1100), None)[0])
    assert not known[:, :571].any()
    assert known[:, 640:].all()


def test_a_hole_in_the_heights_is_a_hole():
    heights = HEIGHTS[:40, :50].copy()
    heights[3, 4] = np.nan
    found = np.isnan(lattice().coordinates((0, 40), (0, 50), heights))
    assert found[:, 3, 4].all()
    assert found.sum() == 2
