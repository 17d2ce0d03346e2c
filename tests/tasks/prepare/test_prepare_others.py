"""What is not Gaofen's: scenes of the Sentinels, and any raster that says where it lies."""

import math

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from rsfuse.errors import GridMismatchError, OutputError, SceneError

PLACE = Affine(10, 0, 456_000, 0, -10, 4_362_000)
UTM = "EPSG:32650"


@pytest.mark.parametrize("extension", ["jp2", "tif"])
@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_sentinel2_becomes_reflectance_on_its_own_grid(safes, prepared, tmp_path, level, extension):
    scene = safes.Sentinel2Folder(level=level, extension=extension)
    made = prepared(scene.write(tmp_path))
    assert made.names == ("blue", "green", "red", "nir")
    assert (made.crs, made.transform) == (CRS.from_string(scene.crs), scene.transform)
    for name, band in zip(("B02", "B03", "B04", "B08"), made.pixels, strict=True):
        numbers = scene.pixels(name).astype(float)
        np.testing.assert_allclose(band[made.valid], ((numbers - 1000) / 10000)[made.valid], atol=1e-6)
        assert (made.valid == (numbers > 0)).all()


def test_sentinel2_keeps_its_numbers_on_request(safes, prepared, tmp_path):
    scene = safes.Sentinel2Folder()
    made = prepared(scene.write(tmp_path), quantity="dn")
    assert (made.pixels.dtype, made.nodata) == (np.uint16, 0)
    np.testing.assert_array_equal(made.pixels[3], scene.pixels("B08"))


def test_sentinel2_onto_another_grid(safes, prepared, write_raster, tmp_path):
    scene = safes.Sentinel2Folder()
    place = scene.transform * Affine.translation(10, 10) * Affine.scale(2)
    like = write_raster("like.tif", np.ones((1, 12, 10), "uint8"), crs=UTM, transform=place)
    made = prepared(scene.write(tmp_path), like=like)
    numbers = scene.pixels("B04")[10:34, 10:30].reshape(12, 2, 10, 2).mean((1, 3))
    np.testing.assert_allclose(made.pixels[2], (numbers - 1000) / 10000, atol=1e-6)
    with pytest.raises(SceneError, match="reflectance, not as radiance"):
        prepared(scene.write(tmp_path / "again"), "none.tif", quantity="radiance")


@pytest.mark.parametrize("quantity", ["sigma0", "gamma0", "beta0"])
def test_sentinel1_is_calibrated_by_its_tables(safes, prepared, tmp_path, quantity):
    flat = {"sigmaNought": 400.0, "betaNought": 300.0, "gamma": 350.0}

    class Flat(safes.Sentinel1Folder):
        def pixels(self, polarisation):
            numbers = np.full(self.shape, 200 if polarisation == "VV" else 100, np.uint16)
            numbers[:, :3] = 0
            return numbers

        def table(self, name):
            return np.full((len(self.lines), len(self.columns)), flat[name])

    made = prepared(Flat().write(tmp_path), quantity=quantity)
    assert made.names == ("VV", "VH")
    assert set(made.units) == {"dB"}
    unit = flat[{"sigma0": "sigmaNought", "gamma0": "gamma", "beta0": "betaNought"}[quantity]]
    for band, number in zip(made.pixels, (200, 100), strict=True):
        assert band[made.valid] == pytest.approx(20 * math.log10(number / unit), abs=1e-4)
    assert 0.3 < made.valid.mean() < 1
    assert not np.isneginf(made.pixels).any()


def test_sentinel1_lies_where_its_control_points_are(safes, prepared, tmp_path):
    scene = safes.Sentinel1Folder()
    made = prepared(scene.write(tmp_path), incidence=True)
    assert made.names == ("VV", "VH", "incidence")
    assert made.crs == CRS.from_string(UTM)
    columns, rows = ~scene.ground * made.lonlat
    expected = scene.incidence(rows - 0.5, columns - 0.5)
    inner = made.valid & (columns > 4) & (columns < 78) & (rows > 2) & (rows < 58)
    assert inner.mean() > 0.3
    assert np.abs(made.pixels[2] - expected)[inner].max() < 0.06  # a pixel is a tenth of a degree


@pytest.fixture
def numbered(write_raster):
    """A raster whose two bands are the columns and rows of its pixels."""

    def write(shape=(90, 110), dtype="float32", **said):
        rows, columns = np.indices(shape) + 0.5
        return write_raster("plain.tif", np.stack([columns, rows]).astype(dtype), **said)

    return write


def test_a_raster_with_control_points_lies_where_they_say(numbered, prepared):
    ground = Affine.translation(*(PLACE.c, PLACE.f)) * Affine.rotation(-15) * Affine.scale(10, -10)
    points = [
        GroundControlPoint(row=row, col=column, x=x, y=y, z=0)
        for row in (0, 45, 90)
        for column in (0, 55, 110)
        for x, y in [ground * (column, row)]
    ]
    made = prepared(numbered(gcps=points, crs=UTM))
    assert made.crs == CRS.from_string(UTM)
    assert made.transform.a == 10
    columns, rows = ~ground * (made.transform * np.meshgrid(*(np.arange(n) + 0.5 for n in made.valid.shape[::-1])))
    inner = made.valid & (columns > 1) & (columns < 109) & (rows > 1) & (rows < 89)
    assert inner.mean() > 0.5
    assert np.abs(made.pixels - np.stack([columns, rows]))[:, inner].max() < 0.01


