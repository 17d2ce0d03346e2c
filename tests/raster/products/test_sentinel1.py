"""Sentinel-1 GRD in SAFE folders: images of each polarisation, and the backscatter that the tables mean."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio

from rsfuse.errors import SceneError
from rsfuse.raster.products import sentinel1, sentinel2

LUTS = {"sigma0": "sigmaNought", "gamma0": "gamma", "beta0": "betaNought"}
safe_folders = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "safe_folders.py")))


@pytest.fixture
def scene():
    return safe_folders.Sentinel1Folder()


@pytest.fixture
def product(scene, tmp_path):
    return sentinel1.open_safe(scene.write(tmp_path))


def edit(root, pattern, old, new):
    (path,) = root.rglob(pattern)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def amplitude(scene, quantity, row, column):
    """What stands for a backscatter of 1 at a pixel, by hand: bilinear in the cell of the table around it."""
    lines, columns, table = scene.lines, scene.columns, scene.table(LUTS[quantity])
    line = max(at for at in range(len(lines) - 1) if lines[at] <= row)
    cell = max(at for at in range(len(columns) - 1) if columns[at] <= column)
    down = (row - lines[line]) / (lines[line + 1] - lines[line])
    across = (column - columns[cell]) / (columns[cell + 1] - columns[cell])
    upper = table[line, cell] + across * (table[line, cell + 1] - table[line, cell])
    lower = table[line + 1, cell] + across * (table[line + 1, cell + 1] - table[line + 1, cell])
    return upper + down * (lower - upper)


def test_there_is_an_image_of_each_polarisation(scene, product):
    assert [image.bands for image in product.images] == [("VV",), ("VH",)]
    assert product.of("sar") == product.images
    for image in product.images:
        with rasterio.open(image.source) as file:
            np.testing.assert_array_equal(file.read(1), scene.pixels(image.bands[0]))
            assert len(file.gcps[0]) == 20
        assert (image.model, image.gsd_m) == (None, 10)
        assert image.file.startswith("measurement")
    assert product.missing == ()


def test_the_scene_is_told(product):
    assert dict(product.understood) == {
        "satellite": "Sentinel-1A",
        "mode": "IW",
        "acquired": "2018-05-30 10:10:10",
        "level": "GRD",
        "pass": "descending",
        "polarisations": "VV, VH",
        "size": "60 x 80 px",
        "spacing": "10 x 10 m (azimuth, range)",
        "incidence": "30.0 to 38.5 degrees",  # 30 + 0.1 x 79 + 0.01 x 59
        "calibration": "VV, VH",
        "thermal noise": "not removed",
    }


@pytest.mark.parametrize("quantity", LUTS)
def test_backscatter_is_the_square_of_number_over_table(scene, product, quantity):
    pixels = scene.pixels("VV")
    power = product.facts.backscatter("VV", quantity).power(pixels[None], 0, 0)
    assert power.dtype == np.float32
    assert power.shape == scene.shape
    for row, column in [(0, 3), (20, 33), (19, 34), (30, 50), (59, 79), (59, 5)]:
        expected = (float(pixels[row, column]) / amplitude(scene, quantity, row, column)) ** 2
        assert power[row, column] == pytest.approx(expected, rel=2e-6)  # the XML has seven digits


def test_a_number_of_the_table_squared_is_backscatter_1(tmp_path):
    scene = safe_folders.Sentinel1Folder(lines=(0, 59), columns=(0, 79), calibration={"sigmaNought": 500.0})
    facts = sentinel1.open_safe(scene.write(tmp_path)).facts
    # at line 0 and column 0, the table of the writer is 500: 10 log10(250 ^ 2 / 500 ^ 2) = -6.02 dB
    power = facts.backscatter("VV", "sigma0").power(np.full((1, 1, 1), 250, np.uint16), 0, 0)
    assert 10 * math.log10(power[0, 0]) == pytest.approx(-6.0206, abs=1e-4)


def test_zero_is_no_data_and_nothing_else_is(scene, product):
    power = product.facts.backscatter("VH", "gamma0").power(scene.pixels("VH")[None], 0, 0)
    np.testing.assert_array_equal(np.isnan(power), scene.pixels("VH") == 0)
    assert np.isnan(power[:, :3]).all()
    assert (power[:, 3:] > 0).all()


def test_windows_equal_the_whole_bit_for_bit(scene, product, monkeypatch):
    pixels = scene.pixels("VV")[None]
    backscatter = product.facts.backscatter("VV", "sigma0")
    whole = backscatter.power(pixels, 0, 0)
    monkeypatch.setattr("rsfuse.raster.products.sparse_table._STRIP_PIXELS", 50)
    for row, column, height, width in [
        (0, 0, 60, 80),
        (7, 13, 30, 1),
        (40, 60, 20, 20),
        (59, 0, 1, 80),
        (18, 30, 5, 9),
    ]:
        part = pixels[:, row : row + height, column : column + width]
        np.testing.assert_array_equal(
            backscatter.power(part, row, column), whole[row : row + height, column : column + width]
        )


def test_beyond_the_table_its_last_value_holds(tmp_path):
    scene = safe_folders.Sentinel1Folder(lines=(10, 40), columns=(20, 60))
    backscatter = sentinel1.open_safe(scene.write(tmp_path)).facts.backscatter("VV", "beta0")
    power = backscatter.power(np.full((1, 60, 80), 300, np.uint16), 0, 0)
    np.testing.assert_array_equal(power[:10], np.broadcast_to(power[10], (10, 80)))
    np.testing.assert_array_equal(power[:, 60:], np.broadcast_to(power[:, 60:61], (60, 20)))
    assert power[0, 0] == pytest.approx((300 / scene.table("betaNought")[0, 0]) ** 2, rel=2e-6)


def test_lines_of_a_table_may_have_columns_of_their_own(scene, tmp_path):
    root = scene.write(tmp_path)
    path = root / "annotation/calibration" / f"calibration-{scene.stem('VV')}.xml"
    head, *vectors = path.read_text().split("<calibrationVector>")
    values = " ".join(f"{value:.6e}" for value in scene.table("sigmaNought")[1])
    changed = vectors[1].replace(">0 33 66 79</pixel>", ">0 10 79</pixel>").replace(values, "1.0e+02 5.0e+02 6.0e+02")
    path.write_text("<calibrationVector>".join([head, vectors[0], changed, *vectors[2:]]))
    backscatter = sentinel1.open_safe(root).facts.backscatter("VV", "sigma0")
    power = backscatter.power(np.full((1, 1, 80), 500, np.uint16), 20, 0)  # line 20 is the second of the table
    expected = np.interp(np.arange(80), [0, 10, 79], [100, 500, 600])
    np.testing.assert_allclose(power[0], (500 / expected) ** 2, rtol=1e-5)


def test_incidence_counts_from_the_outer_corner(scene, product):
    columns, rows = np.array([[0.5, 40.5, 79.5], [10.25, 3.0, 60.0]]), np.array([[0.5, 59.5, 30.5], [7.75, 9.0, 4.0]])
    expected = scene.incidence(rows - 0.5, columns - 0.5)
    found = product.facts.incidence(columns, rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(product.facts.incidence(np.array([-5.0]), np.array([0.5])), 30)  # as at the edge


def test_spacing_is_of_azimuth_and_ground_range(scene, product):
    assert product.facts.spacing_m == (10, 10)


@pytest.mark.parametrize("polarisations", [("HH",), ("HH", "HV"), ("VV",)])
def test_any_polarisations_are_found(tmp_path, polarisations):
    product = sentinel1.open_safe(safe_folders.Sentinel1Folder(polarisations=polarisations).write(tmp_path))
    assert tuple(image.bands[0] for image in product.images) == polarisations
    assert product.missing == ()


@pytest.mark.parametrize("kind", ["SLC", "OCN"])
def test_other_kinds_than_grd_are_refused(tmp_path, kind):
    root = safe_folders.Sentinel1Folder(kind=kind).write(tmp_path)
    assert sentinel1.is_safe(root)
    with pytest.raises(SceneError, match=f"Sentinel-1 {kind}, and only GRD"):
        sentinel1.open_safe(root)
    renamed = root.rename(tmp_path / "renamed")
    with pytest.raises(SceneError, match=f"Sentinel-1 {kind}, and only GRD"):
        sentinel1.open_safe(renamed)
    shutil.rmtree(renamed / "annotation")
    with pytest.raises(SceneError, match=f"Sentinel-1 {kind}, and only GRD"):
        sentinel1.open_safe(renamed.rename(root))


def test_what_is_not_there_is_told(scene, tmp_path):
    scene = replace(scene, without=("calibration-s1a-iw-grd-vh",))
    product = sentinel1.open_safe(scene.write(tmp_path))
    assert product.missing == ("there is no calibration of VH: its backscatter cannot be computed",)
    product.facts.backscatter("VV", "sigma0")
    with pytest.raises(SceneError, match="no calibration of VH"):
        product.facts.backscatter("VH", "sigma0")


def test_an_image_less_is_told_and_none_is_an_error(scene, tmp_path):
    root = scene.write(tmp_path)
    (root / "measurement" / f"{scene.stem('VH')}.tiff").unlink()
    product = sentinel1.open_safe(root)
    assert [image.bands for image in product.images] == [("VV",)]
    assert product.missing == ("there is no image of VH: it is left out",)
    (root / "measurement" / f"{scene.stem('VV')}.tiff").unlink()
    with pytest.raises(SceneError, match="holds no image"):
        sentinel1.open_safe(root)


def test_without_annotations_there_is_still_backscatter(scene, tmp_path):
    root = scene.write(tmp_path)
    for path in (root / "annotation").glob("*.xml"):
        path.unlink()
    product = sentinel1.open_safe(root)
    assert product.facts.spacing_m is None
    assert "no annotation says the angles of incidence" in product.missing
    assert product.facts.backscatter("VV", "sigma0").power(scene.pixels("VV")[None], 0, 0).shape == scene.shape
    with pytest.raises(SceneError, match="angles of incidence"):
        product.facts.incidence(np.zeros(1), np.zeros(1))


def test_a_folder_is_known_by_name_or_content(scene, tmp_path):
    root = scene.write(tmp_path)
    assert sentinel1.is_safe(root)
    assert sentinel1.is_safe(root / "manifest.safe")
    assert not sentinel2.is_safe(root)
    (tmp_path / "one").mkdir()
    renamed = root.rename(tmp_path / "one" / "my scene")
    assert sentinel1.is_safe(renamed)
    assert sentinel1.is_safe(tmp_path / "one")  # one more folder around it
    product = sentinel1.open_safe(tmp_path / "one")
    assert (product.path, product.name, len(product.images)) == (tmp_path / "one", "my scene", 2)
    (tmp_path / "empty").mkdir()
    assert not sentinel1.is_safe(tmp_path / "empty")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("e+02", "x+02"),
        ("sigmaNought", "sigma"),
        ("</calibrationVector>", ""),
        (" 4.", " -4."),
        ("<line>20</line>", "<line>twenty</line>"),
        (">0 33 66 79<", ">0 66 33 79<"),
        (">0 33 66 79<", ">0 33 79<"),
        ("Vector>", "Point>"),
    ],
)
def test_a_broken_calibration_is_one_clear_error(scene, tmp_path, old, new):
    root = scene.write(tmp_path)
    edit(root, "calibration-s1a-iw-grd-vv*.xml", old, new)
    facts = sentinel1.open_safe(root).facts
    with pytest.raises(SceneError, match="calibration-s1a-iw-grd-vv") as caught:
        facts.backscatter("VV", "sigma0")
    assert caught.value.hint


def test_a_broken_image_is_one_clear_error(scene, tmp_path):
    root = scene.write(tmp_path)
    (image,) = root.rglob("measurement/*vv*.tiff")
    whole = image.read_bytes()
    image.write_bytes(whole[:7])
    with pytest.raises(SceneError, match=r"-vv-.*cannot be read"):
        sentinel1.open_safe(root)
    image.write_bytes(whole)
    edit(root, "annotation/s1a*-vv-*.xml", "<numberOfLines>60", "<numberOfLines>61")
    with pytest.raises(SceneError, match="60 x 80 px, and its annotation speaks of 61 x 80"):
        sentinel1.open_safe(root)
