"""The 23-tap interpolator against its definition, zeros between the samples and 23 taps, in numpy."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rsfuse_models.layers.interpolation import REACH, interpolate_23tap, interpolate_continued

SIDE = 2 * np.array(
    [0.305334091185, 0, -0.072698593239, 0, 0.021809577942, 0, -0.005192756653, 0, 0.000807762146, 0, -0.000060081482]
)
FILTER = np.concatenate([SIDE[::-1], [1.0], SIDE])


def definition(image, ratio):
    """(h, w) to (ratio h, ratio w), float64: loops over pixels and taps, borders as a ring."""
    for doubling in range(int(np.log2(ratio))):
        first = 1 if doubling == 0 else 0
        fine = np.zeros((2 * image.shape[0], 2 * image.shape[1]))
        fine[first::2, first::2] = image
        for _ in range(2):
            fine = np.stack([ring_filter(row) for row in fine]).T
        image = fine
    return image


def ring_filter(row):
    size = len(row)
    return np.array([sum(FILTER[tap] * row[(n + tap - 11) % size] for tap in range(23)) for n in range(size)])


@pytest.mark.parametrize("ratio", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(8, 8), (5, 9), (1, 3)])
def test_it_is_zero_insertion_and_23_taps_on_a_ring(ratio, size):
    image = torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fine = interpolate_23tap(image, ratio)
    assert fine.shape == (2, 3, ratio * size[0], ratio * size[1])
    expected = definition(image[1, 2].numpy(), ratio)
    np.testing.assert_allclose(fine[1, 2].numpy(), expected, atol=1e-10)


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_a_constant_stays_constant(ratio):
    fine = interpolate_23tap(torch.full((1, 1, 3, 5), 1234.0), ratio)
    torch.testing.assert_close(fine, torch.full_like(fine, 1234.0), rtol=1e-6, atol=0)


@pytest.mark.parametrize("ratio", [2, 4])
def test_samples_keep_their_values_at_half_a_cell(ratio):
    image = torch.rand(1, 2, 7, 6)
    fine = interpolate_23tap(image, ratio)
    assert torch.equal(fine[..., ratio // 2 :: ratio, ratio // 2 :: ratio], image)


@pytest.mark.parametrize("ratio", [2, 4])
def test_a_ramp_inside_is_a_ramp_through_the_samples(ratio):
    rows, columns = np.mgrid[:32, :32].astype(float)
    fine = interpolate_23tap(torch.from_numpy(3 * columns - 2 * rows)[None, None], ratio)[0, 0].numpy()
    rows, columns = (np.mgrid[: 32 * ratio, : 32 * ratio] - ratio / 2) / ratio
    inside = slice(12 * ratio, 20 * ratio)
    np.testing.assert_allclose(fine[inside, inside], (3 * columns - 2 * rows)[inside, inside], atol=1e-6)


def test_a_slow_wave_comes_out_as_itself():
    turns = 2 * np.pi * 2 / 16  # two periods on the ring
    fine = interpolate_23tap(torch.from_numpy(np.cos(turns * np.arange(16.0)))[None, None, None], 4)
    expected = np.cos(turns * (np.arange(64) - 2) / 4)
    np.testing.assert_allclose(fine[0, 0, 0].numpy(), expected, atol=2e-3)


@pytest.mark.parametrize(
    ("ratio", "size"), [(1, (5, 9)), (2, (5, 9)), (2, (1, 1)), (4, (5, 9)), (4, (1, 3)), (8, (2, 1))]
)
def test_the_edge_pixel_continues_the_image(ratio, size):
    image = torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fine = interpolate_continued(image, ratio)
    assert fine.shape == (2, 3, ratio * size[0], ratio * size[1])
    wide = definition(np.pad(image[1, 2].numpy(), 13, mode="edge"), ratio)
    inside = slice(13 * ratio, -13 * ratio)
    np.testing.assert_allclose(fine[1, 2].numpy(), wide[inside, inside], atol=1e-10)


@pytest.mark.parametrize(("ratio", "reach"), [(2, 6), (4, 8), (8, 10), (32, 11)])
def test_the_image_is_continued_as_far_as_any_pixel_reaches(ratio, reach):
    def is_known(samples):
        """The image within so many samples of zeros, and those within unknown ones."""
        known = F.pad(torch.rand(1, 1, 1, 2), (samples,) * 4)
        wide = F.pad(known, (20 - samples,) * 4, value=torch.nan)
        return interpolate_23tap(wide, ratio)[..., 20 * ratio : -20 * ratio, 20 * ratio : -20 * ratio].isfinite().all()

    assert is_known(reach)
    assert not is_known(reach - 1)
    assert reach <= REACH


@pytest.mark.parametrize("ratio", [2, 4, 8])
@pytest.mark.parametrize("turned", [False, True])
def test_the_edges_of_a_short_ramp_hold_nothing_of_the_opposite_edge(ratio, turned):
    ramp = torch.arange(8.0, dtype=torch.float64).expand(1, 1, 8, 8)
    ramp = ramp.mT if turned else ramp
    places = ((torch.arange(8.0 * ratio) - ratio / 2) / ratio).clamp(0, 7).double()
    expected = places.expand(8 * ratio, 8 * ratio)
    expected = expected.mT if turned else expected
    torch.testing.assert_close(interpolate_continued(ramp, ratio)[0, 0], expected, atol=0.2, rtol=0)
    assert (interpolate_23tap(ramp, ratio)[0, 0] - expected).abs().max() > 2  # the ring, in contrast


def test_away_from_the_border_the_ring_and_the_continued_image_agree():
    image = torch.rand(1, 2, 24, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    inside = slice(11 * 4, -11 * 4)
    ring, continued = (enlarge(image, 4)[..., inside, inside] for enlarge in (interpolate_23tap, interpolate_continued))
    torch.testing.assert_close(continued, ring, atol=1e-13, rtol=0)


@pytest.mark.parametrize("ratio", [0, 3, 6, -2])
@pytest.mark.parametrize("enlarge", [interpolate_23tap, interpolate_continued])
def test_a_ratio_that_is_no_power_of_two_is_refused(enlarge, ratio):
    with pytest.raises(ValueError, match=f"ratio is {ratio}; .* powers of two"):
        enlarge(torch.zeros(1, 1, 4, 4), ratio)