@pytest.mark.parametrize(
    "suffix",
    [".rpb", ".RPB", ".rpc", ".RPC", "_RPC.TXT", "inside"],
)
def test_a_raster_with_polynomials_lies_where_they_say(gaofen, numbered, prepared, suffix):
    rpc = gaofen.synthetic_rpc(gaofen.View((90, 110), (5.0, 5.0)))
    path = numbered(**({"rpcs": rpc} if suffix == "inside" else {}))
    if suffix == "_RPC.TXT":
        lines = {key.upper(): value for key, value in rpc.to_gdal().items()}
        text = []
        for key, value in lines.items():
            many = value.split() if "COEFF" in key else [value]
            text += [f"{key}_{n}: {each}" if len(many) > 1 else f"{key}: {each}" for n, each in enumerate(many, 1)]
        path.with_name("plain_RPC.TXT").write_text("\n".join(text) + "\n")
    elif suffix != "inside":
        path.with_suffix(suffix).write_text(gaofen.rpb_text(rpc))
    made = prepared(path, gsd=5.0)
    with rasterio.transform.RPCTransformer(rpc, rpc_height=60.0) as transformer:
        rows, columns = transformer.rowcol(*(each.ravel() for each in made.lonlat), op=np.positive)
    asked = np.stack([columns, rows]).reshape(2, *made.valid.shape)
    inner = made.valid & (asked > 1).all(0) & (asked[0] < 109) & (asked[1] < 89)
    assert inner.mean() > 0.5
    assert np.abs(made.pixels - asked)[:, inner].max() < 0.01
    assert made.names == ("band 1", "band 2")


def test_a_raster_with_a_crs_is_brought_to_another(numbered, prepared):
    path = numbered(crs=UTM, transform=PLACE)
    there = prepared(path, crs="EPSG:3857", gsd=5.0)
    assert there.crs.to_epsg() == 3857
    rows, columns = (each.ravel() + 0.5 for each in np.indices(there.valid.shape))
    x, y = rasterio.warp.transform("EPSG:3857", UTM, *(there.transform * (columns, rows)))
    asked = np.stack([np.reshape(each, there.valid.shape) for each in ~PLACE * (np.array(x), np.array(y))])
    inner = there.valid & (asked > 1).all(0) & (asked[0] < 109) & (asked[1] < 89)
    assert np.abs(there.pixels - asked)[:, inner].max() < 0.01


def test_names_and_no_data_of_a_plain_raster_are_kept(write_raster, prepared):
    values = np.random.default_rng(1).uniform(1, 2, (2, 30, 40)).astype("float32")
    values[:, 5:15, 10:20] = -9999
    path = write_raster("plain.tif", values, crs=UTM, transform=PLACE, nodata=-9999)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("sand", "clay")
    made = prepared(path)
    assert made.names == ("sand", "clay")
    assert not made.valid[5:15, 10:20].any()
    assert made.valid.sum() == 30 * 40 - 100
    np.testing.assert_array_equal(made.pixels[:, made.valid], values[:, made.valid])


@pytest.mark.parametrize("gsd", [7.0, 30.0])
def test_the_number_for_no_data_of_one_band_is_never_mixed_with_others(write_raster, prepared, gsd):
    values = np.full((2, 30, 40), 100, "float32")
    values[0, 10:20, 10:20] = -9999
    made = prepared(write_raster("plain.tif", values, crs=UTM, transform=PLACE, nodata=-9999), gsd=gsd)
    assert np.nanmin(made.pixels) == pytest.approx(100)


def test_what_a_mask_hides_is_no_data(write_raster, prepared):
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write_raster("masked.tif", np.full((1, 30, 40), 100, "uint8"), crs=UTM, transform=PLACE)
        with rasterio.open(path, "r+") as file:
            file.write_mask(np.arange(40)[None].repeat(30, 0) >= 10)
    made = prepared(path)
    assert made.valid.mean() == 0.75


@pytest.mark.parametrize("quantity", ["radiance", "reflectance", "sigma0"])
def test_of_a_plain_raster_nothing_can_be_made_but_its_numbers(numbered, prepared, left_behind, quantity):
    path = numbered(crs=UTM, transform=PLACE)
    before = left_behind()
    with pytest.raises(SceneError, match=quantity):
        prepared(path, quantity=quantity)
    assert left_behind() == before


def test_a_raster_that_says_nowhere_where_it_lies_is_refused(numbered, prepared, left_behind):
    path = numbered()
    before = left_behind()
    with pytest.raises(SceneError, match=r"plain\.tif says nowhere where its pixels lie") as told:
        prepared(path)
    assert "rpb" in str(told.value.hint)
    assert left_behind() == before


def test_a_plain_raster_is_not_written_over_and_not_prepared_for_elsewhere(numbered, prepared, write_raster):
    path = numbered(crs=UTM, transform=PLACE)
    with pytest.raises(OutputError, match="product"):
        prepared(path, "plain.tif", overwrite=True)
    far = write_raster("far.tif", np.ones((1, 9, 9), "uint8"), crs=UTM, transform=Affine.translation(9e4, 0) * PLACE)
    with pytest.raises(GridMismatchError, match="lies elsewhere"):
        prepared(path, like=far)


def test_complex_numbers_of_a_plain_raster_are_refused(write_raster, prepared):
    path = write_raster("slc.tif", np.ones((1, 20, 20), "complex64"), crs=UTM, transform=PLACE)
    with pytest.raises(SceneError, match="complex"):
        prepared(path)
