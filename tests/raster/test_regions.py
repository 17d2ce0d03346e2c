"""RegionStream and Outlines: whatever the strips, the same polygons as of the whole map at once."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.features import rasterize, shapes
from scipy import ndimage

from rsfuse.legend import NODATA
from rsfuse.legends import LEGENDS
from rsfuse.raster.drawn.corners import Corners
from rsfuse.raster.drawn.regions import RegionStream

LEGEND = LEGENDS["whu-opt-sar"]
ANY_MAP = st.tuples(st.integers(1, 13), st.integers(1, 13)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([10, 20, NODATA]), fill=st.nothing())
)
ANY_HEIGHTS = st.lists(st.integers(1, 6), min_size=1, max_size=4)


def strips(rows, heights):
    top = number = 0
    while top < rows:
        height = min(heights[number % len(heights)], rows - top)
        yield top, slice(top, top + height)
        top, number = top + height, number + 1


def drawn(codes, heights=(4,), values=None):
    """Codes, sums and polygons in pixels of all regions of a map that comes in strips."""
    corners = Corners(codes.shape)
    stream = RegionStream(corners)
    batches = [
        stream.add(codes[rows], None if values is None else values[rows]) for _, rows in strips(len(codes), heights)
    ]
    batches.append(stream.end())
    found = []
    for each in batches:
        if len(each.codes):
            polygons = corners.outlines(each.corners, each.owners).polygons(
                np.ones(len(each.codes), bool), Affine.identity()
            )
            found += zip(each.codes.tolist(), each.sums.tolist(), polygons, strict=True)
    return found


def told(pairs):
    """Codes and outlines, comparable: where a ring begins does not count, how many corners it has does."""
    return sorted((int(code), shapely.normalize(polygon).wkt) for code, polygon in pairs)


def vectorised(codes):
    """What GDAL makes of the whole map."""
    return told((code, shapely.geometry.shape(each)) for each, code in shapes(codes, mask=codes != NODATA))


def random_map(height, width, seed=0):
    """Patches of a few pixels of all classes and of none."""
    chance = np.random.default_rng(seed).normal(size=(len(LEGEND) + 1, height, width))
    winner = ndimage.gaussian_filter(chance, (0, 1.5, 1.5)).argmax(0)
    return np.array([*LEGEND.codes, NODATA], np.uint8)[winner]


def picture(text):
    """A map of a drawing: '#' is one class, '.' another, a blank no data."""
    rows = [line[1:-1] for line in text.strip().splitlines()]
    return np.array([[{"#": 10, ".": 20, " ": NODATA}[each] for each in row] for row in rows], np.uint8)


@given(codes=ANY_MAP, heights=ANY_HEIGHTS)
def test_strips_of_any_height_give_the_polygons_that_gdal_draws_of_the_whole_map(codes, heights):
    found = drawn(codes, heights)
    assert told((code, polygon) for code, _, polygon in found) == vectorised(codes)
    assert all(polygon.is_valid for _, _, polygon in found)


@given(codes=ANY_MAP, heights=ANY_HEIGHTS, seed=st.integers(0, 99))
def test_polygons_are_the_components_of_each_class_and_sums_those_of_their_pixels(codes, heights, seed):
    values = np.random.default_rng(seed).integers(0, 256, codes.shape).astype(np.uint8)
    found = drawn(codes, heights, values)
    for code in (10, 20):
        labels, count = ndimage.label(codes == code)
        own = [(total, polygon) for each, total, polygon in found if each == code]
        assert len(own) == count
        seen = set()
        for total, polygon in own:
            inside = rasterize([polygon], codes.shape) == 1
            (label,) = np.unique(labels[inside])
            np.testing.assert_array_equal(inside, labels == label)
            assert polygon.area == inside.sum()
            assert total == values[inside].sum(dtype=int)
            seen.add(label)
        assert seen == set(range(1, count + 1))


@pytest.mark.parametrize("heights", [(1,), (2,), (3, 1), (300,)])
def test_a_larger_map_gives_the_polygons_that_gdal_draws(heights):
    codes = random_map(150, 110)
    assert told((code, polygon) for code, _, polygon in drawn(codes, heights)) == vectorised(codes)


@pytest.mark.parametrize("height", [1, 2, 3, 5])
def test_a_ring_that_closes_strips_later_is_one_polygon_with_a_hole(height):
    codes = picture("""
