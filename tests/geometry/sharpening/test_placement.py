"""Where multispectral pixels lie among panchromatic ones."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from rsfuse.geometry.sharpening.filling import filled
from rsfuse.geometry.sharpening.placement import Along, Placement

CHANCE = np.random.default_rng(0)
AXES = [
    Along.by_area(4, 80, 20),
    Along.by_area(2, 40, 20),
    Along(2.0001, 0.5 / 2.0001 - 0.5, 41, 20),
    Along(3.98, -1.37 / 3.98, 90, 20),  # the coarse grid begins aside, and ends before the fine one
    Along(4.0, 5.2, 40, 20),  # the fine one lies within the coarse one
]


@pytest.mark.parametrize("along", AXES)
def test_the_pixel_that_each_lies_in_is_the_nearest(along):
    places = along.first + np.arange(along.fine) / along.ratio
    nearest = np.abs(places[:, None] - np.arange(along.coarse)).argmin(1)
    inside = np.abs(places - nearest) < 0.5 + 1e-6
    found = along.nearest((0, along.fine))
    assert (np.abs(places - found)[found >= 0] <= 0.5 + 1e-6).all()
    np.testing.assert_array_equal(found >= 0, inside)
    np.testing.assert_array_equal(along.nearest((7, 19)), found[7:19])


@pytest.mark.parametrize("along", AXES)
@pytest.mark.parametrize("size", [1, 7, 16])
def test_every_coarse_pixel_whose_centre_is_covered_lies_in_just_one_window(along, size):
    centres = (np.arange(along.coarse) - along.first) * along.ratio  # in fine pixels
    covered = np.flatnonzero((centres >= -0.5 - 1e-6) & (centres < along.fine - 0.5 - 1e-6))
    found = []
    for start in range(0, along.fine, size):
        span = start, min(start + size, along.fine)
        inside = range(*along.inside(span))
        assert all(span[0] - 0.5 - 1e-6 <= centres[each] <= span[1] - 0.5 + 1e-6 for each in inside)
        found.extend(inside)
    assert found == covered.tolist()


def test_both_begin_with_the_same_edge():
    along = Along.by_area(4, 80, 20)
    # the first four fine pixels are centred at -3/8, -1/8, 1/8 and 3/8 of the first coarse one
    assert [along.first + number / 4 for number in range(4)] == [-0.375, -0.125, 0.125, 0.375]
    assert Placement.by_area(4, (5, 6)) == Placement(Along.by_area(4, 20, 5), Along.by_area(4, 24, 6))


def test_moved_is_where_the_other_image_has_the_same_ground():
    placement = Placement.by_area(4, (40, 40))
    rows, columns = np.mgrid[:40, :40]
    image = np.exp(-((rows - 20) ** 2 + (columns - 18) ** 2) / 40)[None].astype(np.float32)
    aside = np.exp(-((rows - 19.5) ** 2 + (columns - 18.3) ** 2) / 40)[None].astype(np.float32)  # .3 right, .5 up
    straight = placement.enlarging().whole(image, (160, 160))
    found = placement.moved(0.3, -0.5).enlarging().whole(aside, (160, 160))
    np.testing.assert_allclose(found, straight, atol=5e-3)
    assert np.abs(placement.enlarging().whole(aside, (160, 160)) - straight).max() > 0.05


@pytest.mark.parametrize(("first", "ratio"), [(-0.375, 4.0), (1.37 / 4, 4.0), (-0.25, 2.0), (-0.25, 2.0001)])
def test_an_image_goes_to_either_grid_and_stays_where_it_is_on_the_ground(first, ratio):
    along = Along(ratio, first, int(40 * ratio), 44)
    placement = Placement(along, along)

    def ground(places):
        return 500 + 200 * np.sin(places / 5)[:, None] * np.cos(places / 6 + 1)

    fine = ground(first + np.arange(along.fine) / ratio)[None].astype(np.float32)
    coarse = ground(np.arange(along.coarse))[None].astype(np.float32)
    inner = slice(int(6 * ratio), int(34 * ratio))
    enlarged = placement.enlarging().whole(coarse, (along.fine, along.fine))
    assert np.abs(enlarged - fine)[:, inner, inner].max() < 1
    reduced = placement.reducing(0.9).whole(fine, (along.coarse, along.coarse))  # hardly blurred
    assert np.abs(reduced - coarse)[:, 6:34, 6:34].max() < 2


def test_the_low_passes_are_those_of_scipy():
    placement = Placement.by_area(4, (30, 32))
    fine, coarse = CHANCE.uniform(0, 1000, (1, 120, 128)), CHANCE.uniform(0, 1000, (1, 30, 32))
    sigma = 4 * np.sqrt(-2 * np.log(0.3)) / np.pi
    smooth = gaussian_filter(fine[0], sigma, mode="nearest", truncate=6)
    np.testing.assert_allclose(placement.smoothing(0.3).whole(fine.astype(np.float32), (120, 128))[0], smooth, atol=0.1)
    degraded = gaussian_filter(coarse[0], sigma, mode="nearest", truncate=6)
    found = placement.degrading(0.3).whole(coarse.astype(np.float32), (30, 32))[0]
    np.testing.assert_allclose(found, degraded, atol=0.1)


def test_pixels_without_data_become_the_nearest_that_has_some():
    image = np.arange(2 * 5 * 6, dtype=np.float32).reshape(2, 5, 6)
    valid = np.ones((5, 6), bool)
    valid[:, 4:] = False
    np.testing.assert_array_equal(filled(image, valid)[:, :, 4:], image[:, :, 3:4].repeat(2, 2))
    np.testing.assert_array_equal(filled(image, valid)[:, :, :4], image[:, :, :4])
    np.testing.assert_array_equal(filled(image, np.zeros_like(valid)), image)
    assert filled(image, np.ones_like(valid)) is image
