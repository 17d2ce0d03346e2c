"""Where rasters lie on the grid of a mosaic, and how a window is cut into what each of them has."""

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from rsfuse.geometry.grid import Grid
from rsfuse.raster.mosaics.region import Region, Target
from rsfuse.raster.mosaics.source import Source

UTM = CRS.from_epsg(32650)
PLACE = Affine(10, 0, 500_000, 0, -10, 4_000_000)


def source(column, row, shape=(40, 50), transform=PLACE):
    return Source("a.tif", Grid(UTM, transform * Affine.translation(column, row), shape), (), (), None, None, False)


@pytest.fixture
def region():
    sources = [source(0, 0), source(30, 10), source(-5.4, 60.7), source(200, 0)]
    return Region.around(sources, sources[0].grid)


def test_the_grid_covers_all_and_keeps_the_pixels_of_the_first(region):
    assert region.grid.shape == (101, 256)
    assert ~PLACE * (region.grid.transform * (0, 0)) == pytest.approx((-6, 0))
    np.testing.assert_array_equal(region.boxes[:2], [[0, 6, 40, 56], [10, 36, 50, 86]])
    np.testing.assert_array_equal(region.boxes[2], [60, 0, 101, 51])  # whole pixels around it


def test_rounding_of_coordinates_adds_no_pixels():
    sources = [source(0, 0), source(30 + 1e-5, 10 - 1e-5)]
    assert Region.around(sources, sources[0].grid).grid.shape == (50, 80)


def test_a_turned_raster_keeps_its_turn():
    turned = PLACE * Affine.rotation(30)
    sources = [source(0, 0, transform=turned), source(45, 3, transform=turned)]
    grid = Region.around(sources, sources[0].grid).grid
    assert grid.shape == (43, 95)
    assert grid.transform.almost_equals(turned, 1e-6)


@pytest.mark.parametrize("window", [Window(0, 0, 256, 101), Window(40, 20, 100, 60), Window(100, 0, 90, 9)])
def test_pieces_cover_a_window_once_and_no_raster_ends_within_one(region, window):
    seen = np.zeros(region.grid.shape, int)
    for piece in region.pieces(window):
        rows, columns = piece.toslices()
        seen[rows, columns] += 1
        for number in region.touching(piece):
            assert region.window(number).intersection(piece) == piece
    expected = np.zeros_like(seen)
    expected[window.toslices()] = 1
    np.testing.assert_array_equal(seen, expected)


def test_rasters_that_only_share_an_edge_with_a_window_do_not_touch_it(region):
    assert region.touching(Window(56, 0, 30, 10)) == []
    assert region.touching(Window(55, 0, 30, 11)) == [0, 1]


def test_another_resolution_keeps_the_corner_and_covers_the_same(region):
    lattice = Target(resolution=25.0).lattice(source(0, 0).grid)
    assert (lattice.transform.a, lattice.transform.e, lattice.shape) == (25, -25, (16, 20))
    assert lattice.transform * (0, 0) == PLACE * (0, 0)
    turned = Grid(UTM, PLACE * Affine.rotation(30), (40, 50))
    wide = Target(resolution=20.0).lattice(turned)
    assert wide.shape == (20, 25)
    assert wide.transform * (25, 20) == pytest.approx(turned.transform * (50, 40))
