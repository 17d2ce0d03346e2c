"""Scenes that lie on each other are found, whatever their grids, and tiles of one are placed in the other."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.transform import from_bounds
from rasterio.warp import reproject, transform, transform_bounds

from rsfuse.geometry.grid import Grid
from rsfuse.geometry.split import near
from rsfuse.raster.leaks import Overlap, grouped, overlaps, rectangles_on

UTM = CRS.from_epsg(32722)
LONLAT = CRS.from_epsg(4326)
NEIGHBOUR = CRS.from_epsg(32721)
LOCAL = CRS.from_wkt('LOCAL_CS["a quarry",UNIT["metre",1]]')
PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)


def scene(column=0.0, row=0.0, shape=(100, 200), *, crs=UTM, turned=0.0, scale=1.0):
    """A scene that begins at a column and row of the scene at PLACE."""
    where = PLACE * Affine.translation(column, row) * Affine.rotation(turned) * Affine.scale(scale)
    return Grid(crs, where, shape)


def around(grid, crs, shape):
    """The upright box around a scene in another CRS."""
    return Grid(crs, from_bounds(*transform_bounds(grid.crs, crs, *grid.bounds), *shape[::-1]), shape)


def covered(first, second):
    """Share of the first one's pixels that the second covers, as GDAL's warp sees it."""
    seen = np.zeros(first.shape, np.uint8)
    reproject(
        np.ones(second.shape, np.uint8), seen, src_crs=second.crs, src_transform=second.transform,
        dst_crs=first.crs, dst_transform=first.transform, tolerance=0,
    )  # fmt: skip
    return seen.mean()


def pairs(grids):
    return [(overlap.first, overlap.second) for overlap in overlaps(grids)]


@given(column=st.integers(-300, 300), row=st.integers(-200, 200), height=st.integers(1, 150), width=st.integers(1, 250))
def test_scenes_shifted_by_pixels_overlap_by_the_pixels_they_share(column, row, height, width):
    shared = max(min(200, column + width) - max(0, column), 0) * max(min(100, row + height) - max(0, row), 0)
    found = overlaps([scene(), scene(column, row, (height, width))])
    if shared:
        assert [(each.first, each.second) for each in found] == [(0, 1)]
        assert found[0].share == pytest.approx(shared / min(height * width, 20_000))
    else:
        assert found == []


PLACES = {
    "turned": scene(60, 40, turned=33),
    "south up": Grid(UTM, PLACE * Affine.translation(30, 80) * Affine.scale(1, -1), (100, 200)),
    "finer": scene(150, 50, (400, 400), scale=0.25),
    "another zone": around(scene(90, 70), NEIGHBOUR, (110, 190)),
    "lon/lat": around(scene(-50, -30), LONLAT, (90, 200)),
    "Mercator": around(scene(120, 10), CRS.from_epsg(3857), (120, 240)),
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("swapped", [False, True])
def test_the_share_of_the_smaller_one_is_what_a_warp_covers(name, swapped):
    two = [scene(), PLACES[name]][:: -1 if swapped else 1]
    (found,) = overlaps(two)
    assert (found.first, found.second) == (0, 1)
    # on the smaller one the covered share is the larger; a warp counts pixels whose centre is covered
    assert found.share == pytest.approx(max(covered(*two), covered(*two[::-1])), abs=0.02)
    assert 0.05 < found.share < 0.999


@pytest.mark.parametrize(
    "other",
    [
        scene(400, 0),
        scene(205, 105, turned=40),  # its upright bounds lie on the scene, its outline does not
        around(scene(400, 0), NEIGHBOUR, (100, 200)),
        around(scene(0, 300), LONLAT, (100, 200)),
    ],
)
def test_scenes_that_lie_apart_do_not_overlap(other):
    assert covered(scene(), other) == 0
    assert overlaps([scene(), other]) == []


def test_a_scene_inside_another_lies_on_it_wholly():
    for inner in (scene(20, 20, (10, 10)), around(scene(50, 50, (20, 20)), NEIGHBOUR, (30, 30))):
        assert overlaps([scene(), inner]) == [Overlap(0, 1, pytest.approx(1.0, abs=1e-6))]


def test_the_same_ground_twice_is_an_overlap_however_its_crs_is_written():
    written = CRS.from_proj4("+proj=utm +zone=22 +south +datum=WGS84 +units=m")
    assert hash(written) != hash(UTM)
    assert overlaps([scene(), scene(crs=written)]) == [Overlap(0, 1, pytest.approx(1.0))]


def test_neighbours_that_touch_do_not_overlap():
    grids = [scene(column, row) for column in (0, 200, 400) for row in (0, 100, 200)]
    assert overlaps(grids) == []


@pytest.mark.parametrize("turned", [0, 30])
@pytest.mark.parametrize(("column", "found"), [(199.6, False), (199.4, True)])
def test_neighbours_may_overlap_by_less_than_half_a_pixel(turned, column, found):
    spin = PLACE * Affine.rotation(turned)
    two = [Grid(UTM, spin * Affine.translation(at, 0), (100, 200)) for at in (0, column)]
    assert bool(overlaps(two)) is found
    assert bool(overlaps(two[::-1])) is found


@pytest.mark.parametrize(("metres", "found"), [(0.6, False), (1.4, True)])
def test_the_finer_of_two_scenes_says_what_half_a_pixel_is(metres, found):
    fine = Grid(UTM, Affine(2, 0, 482_000 - metres, 0, -2, 6_680_000), (500, 500))
    assert bool(overlaps([scene(), fine])) is found
    assert bool(overlaps([fine, scene()])) is found


def test_a_tiling_in_another_crs_touches_without_overlapping():
    right, left = scene(200, 0), scene()
    edge = transform(UTM, NEIGHBOUR, *zip(*(left.transform * (200, row) for row in (0, 100)), strict=True))
    (top_x, bottom_x), (top_y, bottom_y) = edge
    down = (bottom_x - top_x) / 100, (bottom_y - top_y) / 100
    # the same pixels as those of the right one, as the plane of the other zone sees them
    seen = Grid(NEIGHBOUR, Affine(-down[1], down[0], top_x, down[0], down[1], top_y), right.shape)
    assert overlaps([left, seen]) == []
    assert pairs([right, seen]) == [(0, 1)]


def test_scenes_without_a_crs_lie_nowhere():
    assert overlaps([scene(crs=None), scene(crs=None), scene()]) == []


def test_scenes_of_a_local_crs_overlap_only_each_other():
    grids = [scene(), scene(crs=LOCAL), scene(150, crs=LOCAL), scene(crs=NEIGHBOUR)]
    assert overlaps(grids) == [Overlap(1, 2, pytest.approx(0.25))]


@pytest.mark.parametrize("count", [0, 1])
def test_less_than_two_scenes_do_not_overlap(count):
    assert overlaps([scene()] * count) == []


def test_the_world_lies_on_every_scene():
    world = Grid(LONLAT, from_bounds(-180, -90, 180, 90, 3600, 1800), (1800, 3600))
    assert overlaps([scene(), world]) == [Overlap(0, 1, pytest.approx(1.0))]


def test_scenes_on_both_sides_of_the_180th_meridian_are_told_apart():
    east = Grid(CRS.from_epsg(32701), Affine(10, 0, 160_000, 0, -10, 8_000_000), (2000, 2000))
    west = Grid(CRS.from_epsg(32760), Affine(10, 0, 830_000, 0, -10, 8_000_000), (2000, 2000))
    beyond_180 = Grid(LONLAT, from_bounds(179.5, -19, 180.5, -17, 1000, 2000), (2000, 1000))
    before_180 = Grid(LONLAT, from_bounds(-180.5, -19, -179.5, -17, 1000, 2000), (2000, 1000))
    far = Grid(LONLAT, from_bounds(10, -19, 11, -17, 1000, 2000), (2000, 1000))
    for lap in (beyond_180, before_180):
        assert pairs([east, west, lap, far]) == [(0, 2), (1, 2)]


def test_a_scene_round_the_pole_lies_on_the_scenes_inside_it():
    polar = Grid(CRS.from_epsg(3413), Affine(1000, 0, -1e6, 0, -1000, 1e6), (2000, 2000))
    inside = Grid(CRS.from_epsg(32633), Affine(100, 0, 5e5, 0, -100, 9.5e6), (300, 300))
    assert pairs([polar, inside, scene()]) == [(0, 1)]


def test_a_scene_whose_corners_see_space_lies_on_the_scenes_inside_it():
    seen_from_orbit = CRS.from_proj4("+proj=geos +h=35785831 +lon_0=0")
    northern_disc = Grid(seen_from_orbit, from_bounds(-6e6, 0, 6e6, 6e6, 4000, 2000), (2000, 4000))
    libya = Grid(CRS.from_epsg(32633), Affine(100, 0, 5e5, 0, -100, 3.2e6), (300, 300))
    assert pairs([northern_disc, libya, scene()]) == [(0, 1)]


def test_a_mosaic_of_a_hundred_scenes_that_overlap_by_their_margins_is_found_whole():
    grids = [scene(190 * (number % 10), 90 * (number // 10)) for number in range(100)]
    expected = {
        tuple(sorted((10 * row + column, 10 * (row + down) + column + across)))
        for row in range(10)
        for column in range(10)
        for down, across in ((0, 1), (1, -1), (1, 0), (1, 1))
        if row + down < 10 and 0 <= column + across < 10
    }
    assert pairs(grids) == sorted(expected)


def test_a_chain_of_three_is_one_group_named_for_its_first():
    grids = [scene(350), scene(700), scene(), scene(180), scene(705, 3, crs=None)]
    found = overlaps(grids)
    assert [(each.first, each.second) for each in found] == [(0, 3), (2, 3)]
    assert grouped(["c", "far", "a", "b", "nowhere"], found) == ["c", "far", "c", "c", "nowhere"]


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda pair: pair[0] < pair[1]), max_size=14))
def test_groups_are_the_connected_parts_of_the_graph(edges):
    reached = np.eye(12, dtype=int)
    for first, second in edges:
        reached[first, second] = reached[second, first] = 1
    reached = np.linalg.matrix_power(reached, 12) > 0
    names = [f"scene {number}" for number in range(12)]
    expected = [names[int(np.flatnonzero(row)[0])] for row in reached]
    assert grouped(names, [Overlap(*edge, 0.5) for edge in edges]) == expected


# floats hold neither the sine of 33 degrees nor three tenths of a metre
@pytest.mark.parametrize("where", [PLACE, PLACE * Affine.rotation(33), Affine(0.3, 0, 480_000.1, 0, -0.3, 6_680_000.7)])
def test_tiles_of_a_shifted_scene_lie_at_whole_pixels_and_touch_without_overlapping(where):
    tiles = np.array([[0, 0, 64, 64], [64, 0, 64, 64], [-8, 32, 80, 80]])
    shifted = Grid(UTM, where * Affine.translation(30, -17), (100, 200))
    there = rectangles_on(tiles, Grid(UTM, where, (100, 200)), shifted)
    np.testing.assert_array_equal(there, tiles + np.array([-30, 17, 0, 0]))
    behind = np.array([[98, 17, 64, 64]])  # the second tile ends at column 98
    assert near(there, behind, 0).tolist() == [False, False, False]
    assert near(there, behind, 1).tolist() == [False, True, False]


@pytest.mark.parametrize("name", PLACES)
def test_tiles_lie_where_their_pixels_do(name):
    grid, other = scene(), PLACES[name]
    tiles = np.array([[0, 0, 32, 32], [100, 60, 32, 16], [184, 84, 16, 16]])
    there = rectangles_on(tiles, grid, other)
    for tile, (left, top, width, height) in zip(tiles, there, strict=True):
        spans = [np.linspace(tile[axis], tile[axis] + tile[axis + 2], 41) for axis in (0, 1)]
        columns, rows = np.meshgrid(*spans)
        xs, ys = transform(grid.crs, other.crs, *(grid.transform * (columns.ravel(), rows.ravel())))
        seen_columns, seen_rows = ~other.transform * (np.array(xs), np.array(ys))
        expected = seen_columns.min(), seen_rows.min(), np.ptp(seen_columns), np.ptp(seen_rows)
        assert (left, top, width, height) == pytest.approx(expected, abs=0.002)


def test_the_edges_of_a_large_tile_bend_in_another_crs():
    north = Grid(CRS.from_epsg(32633), Affine(10, 0, 475_000, 0, -10, 7_000_000), (5000, 5000))
    lonlat = around(north, LONLAT, (5000, 5000))
    _, top, _, _ = rectangles_on(np.array([[0, 0, 5000, 5000]]), north, lonlat)[0]
    crown = transform(north.crs, LONLAT, [500_000], [7_000_000])  # where the upper edge crosses the central meridian
    corner = transform(north.crs, LONLAT, [475_000], [7_000_000])
    assert (corner[1][0] - crown[1][0]) / lonlat.transform.e > 5  # pixels between a chord and its arc
    assert top == pytest.approx((crown[1][0] - lonlat.transform.f) / lonlat.transform.e, abs=0.1)


def test_a_tile_across_the_180th_meridian_stays_as_wide_as_it_is():
    east = Grid(CRS.from_epsg(32701), Affine(10, 0, 170_000, 0, -10, 8_000_000), (2000, 2000))
    lonlat = Grid(LONLAT, from_bounds(179.5, -19, 180.5, -17, 1000, 2000), (2000, 1000))
    left, top, width, height = rectangles_on(np.array([[0, 0, 2000, 2000]]), east, lonlat)[0]
    assert 0 < left < left + width < 1000
    assert 0 < top < top + height < 2000
    assert width == pytest.approx(190, abs=10)  # 20 km in steps of 0.001 degrees at 18 degrees south


def test_tiles_that_a_projection_does_not_know_are_nowhere_and_do_not_spoil_the_others():
    grid = Grid(LONLAT, Affine(0.001, 0, -51.3, 0, -0.001, 95), (200_000, 100))  # some of it is north of the pole
    tiles = np.array([[0, 0, 10, 10], [0, 125_000, 10, 10], [0, 4_000, 10, 10]])
    there = rectangles_on(tiles, grid, scene())
    assert np.isfinite(there).all(1).tolist() == [False, True, False]
    np.testing.assert_array_equal(there[1:2], rectangles_on(tiles[1:2], grid, scene()))
    assert near(there, np.array([[-(10**6), -(10**6), 2 * 10**6, 2 * 10**6]]), 0).tolist() == [False, True, False]


def test_no_tiles_lie_nowhere():
    assert rectangles_on(np.empty((0, 4), np.int64), scene(), PLACES["another zone"]).shape == (0, 4)


def test_tiles_of_a_scene_without_a_crs_are_a_programmers_mistake():
    with pytest.raises(ValueError, match="without CRS"):
        rectangles_on(np.array([[0, 0, 8, 8]]), scene(crs=None), scene())


def test_overlaps_travel_to_other_processes():
    assert pickle.loads(pickle.dumps(Overlap(0, 1, 0.5))) == Overlap(0, 1, 0.5)
