"""Every kind of product that Gaofen's agency delivers, however packed and spelt, becomes a raster on the ground."""

import numpy as np
import pytest

from rsfuse.tasks.prepare import prepare

COLOURS = ("blue", "green", "red", "nir")
WFV_OF_GF6 = (*COLOURS, "red edge 1", "red edge 2", "purple", "yellow")
CAMERAS = [
    *(("GF1", camera) for camera in (1, 2)),
    *((f"GF1{letter}", 1) for letter in "BCD"),
    *(("GF2", camera) for camera in (1, 2)),
    ("GF6", 1),
]
QUANTITY = {"gf6_wfv": "dn"}
TAGS = ("HHHV", "HVHH", "VVVH", "VHVV", "AHV", "DH", "DV", "HH", "VV")
ODD = {
    "packed": {"archive": ".tar.gz"},
    "packed with a short ending": {"archive": ".tgz"},
    "packed, not compressed": {"archive": ".tar"},
    "nested": {"nested": 1},
    "nested twice": {"nested": 2},
    "packed and nested": {"archive": ".tar.gz", "nested": 1},
    "lower case": {"lower": True},
    "lower case in an archive": {"lower": True, "archive": ".tar.gz"},
    "tif": {"suffix": ".tif"},
    "TIF": {"suffix": ".TIF"},
    "rpc": {"model_suffix": ".rpc"},
    "RPB": {"model_suffix": ".RPB"},
    "RPC": {"model_suffix": ".RPC"},
    "rpc in an archive": {"model_suffix": ".rpc", "archive": ".tar.gz"},
    "GBK": {"encoding": "gbk"},
    "GBK not declared": {"encoding": "gbk", "declared": False},
    "folder of another name": {"folder": "my scene"},
    "archive of another name": {"folder": "my {best} scene", "archive": ".tar.gz"},
}
UNTOLD = {
    "no size": {"tags": {"WidthInPixels": None, "HeightInPixels": None, "width": None, "height": None}},
    "no GSD": {"tags": {"ImageGSD": None, "ImageGSDLine": None, "widthspace": None, "heightspace": None}},
    "no satellite": {"tags": {"SatelliteID": None, "satellite": None, "SensorID": None}},
    "NULL in the rest": {"tags": {"CloudPercent": "NULL", "orbitID": "NULL", "groundVelocity": None}},
    "upper case": {"renamed": {"SolarZenith": "SOLARZENITH", "CalibrationConst": "CALIBRATIONCONST"}},
}


def check_optical(made, bands, quantity="reflectance"):
    assert made.names == made.report.bands == bands
    assert (made.pixels.dtype, np.isnan(made.nodata)) == (np.float32, True)
    assert set(made.units) == {"" if quantity == "reflectance" else "W m-2 sr-1 um-1"}
    assert made.crs.to_epsg() == 32650
    assert made.tags["RSFUSE_QUANTITY"] == quantity
    assert 0.5 < made.valid.mean() < 1
    values = made.pixels[:, made.valid]
    assert 0 < values.min() < values.max() < (1 if quantity == "reflectance" else 200)


def correlation(ones, others):
    return np.corrcoef(ones, others)[0, 1]


@pytest.mark.parametrize(("satellite", "camera"), CAMERAS)
def test_pms(gaofen, prepared, tmp_path, satellite, camera):
    scene = gaofen.write_pms(tmp_path, satellite, camera=camera)
    quantity = "radiance" if satellite == "GF6" else "reflectance"  # nobody says what the sun gives in its bands
    made = prepared(scene.path, quantity=quantity)
    check_optical(made, COLOURS, quantity)
    assert made.transform.a == -made.transform.e == (4 if satellite == "GF2" else 8)
    pan = prepared(scene.path, "pan.tif", image="pan", quantity=quantity)
    check_optical(pan, ("pan",), quantity)
    assert pan.transform.a == (1 if satellite == "GF2" else 2)
    assert satellite in made.tags["RSFUSE_PRODUCT"]
    for raster in (made, pan):
        truth = gaofen.texture(*raster.lonlat)
        assert correlation(raster.pixels[0][raster.valid], truth[raster.valid]) > (0.9 if raster is made else 0.97)


@pytest.mark.parametrize("camera", [1, 2, 3, 4])
def test_wfv(gaofen, prepared, tmp_path, camera):
    made = prepared(gaofen.write_wfv(tmp_path, camera=camera).path)
    check_optical(made, COLOURS)
    assert made.transform.a == 16
    assert f"WFV{camera}" in made.tags["RSFUSE_CALIBRATION"]


def test_wfv_of_gf6(gaofen, prepared, tmp_path):
    made = prepared(gaofen.write_gf6_wfv(tmp_path).path, quantity="dn")
    assert made.names == WFV_OF_GF6
    assert (made.pixels.dtype, made.nodata) == (np.uint16, 0)
    assert made.transform.a == 16


