"""The picture of a part before and after."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from rsfuse.errors import OutputError
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.reports.sharpening_preview import write_preview

PLACE = Affine(1.0, 0, 500_000, 0, -1.0, 4_000_000)
GAP, TOP = 16, 44  # of the panels


@pytest.fixture
def lay(tmp_path):
    def write(name, pixels, gsd_m=1, **options):
        count, height, width = pixels.shape
        profile = {"crs": "EPSG:32650", "transform": PLACE * Affine.scale(gsd_m), "dtype": pixels.dtype, **options}
        size = {"count": count, "height": height, "width": width}
        with rasterio.open(tmp_path / name, "w", driver="GTiff", **size, **profile) as file:
            file.write(pixels)
        return tmp_path / name

    return write


def panels(path, side):
    """Before, panchromatic and after, each (h, w, 3)."""
    with Image.open(path) as opened:
        picture = np.asarray(opened)
    assert picture.shape == (TOP + side[0] + GAP, 3 * (side[1] + GAP) + GAP, 3)
    lefts = [GAP + number * (side[1] + GAP) for number in range(3)]
    return [picture[TOP : TOP + side[0], left : left + side[1]].astype(int) for left in lefts]


def images(shape, bands=3):
    chance = np.random.default_rng(0)
    ms = chance.integers(1, 1000, (bands, shape[0] // 4, shape[1] // 4)).astype(np.uint16)
    return chance.integers(1, 1000, (1, *shape)).astype(np.uint16), ms, chance.integers(1, 1000, (bands, *shape))


def shown(band, by):
    """Numbers as shades, of which the first and last percent of another image are black and white."""
    low, high = np.percentile(by, (1, 99))
    return np.clip((band - low) / (high - low), 0, 1) * 255


@pytest.mark.parametrize("bands", [1, 4])
def test_before_and_after_are_side_by_side_in_the_same_shades(lay, tmp_path, bands):
    pan, ms, sharp = images((120, 160), bands)
    sharp = sharp.astype(np.uint16)
    with PanMsScene(lay("pan.tif", pan), lay("ms.tif", ms, 4)) as scene:
        write_preview(scene, lay("sharp.tif", sharp), tmp_path / "look.png", "gsa")
    before, fine, after = panels(tmp_path / "look.png", (120, 160))
    for channel in range(3):
        band = channel if bands > 1 else 0
        whole = ms[band].repeat(4, 0).repeat(4, 1)
        assert np.abs(before[..., channel] - shown(whole, sharp[band])).max() <= 1
        assert np.abs(after[..., channel] - shown(sharp[band], sharp[band])).max() <= 1
        assert np.abs(fine[..., channel] - shown(pan[0], pan)).max() <= 1
    assert not list(tmp_path.glob(".*"))


def test_bands_that_have_names_are_shown_in_their_colours(lay, tmp_path):
    pan, ms, sharp = images((120, 160), 4)
    paths = lay("pan.tif", pan), lay("ms.tif", ms, 4)
    with rasterio.open(paths[1], "r+") as file:
        file.descriptions = ("blue", "green", "red", "nir")
    with PanMsScene(*paths) as scene:
        write_preview(scene, lay("sharp.tif", sharp.astype(np.uint16)), tmp_path / "look.png", "gsa")
    after = panels(tmp_path / "look.png", (120, 160))[2]
    for channel, band in enumerate((2, 1, 0)):
        assert np.abs(after[..., channel] - shown(sharp[band], sharp[band])).max() <= 1


def test_of_a_large_scene_the_most_detailed_place_is_shown(lay, tmp_path):
    pan = np.full((1, 1200, 1600), 500, np.uint16)
    pan[:, 752:, 1152:] += np.random.default_rng(0).integers(0, 500, (1, 448, 448)).astype(np.uint16)
    with PanMsScene(lay("pan.tif", pan), lay("ms.tif", pan[:, ::4, ::4], 4)) as scene:
        write_preview(scene, lay("sharp.tif", pan), tmp_path / "look.png", "gsa")
    fine = panels(tmp_path / "look.png", (448, 448))[1]
    assert np.abs(fine[..., 0] - shown(pan[0, 752:, 1152:], pan[0, 752:, 1152:])).max() <= 1


def test_a_part_without_data_and_one_that_is_flat_are_no_obstacle(lay, tmp_path):
    pan, ms, sharp = images((120, 160))
    sharp[:, :60] = 0
    for name, pixels in (("gaps", sharp), ("empty", 0 * sharp), ("flat", 0 * sharp + 7)):
        path = lay(f"{name}.tif", pixels.astype(np.uint16), nodata=0)
        with PanMsScene(lay("pan.tif", pan), lay("ms.tif", ms[:, 6:], 4)) as scene:
            write_preview(scene, path, tmp_path / f"{name}.png", "gsa")
        assert len(panels(tmp_path / f"{name}.png", (120, 160))) == 3


def test_a_picture_that_cannot_be_written_is_told(lay, tmp_path):
    pan, ms, sharp = images((120, 160))
    sharp = lay("sharp.tif", sharp.astype(np.uint16))
    (tmp_path / "a file").write_text("")
    with (
        PanMsScene(lay("pan.tif", pan), lay("ms.tif", ms, 4)) as scene,
        pytest.raises(OutputError, match=r"look\.png cannot be written"),
    ):
        write_preview(scene, sharp, tmp_path / "a file/look.png", "gsa")
