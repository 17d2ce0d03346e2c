"""Sentinel-2 in SAFE folders: bands in one image, and the reflectance that the metadata mean."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.raster.products import sentinel1, sentinel2

safe_folders = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "safe_folders.py")))


@pytest.fixture
def scene():
    return safe_folders.Sentinel2Folder()


def opened(scene, folder):
    return sentinel2.open_safe(scene.write(folder))


def edit(root, pattern, old, new):
    (path,) = root.glob(pattern)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("extension", ["jp2", "tif"])
@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_four_bands_of_10_m_are_one_image_where_the_files_lie(scene, tmp_path, level, extension):
    scene = replace(scene, level=level, extension=extension)
    product = opened(scene, tmp_path)
    (image,) = product.images
    assert (image.role, image.bands, image.model, image.gsd_m) == ("ms", ("blue", "green", "red", "nir"), None, 10)
    with rasterio.open(image.source) as file:
        assert (file.crs, file.transform) == (scene.crs, scene.transform)
        assert (file.descriptions, file.nodata, set(file.dtypes)) == (image.bands, 0, {"uint16"})
        pixels = file.read()
    np.testing.assert_array_equal(pixels, [scene.pixels(band) for band in ("B02", "B03", "B04", "B08")])
    assert product.missing == ()
    assert product.of("ms") == product.images
    assert product.understood["level"] == level


def test_the_place_may_have_any_name(scene, tmp_path):
    folder = tmp_path / "a & b <北京> 100%"
    product = opened(scene, folder)
    with rasterio.open(product.images[0].source) as file:
        np.testing.assert_array_equal(file.read(1), scene.pixels("B02"))


def test_the_scene_is_told(scene, tmp_path):
    told = dict(opened(scene, tmp_path).understood)
    assert told == {
        "satellite": "Sentinel-2B",
        "sensor": "MSI",
        "acquired": "2022-03-01 02:56:39",
        "level": "L2A",
        "processing baseline": "05.09",
        "tile": "50TMK",
        "sun zenith": "49.25 degrees",
        "bands": "B02 blue, B03 green, B04 red, B08 nir",
        "other bands": "B05 (20 m); not read",
        "reflectance": "of the surface: offset -1000, divided by 10000 (MTD_MSIL2A.xml)",
    }


def test_other_bands_are_told_once_at_their_finest(scene, tmp_path):
    root = replace(scene, bands=("B02", "B03", "B04", "B08", "B05", "B11", "B01")).write(tmp_path)
    (band,) = root.rglob("*_B05_20m.jp2")
    for name in ("B05_60m", "B02_60m", "TCI_10m", "SCL_20m"):
        shutil.copy(band, band.parents[1] / "R60m" / band.name.replace("B05_20m", name))
    assert sentinel2.open_safe(root).understood["other bands"] == "B01 (60 m), B05 (20 m), B11 (20 m); not read"


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_reflectance_is_number_and_offset_over_quantification(scene, tmp_path, level):
    facts = opened(replace(scene, level=level), tmp_path).facts
    assert facts.quantity == "reflectance"
    reflectance = facts(np.full((4, 1, 1), [[[4321]]], np.uint16))
    assert reflectance.dtype == np.float32
    np.testing.assert_allclose(reflectance, (4321 - 1000) / 10000, rtol=1e-6)  # 0.3321
    np.testing.assert_allclose(facts(np.full((4, 1, 1), 400, np.uint16)), -0.06, rtol=1e-6)  # dark: below 0, and kept


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_before_baseline_4_there_is_no_offset(scene, tmp_path, level):
    product = opened(replace(scene, level=level, baseline="02.14", offset=None, quantification="20000"), tmp_path)
    np.testing.assert_allclose(product.facts(np.full((4, 1, 1), 500)), 500 / 20000, rtol=1e-6)
    assert product.missing == product.facts.warnings == ()


def test_each_band_has_its_own_offset(scene, tmp_path):
    offsets = {at: -100 * at for at in range(13)}  # B02 is number 1, B03 2, B04 3, and B08 7
    facts = opened(replace(scene, offset=offsets), tmp_path).facts
    np.testing.assert_allclose(facts(np.full((4, 1, 1), 5000))[:, 0, 0], [0.49, 0.48, 0.47, 0.43], rtol=1e-6)


def test_a_lost_offset_is_told(scene, tmp_path):
    product = opened(replace(scene, baseline="04.00", offset=None), tmp_path)
    (sentence,) = product.missing
    assert "04.00" in sentence
    assert product.facts.warnings == product.missing


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"quantification": None}, "QUANTIFICATION_VALUE"),
        ({"quantification": "many"}, "QUANTIFICATION_VALUE"),
        ({"quantification": "0"}, "QUANTIFICATION_VALUE"),
        ({"offset": {1: -1000, 2: -1000, 3: -1000}}, "ADD_OFFSET of some bands only"),
    ],
)
def test_reflectance_is_never_guessed(scene, tmp_path, broken, says):
    product = opened(replace(scene, **broken), tmp_path)
    assert product.facts is None
    assert product.understood["reflectance"] == "unknown"
    (sentence,) = product.missing
    assert says in sentence


def test_without_metadata_there_are_still_pixels(scene, tmp_path):
    root = scene.write(tmp_path)
    (root / "MTD_MSIL2A.xml").unlink()
    assert sentinel2.is_safe(root)  # by its name
    product = sentinel2.open_safe(root)
    assert len(product.images[0].bands) == 4
    assert product.facts is None
    assert "MTD_MSIL2A.xml" in product.missing[0]


def test_numbers_are_given_as_they_are_and_radiance_is_refused(scene, tmp_path):
    facts = opened(scene, tmp_path).facts
    pixels = np.arange(4, dtype=np.uint16)[:, None, None]
    np.testing.assert_array_equal(facts.giving("dn")(pixels), pixels)
    assert facts.giving("reflectance") is facts
    with pytest.raises(SceneError, match="not as radiance"):
        facts.giving("radiance")


def test_a_band_that_is_not_there_is_told(scene, tmp_path):
    product = opened(replace(scene, bands=("B02", "B04", "B08")), tmp_path)
    assert product.images[0].bands == ("blue", "red", "nir")
    assert product.missing == ("band B03 (green) of 10 m is not there",)
    with rasterio.open(product.images[0].source) as file:
        np.testing.assert_array_equal(file.read(2), scene.pixels("B04"))


def test_a_folder_is_known_by_name_or_content(scene, tmp_path):
    root = scene.write(tmp_path)
    assert sentinel2.is_safe(root)
    assert sentinel2.is_safe(root / "MTD_MSIL2A.xml")
    renamed = root.rename(tmp_path / "my scene")
    assert sentinel2.is_safe(renamed)
    assert sentinel2.open_safe(renamed).name == "my scene"
    other = safe_folders.Sentinel1Folder().write(tmp_path / "other")
    assert not sentinel2.is_safe(other)
    assert not sentinel1.is_safe(renamed)
    assert not sentinel2.is_safe(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    assert not sentinel2.is_safe(tmp_path / "empty")


def test_one_more_folder_around_it_does_no_harm(scene, tmp_path):
    scene.write(tmp_path / "unpacked")
    assert sentinel2.is_safe(tmp_path / "unpacked")
    product = sentinel2.open_safe(tmp_path / "unpacked")
    assert (product.path, product.name) == (tmp_path / "unpacked", scene.name.removesuffix(".SAFE"))
    (tmp_path / "unpacked" / "other.xml").write_text("<other/>")
    assert not sentinel2.is_safe(tmp_path / "unpacked" / "other.xml")
    replace(scene, baseline="04.00").write(tmp_path / "unpacked")  # two scenes are no scene
    assert not sentinel2.is_safe(tmp_path / "unpacked")


def test_several_tiles_are_refused(scene, tmp_path):
    root = scene.write(tmp_path)
    (granule,) = (root / "GRANULE").iterdir()
    shutil.copytree(granule, granule.with_name("L2A_T50TML_A026023_20220301T030014"))
    with pytest.raises(SceneError, match=r"2 tiles: .*T50TMK.*T50TML"):
        sentinel2.open_safe(root)


def test_nothing_to_read_is_one_clear_error(scene, tmp_path):
    with pytest.raises(SceneError, match="no band of 10 m"):
        opened(replace(scene, bands=("B05",)), tmp_path / "20 m alone")
    hollow = tmp_path / scene.name
    hollow.mkdir()
    assert sentinel2.is_safe(hollow)
    with pytest.raises(SceneError, match="no tile"):
        sentinel2.open_safe(hollow)


def test_broken_files_are_one_clear_error(scene, tmp_path):
    root = scene.write(tmp_path)
    (band,) = root.rglob("*_B03_10m.jp2")
    band.write_bytes(band.read_bytes()[:60])
    with pytest.raises(SceneError, match=r"B03_10m\.jp2"):
        sentinel2.open_safe(root)
    shutil.copy(band.with_name(band.name.replace("B03", "B02")), band)
    edit(root, "MTD_MSIL2A.xml", "</n1:General_Info>", "")
    with pytest.raises(SceneError, match=r"MTD_MSIL2A\.xml"):
        sentinel2.open_safe(root)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_band_is_an_error_at_once(scene, tmp_path, share):
    root = scene.write(tmp_path)
    (band,) = root.rglob("*_B03_10m.jp2")
    data = band.read_bytes()
    assert data[4:8] == b"jP  "
    band.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SceneError, match=r"_B03_10m\.jp2 (is truncated|cannot be read)"):
        sentinel2.open_safe(root)


@pytest.mark.parametrize("length", [0, 1])
def test_a_code_stream_may_say_its_length_in_other_ways(scene, tmp_path, length):
    root = scene.write(tmp_path)
    (band,) = root.rglob("*_B03_10m.jp2")
    head, stream = band.read_bytes().split(b"jp2c")
    head = head[:-4] + length.to_bytes(4, "big") + b"jp2c"
    band.write_bytes(head + (stream if length == 0 else (16 + len(stream)).to_bytes(8, "big") + stream))
    (image,) = sentinel2.open_safe(root).images
    with rasterio.open(image.source) as file:
        np.testing.assert_array_equal(file.read(2), scene.pixels("B03"))
    band.write_bytes(band.read_bytes()[:-9])
    with pytest.raises(SceneError, match="is truncated"):
        sentinel2.open_safe(root)


def test_bands_that_do_not_lie_on_each_other_are_refused(scene, tmp_path):
    root = replace(scene, extension="tif").write(tmp_path)
    other = replace(scene, extension="tif", shape=(48, 38)).write(tmp_path / "other")
    (band,), (foreign,) = root.rglob("*_B04_10m.tif"), other.rglob("*_B04_10m.tif")
    shutil.copy(foreign, band)
    with pytest.raises(GridMismatchError, match=r"_B04_10m\.tif \(48 x 38 px\) does not lie on .*_B02_10m\.tif"):
        sentinel2.open_safe(root)
