"""A panchromatic and a multispectral raster, each read on its own grid."""

import numpy as np
import pytest
import rasterio
import rasterio.warp
from affine import Affine
from rasterio.windows import Window
from scipy.ndimage import binary_erosion

from rsfuse.raster.sharpening.scene import PanMsScene

UTM, CORNER = "EPSG:32650", (500_000, 4_000_000)
ALL, INNER = ((0, 160), (0, 176)), np.s_[:, 24:-24, 24:-24]
"""Of the panchromatic raster: every pixel, and those that no edge of the multispectral one is near to."""

GRIDS = {
    "ratio 4": (4.0, (0, 0), (40, 44)),
    "ratio 2": (2.0, (0, 0), (80, 88)),
    "ratio 3": (3.0, (0, 0), (54, 59)),
    "nearly 2": (2.0001, (0, 0), (80, 88)),
    "nearly 4": (3.98, (0, 0), (41, 45)),
    "from 1.37 px left and .6 above": (4.0, (-1.37, -0.6), (41, 45)),
    "wider all around": (4.0, (-42.3, -31.9), (70, 70)),
}


@pytest.mark.parametrize(("gsd_m", "corner", "shape"), GRIDS.values(), ids=GRIDS)
def test_interpolated_bands_are_the_ground_at_panchromatic_pixels(survey, truth, gsd_m, corner, shape):
    paths = survey("pan.tif", 1, (160, 176)), survey("ms.tif", 3, shape, gsd_m, corner=corner)
    with PanMsScene(*paths) as scene:
        assert scene.ratio == round(gsd_m)
        assert scene.placement.ratio == pytest.approx(gsd_m, rel=1e-9)
        exp, valid = scene.exp(*ALL)
        assert exp.shape == (3, 160, 176)
        assert valid.all()
        assert np.abs(exp - truth(3, (160, 176)))[INNER].max() < 3  # of 1300
        for part in (((0, 33), (7, 90)), ((100, 160), (150, 176)), ((47, 48), (9, 10))):
            np.testing.assert_allclose(scene.exp(*part)[0], exp[:, slice(*part[0]), slice(*part[1])], atol=1e-2)


@pytest.mark.parametrize(("gsd_m", "corner", "shape"), GRIDS.values(), ids=GRIDS)
def test_the_panchromatic_image_as_the_bands_are_lies_where_it_was(survey, lay, gsd_m, corner, shape):
    columns, rows = np.meshgrid(np.arange(176) + 0.5, np.arange(160) + 0.5)
    slope = (3 * columns + 5 * rows)[None].astype(np.float32)
    paths = lay("pan.tif", slope), survey("ms.tif", 1, shape, gsd_m, corner=corner)
    inside = np.s_[:, 24:-24, 24:-24] if gsd_m < 2.5 else np.s_[:, 20:30, 20:30]
    x, y = (start + (np.arange(side) + 0.5) * gsd_m for start, side in zip(corner, shape[::-1], strict=True))
    with PanMsScene(*paths) as scene:
        reduced = scene.reduced(0.3, (0, shape[0]), (0, shape[1]))
        np.testing.assert_allclose(reduced[inside], (3 * x + 5 * y[:, None])[None][inside], atol=0.02)
        low = scene.low((0.3, 0.2, 0.3), *ALL)
        assert low.shape == (3, 160, 176)
        np.testing.assert_array_equal(low[0], low[2])
        np.testing.assert_allclose(low[1:, 40:-40, 40:-40], slope[:, 40:-40, 40:-40].repeat(2, 0), atol=0.5)


def test_a_part_that_the_multispectral_raster_does_not_cover_has_no_data(survey, truth):
    paths = survey("pan.tif", 1, (160, 176)), survey("ms.tif", 2, (20, 20), 4, corner=(32, 40))
    expected = np.zeros((160, 176), bool)
    expected[40:120, 32:112] = True
    with PanMsScene(*paths) as scene:
        exp, valid = scene.exp(*ALL)
        np.testing.assert_array_equal(valid, expected)
        assert np.abs(exp - truth(2, (160, 176)))[:, 60:100, 52:92].max() < 3
        assert not scene.is_gapless
        for part in (((0, 30), (0, 20)), ((130, 160), (120, 176)), ((30, 50), (100, 140))):  # outside, and partly
            found, seen = scene.exp(*part)
            assert np.isfinite(found).all()
            np.testing.assert_array_equal(seen, expected[slice(*part[0]), slice(*part[1])])


