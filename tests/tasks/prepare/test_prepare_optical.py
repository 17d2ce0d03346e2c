"""From the digital numbers of optical scenes to radiance and reflectance, each number computed here by hand."""

import math

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.transform import RPCTransformer

from rsfuse.errors import SceneError

# of GF-1 PMS1 in 2018, and the irradiance of the sun: the values that the agency and public tables tell
GAINS = np.array([0.153, 0.1356, 0.1366, 0.1272])[:, None]
ESUN = np.array([1945.29, 1854.1, 1542.9, 1080.77])[:, None]
ZENITH_DEG, DAY = 22.5, 150  # 30 May
AU = 1 - 0.01672 * math.cos(math.radians(0.9856 * (DAY - 4)))
PLACE = Affine(10, 0, 500_000, 0, -10, 4_000_000)


def dated(scene, year):
    """The same scene of another year, as all its names tell."""
    for path in list(scene.path.iterdir()):
        path.rename(path.with_name(path.name.replace("20180530", f"{year}0530")))
    return scene.path.rename(scene.path.with_name(scene.path.name.replace("20180530", f"{year}0530")))


def fill(image, values):
    """Every pixel of an image is of these values, one a band."""
    with rasterio.open(image, "r+") as file:
        file.write(np.stack([np.full(file.shape, value, file.dtypes[0]) for value in values]))


def delivered(scene, made, key="MS"):
    """Digital numbers of the pixels in which those of the result lie, (B, n), and where these are in it."""
    with RPCTransformer(scene.rpcs[key], rpc_height=60.0) as transformer:
        rows, columns = transformer.rowcol(*(each[made.valid] for each in made.lonlat), op=np.positive)
    rows, columns = (np.array(each) for each in (rows, columns))
    clear = (np.abs(rows % 1 - 0.5) < 0.49) & (np.abs(columns % 1 - 0.5) < 0.49)  # else either pixel may be the nearest
    here = np.floor(rows[clear]).astype(int), np.floor(columns[clear]).astype(int)
    return scene.pixels[key][:, *here].astype(float), np.argwhere(made.valid)[clear].T


@pytest.mark.parametrize("quantity", ["dn", "radiance", "reflectance", None])
def test_every_pixel_is_what_the_formulas_make_of_its_number(gaofen, prepared, tmp_path, quantity):
    scene = gaofen.write_pms(tmp_path)
    made = prepared(scene.path, quantity=quantity, kernel="nearest")
    numbers, here = delivered(scene, made)
    assert numbers.shape[1] > 3000
    expected = {
        "dn": numbers,
        "radiance": GAINS * numbers,
        "reflectance": math.pi * GAINS * numbers * AU**2 / (ESUN * math.cos(math.radians(ZENITH_DEG))),
    }[quantity or "reflectance"]
    np.testing.assert_allclose(made.pixels[:, *here], expected, rtol=2e-6)
    assert made.tags["RSFUSE_QUANTITY"] == (quantity or "reflectance")


def test_one_pixel_computed_with_a_pencil(gaofen, prepared, tmp_path):
    scene = gaofen.write_pms(tmp_path)
    fill(scene.path / f"{scene.name}-MSS1.tiff", (400, 400, 400, 400))
    made = prepared(scene.path)
    # L = 0.153 * 400 = 61.2; d = 1 + 0.01672 * 0.80707 = 1.013494; cos 22.5 deg = 0.92388
    # rho = 3.141593 * 61.2 * 1.027171 / (1945.29 * 0.92388) = 0.109887
    assert made.pixels[0][made.valid] == pytest.approx(0.109887, rel=1e-4)
    assert "those" not in " ".join(made.report.warnings)  # coefficients of this year


def test_the_panchromatic_image_has_coefficients_of_its_own(gaofen, prepared, tmp_path):
    scene = gaofen.write_pms(tmp_path)
    fill(scene.path / f"{scene.name}-PAN1.tiff", (500,))
    made = prepared(scene.path, image="pan", quantity="radiance")
    assert made.pixels[0][made.valid] == pytest.approx(0.1428 * 500, rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "year", "number", "radiance"),
    [
        ({"satellite": "GF1"}, 2013, 300, (0.2082 * 300 + 4.6186, 0.1672 * 300 + 4.8768, 57.3324, 47.0129)),
        ({"satellite": "GF1"}, 2017, 300, (0.1424 * 300, 0.1177 * 300, 0.1194 * 300, 0.1135 * 300)),
        ({"satellite": "GF2"}, 2014, 300, (46.6735, 55.5158, 51.4348, 56.1867)),
        # the agency's first coefficients of WFV divide: (DN - offset) / gain
        ({"camera": 1}, 2013, 300, (51.272612, 41.939787, 35.850502, 40.135483)),
    ],
    ids=["with offsets", "of the official notice", "GF2 with offsets", "inverse"],
)
def test_coefficients_are_those_of_the_year(gaofen, prepared, tmp_path, kind, year, number, radiance):
    write = gaofen.write_pms if "satellite" in kind else gaofen.write_wfv
    scene = write(tmp_path, **kind)
    path = dated(scene, year)
    for image in path.glob("*.tiff"):
        if "PAN" not in image.name:
            fill(image, (number,) * 4)
    made = prepared(path, quantity="radiance")
    for band, expected in zip(made.pixels, radiance, strict=True):
        assert band[made.valid] == pytest.approx(expected, rel=1e-5)
    assert f"coefficients of {year}" in made.tags["RSFUSE_CALIBRATION"]


