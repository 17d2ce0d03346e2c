"""Scene: what is read, what counts as data, and which pairs are refused."""

import contextlib
import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.raster.scene import Bands, Scene

PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
HERE = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_reads_the_numbers_of_any_dtype_and_band_count(write_raster, noise, whole, dtype, count):
    pixels = noise((count, 20, 30), dtype)
    with Scene(write_raster("a.tif", pixels)) as scene:
        sample = scene.read(whole(scene.grid))
        names = scene.optical_bands
    np.testing.assert_array_equal(sample.optical, pixels)
    assert sample.optical.dtype == np.float32
    assert sample.sar.shape == (0, 20, 30)
    assert sample.valid.all()
    assert names == tuple(f"band {number + 1}" for number in range(count))


def test_reads_the_amplitude_of_complex_numbers(write_raster, noise, whole):
    pixels = (noise((1, 20, 30)) * np.exp(1j * noise((1, 20, 30), seed=1))).astype("complex64")
    with Scene(write_raster("a.tif", pixels)) as scene:
        sample = scene.read(whole(scene.grid))
    np.testing.assert_allclose(sample.optical, np.abs(pixels), rtol=1e-5)
    assert sample.valid.all()


@HERE
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    top=st.integers(-50, 39),
    left=st.integers(-50, 39),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
def test_a_window_over_an_edge_is_mirrored_and_not_valid_there(write_raster, noise, height, width, top, left, size):
    pixels = noise((2, height, width))
    window = Window(left, top, size[1], size[0])
    rows, columns = np.arange(top, top + size[0]), np.arange(left, left + size[1])
    inside_rows, inside_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    with Scene(write_raster("a.tif", pixels)) as scene:
        if not (inside_rows.any() and inside_columns.any()):
            with pytest.raises(ValueError, match="outside"):
                scene.read(window)
            return
        sample = scene.read(window)
    np.testing.assert_array_equal(sample.valid, np.outer(inside_rows, inside_columns))

    def mirror(places, length):
        first, last = max(places[0], 0), min(places[-1], length - 1)
        period = max(2 * (last - first), 1)
        turned = (places - first) % period
        return first + np.minimum(turned, period - turned) if last > first else np.full(places.shape, first)

    np.testing.assert_array_equal(sample.optical, pixels[:, mirror(rows, height)][:, :, mirror(columns, width)])


def test_bands_are_chosen_by_number_and_order(write_raster, noise, whole):
    pixels = noise((4, 8, 8))
    path = write_raster("a.tif", pixels, descriptions=("blue", "green", "red", "nir"))
    with Scene(path, path, bands=Bands((3, 2, 1), (4,))) as scene:
        sample = scene.read(whole(scene.grid))
        assert scene.optical_bands == ("red", "green", "blue")
        assert scene.sar_bands == ("nir",)
    np.testing.assert_array_equal(sample.optical, pixels[[2, 1, 0]])
    np.testing.assert_array_equal(sample.sar, pixels[[3]])


@pytest.mark.parametrize("count", [1, 3, 5])
def test_transparency_is_no_band_and_says_what_is_valid(write_raster, noise, whole, count):
    pixels = noise((count + 1, 8, 8))
    pixels[-1] = 255
    pixels[-1, 2:4] = 0
    path = write_raster("a.tif", pixels, colorinterp=[ColorInterp.undefined] * count + [ColorInterp.alpha])
    with Scene(path) as scene:
        sample = scene.read(whole(scene.grid))
    np.testing.assert_array_equal(sample.valid, pixels[-1] > 0)
    np.testing.assert_array_equal(sample.optical, np.where(pixels[-1] > 0, pixels[:-1], 0))


@pytest.mark.parametrize("moved", [0.0, 30.0])
def test_a_mask_says_what_is_valid_on_any_grid(write_raster, noise, moved):
    mask = np.full((16, 16), 255, np.uint8)
    mask[4:8, 8:] = 0
    optical = write_raster("a.tif", noise((1, 16, 16)))
    sar = write_raster("b.tif", noise((1, 16, 16)), mask=mask, transform=PLACE * Affine.translation(moved / 10, 0))
    with Scene(optical, sar) as scene:
        valid = scene.read(Window(4, 0, 9, 16)).valid
    columns = np.arange(4, 13) - round(moved / 10)
    np.testing.assert_array_equal(valid, mask[:, columns] > 0)


@pytest.mark.parametrize("moved", [0, 2])
def test_a_band_that_is_falsely_called_transparency_can_be_asked_for(write_raster, noise, moved):
    pixels = noise((4, 16, 16))
    pixels[3, 3, 3] = 0
    where = PLACE * Affine.translation(-moved, 0)
    sar = write_raster("b.tif", pixels, colorinterp=[*[ColorInterp.undefined] * 3, ColorInterp.alpha], transform=where)
    with Scene(write_raster("a.tif", noise((1, 16, 16))), sar, bands=Bands(sar=(1, 4))) as scene:
        sample = scene.read(Window(0, 0, 16 - moved, 16))
    assert sample.valid.all()
    np.testing.assert_array_equal(sample.sar, pixels[[0, 3], :, moved:])