@pytest.mark.parametrize("nodata", [0, -9999, np.nan])
def test_pixels_without_data_are_where_they_were_and_spoil_no_neighbour(survey, truth, nodata):
    paths = (
        survey("pan.tif", 1, (160, 176), nodata=nodata),
        survey("ms.tif", 2, (40, 44), 4, nodata=nodata),
    )
    for path, place in zip(paths, (np.s_[:, 7, 9], np.s_[:, 20:24, 30]), strict=True):
        with rasterio.open(path, "r+") as file:
            pixels = file.read()
            pixels[place] = nodata
            file.write(pixels)
    gap = np.zeros((160, 176), bool)
    gap[80:96, 120:124] = True
    with PanMsScene(*paths) as scene:
        exp, seen = scene.exp(*ALL)
        np.testing.assert_array_equal(~seen, gap)
        # the nearest stands in for them: an error of a ramp over two pixels, not that of a hole
        assert np.abs(exp - truth(2, (160, 176)))[INNER].max() < 150
        pan, known = scene.pan(*ALL)
        assert np.argwhere(~known).tolist() == [[7, 9]]
        assert pan[0, 7, 9] in pan[0, 6:9, 8:11][known[6:9, 8:11]]
        assert np.isfinite(scene.reduced(0.3, (0, 40), (0, 44))).all()


def test_a_mask_and_a_band_of_transparency_tell_where_data_is(survey, lay, truth):
    seen = np.ones((40, 44), bool)
    seen[10, 10] = False
    pixels = truth(2, (40, 44)).astype(np.uint16)
    pan = survey("pan.tif", 1, (160, 176))
    masked = lay("masked.tif", pixels, 4, mask=seen)
    with_alpha = lay("alpha.tif", np.concatenate([pixels, 65535 * seen[None]]).astype(np.uint16), 4)
    with rasterio.open(with_alpha, "r+") as file:
        file.colorinterp = [rasterio.enums.ColorInterp[each] for each in ("gray", "undefined", "alpha")]
    for path in (masked, with_alpha):
        with PanMsScene(pan, path) as scene:
            assert len(scene.bands) == 2
            np.testing.assert_array_equal(scene.exp(*ALL)[1], seen.repeat(4, 0).repeat(4, 1))


def turned(degrees):
    place = Affine.translation(CORNER[0] + 20, CORNER[1] + 50) * Affine.rotation(degrees) * Affine.scale(4, -4)
    return {"transform": place}


def in_next_zone():
    """A grid of 4 m in the zone to the east that covers the panchromatic raster with some to spare."""
    corners = rasterio.warp.transform_bounds(UTM, "EPSG:32651", CORNER[0], CORNER[1] - 160, CORNER[0] + 176, CORNER[1])
    left, bottom, right, top = corners
    shape = int((top - bottom) / 4) + 20, int((right - left) / 4) + 20
    return {"crs": "EPSG:32651", "transform": Affine(4, 0, left - 40, 0, -4, top + 40)}, shape


@pytest.mark.parametrize("place", [lambda: (turned(12), (80, 80)), in_next_zone], ids=["turned", "next zone"])
def test_grids_askew_are_warped_and_the_ground_stays(survey, truth, place):
    options, shape = place()
    paths = survey("pan.tif", 1, (160, 176)), survey("ms.tif", 2, shape, 4, **options)
    with PanMsScene(*paths) as scene:
        assert scene.ratio == 4
        exp, valid = scene.exp(*ALL)
        inner = binary_erosion(valid, iterations=20)
        assert inner.sum() > 5000
        error = np.abs(exp - truth(2, (160, 176)))[:, inner]
        assert error.max() < 40
        assert error.mean() < 6


