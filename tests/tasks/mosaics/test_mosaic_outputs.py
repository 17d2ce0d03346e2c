"""What a mosaic writes: its grid, its overviews, polygons of its scenes, a virtual raster."""

import shutil

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.crs import CRS
from rasterio.features import rasterize

from rsfuse.errors import GridMismatchError, OutputError, SceneError
from rsfuse.legends import LEGENDS
from rsfuse.raster.mosaics.region import Target
from rsfuse.raster.painted import category_names, names_beside, painted_legend
from rsfuse.tasks.mosaic import MosaicSettings, mosaic

LEGEND = LEGENDS["whu-opt-sar"]
GDAL = pytest.mark.skipif(shutil.which("gdalbuildvrt") is None, reason="needs gdalbuildvrt")


def test_a_map_tells_of_itself_and_has_overviews_of_its_codes(maps, write, tmp_path, read):
    large = write("large.tif", np.tile(np.array([[10, 20], [20, 20]], np.uint8), (600, 700)), 500, 0)
    mosaic([*maps, large], tmp_path / "region.tif", MosaicSettings(rule="first"))
    with rasterio.open(tmp_path / "region.tif") as file:
        assert painted_legend(file.tags(1)) == LEGEND
        assert file.colormap(1)[LEGEND.codes[0]] == (*LEGEND.classes[0].color, 255)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.block_shapes == [(512, 512)]
        assert file.overviews(1) == [2, 4]
    with rasterio.open(tmp_path / "region.tif", OVERVIEW_LEVEL=0) as half:
        assert (half.read(1)[:600, 260:] == 20)[:, 12:].all()
    assert names_beside(tmp_path / "region.tif").read_text() == category_names(LEGEND)
    assert not list(tmp_path.glob(".*"))


def test_the_grid_is_that_of_the_first_or_the_one_that_is_asked_for(maps, write, codes, tmp_path, read):
    def grid(**target):
        path = tmp_path / "region.tif"
        return mosaic(maps, path, MosaicSettings("first", Target(**target), overwrite=True)).design.region.grid

    assert grid().transform * (0, 0) == (499_600, 4_000_000)
    coarse = grid(resolution=30.0)
    assert (coarse.transform.a, coarse.transform.e) == (30, -30)
    assert (coarse.transform.c - 500_000) % 30 == pytest.approx(0)
    other = grid(crs=CRS.from_epsg(32649))
    assert other.crs == CRS.from_epsg(32649)
    assert other.transform.a == pytest.approx(10, rel=0.02)
    assert other.transform.c % other.transform.a == pytest.approx(0, abs=1e-6)
    like = grid(like=other)
    assert (like.crs, like.transform.a) == (other.crs, other.transform.a)
    known = read(tmp_path / "region.tif") != 255
    assert 0.3 < known.mean() < 0.7


@pytest.mark.parametrize("rule", ["first", "last", "majority", "edge"])
def test_polygons_say_which_scene_each_pixel_is_from(maps, tmp_path, rule, read, on_one_grid):
    done = mosaic(maps, tmp_path / "region.tif", MosaicSettings(rule=rule, scenes=tmp_path / "scenes.gpkg"))
    grid = done.design.region.grid
    _, _, shapes, (names, numbers, areas) = pyogrio.raw.read(tmp_path / "scenes.gpkg")
    polygons = shapely.from_wkb(shapes)
    assert set(names) == {str(path) for path in maps}
    assert (names == np.array([str(path) for path in maps], object)[numbers - 1]).all()
    np.testing.assert_allclose(shapely.area(polygons), areas)
    whose = rasterize(zip(polygons, numbers.tolist(), strict=True), out_shape=grid.shape, transform=grid.transform)
    merged, stack = read(tmp_path / "region.tif")[0], on_one_grid(maps, grid)
    np.testing.assert_array_equal(whose > 0, merged != 255)
    rows, columns = np.nonzero(whose)
    np.testing.assert_array_equal(stack[whose[rows, columns] - 1, rows, columns], merged[rows, columns])
    if rule == "first":
        np.testing.assert_array_equal(whose[whose > 0] - 1, (stack != 255).argmax(0)[whose > 0])


@GDAL
@pytest.mark.parametrize("rule", ["first", "last"])
def test_a_virtual_mosaic_shows_the_same_pixels(maps, tmp_path, rule, read):
    mosaic(maps, tmp_path / "region.vrt", MosaicSettings(rule=rule))
    mosaic(maps, tmp_path / "region.tif", MosaicSettings(rule=rule))
    np.testing.assert_array_equal(read(tmp_path / "region.vrt"), read(tmp_path / "region.tif"))
    with rasterio.open(tmp_path / "region.vrt") as file:
        assert painted_legend(file.tags(1)) == LEGEND
        assert file.colormap(1)[LEGEND.codes[0]] == (*LEGEND.classes[0].color, 255)
    assert str(tmp_path) not in (tmp_path / "region.vrt").read_text()  # it may be moved with its rasters
    assert not list(tmp_path.glob(".*"))


def test_a_virtual_mosaic_cannot_choose_pixel_by_pixel(maps, write, tmp_path):
    with pytest.raises(OutputError, match="no rule majority"):
        mosaic(maps, tmp_path / "region.vrt", MosaicSettings(rule="majority"))
    far = write("far.tif", np.full((50, 50), 10, np.uint8), crs="EPSG:32649")
    with pytest.raises(GridMismatchError, match=r"far.tif has EPSG:32649, the mosaic EPSG:32650"):
        mosaic([*maps, far], tmp_path / "region.vrt")


def test_what_is_there_stays_and_what_is_read_is_never_written_over(maps, tmp_path):
    (tmp_path / "region.tif").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        mosaic(maps, tmp_path / "region.tif")
    with pytest.raises(OutputError, match="it is a raster of the mosaic"):
        mosaic(maps, maps[2], MosaicSettings(overwrite=True))
    before = maps[4].read_bytes()
    maps[4].write_bytes(before[: len(before) // 2])
    with pytest.raises(SceneError, match=r"map4.tif"):
        mosaic(maps, tmp_path / "region.tif", MosaicSettings(overwrite=True))
    assert (tmp_path / "region.tif").read_text() == "mine"
    assert not list(tmp_path.glob(".*"))


def test_more_scenes_than_files_may_be_open_become_one(write, tmp_path, read):
    paths = [write(f"{number:03}.tif", np.full((24, 24), 10, np.uint8), 20 * number) for number in range(250)]
    mosaic(paths, tmp_path / "region.tif", MosaicSettings(rule="first", scenes=tmp_path / "scenes.gpkg"))
    assert (read(tmp_path / "region.tif") == 10).all()
    numbers = pyogrio.raw.read(tmp_path / "scenes.gpkg")[3][1]
    assert sorted(numbers) == list(range(1, 251))