def test_of_a_year_without_coefficients_the_nearest_is_taken_and_warned_of(gaofen, prepared, tmp_path):
    path = dated(gaofen.write_pms(tmp_path), 2026)
    made = prepared(path, quantity="radiance")
    (warning,) = [each for each in made.report.warnings if "2026" in each]
    assert "those of 2021 are taken" in warning
    assert "coefficients of 2021" in made.tags["RSFUSE_CALIBRATION"]


def test_a_table_of_the_users_own_goes_first(gaofen, prepared, tmp_path):
    scene = gaofen.write_pms(tmp_path)
    fill(scene.path / f"{scene.name}-MSS1.tiff", (100, 200, 300, 400))
    table = tmp_path / "mine.csv"
    table.write_text(
        "satellite,sensor,part,year,gains,offsets,esun\n"
        "GF-1,PMS1,ms,2018,0.5 0.25 0.125 1,1 2 3 4,2000 1900 1500 1000\n"
    )
    made = prepared(scene.path, quantity="radiance", coefficients=table)
    for band, expected in zip(made.pixels, (51, 52, 40.5, 404), strict=True):
        assert band[made.valid] == pytest.approx(expected)
    made = prepared(scene.path, "rho.tif", coefficients=table, sun_zenith_deg=60.0)
    assert made.pixels[0][made.valid] == pytest.approx(math.pi * 51 * AU**2 / (2000 * 0.5), rel=1e-5)


def test_without_the_sun_there_is_no_reflectance_until_the_user_says_where_it_stood(gaofen, prepared, tmp_path):
    scene = gaofen.write_pms(tmp_path, layout=gaofen.Layout(tags={"SolarZenith": None}))
    with pytest.raises(SceneError, match="how high the sun stood") as told:
        prepared(scene.path)
    assert "--sun-zenith" in str(told.value.hint)
    prepared(scene.path, quantity="radiance")
    made = prepared(scene.path, "said.tif", sun_zenith_deg=ZENITH_DEG, kernel="nearest")
    numbers, here = delivered(scene, made)
    expected = math.pi * GAINS * numbers * AU**2 / (ESUN * math.cos(math.radians(ZENITH_DEG)))
    np.testing.assert_allclose(made.pixels[:, *here], expected, rtol=2e-6)


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "cubic"])
def test_what_the_camera_did_not_see_stays_without_data(gaofen, prepared, tmp_path, kernel):
    scene = gaofen.write_pms(tmp_path)
    image = scene.path / f"{scene.name}-MSS1.tiff"
    with rasterio.open(image, "r+") as file:
        pixels = file.read()
        pixels[:, 20:30] = 0  # of all bands
        pixels[2, 40:50] = 0  # of one, which is a number like any other
        file.write(pixels)
    scene.pixels["MS"][:] = pixels
    made = prepared(scene.path, quantity="dn", gsd=4.0, kernel=kernel, height_m=60.0)
    with RPCTransformer(scene.rpcs["MS"], rpc_height=60.0) as transformer:
        rows, columns = transformer.rowcol(*(each.ravel() for each in made.lonlat), op=np.floor)
    rows, columns = (np.reshape(each, made.valid.shape) for each in (rows, columns))
    inside = (rows >= 0) & (rows < 64) & (columns >= 0) & (columns < 60)
    seen = inside & ~((rows >= 20) & (rows < 30))
    assert (made.valid != seen).sum() <= 3  # on the very edge
    assert (made.pixels[:, ~made.valid] == 0).all()
    assert (made.pixels[:, made.valid] > 0).all()  # 0 is kept for no data
    one = made.valid & (rows >= 42) & (rows < 48)
    assert (made.pixels[2][one] <= 1).all()
    assert (made.pixels[1][one] > 100).all()


def test_where_the_grid_is_coarser_pixels_are_averaged(prepared, write_raster):
    numbers = np.zeros((2, 120, 120), "uint16")
    numbers[0] = 100 + 200 * (np.indices((120, 120)).sum(0) % 2)
    numbers[1, :, ::2] = 1000
    made = prepared(write_raster("fine.tif", numbers, crs="EPSG:32650", transform=PLACE), gsd=40.0)
    assert made.tags["RSFUSE_AVERAGED"].startswith("4 x 4")
    assert (made.pixels[0] == 200).all()
    assert (made.pixels[1] == 500).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_numbers_of_a_raster_on_its_own_grid_come_out_as_they_are(prepared, write_raster, dtype):
    values = np.random.default_rng(0).integers(1, 120, (3, 40, 50)).astype(dtype)
    made = prepared(write_raster("plain.tif", values, crs="EPSG:32650", transform=PLACE), kernel="cubic")
    np.testing.assert_array_equal(made.pixels, values)
    assert made.pixels.dtype == (dtype if dtype.startswith("u") else "float32")
    assert made.valid.all()
    assert made.transform == PLACE