@pytest.mark.parametrize("shape", [(40, 44), (80, 88), (39, 43)])
def test_without_coordinates_both_cover_the_same_ground(lay, shape):
    def slope(height, width):
        x, y = (np.arange(width) + 0.5) * 176 / width, (np.arange(height) + 0.5) * 160 / height
        return (x + y[:, None])[None].astype(np.float32)

    paths = [lay(name, slope(*each), crs=None) for name, each in (("pan.tif", (160, 176)), ("ms.tif", shape))]
    with PanMsScene(*paths) as scene:
        assert (scene.placement.rows.ratio, scene.placement.columns.ratio) == (160 / shape[0], 176 / shape[1])
        exp, valid = scene.exp(*ALL)
        assert valid.all()
        np.testing.assert_allclose(exp[INNER], slope(160, 176)[INNER], atol=0.15)


def test_a_scene_tells_what_it_is(survey):
    paths = (
        survey("pan.tif", 1, (160, 176)),
        survey("ms.tif", 4, (40, 44), 4, dtype="int16", nodata=-1, names=("b", "g", "r", "n")),
    )
    with PanMsScene(*paths, bands=(4, 2)) as scene:
        assert (scene.bands, scene.ms_bands) == (("n", "g"), (4, 2))
        assert (scene.dtype, scene.nodata, scene.grid.shape, scene.paths) == ("int16", -1, (160, 176), paths)
        with PanMsScene(*paths) as whole:
            np.testing.assert_array_equal(scene.ms((0, 9), (0, 9))[0], whole.ms((0, 9), (0, 9))[0][[3, 1]])


def test_whether_every_pixel_has_data_is_known_beforehand(survey):
    pan = survey("pan.tif", 1, (160, 176), dtype="uint16")
    assert PanMsScene(pan, survey("ms.tif", 1, (40, 44), 4, dtype="uint16")).is_gapless
    assert not PanMsScene(pan, survey("nodata.tif", 1, (40, 44), 4, dtype="uint16", nodata=0)).is_gapless
    assert not PanMsScene(pan, survey("float.tif", 1, (40, 44), 4)).is_gapless  # NaN may be among them
    assert not PanMsScene(pan, survey("aside.tif", 1, (40, 44), 4, dtype="uint16", corner=(1, 0))).is_gapless
    assert not PanMsScene(pan, survey("short.tif", 1, (39, 44), 4, dtype="uint16")).is_gapless


@pytest.mark.parametrize("options", [{}, turned(12)], ids=["upright", "turned"])
def test_moved_is_as_if_the_multispectral_raster_lay_elsewhere(survey, options):
    own = options.get("transform", Affine.translation(*CORNER) * Affine.scale(4, -4))
    shape = (80, 80)
    paths = survey("pan.tif", 1, (160, 176)), survey("ms.tif", 2, shape, 4, **options)
    # its ground lies (8, -4) metres, or (2, -1) of its pixels, aside of where it says
    right = survey("right.tif", 2, shape, 4, transform=Affine.translation(-8, -4) * own)
    with rasterio.open(paths[1]) as file, rasterio.open(right, "r+") as other:
        other.write(file.read())
    with PanMsScene(*paths) as scene, scene.moved((2.0, -1.0)) as moved, PanMsScene(paths[0], right) as expected:
        (exp, valid), (found, seen) = moved.exp(*ALL), expected.exp(*ALL)
        both = binary_erosion(valid & seen, iterations=20)
        assert both.sum() > 5000
        assert np.abs(exp - found)[:, both].max() < 40
        with moved.again() as again:
            np.testing.assert_array_equal(again.exp(*ALL)[0], moved.exp(*ALL)[0])


def test_what_a_network_reads_is_on_the_grid_made_coarser(survey, truth):
    paths = survey("pan.tif", 1, (160, 176)), survey("ms.tif", 2, (40, 44), 4)
    with PanMsScene(*paths) as scene:
        sample = scene.read(Window(-16, 144, 64, 32))
        np.testing.assert_array_equal(sample.ms[:, :4, 4:], scene.ms((36, 40), (0, 12))[0])
        np.testing.assert_array_equal(sample.pan[:, :16, 16:], scene.pan((144, 160), (0, 48))[0])
        expected = np.zeros((32, 64), bool)
        expected[:16, 16:] = True
        np.testing.assert_array_equal(sample.valid, expected)
        assert sample.ms.shape == (2, 8, 16)
