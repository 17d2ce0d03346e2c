"""`rsfuse prepare PRODUCT -o SCENE.TIF`: what it says and leaves, and what `rsfuse info` knows of a product."""

import json
import re
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from affine import Affine

KEYS = {"output", "product", "bands", "quantity", "averaged", "crs", "gsd", "gsd_m", "height", "width", "bounds"}
KEYS |= {"heights_m", "covered", "valid", "offset", "warnings", "resumed_rows", "megapixels", "seconds"}
KEYS |= {"peak_memory_mb", "resampling", "ground"}
OF_OPTICAL = {"calibration", "acquired"}
OPTICAL = "GF1_PMS1_E116.5_N39.4_20180530_L1A0003229119"
SAR = "GF3_KAS_FSII_020743_E116.5_N39.4_20200718_L1A_HHHV_L10004935216"


@pytest.fixture(scope="session")
def gaofen():
    """What tests/gaofen_products.py offers."""
    return SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "gaofen_products.py")))


@pytest.fixture
def delivered(gaofen, tmp_path):
    """Two products, an optical and a SAR one, and a DEM."""
    gaofen.write_pms(tmp_path)
    gaofen.write_gf3(tmp_path)
    gaofen.write_dem(tmp_path / "dem.tif", 20.0)
    return tmp_path


