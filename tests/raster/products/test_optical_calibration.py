"""Radiance and reflectance are what the formulas give by hand."""

import math
from datetime import date

import numpy as np
import pytest

from rsfuse.errors import SceneError
from rsfuse.raster.products.coefficients import read_coefficients, shipped_coefficients
from rsfuse.raster.products.optical_calibration import OpticalCalibration, optical_calibration, sun_distance_au
from rsfuse.raster.products.product import OpticalFacts

JULY = OpticalFacts("GF1", "PMS1", date(2018, 7, 4), 60.0)


@pytest.fixture(scope="module")
def table():
    return shipped_coefficients()


def test_radiance_is_gain_times_number_plus_offset(table):
    calibration = optical_calibration(OpticalFacts("GF2", "PMS1", date(2014, 9, 1), None), "ms", 4, "radiance", table)
    radiance = calibration(np.full((4, 1, 2), 400, np.uint16))
    # 0.1585 * 400 - 0.8765 = 62.5235; 0.1883 * 400 - 0.9742 = 74.3458; 0.174 * 400 - 0.7652 = 68.8348;
    # 0.1897 * 400 - 0.7233 = 75.1567
    assert radiance[:, 0, 1] == pytest.approx([62.5235, 74.3458, 68.8348, 75.1567], rel=1e-6)
    assert radiance.dtype == np.float32
    assert "2014" in calibration.told


def test_radiance_of_what_was_published_the_other_way_round(table):
    calibration = optical_calibration(OpticalFacts("GF1", "WFV1", date(2013, 9, 1), None), "ms", 4, "radiance", table)
    radiance = calibration(np.full((4, 1, 1), 500, np.uint16)).ravel()
    # (500 - 0.0039) / 5.851 = 85.4548; (500 - 0.0047) / 7.153 = 69.9001; (500 - 0.003) / 8.368 = 59.7511;
    # (500 - 0.0274) / 7.474 = 66.8949
    assert radiance == pytest.approx([85.4548, 69.9001, 59.7511, 66.8949], abs=1e-4)


def test_reflectance_is_that_of_the_formula(table):
    calibration = optical_calibration(JULY, "ms", 4, "reflectance", table)
    reflectance = calibration(np.full((4, 1, 1), 400, np.uint16)).ravel()
    # 4 July is day 185: d = 1 - 0.01672 cos(0.9856 * 181 = 178.3936 degrees) = 1 + 0.01672 * 0.999607 = 1.0167134
    # blue: L = 0.153 * 400 = 61.2; pi * 61.2 * 1.0167134^2 / (1945.29 * cos 60) = 198.7460 / 972.645 = 0.204336
    # green: 0.1356 * 400 = 54.24, of 1854.1; red: 0.1366 * 400 = 54.64, of 1542.9; infrared: 50.88, of 1080.77
    light = math.pi * 1.0167134**2 / 0.5
    by_hand = [61.2 * light / 1945.29, 54.24 * light / 1854.1, 54.64 * light / 1542.9, 50.88 * light / 1080.77]
    assert by_hand[0] == pytest.approx(0.204336, abs=1e-6)
    assert reflectance == pytest.approx(by_hand, rel=1e-6)
    assert "sun 60 degrees from the zenith, 1.0167 AU away" in calibration.told
    assert "irradiance" in calibration.told


def test_an_offset_is_part_of_the_reflectance(table):
    facts = OpticalFacts("GF1", "PMS1", date(2013, 7, 4), 60.0)
    calibration = optical_calibration(facts, "pan", 1, "reflectance", table)
    # L = 0.1886 * 300 - 13.127 = 43.453, of 1371.79
    reflectance = calibration(np.full((1, 1, 1), 300, np.int16)).item()
    assert reflectance == pytest.approx(math.pi * 43.453 * 1.0167134**2 / (1371.79 * 0.5), rel=1e-6)


