"""From the pixels of Gaofen-3 to backscatter, each number computed here by hand."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.transform import RPCTransformer

from rsfuse.errors import SceneError

QUALIFY, CONSTANT_DB = 60.25, 31.25  # of HH in synthetic products
UNIT = {"QualifyValue/HH": "32.767", "CalibrationConst/HH": "0"}  # power: (I^2 + Q^2) / 10^6
L1A = 10 * np.log10((3000**2 + 4000**2) * (QUALIFY / 32767) ** 2) - CONSTANT_DB
L1B = 20 * np.log10(1000 * QUALIFY / 65535) - CONSTANT_DB


def rewrite(scene, pixels_of, channel="HH"):
    """Give the image of a polarisation other pixels, made of those that it has."""
    (image,) = (path for path in scene.path.glob("*.tiff") if f"_{channel}_" in path.name)
    with rasterio.open(image, "r+") as file:
        file.write(pixels_of(file.read()).astype(file.dtypes[0]))


def filled(*values):
    """Pixels of these values, one a band."""
    return lambda pixels: np.broadcast_to(np.array(values)[:, None, None], pixels.shape)


def seen_at(scene, made, channel="HH"):
    """Columns of the delivered image at the pixels of the result."""
    with RPCTransformer(scene.rpcs[channel], rpc_height=60.0) as transformer:
        _, columns = transformer.rowcol(*(each.ravel() for each in made.lonlat), op=np.positive)
    return np.reshape(columns, made.valid.shape)


def degrees_at(columns):
    """The product tells one for the centre of each of 160 columns, from 34 to 36."""
    return np.interp(columns, np.arange(160) + 0.5, np.linspace(34, 36, 160))


@pytest.mark.parametrize(("level", "numbers", "sigma0_db"), [("L1A", (3000, 4000), L1A), ("L1B", (1000,), L1B)])
@pytest.mark.parametrize("quantity", ["sigma0", "gamma0", "beta0"])
@pytest.mark.parametrize("linear", [False, True])
def test_backscatter_is_what_the_formulas_make_of_the_numbers(
    gaofen, prepared, tmp_path, level, numbers, sigma0_db, quantity, linear
):
    scene = gaofen.write_gf3(tmp_path, "HH", level)
    rewrite(scene, filled(*numbers))
    made = prepared(scene.path, quantity=quantity, linear=linear, kernel="nearest", height_m=60.0)
    columns = seen_at(scene, made)
    clear = made.valid & (np.abs(columns % 1 - 0.5) < 0.49)  # else either pixel may be the nearest
    theta = np.radians(degrees_at(np.floor(columns[clear]) + 0.5))
    less_db = {"sigma0": 0, "gamma0": 10 * np.log10(np.cos(theta)), "beta0": 10 * np.log10(np.sin(theta))}[quantity]
    expected = sigma0_db - less_db
    got = 10 * np.log10(made.pixels[0][clear]) if linear else made.pixels[0][clear]
    np.testing.assert_allclose(got, np.broadcast_to(expected, got.shape), atol=2e-4)
    assert clear.mean() > 0.6
    assert made.units == ("" if linear else "dB",)
    assert made.tags["RSFUSE_QUANTITY"] == quantity
    assert made.tags["RSFUSE_SCALE"] == ("linear" if linear else "dB")


def test_numbers_computed_with_a_pencil():
    # 25e6 * (60.25 / 32767)^2 = 84.5242: 19.2698 dB, and 31.25 dB less; 1000 * 60.25 / 65535 = 0.919356: -0.7303 dB
    assert pytest.approx(-11.9802, abs=1e-3) == L1A
    assert pytest.approx(-31.9803, abs=1e-3) == L1B


def test_every_polarisation_is_calibrated_by_its_own_numbers(gaofen, prepared, tmp_path):
    scene = gaofen.write_gf3(tmp_path, "AHV", "L1B")
    for channel in ("HH", "HV", "VH", "VV"):
        rewrite(scene, filled(2000), channel)
    made = prepared(scene.path)
    for channel, band in zip(made.names, made.pixels, strict=True):
        expected = 20 * np.log10(2000 * gaofen.QUALIFY[channel] / 65535) - gaofen.CONSTANT_DB[channel]
        assert band[made.valid] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("level", "one", "three"), [("L1A", (1000, 0), (1000, 1414)), ("L1B", (2000,), (3464,))])
def test_decibels_are_made_after_averaging(gaofen, prepared, tmp_path, level, one, three):
    unit = {**UNIT, "QualifyValue/HH": "32.767" if level == "L1A" else "32.7675"}
    scene = gaofen.write_gf3(tmp_path, "HH", level, layout=gaofen.Layout(tags=unit))
    checkers = np.indices((192, 160)).sum(0) % 2
    rewrite(scene, lambda pixels: np.where(checkers, *(np.array(each)[:, None, None] for each in (three, one))))
    made = prepared(scene.path, looks=(1, 2))
    assert made.pixels[0][made.valid] == pytest.approx(10 * np.log10(2), abs=2e-3)  # mean of decibels: 2.39
    assert made.valid.mean() > 0.6


def test_decibels_are_made_after_resampling(gaofen, prepared, write_raster, tmp_path):
    scene = gaofen.write_gf3(tmp_path, "HH", "L2", layout=gaofen.Layout(tags={**UNIT, "QualifyValue/HH": "32.7675"}))
    rewrite(scene, lambda pixels: np.where(np.indices(pixels.shape)[2] % 2, 3464, 2000))
    between = Affine(10, 0, 456_005, 0, -10, 4_362_300)
    like = write_raster("like.tif", np.ones((1, 192, 159), "uint8"), crs="EPSG:32650", transform=between)
    made = prepared(scene.path, like=like)
    assert made.valid.all()
    assert made.pixels == pytest.approx(10 * np.log10(2), abs=2e-3)


@pytest.mark.parametrize("level", ["L1A", "L1B", "L2"])
@pytest.mark.parametrize(("linear", "speckle"), [(False, None), (True, ("refined-lee", 7))])
def test_zero_is_no_data_and_nothing_is_minus_infinity(gaofen, prepared, tmp_path, level, linear, speckle):
    scene = gaofen.write_gf3(tmp_path, "HHHV", level)
    holes = np.zeros((192, 160), bool)
    holes[60:90, 40:80] = True
    for channel in ("HH", "HV"):
        rewrite(scene, lambda pixels: np.where(holes, 0, pixels), channel)
    made = prepared(scene.path, linear=linear, speckle=speckle, kernel="nearest", height_m=60.0)
    assert np.isfinite(made.pixels[:, made.valid]).all()
    assert np.isnan(made.pixels[:, ~made.valid]).all()
    if linear:
        assert (made.pixels[:, made.valid] > 0).all()
    assert made.valid.sum() < prepared(gaofen.write_gf3(tmp_path / "whole", "HHHV", level).path, "w.tif").valid.sum()
    if level != "L2":
        with RPCTransformer(scene.rpcs["HH"], rpc_height=60.0) as transformer:
            rows, columns = transformer.rowcol(*(each.ravel() for each in made.lonlat), op=np.floor)
        rows, columns = (np.reshape(each, made.valid.shape) for each in (rows, columns))
        assert not made.valid[(rows >= 60) & (rows < 90) & (columns >= 40) & (columns < 80)].any()
        assert not made.valid[(rows < 3) | (columns < 5)].any()  # the border that the product has


def test_single_zeros_among_looks_are_left_out_of_the_mean(gaofen, prepared, tmp_path):
    scene = gaofen.write_gf3(tmp_path, "HH", "L1A", layout=gaofen.Layout(tags=UNIT))
    every_second = np.indices((192, 160))[1] % 2
    rewrite(scene, lambda pixels: np.stack([1000 * every_second, 0 * every_second]))
    made = prepared(scene.path, looks=(2, 2), linear=True)
    assert made.pixels[0][made.valid] == pytest.approx(1, rel=1e-5)
    assert made.valid.mean() > 0.6


def test_looks_make_square_pixels_and_are_told(gaofen, prepared, tmp_path):
    tags = {"eqvPRF": "3900"}  # 1.73 m along the track for 3.92 m across
    made = prepared(gaofen.write_gf3(tmp_path, "HH", layout=gaofen.Layout(tags=tags)).path)
    assert made.tags["RSFUSE_AVERAGED"].startswith("2 x 1")
    made = prepared(gaofen.write_gf3(tmp_path / "b", "HH").path, "asked.tif", looks=(3, 2))
    assert made.tags["RSFUSE_AVERAGED"].startswith("3 x 2")


def test_the_incidence_band_is_that_of_the_columns(gaofen, prepared, tmp_path):
    scene = gaofen.write_gf3(tmp_path, "HHHV")
    made = prepared(scene.path, incidence=True, looks=(2, 4), height_m=60.0)
    assert made.names == ("HH", "HV", "incidence")
    assert made.units == ("dB", "dB", "degree")
    expected = degrees_at(seen_at(scene, made))
    assert np.abs(made.pixels[2] - expected)[made.valid].max() < 1e-3
    assert np.ptp(made.pixels[2][made.valid]) > 1.5
    assert np.isnan(made.pixels[2][~made.valid]).all()


@pytest.mark.parametrize("wish", [{"incidence": True}, {"quantity": "gamma0"}, {"quantity": "beta0"}])
@pytest.mark.parametrize("kind", ["L2", "strips", "untold"])
def test_where_nobody_knows_the_angles_what_depends_on_them_is_refused(
    gaofen, prepared, tmp_path, left_behind, wish, kind
):
    untold = {"incidenceValue": None, "incidenceAngleNearRange": None}
    scene = {
        "L2": lambda: gaofen.write_gf3(tmp_path, "HH", "L2"),
        "strips": lambda: gaofen.write_gf3(tmp_path, "HH", "L1B", strips=2),
        "untold": lambda: gaofen.write_gf3(tmp_path, "HH", layout=gaofen.Layout(tags=untold)),
    }[kind]()
    before = left_behind()
    with pytest.raises(SceneError, match="incidence"):
        prepared(scene.path, **wish)
    assert left_behind() == before


def test_a_constant_that_is_null_must_be_said(gaofen, prepared, tmp_path):
    layout = gaofen.Layout(tags={"CalibrationConst/HV": "NULL"})
    scene = gaofen.write_gf3(tmp_path, "HHHV", "L1B", layout=layout)
    for channel in ("HH", "HV"):
        rewrite(scene, filled(1000), channel)
    with pytest.raises(SceneError, match="CalibrationConst of HV"):
        prepared(scene.path)
    assert prepared(scene.path, "hh.tif", polarisations=("HH",)).names == ("HH",)
    of_hv = 20 * np.log10(1000 * gaofen.QUALIFY["HV"] / 65535)
    made = prepared(scene.path, "said.tif", constants_db={"HV": 20.0})
    assert made.pixels[0][made.valid] == pytest.approx(L1B, abs=1e-3)
    assert made.pixels[1][made.valid] == pytest.approx(of_hv - 20, abs=1e-3)
    made = prepared(scene.path, "rest.tif", constants_db={"": 10.0})  # of HH the product says it
    assert made.pixels[0][made.valid] == pytest.approx(L1B, abs=1e-3)
    assert made.pixels[1][made.valid] == pytest.approx(of_hv - 10, abs=1e-3)
    made = prepared(scene.path, "all.tif", constants_db={"HH": 10.0, "HV": 0.0})
    assert made.pixels[0][made.valid] == pytest.approx(L1B + CONSTANT_DB - 10, abs=1e-3)
    assert made.pixels[1][made.valid] == pytest.approx(of_hv, abs=1e-3)
    with rasterio.open(tmp_path / "all.tif") as file:
        assert file.tags()["RSFUSE_CALIBRATION"] == "HH 10 dB (given), HV 0 dB (given)"


@pytest.mark.parametrize("name", ["lee", "refined-lee", "frost", "gamma-map"])
def test_speckle_filters_smooth_and_keep_the_mean(gaofen, prepared, tmp_path, name):
    unit = {**UNIT, "QualifyValue/HH": "327.675"}
    scene = gaofen.write_gf3(tmp_path, "HH", "L1B", layout=gaofen.Layout(tags=unit))
    power = np.random.default_rng(5).gamma(4, 1 / 4, (1, 192, 160))
    rewrite(scene, lambda pixels: np.sqrt(power) * 2000)
    plain = prepared(scene.path, "plain.tif", linear=True, kernel="nearest")
    made = prepared(scene.path, linear=True, kernel="nearest", speckle=(name, 7))
    before, after = (each.pixels[0][plain.valid & made.valid] for each in (plain, made))
    assert after.mean() == pytest.approx(before.mean(), rel=0.02)
    assert before.mean() ** 2 / before.var() == pytest.approx(4, rel=0.1)
    assert after.mean() ** 2 / after.var() > 20
    assert name in made.tags["RSFUSE_SPECKLE"]


def test_polarisations_come_in_the_order_that_is_asked_for(gaofen, prepared, tmp_path):
    scene = gaofen.write_gf3(tmp_path, "AHV", "L1B")
    made, all_of_them = prepared(scene.path, polarisations=("VV", "HH")), prepared(scene.path, "all.tif")
    assert made.names == ("VV", "HH")
    np.testing.assert_array_equal(made.pixels, all_of_them.pixels[[3, 0]])
    with pytest.raises(SceneError, match="no polarisation XX; it has HH, HV, VH, VV"):
        prepared(scene.path, "none.tif", polarisations=("XX",))