def answer(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_the_two_lines_of_the_readme_make_a_pair_of_scenes(rsfuse, delivered):
    told = rsfuse("prepare", OPTICAL, "-o", "optical.tif")
    assert told.exit_code == 0, told.stderr
    assert re.search(r"quantity: reflectance", told.stdout)
    assert re.search(r"calibration: coefficients of 2018 for GF1 PMS1", told.stdout)
    assert re.search(r"blue, green, red, nir: 76 x 73 px of 8 in EPSG:32650, 0\.0 megapixels in \d+\.\d s", told.stdout)
    assert "ground: 60 m above the ellipsoid all over" in told.stdout
    assert "written: optical.tif" in told.stdout
    assert "not compared with the official notice" in told.stderr
    told = rsfuse("prepare", SAR, "-o", "sar.tif", "--like", "optical.tif")
    assert told.exit_code == 0, told.stderr
    assert re.search(r"HH, HV: 76 x 73 px of 8 in EPSG:32650", told.stdout)
    assert "scale: dB" in told.stdout
    assert "speckle: none" in told.stdout
    assert "warning" not in told.stderr
    with rasterio.open("optical.tif") as optical, rasterio.open("sar.tif") as sar:
        assert (optical.transform, optical.crs, optical.shape) == (sar.transform, sar.crs, sar.shape)
        assert sar.descriptions == ("HH", "HV")
        assert sar.units == ("dB", "dB")
        assert sar.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert {path.name for path in delivered.iterdir()} == {OPTICAL, SAR, "dem.tif", "optical.tif", "sar.tif"}


def test_the_document_tells_all_of_it(rsfuse, delivered):
    told = answer(rsfuse("prepare", OPTICAL, "-o", "o.tif", "--dem", "dem.tif", "--gsd", "5", "--json"))
    assert told.keys() == KEYS | OF_OPTICAL
    assert (told["output"], told["product"], told["bands"]) == ("o.tif", OPTICAL, ["blue", "green", "red", "nir"])
    assert (told["quantity"], told["crs"], told["gsd"], told["offset"]) == ("reflectance", "EPSG:32650", [5, 5], None)
    assert told["heights_m"] == pytest.approx([40, 80], abs=1)
    assert told["resumed_rows"] == 0
    assert 0.5 < told["covered"] < 1
    assert told["bounds"][0] % 5 == told["bounds"][3] % 5 == 0
    with rasterio.open("o.tif") as file:
        assert (told["height"], told["width"]) == file.shape
        assert told["bounds"] == list(file.bounds)
    told = answer(rsfuse("prepare", OPTICAL, "-o", "sharp.tif", "--sharpen", "--json"))
    assert told.keys() == KEYS | OF_OPTICAL | {"sharpened"}
    assert told["sharpened"] == "gsa"
    assert set(told["offset"]) == {"dx_px", "dy_px", "tiles", "accepted"}
    told = answer(rsfuse("prepare", SAR, "-o", "s.tif", "--json"))
    assert set(told) == KEYS | {"calibration", "scale", "speckle"}


def test_every_option_reaches_the_pixels(rsfuse, delivered):
    options = "--polarisations hv,hh --looks 2x1 --speckle lee --window 5 --incidence --linear --as gamma0"
    told = answer(rsfuse("prepare", SAR, "-o", "s.tif", *options.split(), "--json"))
    assert told["bands"] == ["HV", "HH", "incidence"]
    assert (told["quantity"], told["scale"], told["speckle"]) == ("gamma0", "linear", "lee, window 5")
    assert told["averaged"].startswith("2 x 1")
    for option, differs in (
        (("--height", "400"), True),
        (("--resampling", "cubic"), True),
        (("--as", "radiance"), True),
        (("--sun-zenith", "50"), True),
        (("--height", "60"), False),
    ):
        rsfuse("prepare", OPTICAL, "-o", "plain.tif", "--gsd", "5", "--overwrite")
        with rasterio.open("plain.tif") as file:
            place = "--like", "plain.tif"
            answer(rsfuse("prepare", OPTICAL, "-o", "other.tif", *place, *option, "--overwrite", "--json"))
            with rasterio.open("other.tif") as other:
                assert np.array_equal(file.read(), other.read(), equal_nan=True) != differs, option


def test_quiet_says_nothing_but_warnings_and_the_result(rsfuse, delivered):
    told = rsfuse("prepare", SAR, "-o", "s.tif", "--quiet")
    assert told.exit_code == 0
    assert told.stderr == ""
    assert "written: s.tif" in told.stdout
    assert "reading" in rsfuse("prepare", SAR, "-o", "again.tif").stderr


def test_a_constant_that_is_null_can_be_said(rsfuse, gaofen, tmp_path):
    scene = gaofen.write_gf3(tmp_path, layout=gaofen.Layout(tags={"CalibrationConst/HV": "NULL"}))
    refused = rsfuse("prepare", scene.path, "-o", "s.tif")
    assert refused.exit_code == 2
    assert "no CalibrationConst of HV" in refused.stderr
    assert "--calibration-constant" in refused.stderr
    for constants in (["HV=30.5"], ["30.5"], ["HH=31.25", "HV=30.5"]):
        given = [each for constant in constants for each in ("--calibration-constant", constant)]
        assert rsfuse("prepare", scene.path, "-o", "s.tif", "--overwrite", *given).exit_code == 0


MISTAKES = {
    "nothing there": ("none -o s.tif", "none", ""),
    "exists": (f"{OPTICAL} -o there.tif", r"there\.tif exists already", "--overwrite"),
    "no folder": (f"{OPTICAL} -o none/s.tif", "no folder none", "mkdir"),
    "a SAR quantity of an optical scene": (f"{OPTICAL} -o s.tif --as sigma0", "sigma0 is of SAR", "--as"),
    "an optical quantity of a SAR scene": (f"{SAR} -o s.tif --as radiance", "radiance is of optical", "--as"),
    "a SAR option": (f"{OPTICAL} -o s.tif --linear", "not of a SAR", "leave out"),
    "an optical option": (f"{SAR} -o s.tif --sharpen", "is of a SAR", "leave out"),
    "an unknown polarisation": (f"{SAR} -o s.tif --polarisations HX", "no polarisation HX; it has HH, HV", "choose"),
    "a CRS that is none": (f"{OPTICAL} -o s.tif --crs UTM50", "UTM50", "EPSG:32650"),
    "a GSD in degrees": (f"{OPTICAL} -o s.tif --gsd 1e-5", "GSD of 1e-05", "metres"),
    "elsewhere": (f"{OPTICAL} -o s.tif --like far.tif", "lies elsewhere", "same place"),
    "a DEM elsewhere": (f"{OPTICAL} -o s.tif --dem far.tif", r"far\.tif", ""),
    "like without a CRS": (f"{OPTICAL} -o s.tif --like nowhere.tif", r"nowhere\.tif has no CRS", "--like"),
    "over the DEM": (f"{OPTICAL} -o dem.tif --dem dem.tif --overwrite", r"dem\.tif .* the DEM", "another name"),
    "sun below the horizon": (f"{OPTICAL} -o s.tif --sun-zenith 95", "95 degrees", "--sun-zenith"),
    "coefficients that are none": (f"{OPTICAL} -o s.tif --coefficients there.tif", r"there\.tif", ""),
}
IGNORED = {
    "a method without sharpening": f"{OPTICAL} -o s.tif --method brovey",
    "a window without a filter": f"{SAR} -o s.tif --window 9",
    "PAN, and sharpened": f"{OPTICAL} -o s.tif --pan --sharpen",
    "a geoid without a DEM": f"{OPTICAL} -o s.tif --geoid 30",
    "a GSD of 0": f"{OPTICAL} -o s.tif --gsd 0",
    "the constant of another polarisation": f"{SAR} -o s.tif --calibration-constant VV=30",
}
CRASHES = {
    "more looks than pixels": f"{SAR} -o s.tif --looks 500x500",
    "a CRS without a plane": f"{OPTICAL} -o s.tif --crs EPSG:4978",
}


@pytest.fixture
def beside(delivered, raster):
    """Other rasters than those that fit."""
    raster("far.tif", side=20, transform=Affine(10, 0, 700_000, 0, -10, 4_500_000))
    raster("nowhere.tif", side=20, crs=None)
    (delivered / "there.tif").write_text("mine")
    return delivered


def listing(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("arguments", "said", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_what_to_do_and_leaves_nothing(rsfuse, beside, arguments, said, hint):
    before = listing(beside)
    result = rsfuse("prepare", *arguments.split())
    assert result.exit_code == 2
    assert result.stdout == ""
    error, *rest = result.stderr.splitlines()
    assert re.search(rf"^error: .*{said}", error)
    assert re.search(rf"^hint: .*{hint}", rest[-1])
    assert len(rest) == 1
    assert listing(beside) == before
    assert not list(beside.glob(".*"))


@pytest.mark.parametrize(
    "arguments",
    [
        *(pytest.param(each, id=name) for name, each in IGNORED.items()),
        *(pytest.param(each, id=name) for name, each in CRASHES.items()),
    ],
)
def test_what_cannot_be_done_is_refused(rsfuse, delivered, arguments):
    before = listing(delivered)
    result = rsfuse("prepare", *arguments.split())
    assert result.exit_code == 2
    assert listing(delivered) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--like optical.tif --gsd 5", "leave out --crs and --gsd"),
        ("--like optical.tif --crs EPSG:4326", "leave out --crs and --gsd"),
        ("--speckle lee --window 4", "odd number"),
        ("--speckle refined-lee --window 9", "refined-lee is 7"),
        ("--looks 0x2", "1x2"),
        ("--looks two", "1x2"),
        ("--calibration-constant HH", "30.5 or HH=30.5"),
        ("--as db", "sigma0"),
        ("--speckle boxcar", "refined-lee"),
        ("--resampling lanczos", "cubic"),
        ("--gsd -1", "--gsd"),
    ],
)
def test_options_that_contradict_themselves_are_refused_before_anything_is_read(rsfuse, tmp_path, arguments, said):
    result = rsfuse("prepare", "nowhere", "-o", "s.tif", *arguments.split())
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert not list(tmp_path.iterdir())


def test_a_truncated_product_is_two_lines_and_no_traceback(rsfuse, delivered):
    (image,) = (delivered / OPTICAL).glob("*MSS1.tiff")
    image.write_bytes(image.read_bytes()[:9000])
    before = listing(delivered)
    result = rsfuse("prepare", OPTICAL, "-o", "s.tif")
    assert result.exit_code == 2
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["error", "hint"]
    assert listing(delivered) == before


def test_a_disk_that_is_full_is_told_of_and_the_run_can_go_on_elsewhere(rsfuse, delivered, small_disk):
    result = rsfuse("prepare", OPTICAL, "-o", small_disk / "s.tif", "--gsd", "1", "--quiet")
    assert result.exit_code == 2
    assert re.search(r"error: the disk is full: .* MB left", result.stderr)
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["error", "hint"]
    assert not (small_disk / "s.tif").exists()


def test_help_names_what_can_be_asked_for(rsfuse):
    told = rsfuse("prepare", "--help")
    assert told.exit_code == 0
    for word in ("--like", "--crs", "--gsd", "--dem", "--geoid", "--sharpen", "--speckle", "refined-lee", "gamma-map"):
        assert word in told.stdout
    for word in ("sigma0", "reflectance", "--incidence", "--calibration-constant", "--coefficients", "GF-3", "SAFE"):
        assert word in told.stdout
    assert "prepare" in rsfuse("--help").stdout


def test_info_shows_what_was_understood_of_a_product(rsfuse, delivered):
    told = rsfuse("info", OPTICAL)
    assert told.exit_code == 0, told.stderr
    for text in ("GF1", "PMS1", "2018-05-30", "L1A", "64 x 60 px, 4 bands of uint16", "256 x 240 px", "of 2 of 2"):
        assert text in told.stdout
    assert "zenith 22.5" in told.stdout
    assert "not understood" not in told.stdout
    told = answer(rsfuse("info", SAR, "--json"))
    assert (told["kind"], told["name"], told["satellite"], told["mode"]) == ("product", SAR, "GF3", "FSII")
    assert told["polarisations"] == "HH, HV (HHHV)"
    assert "31.25" in told["calibration constant"]
    assert "34.00 to 36.00" in told["incidence"]
    assert told["not_understood"] == []


def test_info_shows_what_was_not_understood(rsfuse, gaofen, tmp_path):
    layout = gaofen.Layout(archive=".tar.gz", tags={"CalibrationConst/HV": "NULL"}, model_suffix="")
    scene = gaofen.write_gf3(tmp_path, layout=layout)
    told = rsfuse("info", scene.path.name)
    assert told.exit_code == 0, told.stderr
    for text in ("CalibrationConst of HV", "nobody says where it lies"):
        assert re.search(f"not understood: .*{text}", told.stdout)
    unknown = answer(rsfuse("info", scene.path.name, "--json"))["not_understood"]
    assert len(unknown) == 3
    (tmp_path / "cut.tar.gz").write_bytes(scene.path.read_bytes()[:5000])
    broken = rsfuse("info", "cut.tar.gz")
    assert broken.exit_code == 2
    assert [line.split(":")[0] for line in broken.stderr.splitlines()] == ["error", "hint"]
