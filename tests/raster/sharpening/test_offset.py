"""By how much the two images lie aside of each other, and whether pixels were only repeated."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from rsfuse.raster.sharpening.offset import Offset, measure_offset, repeated, undone
from rsfuse.raster.sharpening.scene import PanMsScene

SIDE = 1024


@pytest.fixture(scope="module")
def scenery():
    """A panchromatic image of fields and roads with a margin of 16 px around it, (1056, 1056)."""
    chance = np.random.default_rng(0)
    fields = sum(gaussian_filter(chance.normal(0, 200 * size, (SIDE + 32,) * 2), size) for size in (2, 4, 12))
    return 1000 + fields + 150 * (fields > 0)


@pytest.fixture
def pair(lay, scenery):
    """Paths of a pair whose multispectral image lies (right, down) of its pixels aside of where it says."""

    def write(right=0.0, down=0.0, ratio=4, **options):
        moved = shift(scenery, (down * ratio, right * ratio), order=3, mode="nearest")[16:-16, 16:-16]
        side = SIDE // ratio
        mean = moved.reshape(side, ratio, side, ratio).mean((1, 3))
        ms = np.stack([mean * gain + 50 for gain in (0.6, 0.8, 1.1)])
        pan = scenery[None, 16:-16, 16:-16]
        return lay("pan.tif", pan.astype(np.uint16), **options), lay("ms.tif", ms.astype(np.uint16), ratio, **options)

    return write


def measured(paths):
    with PanMsScene(*paths) as scene:
        return measure_offset(scene, lambda done, total: None)


@pytest.mark.parametrize(
    ("shifts", "ratio"),
    [((0, 0), 4), ((0.25, -0.5), 4), ((0.75, 0.4), 4), ((-1.3, 0.1), 4), ((0.6, -0.3), 2), ((0, 2.2), 2)],
)
def test_a_shift_is_measured_within_a_small_part_of_a_pixel(pair, shifts, ratio):
    offset = measured(pair(*shifts, ratio))
    assert offset.is_known
    assert offset.shift == pytest.approx(shifts, abs=0.15)
    assert offset.is_noticeable == (np.hypot(*shifts) > 0.25)
    assert offset.to_dict() == {
        "dx_px": offset.shift[0],
        "dy_px": offset.shift[1],
        "tiles": offset.tiles,
        "accepted": offset.accepted,
    }


def test_moved_by_what_was_measured_nothing_is_left(pair, scenery):
    paths = pair(0.75, -0.5)
    shown = scenery[16:-16, 16:-16]
    smooth = gaussian_filter(shown, 2)
    with PanMsScene(*paths) as scene, scene.moved(measured(paths).shift) as moved:
        errors = [
            np.abs(each.exp((100, 900), (100, 900))[0][0] - (0.6 * smooth[100:900, 100:900] + 50)).mean()
            for each in (scene, moved)
        ]
    assert errors[1] < errors[0] / 3


def test_images_that_have_nothing_in_common_have_no_offset(lay):
    chance = np.random.default_rng(0)
    pan, ms = chance.integers(1, 2000, (1, SIDE, SIDE)), chance.integers(1, 2000, (3, 256, 256))
    offset = measured((lay("pan.tif", pan.astype(np.uint16)), lay("ms.tif", ms.astype(np.uint16), 4)))
    assert not offset.is_known
    assert not offset.is_noticeable
    assert offset.to_dict()["dx_px"] is None


def test_without_coordinates_it_is_measured_as_well(pair):
    offset = measured(pair(0.5, -0.4, crs=None))
    assert offset.is_known
    assert offset.shift == pytest.approx((0.5, -0.4), abs=0.15)


def test_where_nothing_can_be_seen_nothing_is_known(lay):
    flat = (
        lay("pan.tif", np.full((1, 512, 512), 300, np.uint16)),
        lay("ms.tif", np.full((2, 128, 128), 300, np.uint16), 4),
    )
    offset = measured(flat)
    assert not offset.is_known
    assert undone(offset) == (0.0, 0.0)
    assert offset.to_dict()["dx_px"] is None


def test_a_multispectral_raster_that_is_larger_or_has_gaps_is_matched_where_both_have_data(lay, scenery):
    pan = scenery[None, 16:-16, 16:-16][:, 256:768, 256:768].astype(np.uint16)
    mean = scenery[16:-16, 16:-16].reshape(SIDE // 4, 4, SIDE // 4, 4).mean((1, 3))[None].astype(np.uint16)
    mean[:, :100] = 0
    offset = measured((lay("pan.tif", pan, corner=(256, 256)), lay("ms.tif", mean, 4, nodata=0)))
    assert 4 <= offset.accepted == offset.tiles <= 9  # those within the panchromatic raster and below the gap
    assert offset.shift == pytest.approx((0, 0), abs=0.15)


def test_few_tiles_or_few_of_many_are_not_believed():
    shift_px = (1.0, 0.0)
    assert Offset(shift_px, 40, 10).is_known
    assert not Offset(shift_px, 40, 9).is_known
    assert not Offset(shift_px, 100, 14).is_known
    assert not Offset((0.1, 0.2), 40, 40).is_noticeable
    assert undone(Offset(shift_px, 40, 10)) == shift_px
    assert undone(Offset(shift_px, 40, 9)) == undone(None) == (0.0, 0.0)


@pytest.mark.parametrize("times", [1, 2, 3, 4])
@pytest.mark.parametrize("aside", [0, 1])
def test_repeated_pixels_are_found(lay, times, aside):
    small = np.random.default_rng(0).integers(1, 2000, (3, 40, 44)).astype(np.uint16)
    ms = small.repeat(times, 1).repeat(times, 2)[:, aside:, aside:]
    pan = np.ones((1, 4 * ms.shape[1], 4 * ms.shape[2]), np.uint16)
    with PanMsScene(lay("pan.tif", pan), lay("ms.tif", ms, 4)) as scene:
        assert repeated(scene) == times


def test_an_image_with_little_in_it_or_without_data_is_not_called_repeated(lay):
    pan = lay("pan.tif", np.ones((1, 256, 256), np.uint16))
    dark, few = np.full((2, 64, 64), 7, np.uint16), np.full((2, 64, 64), 7, np.uint16)
    few[:, 32, 32] = 9
    for number, pixels in enumerate((dark, few)):
        with PanMsScene(pan, lay(f"{number}.tif", pixels, 4)) as scene:
            assert repeated(scene) == 1
    gaps = np.random.default_rng(0).integers(0, 5, (1, 32, 32)).astype(np.uint16).repeat(2, 1).repeat(2, 2)
    with PanMsScene(pan, lay("gaps.tif", gaps, 4, nodata=0)) as scene:
        assert repeated(scene) == 1


def test_repeated_pixels_are_told_where_pieces_were_put_together(lay, scenery):
    small = scenery[::8, ::8][:132, :132].astype(np.uint16)
    enlarged = small.repeat(2, 0).repeat(2, 1)
    pieced = np.concatenate([enlarged[:98], enlarged[97:-1]])  # from row 98 on, pixels begin at odd rows
    for image, times in ((enlarged, 2), (pieced[:256], 1), (np.delete(enlarged, 250, 0), 2), (scenery[:256, :256], 1)):
        ms = image[:256, :256].astype(np.uint16)[None]
        with PanMsScene(
            lay("pan.tif", np.ones((1, *(4 * side for side in ms.shape[1:])), np.uint16)), lay("ms.tif", ms, 4)
        ) as scene:
            assert repeated(scene) == times