@pytest.mark.parametrize(
    ("day", "distance"),
    [(date(2018, 1, 3), 0.98328), (date(2018, 4, 4), 1.0000), (date(2018, 7, 6), 1.01670), (date(2018, 10, 5), 1.0000)],
)
def test_the_sun_is_as_far_as_almanacs_say(day, distance):
    assert sun_distance_au(day) == pytest.approx(distance, abs=1e-3)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_digital_numbers_stay_what_they_are_even_of_a_camera_that_nobody_knows(table, dtype):
    calibration = optical_calibration(OpticalFacts("GF9", "PMS", date(2030, 1, 1), None), "ms", 4, "dn", table)
    pixels = np.arange(40).reshape(4, 2, 5).astype(dtype)
    numbers = calibration(pixels)
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers, pixels)
    assert not np.shares_memory(numbers, pixels)
    assert calibration.warnings == ()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_a_window_is_calibrated_as_the_whole_is_bit_for_bit(dtype):
    calibration = OpticalCalibration("radiance", (0.123, 1 / 7.153), (-0.7, 0.0031), "")
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 37, 41)).astype(dtype)
    whole = calibration(pixels)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(whole[:, 3:20, 5:12], calibration(pixels[:, 3:20, 5:12]))
    np.testing.assert_array_equal(whole[:, ::3, 1::2], calibration(pixels[:, ::3, 1::2]))


def test_warnings_of_the_coefficients_are_passed_on(table):
    facts = OpticalFacts("GF1", "PMS2", date(2023, 1, 1), 30.0)
    for quantity in ("radiance", "reflectance"):
        missed, doubted = optical_calibration(facts, "ms", 4, quantity, table).warnings
        assert "2023" in missed
        assert "2021" in missed
        assert "doubtful" in doubted


def test_without_the_sun_there_is_radiance_but_no_reflectance(table):
    facts = OpticalFacts("GF1", "PMS1", date(2018, 7, 4), None)
    assert optical_calibration(facts, "ms", 4, "radiance", table).scales[0] == 0.153
    with pytest.raises(SceneError, match="does not say how high the sun stood") as caught:
        optical_calibration(facts, "ms", 4, "reflectance", table)
    assert "--as radiance" in caught.value.hint
    assert "--sun-zenith DEGREES" in caught.value.hint


@pytest.mark.parametrize("zenith", [-1.0, 85.0, 120.0, math.nan])
def test_a_sun_too_low_is_refused(table, zenith):
    with pytest.raises(SceneError, match="degrees from the zenith; reflectance needs less than 85"):
        optical_calibration(OpticalFacts("GF1", "PMS1", date(2018, 7, 4), zenith), "ms", 4, "reflectance", table)
    near = OpticalFacts("GF1", "PMS1", date(2018, 7, 4), 84.9)
    assert optical_calibration(near, "ms", 4, "reflectance", table).scales[0] > 0


def test_without_irradiance_there_is_radiance_but_no_reflectance_until_the_user_gives_it(table, tmp_path):
    facts = OpticalFacts("GF6", "PMS", date(2018, 7, 4), 60.0)
    assert optical_calibration(facts, "pan", 1, "radiance", table).scales == (0.0505,)
    with pytest.raises(SceneError, match="irradiance of the sun in the bands of GF6 PMS") as caught:
        optical_calibration(facts, "pan", 1, "reflectance", table)
    assert "--as radiance" in caught.value.hint
    (tmp_path / "own.csv").write_text("satellite,sensor,part,esun\nGF6,PMS,pan,1500\n")
    own = optical_calibration(facts, "pan", 1, "reflectance", read_coefficients(tmp_path / "own.csv"))
    assert own.scales == pytest.approx([0.0505 * math.pi * 1.0167134**2 / (1500 * 0.5)], rel=1e-6)
    assert "own.csv, line 2" in own.told


def test_a_camera_without_coefficients_is_refused(table):
    facts = OpticalFacts("GF1B", "WFV", date(2020, 7, 4), 60.0)
    for quantity in ("radiance", "reflectance"):
        with pytest.raises(SceneError, match="GF1B WFV") as caught:
            optical_calibration(facts, "ms", 4, quantity, table)
        assert "--as dn" in caught.value.hint
