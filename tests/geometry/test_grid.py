"""A Grid says where pixels lie as rasterio and PROJ do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import rasterio.transform
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.windows import Window

from rsfuse.geometry.grid import Grid, ground_distance_m

UTM = CRS.from_epsg(32722)
NORTH_UP = Affine(10, 0, 480_000, 0, -10, 6_680_000)


def grid_of(transform=NORTH_UP, shape=(120, 200), crs=UTM):
    return Grid(crs, transform, shape)


@pytest.fixture
def opened():
    """The same place as `grid_of()`, as a raster that rasterio opens."""
    with MemoryFile() as memory:
        profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": 120, "width": 200}
        with memory.open(crs=UTM, transform=NORTH_UP, **profile) as raster:
            raster.write(np.zeros((1, 120, 200), np.uint8))
        with memory.open() as raster:
            yield raster


def test_bounds_and_centre_are_those_of_rasterio(opened):
    grid = Grid(opened.crs, opened.transform, opened.shape)
    assert grid.bounds == opened.bounds
    assert grid.centre == pytest.approx(rasterio.transform.xy(opened.transform, 60, 100, offset="ul"))
    assert (grid.height, grid.width) == (opened.height, opened.width)


@given(angle=st.floats(0, 360), height=st.integers(1, 500), width=st.integers(1, 500))
def test_bounds_of_a_rotated_grid_hold_every_corner_and_touch_four(angle, height, width):
    grid = grid_of(NORTH_UP * Affine.rotation(angle), (height, width))
    left, bottom, right, top = grid.bounds
    corners = [
        rasterio.transform.xy(grid.transform, row, col, offset="ul") for row in (0, height) for col in (0, width)
    ]
    xs, ys = zip(*corners, strict=True)
    assert (left, right) == pytest.approx((min(xs), max(xs)))
    assert (bottom, top) == pytest.approx((min(ys), max(ys)))


@pytest.mark.parametrize("window", [Window(0, 0, 200, 120), Window(17, 40, 32, 16), Window(-8, 100, 64, 64)])
def test_a_window_of_a_grid_lies_where_rasterio_puts_it(opened, window):
    part = grid_of().window(window)
    assert part.transform.almost_equals(opened.window_transform(window))
    assert part.bounds == pytest.approx(opened.window_bounds(window))
    assert part.shape == (window.height, window.width)
    assert part.crs == opened.crs


def test_a_window_of_a_window_is_the_window_of_their_sum():
    grid = grid_of(NORTH_UP * Affine.rotation(20))
    twice = grid.window(Window(10, 20, 80, 60)).window(Window(3, 4, 16, 8))
    once = grid.window(Window(13, 24, 16, 8))
    assert twice.matches(once, tolerance_px=1e-6)


@given(dx=st.floats(-50, 50), dy=st.floats(-50, 50), angle=st.floats(0, 360))
def test_the_offset_of_a_moved_grid_is_the_length_of_the_move_in_pixels(dx, dy, angle):
    grid = grid_of(NORTH_UP * Affine.rotation(angle))
    moved = grid_of(grid.transform * Affine.translation(dx, dy))
    assert grid.offset_to(moved) == pytest.approx(math.hypot(dx, dy), abs=1e-6)


def test_the_offset_is_told_at_the_worst_corner():
    finer = grid_of(NORTH_UP * Affine.scale(0.99))
    assert grid_of().offset_to(finer) == pytest.approx(0.01 * math.hypot(200, 120))


def test_grids_of_another_crs_or_shape_are_infinitely_far():
    assert grid_of().offset_to(grid_of(crs=CRS.from_epsg(32721))) == math.inf
    assert grid_of().offset_to(grid_of(crs=None)) == math.inf
    assert grid_of().offset_to(grid_of(shape=(120, 201))) == math.inf


def test_a_grid_matches_itself_and_what_lies_within_the_tolerance():
    def moved(px):
        return grid_of(NORTH_UP * Affine.translation(px, 0))

    assert grid_of().matches(grid_of())
    assert grid_of().matches(moved(0.009))
    assert not grid_of().matches(moved(0.011))
    assert grid_of().matches(moved(0.4), tolerance_px=0.5)


def test_ground_distances_are_those_of_the_sphere():
    quarter = math.pi / 2 * 6_371_008.8
    assert ground_distance_m((0, 0), (90, 0)) == pytest.approx(quarter)
    assert ground_distance_m((37, -90), (-110, 0)) == pytest.approx(quarter)
    assert ground_distance_m((12, 34), (12, 34)) == 0


@given(st.tuples(st.floats(-180, 180), st.floats(-89, 89)), st.tuples(st.floats(-180, 180), st.floats(-89, 89)))
def test_ground_distance_is_the_angle_between_the_two_directions(start, end):
    def direction(lon_lat):
        lon, lat = np.radians(lon_lat)
        return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])

    a, b = direction(start), direction(end)
    angle = math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b))  # exact for small and for wide angles
    assert ground_distance_m(start, end) == pytest.approx(6_371_008.8 * angle, rel=1e-6, abs=0.5)
    assert ground_distance_m(start, end) == ground_distance_m(end, start)