def test_nodata_0_in_one_of_several_unsigned_bands_is_a_dark_pixel(write_raster, noise, whole):
    pixels = noise((3, 8, 8))
    pixels[:, 0, 0] = 0
    pixels[1, 5, 5] = 0
    with Scene(write_raster("a.tif", pixels, nodata=0)) as scene:
        sample = scene.read(whole(scene.grid))
    np.testing.assert_array_equal(np.argwhere(~sample.valid), [(0, 0)])


@pytest.mark.parametrize("moved", [0, 2])
def test_nodata_nan_and_infinity_in_any_float_band_are_no_data(write_raster, noise, moved):
    pixels = noise((2, 12, 12), "float32")
    pixels[0, 2, 3], pixels[1, 5, 6], pixels[0, 9, 9] = -9999, np.nan, np.inf
    optical = write_raster("a.tif", noise((1, 12, 12)))
    sar = write_raster("b.tif", pixels, nodata=-9999, transform=PLACE * Affine.translation(-moved, 0))
    with Scene(optical, sar) as scene:
        sample = scene.read(Window(0, 0, 12 - moved, 12))
    holes = {tuple(place) for place in np.argwhere(~sample.valid).tolist()}
    assert holes >= {(2, 3 - moved), (5, 6 - moved), (9, 9 - moved)}
    assert len(holes) == 3
    assert np.isfinite(sample.sar).all()
    assert np.abs(sample.sar).max() < 200


def test_without_a_nodata_value_every_pixel_is_data(write_raster, whole):
    with Scene(write_raster("a.tif", np.zeros((3, 8, 8), np.uint8))) as scene:
        assert scene.read(whole(scene.grid)).valid.all()


def test_pixels_without_data_do_not_reach_the_statistics(write_raster, noise):
    pixels = noise((2, 300, 700), "float32")
    pixels[:, :200] = -9999
    with Scene(write_raster("a.tif", pixels, nodata=-9999), write_raster("b.tif", pixels[:1] + 1000)) as scene:
        statistics = scene.statistics()
    first, seen = statistics.optical[0], pixels[0, 200:]
    assert (first.minimum, first.maximum, first.dtype) == (seen.min(), seen.max(), "float32")
    assert first.mean == pytest.approx(seen.mean(), rel=0.02)
    assert first.percentiles[50] == pytest.approx(np.median(seen), abs=2)
    assert statistics.sar[0].minimum == pytest.approx(1000 - 9999)


def test_statistics_are_the_same_twice_and_cost_the_same_on_a_large_scene(write_raster, noise, monkeypatch):
    with Scene(write_raster("a.tif", noise((1, 4096, 3000)), tiled=True)) as scene:
        areas = []
        read = scene._optical.read
        monkeypatch.setattr(
            scene._optical, "read", lambda window: (areas.append(window.width * window.height), read(window))[1]
        )
        first = scene.statistics()
        assert sum(areas) <= 64 * 256**2
        assert scene.statistics() == first


def test_a_scene_without_any_data_has_no_statistics(write_raster):
    path = write_raster("a.tif", np.zeros((1, 16, 16), np.uint8), nodata=0)
    with Scene(path) as scene, pytest.raises(SceneError, match="no data"):
        scene.statistics()


def test_gsd_is_that_of_the_ground_not_of_the_map(write_raster, noise):
    mercator = Affine(10, 0, -10_989_933, 0, -10, 3_429_105)  # San Antonio, 29.4 degrees north
    with Scene(write_raster("a.tif", noise((1, 64, 64)), crs="EPSG:3395", transform=mercator)) as scene:
        assert scene.gsd_m == pytest.approx(10 * math.cos(math.radians(29.4)), rel=0.01)
    degrees = Affine(1e-4, 0, 10, 0, -2e-4, 60)
    with Scene(write_raster("b.tif", noise((1, 64, 64)), crs="EPSG:4326", transform=degrees)) as scene:
        assert scene.gsd_m == pytest.approx(111_195 * math.sqrt(1e-4 * 0.5 * 2e-4), rel=0.001)
    turned = PLACE * Affine.rotation(30)
    with Scene(write_raster("c.tif", noise((1, 64, 64)), transform=turned)) as scene:
        assert scene.gsd_m == pytest.approx(10, rel=0.005)


def test_without_a_crs_nobody_knows_the_gsd(write_raster, noise):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = write_raster("a.tif", noise((1, 8, 8)), crs=None, transform=Affine.identity())
    with Scene(path) as scene:
        assert math.isnan(scene.gsd_m)


def test_a_missing_file_and_a_file_that_is_no_raster_are_named(tmp_path):
    with pytest.raises(SceneError, match=r"nothing\.tif does not exist"):
        Scene(tmp_path / "nothing.tif")
    text = tmp_path / "text.tif"
    text.write_text("hello")
    with pytest.raises(SceneError, match=r"text\.tif cannot be read as a raster"):
        Scene(text)
    with pytest.raises(SceneError, match="cannot be read as a raster"):
        Scene(tmp_path)


