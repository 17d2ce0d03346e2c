"""Polygons: files, layers, attributes and places, and what of them is refused."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pyogrio.raw
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform
from shapely import Point, Polygon, box

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.drawn.polygons import NO_VALUE, Polygons, holds_polygons, read_outlines, read_polygons

UTM = "EPSG:32722"
PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
GRID = Grid(CRS.from_string(UTM), PLACE, (80, 120))


@pytest.fixture
def draw(tmp_path):
    """A function from a name, geometries in UTM and attributes to the path of a file."""

    def make(name, geometries, crs=UTM, /, *, append=False, layer=None, **columns):
        columns = columns or {"class": ["a"] * len(geometries)}
        wkb = shapely.to_wkb(np.array([*geometries, None], object)[:-1])
        kind = geometries[0].geom_type if len({each.geom_type for each in geometries}) == 1 else "Unknown"
        pyogrio.raw.write(
            tmp_path / name, wkb, [np.array(values) for values in columns.values()], list(columns),
            geometry_type=kind, crs=crs, append=append, layer=layer,
        )  # fmt: skip
        return tmp_path / name

    return make


def on_map(geometry):
    """A shape in pixels, on the map."""
    return shapely.transform(geometry, lambda places: np.stack(PLACE * (places[:, 0], places[:, 1]), 1))


def in_degrees(geometry):
    return shapely.transform(geometry, lambda at: np.stack(transform(UTM, "EPSG:4326", at[:, 0], at[:, 1]), 1))


def same(outlines, shapes, tolerance):
    """Whether every pair differs by less area (px²) than the tolerance."""
    assert len(outlines) == len(shapes)
    return all(one.symmetric_difference(two).area < tolerance for one, two in zip(outlines, shapes, strict=True))


SHAPES = [box(10, 10, 30, 30), box(20, 20, 50, 60), Point(80, 40).buffer(15)]


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.shp", "a.fgb"])
@pytest.mark.parametrize("crs", [UTM, "EPSG:4326"])
def test_polygons_lie_in_the_pixels_of_the_grid_whatever_the_file_and_its_crs(draw, name, crs):
    on_ground = [on_map(shape) for shape in SHAPES]
    there = on_ground if crs == UTM else [in_degrees(shape) for shape in on_ground]
    found = read_polygons(draw(name, there, crs, landcover=["a", "b", "c"], id=[1, 2, 3]), GRID)
    assert found.field == "landcover"
    if name == "a.fgb":  # it sorts them when it is written
        assert sorted(found.values) == ["a", "b", "c"]
        found = Polygons(found.outlines[np.argsort(found.values)], ("a", "b", "c"), found.field)
    assert found.values == ("a", "b", "c")
    # GeoJSON rounds degrees to a centimetre, and what is straight on the map is not in degrees
    assert same(found.outlines, SHAPES, 1e-3 if crs == UTM else 0.2)


def test_an_edge_that_is_straight_in_degrees_bends_on_the_map(draw):
    grid = Grid(CRS.from_string(UTM), Affine(1000, 0, 300_000, 0, -1000, 5_000_000), (400, 400))  # 45 degrees south
    edge = box(-55, -48, -48, -46.2)
    found = read_outlines(draw("a.geojson", [edge], "EPSG:4326"), grid)
    dense = shapely.segmentize(edge, 1e-3)
    xs, ys = transform("EPSG:4326", UTM, *shapely.get_coordinates(dense).T)
    expected = Polygon([~grid.transform * place for place in zip(xs, ys, strict=True)])
    straight = Polygon(expected.exterior.coords[:: len(expected.exterior.coords) // 4])
    within = box(0, 0, 400, 400)
    assert found[0].intersection(within).symmetric_difference(expected.intersection(within)).area < 40
    assert straight.intersection(within).symmetric_difference(expected.intersection(within)).area > 400


def test_a_polygon_around_the_world_can_be_brought_to_a_scene(draw):
    found = read_outlines(draw("a.geojson", [box(-180, -90, 180, 90)], "EPSG:4326"), GRID)
    assert found[0].covers(box(0, 0, 120, 80))


def test_a_scene_across_the_antimeridian_takes_polygons_of_both_sides(draw):
    grid = Grid(CRS.from_epsg(32701), Affine(1000, 0, 100_000, 0, -1000, 8_100_000), (100, 200))  # Fiji
    shapes = [box(179.3, -18, 179.6, -17.5), box(-179.5, -18, -179.2, -17.5), box(10, -18, 11, -17.5)]
    found = read_polygons(draw("a.gpkg", shapes, "EPSG:4326", code=[1, 2, 3]), grid)
    assert found.values == (1, 2)
    for outline, shape in zip(found.outlines, shapes[:2], strict=True):
        xs, ys = transform("EPSG:4326", grid.crs, [shape.centroid.x], [shape.centroid.y])
        assert outline.centroid.distance(Point(~grid.transform * (xs[0], ys[0]))) < 0.2


def test_polygons_come_in_the_order_of_the_file_though_an_index_finds_them(draw):
    rng = np.random.default_rng(0)
    corners = rng.uniform(-500, 500, (3000, 2))
    shapes = [box(x, y, x + 9, y + 9) for x, y in corners]
    found = read_polygons(draw("a.gpkg", [on_map(shape) for shape in shapes], code=np.arange(3000)), GRID)
    expected = [n for n, shape in enumerate(shapes) if shape.intersects(box(0, 0, 120, 80))]
    assert found.values == tuple(expected)
    assert same(found.outlines, [shapes[n] for n in expected], 1e-6)


def test_what_crosses_itself_is_mended_and_what_has_no_area_is_none(draw):
    bow = Polygon([(10, 10), (30, 30), (30, 10), (10, 30)])
    tailed = Polygon([(40, 40), (50, 40), (50, 50), (40, 50), (40, 40), (20, 40), (40, 40)])
    flat = Polygon([(60, 60), (70, 70), (60, 60)])
    found = read_polygons(draw("a.geojson", [on_map(each) for each in (bow, tailed, flat)], code=[1, 2, 3]), GRID)
    assert found.values == (1, 2)
    wings = Polygon([(10, 10), (20, 20), (10, 30)]).union(Polygon([(30, 10), (20, 20), (30, 30)]))
    assert same(found.outlines, [wings, box(40, 40, 50, 50)], 1e-6)
    assert shapely.is_valid(found.outlines).all()


def test_the_attribute_is_the_one_named_or_the_obvious_one(draw):
    shape = [on_map(SHAPES[0])]
    assert read_polygons(draw("a.gpkg", shape, id=[1], Class=["x"], code=[2]), GRID).values == ("x",)
    assert read_polygons(draw("b.gpkg", shape, id=[1], Class=["x"], code=[2]), GRID, "ID").values == (1,)
    assert read_polygons(draw("c.gpkg", shape, anything=["x"]), GRID).field == "anything"
    with pytest.raises(SceneError, match=r"d\.gpkg have no attribute that is obviously the class; they have id, name"):
        read_polygons(draw("d.gpkg", shape, id=[1], name=["x"]), GRID)
    with pytest.raises(SceneError, match=r"a\.gpkg have no attribute 'klass'; they have id, Class, code"):
        read_polygons(draw("a.gpkg", shape, id=[1], Class=["x"], code=[2]), GRID, "klass")


def test_a_missing_value_is_no_value_of_any_type(draw, tmp_path):
    shapes = [on_map(shape) for shape in SHAPES[:2]]
    words = draw("a.gpkg", shapes, **{"class": np.array(["x", None], object)})
    assert read_polygons(words, GRID).values == ("x", NO_VALUE)
    numbers = tmp_path / "b.geojson"
    text = draw("b.geojson", shapes, code=[7, 8]).read_text()
    numbers.write_text(text.replace('"code": 8', '"code": null'))
    assert read_polygons(numbers, GRID).values == (7, NO_VALUE)


def test_the_only_layer_of_polygons_is_read_and_several_are_told(draw):
    path = draw("a.gpkg", [Point(480_100, 6_679_900)] * 3, layer="wells")
    with pytest.raises(SceneError, match=r"a\.gpkg has 0 layers of polygons: its layers are wells \(3 Point\)"):
        read_outlines(path, GRID)
    draw("a.gpkg", [on_map(SHAPES[0])], layer="fields", append=True)
    assert len(read_outlines(path, GRID)) == 1
    draw("a.gpkg", [on_map(SHAPES[1])], layer="parks", append=True)
    with pytest.raises(SceneError, match=r"2 layers .* wells \(3 Point\), fields \(1 Polygon\), parks \(1 Polygon\)"):
        read_outlines(path, GRID)


def test_points_and_lines_among_polygons_are_counted(draw):
    strange = [Point(20, 20), Point(30, 30), shapely.LineString([(0, 0), (9, 9)])]
    path = draw("a.geojson", [on_map(each) for each in (*strange, *SHAPES)])
    with pytest.raises(SceneError, match=r"a\.geojson holds 1 LineString, 2 Point beside 3 polygons"):
        read_outlines(path, GRID)


def test_without_a_crs_on_either_side_nobody_knows_the_place(draw):
    path = draw("a.shp", [on_map(SHAPES[0])])
    with pytest.raises(GridMismatchError, match="the scene has no CRS"):
        read_outlines(path, Grid(None, Affine.identity(), (80, 120)))
    path.with_suffix(".prj").unlink()
    with pytest.raises(GridMismatchError, match=r"a\.shp has no CRS, the scene has EPSG:32722") as caught:
        read_outlines(path, GRID)
    assert ".prj" in caught.value.hint


def test_polygons_elsewhere_are_told_with_both_places_as_numbers(draw):
    path = draw("a.geojson", [box(10, 50, 11, 52)], "EPSG:4326")
    with pytest.raises(
        GridMismatchError, match=r"cover x 10 to 11, y 50 to 52, the scene x -51\.2\d+ to -51\.1\d+, y -30"
    ):
        read_outlines(path, GRID)
    beside = draw("b.gpkg", [on_map(box(-10, 0, 0, 80))])  # it shares an edge with the scene, and no area
    with pytest.raises(GridMismatchError, match=r"cover x 479900 to 480000, .* the scene x 480000 to 481200"):
        read_outlines(beside, GRID)


def test_a_missing_an_empty_and_a_broken_file_are_told(draw, tmp_path):
    with pytest.raises(SceneError, match=r"none\.gpkg does not exist"):
        read_outlines(tmp_path / "none.gpkg", GRID)
    broken = tmp_path / "broken.geojson"
    broken.write_text("hello")
    with pytest.raises(SceneError, match=r"broken\.geojson cannot be read as polygons"):
        read_outlines(broken, GRID)
    empty = tmp_path / "empty.geojson"
    empty.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(SceneError, match=r"empty\.geojson holds no polygon"):
        read_outlines(empty, GRID)
    bare = draw("bare.shp", [on_map(SHAPES[0])])
    bare.with_suffix(".shx").unlink()
    with pytest.raises(SceneError, match=r"bare\.shp cannot be read as polygons"):
        read_outlines(bare, GRID)


def test_files_are_known_by_their_endings(tmp_path):
    found = Counter(holds_polygons(tmp_path / name) for name in ("a.GPKG", "b.geojson", "c.shp", "d.tif", "e.png"))
    assert found == {True: 3, False: 2}


@pytest.mark.parametrize("first", ["rasterio", "pyogrio"])
def test_two_gdals_live_in_one_process_and_in_those_it_spawns(draw, write_raster, noise, first):
    """rasterio and pyogrio each bring a GDAL and a PROJ of their own."""
    path = draw("a.geojson", [in_degrees(on_map(SHAPES[0]))], "EPSG:4326")
    raster = write_raster("a.tif", noise((1, 80, 120)))
    code = f"""
import {first}, rasterio, pyogrio, multiprocessing
from pathlib import Path
from rsfuse.raster.drawn.polygons import read_outlines
from rsfuse.raster.scene import Scene
def centre(_):
    with Scene(Path({str(raster)!r})) as scene:
        return read_outlines(Path({str(path)!r}), scene.grid)[0].centroid
if __name__ == "__main__":
    print(centre(0))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(*pool.map(centre, [0]))
"""
    script = path.with_name("script.py")
    script.write_text(code)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    points = [shapely.from_wkt(line) for line in done.stdout.splitlines()]
    assert len(points) == 2
    assert all(point.distance(Point(20, 20)) < 1e-3 for point in points)
