"""MapPolygons: what the file says of each polygon, what is left out, and that nothing half-written is left."""

import math
import sqlite3

import numpy as np
import pyogrio
import pyogrio.raw
import pytest
import shapely
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.features import rasterize, shapes
from rasterio.windows import Window
from scipy import ndimage

from rsfuse.errors import LegendMismatchError, OutputError
from rsfuse.geometry.grid import Grid
from rsfuse.legend import NODATA
from rsfuse.legends import LEGENDS
from rsfuse.raster.drawn.burning import Burner
from rsfuse.raster.drawn.map_polygons import MapPolygons, PolygonReport
from rsfuse.raster.drawn.pixel_area import row_areas_m2
from rsfuse.raster.drawn.polygons import read_polygons
from rsfuse.raster.map_layer import FULL

PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
UTM = CRS.from_epsg(32722)
LEGEND = LEGENDS["whu-opt-sar"]
HERE = settings(
    max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)


def strips(rows, heights):
    top = number = 0
    while top < rows:
        height = min(heights[number % len(heights)], rows - top)
        yield top, slice(top, top + height)
        top, number = top + height, number + 1


def told(pairs):
    """Codes and outlines, comparable: where a ring begins does not count, how many corners it has does."""
    return sorted((int(code), shapely.normalize(polygon).wkt) for code, polygon in pairs)


def vectorised(codes):
    """What GDAL makes of the whole map."""
    return told((code, shapely.geometry.shape(each)) for each, code in shapes(codes, mask=codes != NODATA))


def written(path):
    """Polygons of a file, and its columns by name."""
    facts, _, encoded, columns = pyogrio.raw.read(path)
    return shapely.from_wkb(encoded), dict(zip(facts["fields"], columns, strict=True))


def write(path, codes, heights=(100,), confidence=None, crs=UTM, **options):
    with MapPolygons(path, Grid(crs, PLACE, codes.shape), LEGEND, **options) as writer:
        for top, rows in strips(len(codes), heights):
            writer.add(top, codes[rows], None if confidence is None else confidence[rows])
    return writer.report


def random_map(height, width, seed=0):
    """Patches of a few pixels of all classes and of none."""
    chance = np.random.default_rng(seed).normal(size=(len(LEGEND) + 1, height, width))
    winner = ndimage.gaussian_filter(chance, (0, 1.5, 1.5)).argmax(0)
    return np.array([*LEGEND.codes, NODATA], np.uint8)[winner]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "out"
    made.mkdir()
    return made


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_holds_class_area_and_mean_confidence_of_each_polygon(folder):
    codes = random_map(60, 50)
    confidence = np.random.default_rng(1).integers(0, 256, codes.shape).astype(np.uint8)
    report = write(folder / "map.gpkg", codes, (7,), confidence)
    assert names_in(folder) == ["map.gpkg"]
    polygons, columns = written(folder / "map.gpkg")
    assert list(columns) == ["code", "class", "area_m2", "confidence"]
    assert len(polygons) == len(vectorised(codes)) == report.written
    names = dict(zip(LEGEND.codes, LEGEND.names, strict=True))
    for polygon, code, name, area, mean in zip(polygons, *columns.values(), strict=True):
        inside = rasterize([polygon], codes.shape, transform=PLACE) == 1
        assert set(codes[inside]) == {code}
        assert name == names[code]
        assert area == inside.sum() * 100.0 == polygon.area
        assert mean == pytest.approx(confidence[inside].mean() / FULL)
    assert report == PolygonReport(len(polygons), (codes != NODATA).sum() * 100.0)


def test_the_file_has_one_layer_of_its_name_with_the_crs_of_the_map_and_an_index(folder):
    write(folder / "map.gpkg", random_map(20, 20))
    assert pyogrio.list_layers(folder / "map.gpkg").tolist() == [["map", "Polygon"]]
    assert CRS.from_user_input(pyogrio.read_info(folder / "map.gpkg")["crs"]) == UTM
    with sqlite3.connect(folder / "map.gpkg") as base:
        indexed = base.execute("select count(*) from rtree_map_geom").fetchone()
        assert indexed == base.execute("select count(*) from map").fetchone()
    base.close()