@pytest.mark.parametrize("level", ["L1A", "L1B", "L2"])
@pytest.mark.parametrize("tag", TAGS)
def test_sar_of_every_tag_and_level(gaofen, prepared, tmp_path, tag, level):
    scene = gaofen.write_gf3(tmp_path, tag, level)
    made = prepared(scene.path)
    assert made.names == made.report.bands == gaofen.CHANNELS[tag]
    assert set(made.units) == {"dB"}
    assert made.crs.to_epsg() == 32650
    assert (made.pixels.dtype, np.isnan(made.nodata)) == (np.float32, True)
    assert 0.5 < made.valid.mean() < 1
    assert np.isfinite(made.pixels[:, made.valid]).all()
    assert np.isnan(made.pixels[:, ~made.valid]).all()
    for name, decibels in zip(made.names, made.pixels, strict=True):
        truth = gaofen.SIGMA0_DB[name] + 14 * (gaofen.texture(*made.lonlat)[made.valid] - 0.5)
        ratio = (10 ** (decibels[made.valid] / 10)).mean() / (10 ** (truth / 10)).mean()
        assert ratio == pytest.approx(1, abs=0.05)
    assert made.tags["RSFUSE_QUANTITY"] == "sigma0"
    assert made.tags["RSFUSE_SCALE"] == "dB"
    assert tag in made.tags["RSFUSE_PRODUCT"]


@pytest.mark.parametrize("satellite", ["GF3", "GF3B", "GF3C"])
def test_sar_of_every_satellite(gaofen, prepared, tmp_path, satellite):
    scene = gaofen.write_gf3(tmp_path, "HHHV", satellite=satellite)
    made = prepared(scene.path, polarisations=("HV",))
    assert made.names == ("HV",)
    assert satellite in made.tags["RSFUSE_PRODUCT"]


@pytest.fixture(scope="module")
def as_usual(gaofen, read, settings_of, tmp_path_factory):
    """What becomes of products that are packed as agencies pack them."""
    made = {}
    for kind in ("pms", "gf3", "wfv", "gf6_wfv"):
        folder = tmp_path_factory.mktemp(kind)
        scene = getattr(gaofen, f"write_{kind}")(folder / "delivered")
        prepare(scene.path, folder / "made.tif", settings_of(gsd=16.0, quantity=QUANTITY.get(kind)))
        made[kind] = read(folder / "made.tif")
    return made


@pytest.mark.parametrize(
    ("kind", "odd"),
    [
        *(("pms", odd) for odd in ODD if "archive" not in odd),
        *(("gf3", odd) for odd in ODD if "in an" not in odd),
        *((kind, odd) for kind in ("pms", "gf3") for odd in UNTOLD),
        *((kind, odd) for kind in ("wfv", "gf6_wfv") for odd in ("packed and nested", "lower case", "no satellite")),
    ],
)
def test_the_way_it_is_packed_and_spelt_changes_no_pixel(gaofen, prepared, as_usual, tmp_path, kind, odd):
    scene = getattr(gaofen, f"write_{kind}")(tmp_path, layout=gaofen.Layout(**(ODD | UNTOLD)[odd]))
    made, expected = prepared(scene.path, gsd=16.0, quantity=QUANTITY.get(kind)), as_usual[kind]
    np.testing.assert_array_equal(made.pixels, expected.pixels)
    assert (made.transform, made.names, made.units) == (expected.transform, expected.names, expected.units)


@pytest.mark.parametrize("archive", ["", ".tar.gz"])
@pytest.mark.parametrize("write", ["write_pms", "write_gf3"])
def test_a_product_is_read_in_place(gaofen, prepared, tmp_path, left_behind, write, archive):
    scene = getattr(gaofen, write)(tmp_path / "delivered", layout=gaofen.Layout(archive=archive))
    before = left_behind()
    prepared(scene.path)
    assert left_behind() == before | {"scene.tif"}


def test_one_file_of_a_folder_is_as_good_as_the_folder(gaofen, prepared, tmp_path):
    scene = gaofen.write_pms(tmp_path)
    expected = prepared(scene.path, "folder.tif")
    for number, ending in enumerate((".tiff", ".xml")):
        made = prepared(scene.path / f"{scene.name}-MSS1{ending}", f"{number}.tif")
        np.testing.assert_array_equal(made.pixels, expected.pixels)


def test_two_scenes_in_one_folder_are_told_apart_by_their_files(gaofen, prepared, tmp_path):
    layout = gaofen.Layout(folder="both")
    one = gaofen.write_pms(tmp_path, "GF1", layout=layout)
    other = gaofen.write_pms(tmp_path, "GF2", layout=layout)
    for scene, ending, gsd in ((one, "MSS1", 8), (other, "MSS1", 4)):
        made = prepared(scene.path / f"{scene.name}-{ending}.tiff", f"{gsd}.tif")
        assert made.transform.a == gsd
        assert made.report.product.name == scene.name
