"""MapWriter: what the finished map holds, and that nothing else is ever left behind."""

import json
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from rsfuse.errors import OutputError
from rsfuse.geometry.grid import Grid
from rsfuse.legend import NODATA, Legend
from rsfuse.legends import LEGENDS
from rsfuse.raster.drawn.pixel_area import row_areas_m2
from rsfuse.raster.labels import Labels
from rsfuse.raster.map_layer import Layer
from rsfuse.raster.map_writer import MapWriter

PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
LEGEND = LEGENDS["whu-opt-sar"]


def grid_of(height, width):
    return Grid(CRS.from_epsg(32722), PLACE, (height, width))


def codes_of(height, width, seed=0):
    return np.random.default_rng(seed).choice([*LEGEND.codes, NODATA], (height, width)).astype(np.uint8)


def open_map(path, grid, tags=None, **options):
    return MapWriter([Layer(path, legend=LEGEND, tags=tags or {})], grid, **options)


def write_map(path, codes, heights=(100,), **options):
    with open_map(path, grid_of(*codes.shape), **options) as writer:
        top = number = 0
        while top < len(codes):
            strip = codes[top : top + heights[number % len(heights)]]
            writer.write(top, strip)
            top, number = top + len(strip), number + 1
    return path


@pytest.fixture
def folder(tmp_path):
    """A folder of its own, to look at all that is in it."""
    made = tmp_path / "out"
    made.mkdir()
    return made


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    height=st.integers(1, 1200),
    width=st.integers(1, 700),
    heights=st.lists(st.integers(1, 900), min_size=1, max_size=4),
)
def test_a_map_holds_the_codes_whatever_the_heights_of_the_strips(tmp_path, height, width, heights):
    codes = codes_of(height, width)
    path = write_map(tmp_path / "map.tif", codes, heights, overwrite=True)
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), codes)
        assert file.transform == PLACE
        assert file.crs.to_epsg() == 32722


def test_a_map_is_a_cloud_optimised_geotiff_with_legend_and_tags(folder):
    codes = codes_of(1100, 1500)
    write_map(folder / "map.tif", codes, tags={"bundle": "demo"})
    assert names_in(folder) == ["map.tif", "map.tif.aux.xml"]
    with rasterio.open(folder / "map.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE") == {"LAYOUT": "COG", "COMPRESSION": "DEFLATE", "INTERLEAVE": "BAND"}
        assert file.block_shapes == [(512, 512)]
        assert (file.nodata, file.dtypes, file.count) == (NODATA, ("uint8",), 1)
        assert file.overviews(1) == [2, 4]
        colors = file.colormap(1)
        assert all(colors[each.code] == (*each.color, 255) for each in LEGEND)
        assert colors[NODATA] == (0, 0, 0, 0)
        assert file.tags()["bundle"] == "demo"
        assert file.tags()["TIFFTAG_SOFTWARE"].startswith("rsfuse ")
        assert Legend.from_dict(json.loads(file.tags(1)["LEGEND"])) == LEGEND
    with Labels(folder / "map.tif") as labels:
        assert labels.legend == LEGEND


def test_class_names_stand_at_their_codes_beside_the_map(folder):
    write_map(folder / "map.tif", codes_of(8, 8))
    names = [each.text or "" for each in ET.parse(folder / "map.tif.aux.xml").iter("Category")]
    assert {code: name for code, name in enumerate(names) if name} == dict(zip(LEGEND.codes, LEGEND.names, strict=True))


@pytest.mark.skipif(shutil.which("gdalinfo") is None, reason="needs gdalinfo")
def test_gdal_finds_the_class_names(folder):
    write_map(folder / "map.tif", codes_of(8, 8))
    told = subprocess.run(["gdalinfo", str(folder / "map.tif")], capture_output=True, text=True, check=True).stdout
    assert "40: water" in told


def test_overviews_are_the_most_frequent_class_of_four_pixels(folder):
    chance = np.random.default_rng(1)
    winners = chance.choice(LEGEND.codes, (600, 600)).astype(np.uint8)
    codes = winners.repeat(2, 0).repeat(2, 1)
    codes[::2, ::2] = chance.choice(LEGEND.codes, (600, 600))  # one of four is another: the vote stays clear
    write_map(folder / "map.tif", codes)
    with rasterio.open(folder / "map.tif", OVERVIEW_LEVEL=0) as overview:
        np.testing.assert_array_equal(overview.read(1), winners)


def test_overviews_do_not_count_nodata_as_a_class(folder):
    codes = np.full((1200, 1200), NODATA, np.uint8)
    codes[::2, ::2] = 40
    write_map(folder / "map.tif", codes)
    with rasterio.open(folder / "map.tif", OVERVIEW_LEVEL=0) as overview:
        assert (overview.read(1) == 40).all()


def test_a_map_without_coordinates_is_written_without_a_warning(folder):
    with open_map(folder / "map.tif", Grid(None, Affine.identity(), (600, 20))) as writer:
        writer.write(0, codes_of(600, 20))
    with Labels(folder / "map.tif") as labels:
        assert labels.grid.crs is None


