"""Backscatter of Gaofen-3 is what the formulas give by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rsfuse.errors import SceneError
from rsfuse.geometry.decibels import to_db
from rsfuse.raster.products.product import SarFacts
from rsfuse.raster.products.sar_calibration import gaofen3_backscatter, incidence

L1A = SarFacts("GF3", "FSII", "L1A", {"HH": 32.767, "HV": None}, {"HH": 20.0, "HV": 21.0})
L1B = SarFacts("GF3", "FSII", "L1B", {"HH": 6.5535, "HV": 13.107}, {"HH": 20.0, "HV": 10.0})


def test_complex_pixels_become_power():
    backscatter = gaofen3_backscatter(L1A, "HH", "sigma0", 3)
    pixels = np.array([[[3, 0, 100]], [[4, -5, 0]]], np.int16)
    power = backscatter.power(pixels, 0, 0)
    # QV / 32767 = 0.001; (9 + 16) * 0.001^2 / 10^(20 / 10) = 2.5e-7; 25 likewise; 10000 * 1e-6 / 100 = 1e-4
    assert power == pytest.approx(np.array([[2.5e-7, 2.5e-7, 1e-4]]), rel=1e-6)
    assert power.dtype == np.float32
    # 10 log10(25 * 1e-6) - 20 = -46.0206 - 20
    assert to_db(power) == pytest.approx(np.array([[-66.0206, -66.0206, -40.0]]), abs=1e-4)


def test_amplitudes_become_power():
    pixels = np.array([[[1000, 65535], [1, 250]]], np.uint16)
    power = gaofen3_backscatter(L1B, "HH", "sigma0", 2).power(pixels, 0, 0)
    # QV / 65535 = 1e-4; (1000 * 1e-4)^2 / 100 = 1e-4; 6.5535^2 / 100 = 0.4294836; 1e-8 / 100; 0.025^2 / 100
    assert power == pytest.approx(np.array([[1e-4, 0.4294836], [1e-10, 6.25e-6]]), rel=1e-6)
    # of the other polarisation: QV / 65535 = 2e-4; 20 log10(1000 * 2e-4) - 10 = -13.9794 - 10
    other = gaofen3_backscatter(L1B, "HV", "sigma0", 2).power(pixels, 0, 0)
    assert to_db(other)[0, 0] == pytest.approx(-23.9794, abs=1e-4)
    on_a_map = gaofen3_backscatter(replace(L1B, level="L2"), "HH", "sigma0", 2).power(pixels, 0, 0)
    np.testing.assert_array_equal(on_a_map, power)


def test_the_largest_numbers_do_not_overflow():
    power = gaofen3_backscatter(L1A, "HH", "sigma0", 2).power(np.full((2, 1, 2), -32768, np.int16), 0, 0)
    assert power == pytest.approx(np.full((1, 2), 2 * 32768.0**2 * 1e-8), rel=1e-6)


def test_only_what_is_zero_in_all_bands_has_no_data():
    pixels = np.array([[[0, 1, 0, -1]], [[0, 0, 1, 1]]], np.int16)
    power = gaofen3_backscatter(L1A, "HH", "sigma0", 4).power(pixels, 0, 0)
    np.testing.assert_array_equal(np.isnan(power), [[True, False, False, False]])
    power = gaofen3_backscatter(L1B, "HH", "sigma0", 2).power(np.array([[[0, 1]]], np.uint16), 0, 0)
    np.testing.assert_array_equal(np.isnan(power), [[True, False]])


def test_gamma0_and_beta0_follow_the_angle_of_each_column():
    facts = replace(L1A, incidence_deg=(30.0, 60.0))
    pixels = np.array([[[10, 10]], [[0, 0]]], np.int16)
    sigma, gamma, beta = (
        gaofen3_backscatter(facts, "HH", quantity, 2).power(pixels, 0, 0) for quantity in ("sigma0", "gamma0", "beta0")
    )
    # gamma0 = sigma0 / cos; cos 30 = 0.8660254, cos 60 = 0.5. beta0 = sigma0 / sin; sin 30 = 0.5, sin 60 = 0.8660254
    assert sigma == pytest.approx(np.array([[1e-6, 1e-6]]), rel=1e-6)
    assert gamma == pytest.approx(np.array([[1e-6 / 0.8660254, 2e-6]]), rel=1e-6)
    assert beta == pytest.approx(np.array([[2e-6, 1e-6 / 0.8660254]]), rel=1e-6)
    assert to_db(gamma)[0, 1] - to_db(sigma)[0, 1] == pytest.approx(3.0103, abs=1e-4)


@pytest.mark.parametrize(("facts", "bands", "dtype"), [(L1A, 2, np.int16), (L1B, 1, np.uint16)])
def test_a_window_has_the_power_of_the_whole_bit_for_bit(facts, bands, dtype):
    facts = replace(facts, incidence_deg=tuple(np.linspace(31, 36, 17)))
    backscatter = gaofen3_backscatter(facts, "HH", "gamma0", 61)
    pixels = np.random.default_rng(0).integers(0, 300, (bands, 50, 61), dtype=dtype)
    whole, before = backscatter.power(pixels, 0, 0), pixels.copy()
    window = backscatter.power(pixels[:, 7:30, 20:33], 7, 20)
    np.testing.assert_array_equal(window, whole[7:30, 20:33])
    np.testing.assert_array_equal(pixels, before)
    assert backscatter.power(pixels[:, :0], 0, 0).shape == (0, 61)


def test_the_users_constant_goes_before_the_products():
    pixels = np.array([[[10]], [[0]]], np.int16)
    power = gaofen3_backscatter(L1A, "HH", "sigma0", 1, 10.0).power(pixels, 0, 0)
    assert power.item() == pytest.approx(100 * 1e-6 / 10, rel=1e-6)
    unknown = replace(L1A, constant_db={"HH": None})
    power = gaofen3_backscatter(unknown, "HH", "sigma0", 1, constant_db=0.0).power(pixels, 0, 0)
    assert power.item() == pytest.approx(1e-4, rel=1e-6)


@pytest.mark.parametrize("constants", [{"HH": None}, {}, {"HV": 20.0}, {"HH": math.nan}])
def test_without_a_constant_the_user_is_asked_for_it(constants):
    with pytest.raises(SceneError, match="no CalibrationConst of HH") as caught:
        gaofen3_backscatter(replace(L1A, constant_db=constants), "HH", "sigma0", 5)
    assert "--calibration-constant DB" in caught.value.hint


@pytest.mark.parametrize("qualify", [{"HH": None}, {}, {"HV": 2.0}, {"HH": 0.0}, {"HH": -1.0}, {"HH": math.nan}])
def test_without_a_qualify_value_there_is_no_backscatter(qualify):
    with pytest.raises(SceneError, match="no QualifyValue of HH"):
        gaofen3_backscatter(replace(L1A, qualify=qualify), "HH", "sigma0", 5, 20.0)


def test_angles_are_spread_over_the_width():
    facts = replace(L1A, incidence_deg=(20.0, 40.0))
    # two values on four columns: each stands for two, so that their centres are 1 and 3
    columns = np.array([[0.0, 0.5, 1.0, 1.5], [2.0, 2.5, 3.5, 4.0]])
    angles = incidence(facts, columns, 4)
    assert angles.dtype == np.float32
    np.testing.assert_array_equal(angles, [[20, 20, 20, 25], [30, 35, 40, 40]])


def test_an_angle_of_each_column_is_that_of_its_centre():
    known = tuple(np.random.default_rng(0).uniform(20, 50, 77))
    angles = incidence(replace(L1A, incidence_deg=known), np.arange(77) + 0.5, 77)
    np.testing.assert_array_equal(angles, np.array(known, np.float32))


def test_angles_do_not_depend_on_how_many_are_asked_for():
    facts = replace(L1A, incidence_deg=tuple(np.random.default_rng(0).uniform(20, 50, 50)))
    columns = np.random.default_rng(1).uniform(-2, 333, (40, 30))
    columns[3, 4] = np.nan
    whole = incidence(facts, columns, 331)
    assert np.isnan(whole[3, 4])
    assert np.isfinite(whole).sum() == whole.size - 1
    np.testing.assert_array_equal(incidence(facts, columns[2:5, 3:6], 331), whole[2:5, 3:6])
    np.testing.assert_array_equal(incidence(facts, columns[:, ::7], 331), whole[:, ::7])


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (L1A, "angles of incidence of the image.s columns are not known"),
        (replace(L1A, incidence_deg=(0.0, 30.0)), "between 0 and 30 degrees cannot be"),
        (replace(L1A, incidence_deg=(30.0, math.nan)), "cannot be"),
        (replace(L1B, level="L2", incidence_deg=(30.0, 31.0)), r"on a map already \(L2\)"),
    ],
)
def test_without_angles_there_is_sigma0_alone(facts, told):
    assert gaofen3_backscatter(facts, "HH", "sigma0", 9).factors.shape == (9,)
    for quantity in ("gamma0", "beta0"):
        with pytest.raises(SceneError, match=told) as caught:
            gaofen3_backscatter(facts, "HH", quantity, 9)
        assert "sigma0" in caught.value.hint
    with pytest.raises(SceneError, match=told):
        incidence(facts, np.arange(3.0), 9)