def test_a_band_that_is_not_there_is_told_with_the_count(write_raster, noise):
    path = write_raster("a.tif", noise((3, 8, 8)))
    with pytest.raises(SceneError, match=r"3 band.*no band 4"):
        Scene(path, bands=Bands((4, 2, 1)))
    with pytest.raises(SceneError, match="no band 0"):
        Scene(path, bands=Bands((0,)))


@pytest.mark.parametrize("compress", ["deflate", "none"])
def test_a_truncated_file_is_told_with_its_window_when_it_is_read(write_raster, noise, compress):
    path = write_raster("a.tif", noise((1, 1024, 1024)), tiled=True, blockxsize=256, blockysize=256, compress=compress)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with Scene(path) as scene:
        assert scene.read(Window(0, 0, 64, 64)).valid.all()
        with pytest.raises(SceneError, match=r"a\.tif cannot be read at row 900, column 800") as caught:
            scene.read(Window(800, 900, 64, 64))
    assert "truncated" in caught.value.hint


def test_a_truncated_sar_is_told_through_the_warp(write_raster, noise):
    optical = write_raster("a.tif", noise((1, 512, 512)))
    path = write_raster(
        "b.tif", noise((1, 1024, 1024)), tiled=True, blockxsize=256, blockysize=256, compress="deflate",
        transform=PLACE * Affine.scale(0.5),
    )  # fmt: skip
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with Scene(optical, path) as scene, pytest.raises(SceneError, match=r"b\.tif cannot be read at row 400"):
        scene.read(Window(400, 400, 64, 64))


def test_two_places_are_told_with_both_in_lon_lat(write_raster, noise):
    optical = write_raster("a.tif", noise((1, 64, 64)))
    sar = write_raster("b.tif", noise((1, 64, 64)), crs="EPSG:4326", transform=Affine(1e-4, 0, 10, 0, -1e-4, 50))
    with pytest.raises(GridMismatchError, match=r"lon 10\.0000 to 10\.0064, lat 49\.9936 to 50\.0000.*lat -30"):
        Scene(optical, sar)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_without_any_crs_only_rasters_of_one_shape_are_a_pair(write_raster, noise, whole):
    nowhere = {"crs": None, "transform": Affine.identity()}
    optical = write_raster("a.tif", noise((3, 16, 16)), **nowhere)
    same = write_raster("b.tif", noise((1, 16, 16), seed=1), **nowhere)
    other = write_raster("c.tif", noise((1, 16, 17)), **nowhere)
    with Scene(optical, same) as scene:
        np.testing.assert_array_equal(scene.read(whole(scene.grid)).sar, noise((1, 16, 16), seed=1))
        assert scene.overlap == 1
    with pytest.raises(GridMismatchError, match="16 x 17 px and 16 x 16 px"):
        Scene(optical, other)
    placed = write_raster("d.tif", noise((1, 16, 16)))
    with pytest.raises(GridMismatchError, match=r"a\.tif has no CRS, the scene has EPSG:32722"):
        Scene(placed, optical)
    with pytest.raises(GridMismatchError, match=r"the scene has no CRS, .*d\.tif has EPSG:32722"):
        Scene(optical, placed)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_ground_control_points_are_no_crs_and_the_hint_says_what_to_do(write_raster, noise):
    points = [GroundControlPoint(row, column, 10 + column, 50 - row) for row in (0, 8) for column in (0, 8)]
    sar = write_raster("b.tif", noise((1, 8, 8)), gcps=points, transform=None)
    with pytest.raises(GridMismatchError, match="only ground control points") as caught:
        Scene(write_raster("a.tif", noise((1, 8, 8))), sar)
    assert "orthorectify" in caught.value.hint


def test_odd_rasters_open_as_scenes_or_give_a_kind_error(shared_data, whole):
    paths = sorted(shared_data("odd_rasters").glob("*.tif")) + sorted(shared_data("spacenet6").glob("*.tif"))
    assert paths
    opened = 0
    for path in paths:
        with Scene(path) as scene:
            sample = scene.read(whole(scene.grid))
            assert np.isfinite(sample.optical).all()
            assert sample.valid.any()
        for other in paths:
            with contextlib.suppress(SceneError), Scene(path, other) as scene:
                scene.read(Window(0, 0, 64, 64))
                opened += 1
    assert opened > len(paths)  # each with itself, and some pairs of one place


def test_gdal_says_nothing_on_standard_error(write_raster, noise, tmp_path):
    path = write_raster("a.tif", noise((1, 512, 512)), tiled=True, blockxsize=256, blockysize=256, compress="deflate")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nowhere = write_raster("b.tif", noise((1, 8, 8)), crs=None, transform=Affine.identity())
    code = f"""
from pathlib import Path
from rasterio.windows import Window
from rsfuse.errors import SceneError
from rsfuse.raster.scene import Scene
Scene(Path({str(nowhere)!r})).read(Window(0, 0, 8, 8))
try:
    Scene(Path({str(path)!r})).read(Window(0, 0, 512, 512))
except SceneError:
    print("told")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "told\n"
    assert done.stderr == ""