def test_in_degrees_each_row_counts_with_the_area_of_its_own_pixels(folder):
    grid = Grid(CRS.from_epsg(4326), Affine(0.01, 0, 8, 0, -0.01, 65), (600, 7))
    codes = codes_of(600, 7)
    codes[:300], codes[300:400] = 10, 40  # within a row of blocks, one class lies north of the other
    with open_map(folder / "map.tif", grid) as writer:
        writer.write(0, codes)
    expected = np.zeros(256)
    for row, area in zip(codes, row_areas_m2(grid), strict=True):
        for code in row:
            expected[code] += area
    np.testing.assert_allclose(writer.areas_m2, expected, rtol=1e-12)


def test_a_map_that_exists_is_refused_before_any_work(folder):
    codes = codes_of(8, 8)
    path = write_map(folder / "map.tif", codes)
    with pytest.raises(OutputError, match=r"map\.tif exists") as caught:
        open_map(path, grid_of(8, 8))
    assert "--overwrite" in caught.value.hint
    other = codes_of(8, 8, seed=1)
    write_map(path, other, overwrite=True)
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), other)


def test_a_folder_that_is_missing_is_told_with_what_to_do(tmp_path):
    with pytest.raises(OutputError, match="there is no folder") as caught:
        open_map(tmp_path / "no" / "map.tif", grid_of(8, 8))
    assert caught.value.hint.endswith(f"mkdir -p {tmp_path / 'no'}")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [False, True])
def test_what_is_interrupted_leaves_what_was_there_before(folder, error, before):
    path = folder / "map.tif"
    if before:
        write_map(path, codes_of(600, 8))
    there = {each.name: each.read_bytes() for each in folder.iterdir()}

    def write_half():
        with open_map(path, grid_of(1200, 8), overwrite=True) as writer:
            writer.write(0, codes_of(700, 8))
            assert path.exists() == before
            raise error

    with pytest.raises(error):
        write_half()
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == there


def test_a_process_that_is_interrupted_leaves_nothing(folder):
    code = f"""
import sys, time
import numpy as np
from affine import Affine
from pathlib import Path
from rsfuse.geometry.grid import Grid
from rsfuse.legends import LEGENDS
from rsfuse.raster.map_layer import Layer
from rsfuse.raster.map_writer import MapWriter
grid = Grid(None, Affine.identity(), (5000, 64))
try:
    with MapWriter([Layer(Path({str(folder)!r}) / "map.tif", legend=LEGENDS["whu-opt-sar"])], grid) as writer:
        writer.write(0, np.full((2000, 64), 10, np.uint8))
        print("begun", flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(30) == 130
    assert names_in(folder) == []


def test_rows_that_are_missing_or_out_of_order_are_a_mistake_of_the_program(folder):
    codes = codes_of(10, 8)
    with (
        pytest.raises(ValueError, match="6 rows of 10"),
        open_map(folder / "map.tif", grid_of(10, 8)) as writer,
    ):
        writer.write(0, codes[:6])
    for top, strip in ((1, codes), (0, codes[:, :5]), (0, codes.astype(np.int64)), (0, np.vstack([codes, codes]))):
        with pytest.raises(ValueError, match="row"), open_map(folder / "map.tif", grid_of(10, 8)) as writer:
            writer.write(top, strip)
    assert names_in(folder) == []


def test_what_cannot_be_read_back_gets_no_name(folder, monkeypatch):
    copy = rasterio.shutil.copy

    def copy_badly(source, target, **options):
        copy(source, target, **options)
        size = Path(target).stat().st_size
        with Path(target).open("r+b") as file:
            file.truncate(size // 2)

    monkeypatch.setattr(rasterio.shutil, "copy", copy_badly)
    with pytest.raises(OutputError, match="cannot be written"):
        write_map(folder / "map.tif", codes_of(1200, 600))
    assert names_in(folder) == []


@pytest.mark.parametrize("size_kb", [64, 300, 700, 1000, 1400, 1900])
def test_a_full_disk_is_told_with_what_is_left_and_leaves_nothing(small_disk, size_kb, capfd):
    disk = small_disk(size_kb)
    with pytest.raises(OutputError, match=r"the disk is full: \d\.\d MB left"):
        write_map(disk / "map.tif", codes_of(2048, 1024), [300])
    assert names_in(disk) == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("size_kb", [300, 700, 1000, 1400, 1900])
def test_a_full_disk_is_noticed_even_where_free_space_was_told_wrongly(small_disk, size_kb, monkeypatch):
    disk = small_disk(size_kb)
    monkeypatch.setattr("rsfuse.raster.map_writer.check_space", lambda path, needed: None)
    with pytest.raises(OutputError):
        write_map(disk / "map.tif", codes_of(2048, 1024), [300])
    assert names_in(disk) == []


def test_a_disk_that_is_just_large_enough_gets_the_whole_map(small_disk):
    disk = small_disk(4000)
    codes = codes_of(2048, 1024)
    write_map(disk / "map.tif", codes, [300])
    with rasterio.open(disk / "map.tif") as file:
        np.testing.assert_array_equal(file.read(1), codes)
