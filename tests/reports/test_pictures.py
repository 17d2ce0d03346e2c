"""Pictures show what the rasters hold, in the colours of the legend."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from rsfuse.errors import SceneError
from rsfuse.legends import LEGENDS
from rsfuse.raster.quicklook import look_at_image, look_at_map
from rsfuse.reports.panels import draw_panels

LEGEND = LEGENDS["sentinel-5"]


def write(path, pixels):
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype}
    with rasterio.open(path, "w", crs="EPSG:32650", transform=Affine(10, 0, 0, 0, -10, 0), **profile) as target:
        target.write(pixels)
    return path


def test_an_image_is_made_small_and_keeps_its_proportions(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 1000, (4, 300, 900), np.uint16)
    path = write(tmp_path / "a.tif", pixels)
    assert look_at_image(path, 90, (3, 2, 1)).shape == (30, 90, 3)
    assert look_at_image(path, 5000, (1,)).shape == (300, 900, 3)


def test_brighter_pixels_look_brighter_and_one_band_is_grey(tmp_path):
    ramp = np.tile(np.arange(200, dtype=np.uint16) * 5, (1, 50, 1))
    picture = look_at_image(write(tmp_path / "a.tif", ramp), 200, (1,))
    assert (np.diff(picture[0, :, 0].astype(int)) >= 0).all()
    assert picture[0, -1, 0] == 255
    assert (picture[..., 0] == picture[..., 1]).all()


def test_a_map_has_the_colours_of_its_legend_and_white_for_nothing(tmp_path):
    codes = np.repeat(np.array([0, 1, 2, 3, 4, 255], np.uint8), 10)[None, None].repeat(10, 1)
    picture = look_at_map(write(tmp_path / "m.tif", codes), 60, LEGEND)
    assert [tuple(picture[5, 10 * each + 5]) for each in range(5)] == [each.color for each in LEGEND]
    assert tuple(picture[5, 55]) == (255, 255, 255)


def test_panels_stand_side_by_side_above_the_legend(tmp_path):
    pictures = {name: np.full((80, 120, 3), shade, np.uint8) for name, shade in (("one", 50), ("two", 200))}
    draw_panels(pictures, LEGEND, tmp_path / "panels.png")
    sheet = np.asarray(Image.open(tmp_path / "panels.png"))
    assert (sheet == 50).all(-1).sum() >= 80 * 120
    assert (sheet == 200).all(-1).sum() >= 80 * 120
    for each in LEGEND:
        assert (sheet == each.color).all(-1).any()


def test_a_file_that_is_no_raster_is_told(tmp_path):
    (tmp_path / "a.tif").write_text("no")
    with pytest.raises(SceneError, match=r"a\.tif"):
        look_at_image(tmp_path / "a.tif", 100)