@HERE
@given(heights=st.lists(st.integers(1, 40), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_the_map_comes_back_when_the_file_is_read_as_labels(tmp_path, heights, seed):
    codes = random_map(50, 40, seed)
    write(tmp_path / "map.gpkg", codes, heights, overwrite=True)
    there = read_polygons(tmp_path / "map.gpkg", Grid(UTM, PLACE, codes.shape), "code")
    burner = Burner(there.outlines, np.array(there.values, np.uint8), codes.shape, fill=NODATA)
    np.testing.assert_array_equal(burner.read(Window(0, 0, 40, 50)), codes)


def test_polygons_beyond_one_portion_are_all_written(folder, monkeypatch):
    monkeypatch.setattr("rsfuse.raster.drawn.polygon_file._PORTION", 2_000)
    monkeypatch.setattr("rsfuse.raster.drawn.map_polygons._PIXELS", 100)  # one strip is taken in parts, too
    codes = random_map(60, 30)
    write(folder / "map.gpkg", codes, (60,))
    polygons, columns = written(folder / "map.gpkg")
    back = shapely.transform(polygons, lambda places: np.array(~PLACE * places.T).T.round())
    assert told(zip(columns["code"], back, strict=True)) == vectorised(codes)


def test_a_map_without_data_is_a_layer_without_polygons(folder):
    assert write(folder / "map.gpkg", np.full((9, 9), NODATA, np.uint8)) == PolygonReport()
    assert len(written(folder / "map.gpkg")[0]) == 0


def test_without_confidence_and_crs_there_are_no_numbers_for_them(folder):
    report = write(folder / "map.gpkg", random_map(9, 9), crs=None)
    _, columns = written(folder / "map.gpkg")
    assert np.isnan(columns["area_m2"]).all()
    assert np.isnan(columns["confidence"]).all()
    assert math.isnan(report.area_m2)
    assert pyogrio.read_info(folder / "map.gpkg")["crs"] is None


def test_small_polygons_are_left_out_and_counted(folder):
    codes = random_map(60, 50)
    sizes = [int(n) for code in LEGEND.codes for n in np.bincount(ndimage.label(codes == code)[0].ravel())[1:]]
    report = write(folder / "map.gpkg", codes, (9,), min_area_m2=1200.0)
    large, small = [n for n in sizes if n >= 12], [n for n in sizes if n < 12]
    assert 12 in large
    assert report == PolygonReport(len(large), sum(large) * 100.0, len(small), sum(small) * 100.0)
    assert sorted(written(folder / "map.gpkg")[1]["area_m2"]) == sorted(n * 100.0 for n in large)


def test_unlabelled_pixels_are_in_no_polygon(folder):
    assert 0 in LEGEND.unlabelled
    codes = np.array([[0, 10, 255]], np.uint8)
    assert write(folder / "map.gpkg", codes).written == 1


def test_areas_in_degrees_are_those_of_the_pixels_in_each_row(folder):
    place = Affine(0.5, 0, 8, 0, -0.5, 62)
    codes = random_map(20, 20)
    grid = Grid(CRS.from_epsg(4326), place, codes.shape)
    with MapPolygons(folder / "map.gpkg", grid, LEGEND) as writer:
        writer.add(0, codes)
    polygons, columns = written(folder / "map.gpkg")
    for polygon, area in zip(polygons, columns["area_m2"], strict=True):
        inside = rasterize([polygon], codes.shape, transform=place) == 1
        assert area == pytest.approx(inside.sum(1) @ row_areas_m2(grid))


def test_a_least_area_needs_a_crs(folder):
    with pytest.raises(OutputError, match="no CRS") as caught:
        write(folder / "map.gpkg", random_map(9, 9), crs=None, min_area_m2=1.0)
    assert "--min-area" in caught.value.hint
    assert names_in(folder) == []


def test_what_exists_is_refused_and_replaced_only_on_demand(folder):
    write(folder / "map.gpkg", random_map(9, 9))
    with pytest.raises(OutputError, match=r"map\.gpkg exists"):
        write(folder / "map.gpkg", random_map(9, 9))
    write(folder / "map.gpkg", np.full((9, 9), 40, np.uint8), overwrite=True)
    assert written(folder / "map.gpkg")[1]["class"].tolist() == ["water"]
    assert names_in(folder) == ["map.gpkg"]


@pytest.mark.parametrize(("name", "message"), [("map.shp", "not a GeoPackage"), ("none/map.gpkg", "no folder")])
def test_paths_that_cannot_be_are_refused(folder, name, message):
    with pytest.raises(OutputError, match=message) as caught:
        write(folder / name, random_map(9, 9))
    assert caught.value.hint


def test_an_error_on_the_way_leaves_what_was_there_and_nothing_else(folder):
    write(folder / "map.gpkg", random_map(9, 9))
    before = (folder / "map.gpkg").read_bytes()
    writer = MapPolygons(folder / "map.gpkg", Grid(UTM, PLACE, (9, 9)), LEGEND, overwrite=True)
    writer.add(0, random_map(5, 9))
    assert len(names_in(folder)) > 1
    with pytest.raises(LegendMismatchError), writer:
        writer.add(5, np.full((4, 9), 33, np.uint8))
    assert names_in(folder) == ["map.gpkg"]
    assert (folder / "map.gpkg").read_bytes() == before


def test_a_full_disk_is_told_and_leaves_nothing(small_disk):
    disk = small_disk(600)
    codes = np.random.default_rng(0).choice(LEGEND.codes, (90, 90)).astype(np.uint8)
    with pytest.raises(OutputError, match="the disk is full"):
        write(disk / "map.gpkg", codes)
    assert names_in(disk) == []


def test_a_code_that_the_legend_does_not_know_is_told(folder):
    with pytest.raises(LegendMismatchError, match=r"code 33 \(2 px\)"):
        write(folder / "map.gpkg", np.array([[33, 33, 10]], np.uint8))
    assert names_in(folder) == []


@pytest.mark.parametrize(
    ("top", "shape", "confidence"),
    [(1, (2, 5), None), (0, (2, 4), None), (0, (7, 5), None), (0, (2, 5), (2, 4))],
)
def test_strips_that_do_not_fit_are_a_mistake_of_the_program(folder, top, shape, confidence):
    writer = MapPolygons(folder / "map.gpkg", Grid(UTM, PLACE, (6, 5)), LEGEND)
    with pytest.raises(ValueError, match=r"strip|rows for"), writer:
        writer.add(top, np.full(shape, 10, np.uint8), confidence and np.zeros(confidence, np.uint8))


def test_confidence_is_for_all_strips_or_for_none(folder):
    rows = np.full((3, 5), 10, np.uint8)
    writer = MapPolygons(folder / "map.gpkg", Grid(UTM, PLACE, (6, 5)), LEGEND)
    writer.add(0, rows, rows)
    with pytest.raises(ValueError, match="some strips only"), writer:
        writer.add(3, rows)


def test_a_map_that_is_not_complete_is_not_sealed(folder):
    writer = MapPolygons(folder / "map.gpkg", Grid(UTM, PLACE, (9, 9)), LEGEND)
    with pytest.raises(ValueError, match="5 rows of 9"), writer:
        writer.add(0, random_map(5, 9))
    assert names_in(folder) == []
