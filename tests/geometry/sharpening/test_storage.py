"""Sharpened numbers as they are stored."""

import numpy as np
import pytest

from rsfuse.errors import SceneError
from rsfuse.geometry.sharpening.sensors import SENSORS, find_sensor
from rsfuse.geometry.sharpening.storage import Storage, bits_maximum

ALL = np.ones((2, 3), bool)


def stored(dtype, values, *, nodata=None, limits=None, valid=ALL):
    pixels = np.resize(np.array(values, np.float32), (1, 2, 3))
    return Storage(np.dtype(dtype), nodata, limits)(pixels, valid)[0]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32"])
def test_whole_numbers_are_rounded_and_clipped_to_their_type(dtype):
    limits = np.iinfo(dtype)
    found = stored(dtype, [1.4, 1.6, 99.5001, 1e12, -1e12, 7])
    assert found.dtype == np.dtype(dtype)
    assert found.ravel().tolist() == [1, 2, 100, limits.max, limits.min, 7]


def test_numbers_are_clipped_to_the_bits_of_the_data_and_floats_to_its_range():
    assert stored("uint16", [2047.4, 2100, 70_000, -3, 0, 12], limits=(1, 1200)).ravel().tolist() == [
        2047,
        2047,
        2047,
        0,
        0,
        12,
    ]
    assert stored("uint8", [300, 1, 2, 3, 4, 5], limits=(0, 2000)).max() == 255
    assert stored("int16", [-700, -3, 900, 1, 2, 3], limits=(-299, 600)).ravel()[:3].tolist() == [-512, -3, 900]
    assert stored("int16", [-700, -3, 900, 1, 2, 3], limits=(0, 600)).ravel()[:3].tolist() == [0, 0, 900]
    np.testing.assert_array_equal(stored("float32", [-0.25, 9e9, 3, 4, 5, 6]).ravel()[:2], np.float32([-0.25, 9e9]))
    reflectance = stored("float32", [-0.25, 1.3, 0.5, 0.5, 0.5, 0.5], limits=(0.01, 0.9)).ravel()
    np.testing.assert_array_equal(reflectance[:3], np.float32([0.01, 0.9, 0.5]))


CLASHES = [
    ("uint8", 0),
    ("uint8", 255),
    ("uint16", 0),
    ("int16", -9999),
    ("int16", 0),
    ("float32", -9999),
    ("float32", 0),
]


@pytest.mark.parametrize(("dtype", "nodata"), [(dtype, kind(each)) for dtype, each in CLASHES for kind in (int, float)])
def test_a_valid_pixel_never_equals_no_data_and_another_always(dtype, nodata):
    valid = ALL.copy()
    valid[0, 1] = False
    found = stored(dtype, [nodata, 5, 17, 1e9, -1e9, nodata], nodata=nodata, valid=valid)
    np.testing.assert_array_equal(found == nodata, ~valid)
    np.testing.assert_allclose(found[[0, 1], [0, 2]].astype(float), nodata, atol=1.01)


def test_no_data_is_0_without_a_number_and_nan_where_that_is_the_number():
    valid = ALL.copy()
    valid[1] = False
    assert stored("uint8", [7], valid=valid).tolist() == [[7, 7, 7], [0, 0, 0]]
    np.testing.assert_array_equal(np.isnan(stored("float32", [7], nodata=np.nan, valid=valid)), ~valid)


@pytest.mark.parametrize(
    ("value", "maximum"),
    [
        (0, 255),
        (200, 255),
        (255, 255),
        (256, 511),
        (700, 1023),
        (1100, 2047),
        (2047, 2047),
        (2048, 4095),
        (65535, 65535),
    ],
)
def test_the_bits_that_a_value_takes(value, maximum):
    assert bits_maximum(value) == maximum


def test_sensors_have_a_gain_for_every_band():
    for code, sensor in SENSORS.items():
        gains = sensor.of(len(sensor.ms) if len(sensor.ms) > 1 else 4)
        assert all(0 < gain < 1 for gain in (*gains, sensor.pan)), code
        assert find_sensor(code) is sensor
    assert SENSORS["gf2"].of(4) == (0.3, 0.3, 0.3, 0.3)
    assert SENSORS["qb"].of(4) == (0.34, 0.32, 0.30, 0.22)
    assert SENSORS["wv2"].of(8) == (*[0.35] * 7, 0.27)
    assert [SENSORS[code].pan for code in ("qb", "ikonos", "geoeye1", "wv2", "wv3")] == [0.15, 0.17, 0.16, 0.11, 0.14]


def test_a_sensor_of_other_bands_and_one_that_nobody_knows_are_told():
    with pytest.raises(SceneError, match="8 multispectral bands, the raster 4") as caught:
        SENSORS["wv3"].of(4)
    assert "--ms-bands" in caught.value.hint
    with pytest.raises(SceneError, match="'gf22'") as caught:
        find_sensor("gf22")
    assert "gf2" in caught.value.hint