|       |
| ##### |
| #...# |
| #...# |
| ##### |
""")
    found = {code: polygon for code, _, polygon in drawn(codes, (height,))}
    assert shapely.normalize(found[10]) == shapely.normalize(shapely.box(1, 1, 6, 5) - shapely.box(2, 2, 5, 4))
    assert shapely.normalize(found[20]) == shapely.normalize(shapely.box(2, 2, 5, 4))


def test_a_straight_edge_across_strips_has_no_corner_at_them():
    ((_, _, polygon),) = drawn(np.full((40, 7), 10, np.uint8), (1,))
    assert sorted(set(polygon.exterior.coords)) == [(0, 0), (0, 40), (7, 0), (7, 40)]
    assert len(polygon.exterior.coords) == 5


def test_arms_that_meet_in_the_last_strip_are_one_polygon():
    codes = np.full((30, 21), 20, np.uint8)
    codes[:, ::2] = 10
    codes[-1] = 10
    ((_, _, comb),) = [each for each in drawn(codes, (1,)) if each[0] == 10]
    assert comb.area == (codes == 10).sum()
    assert len(comb.exterior.coords) - 1 == 4 * 10 + 4


def spiral(turns):
    """A path of one pixel width from the outside in; and in how many places it bends."""
    side = 4 * turns + 1
    codes = np.full((side, side), 20, np.uint8)
    row, column, bends = 0, 0, 0
    codes[0, 0] = 10
    headings = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    lengths = [side - 1, side - 1, side - 1, *(each for n in range(side - 3, 0, -2) for each in (n, n))]
    for number, length in enumerate(lengths):
        for _ in range(length):
            row, column = row + headings[number % 4][0], column + headings[number % 4][1]
            codes[row, column] = 10
        bends += number > 0
    return codes, bends


@pytest.mark.parametrize("height", [1, 3, 7])
def test_a_spiral_through_many_strips_is_one_polygon_with_a_corner_at_each_bend(height):
    codes, bends = spiral(9)
    own = [polygon for code, _, polygon in drawn(codes, (height,)) if code == 10]
    assert len(own) == 1
    assert len(own[0].exterior.coords) - 1 == 2 * bends + 4
    np.testing.assert_array_equal(rasterize(own, codes.shape) == 1, codes == 10)


def test_regions_that_touch_at_a_corner_are_two_polygons():
    assert [polygon.area for _, _, polygon in drawn(np.array([[10, 20], [20, 10]], np.uint8))] == [1, 1, 1, 1]


@pytest.mark.parametrize("height", [1, 2, 3])
def test_a_region_that_touches_itself_at_corners_is_a_valid_polygon_with_a_hole_for_each_place_inside(height):
    codes = picture("""
|#####|
|#.###|
|##.##|
|###. |
|### #|
""")
    polygon = next(each for code, _, each in drawn(codes, (height,)) if code == 10 and each.area > 1)
    assert polygon.is_valid
    assert sorted(each.bounds for each in polygon.interiors) == [(1, 1, 2, 2), (2, 2, 3, 3)]


def test_outer_rings_run_counter_clockwise_on_the_screen_and_holes_clockwise():
    for _, _, polygon in drawn(random_map(40, 40)):
        upright = shapely.transform(polygon, lambda places: places * (1, -1))
        assert upright.exterior.is_ccw
        assert not any(each.is_ccw for each in upright.interiors)


def test_a_region_is_given_with_the_strip_after_its_last_row_and_is_then_forgotten():
    codes = np.full((60, 4), 20, np.uint8)
    codes[1::6, 1] = 10  # ten lone pixels in one region that reaches from top to bottom
    stream = RegionStream(Corners(codes.shape))
    given = [stream.add(codes[top : top + 3]).codes.tolist() for top in range(0, 60, 3)]
    assert given == [[10], []] * 10
    assert stream.end().codes.tolist() == [20]
