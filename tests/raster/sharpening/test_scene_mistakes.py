"""Pairs that cannot be sharpened, and what is said of them."""

import numpy as np
import pytest

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.raster.sharpening.scene import PanMsScene


@pytest.fixture
def pan(lay):
    return lay("pan.tif", np.ones((1, 160, 176), np.uint16))


def ones(bands, *shape):
    return np.ones((bands, *shape), np.uint16)


MISTAKES = {
    "ratio 1": (ones(4, 160, 176), 1, {}, "is 1 x 1 pixels", "not enlarged"),
    "ratio 20": (ones(4, 8, 9), 20, {}, "is 20 x 20 pixels", "the same ground"),
    "finer than the panchromatic one": (ones(4, 320, 352), 0.5, {}, r"is 0\.5 x 0\.5 pixels", "first"),
    "elsewhere": (ones(4, 40, 44), 4, {"corner": (5000, 0)}, "lies elsewhere", ""),
    "without a CRS": (ones(4, 40, 44), 4, {"crs": None}, "multispectral raster has no CRS", "gdal_edit.py"),
}


@pytest.mark.parametrize(("pixels", "gsd_m", "options", "told", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_a_pair_that_is_none_is_told_with_its_numbers(lay, pan, pixels, gsd_m, options, told, hint):
    with pytest.raises((GridMismatchError, SceneError), match=told) as caught:
        PanMsScene(pan, lay("ms.tif", pixels, gsd_m, **options))
    assert hint in caught.value.hint


def test_a_panchromatic_raster_of_several_bands_is_told(lay, pan):
    ms = lay("ms.tif", ones(3, 40, 44), 4)
    with pytest.raises(SceneError, match=r"ms\.tif has 3 bands, a panchromatic raster has one") as caught:
        PanMsScene(ms, pan)
    assert "before the other" in caught.value.hint


def test_pixels_of_other_proportions_are_told(lay):
    without = lay("without.tif", np.ones((1, 160, 176), np.uint16), crs=None)
    with pytest.raises(GridMismatchError, match="alike on both axes"):
        PanMsScene(without, lay("ms.tif", ones(1, 80, 44), crs=None))


def test_a_band_that_is_not_there_is_told(lay, pan):
    with pytest.raises(SceneError, match="no band 5"):
        PanMsScene(pan, lay("ms.tif", ones(4, 40, 44), 4), bands=(1, 5))


def test_a_file_that_is_not_there_is_told(lay, pan):
    with pytest.raises(SceneError, match=r"nowhere\.tif"):
        PanMsScene(pan, pan.with_name("nowhere.tif"))
