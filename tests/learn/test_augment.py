"""What varies values varies one sensor at a time, as far as the recipe says, and leaves 0, no data, at 0."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from rsfuse.learn.augment.chance import seeded
from rsfuse.learn.augment.clouds import smooth_field
from rsfuse.learn.augment.example import Example
from rsfuse.learn.augment.variations import variations
from rsfuse.learn.recipes.augmentation import NO_AUGMENTATION

EACH = {
    "optical_gain": 0.2,
    "optical_offset": 0.2,
    "optical_gamma": 0.5,
    "optical_saturation": 0.8,
    "optical_detail": 1.5,
    "clouds": 1.0,
    "sar_gain": 0.2,
    "sar_offset": 0.2,
    "sar_gamma": 0.5,
    "speckle": 0.5,
}


def example(side=32, seed=0):
    values = torch.rand(5, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1.1
    return Example.of(values[:3], values[3:], torch.zeros(side, side, dtype=torch.uint8))


def flat(value, side=64):
    return Example.of(
        torch.full((3, side, side), value), torch.full((1, side, side), value), torch.zeros(side, side).byte()
    )


def varied(given, seed=0, **changes):
    with seeded(seed):
        after = variations(NO_AUGMENTATION.model_copy(update=changes))(given)
    return Example(*(each.as_subclass(torch.Tensor) for each in after))


@pytest.mark.parametrize("field", EACH)
def test_each_field_varies_its_sensor_alone(field):
    before, after = example(), varied(example(), 4, **{field: EACH[field]})
    mine, other = ("sar", "optical") if field in {"speckle"} or field.startswith("sar") else ("optical", "sar")
    assert not torch.equal(getattr(after, mine), getattr(before, mine))
    assert torch.equal(getattr(after, other), getattr(before, other))
    assert torch.equal(after.labels, before.labels)
    assert after.optical.dtype == after.sar.dtype == torch.float32


@pytest.mark.parametrize("field", EACH)
def test_what_has_no_data_stays_zero(field):
    hole = example()
    hole.optical[:, 8:20, 3:30] = 0
    hole.sar[:, 8:20, 3:30] = 0
    for seed in range(5):
        after = varied(hole, seed, **{field: EACH[field]})
        assert not after.optical[:, 8:20, 3:30].any()
        assert not after.sar[:, 8:20, 3:30].any()
        assert after.optical.any(0).float().mean() > 0.6


def drawn_lines(sensor, **changes):
    """Gain and offset of each band of many samples, read off what becomes of two flat ones; (n, bands)."""
    low, high = (
        np.array([getattr(varied(flat(value, 2), seed, **changes), sensor)[:, 0, 0].numpy() for seed in range(400)])
        for value in (-0.5, 0.5)
    )
    return high - low, (high + low) / 2


@pytest.mark.parametrize("sensor", ["optical", "sar"])
def test_gain_and_offset_are_spread_as_the_recipe_says_and_each_band_has_its_own(sensor):
    gains, offsets = drawn_lines(sensor, **{f"{sensor}_gain": 0.2, f"{sensor}_offset": 0.1})
    assert np.log(gains).std() == pytest.approx(0.2, rel=0.15)
    assert np.log(gains).mean() == pytest.approx(0, abs=0.03)
    assert offsets.std() == pytest.approx(0.1, rel=0.15)
    if sensor == "optical":
        assert abs(np.corrcoef(gains[:, 0], gains[:, 1])[0, 1]) < 0.2


@pytest.mark.parametrize("sensor", ["optical", "sar"])
def test_gamma_is_a_power_of_what_lies_between_the_percentiles_and_keeps_them(sensor):
    powers = []
    for seed in range(200):
        halfway, low, high = (
            getattr(varied(flat(value, 2), seed, **{f"{sensor}_gamma": 1.0}), sensor)[0, 0, 0].item()
            for value in (-0.5, -1.0, 1.0)
        )
        assert (low, high) == pytest.approx((-1, 1), abs=1e-6)
        powers.append(math.log((halfway + 1) / 2) / math.log(0.25))
    assert 0.5 <= min(powers) < 0.55
    assert 1.9 < max(powers) <= 2.0001
    assert np.median(powers) == pytest.approx(1, abs=0.15)


def test_saturation_scales_the_difference_from_grey_and_keeps_the_mean():
    before, factors = example(), []
    for seed in range(100):
        after = varied(before, seed, optical_saturation=0.8).optical.numpy()
        mean = before.optical.numpy().mean(0)
        np.testing.assert_allclose(after.mean(0), mean, atol=1e-6)
        factors.append(np.polyfit((before.optical.numpy() - mean).ravel(), (after - mean).ravel(), 1)[0])
    assert 0.2 <= min(factors) < 0.3
    assert 1.7 < max(factors) <= 1.8001


def test_detail_goes_from_blurred_to_crisp_and_keeps_what_is_coarse():
    before, spreads = example(64), []
    for seed in range(40):
        after = varied(before, seed, optical_detail=2).optical
        spreads.append((after.std() / before.optical.std()).item())
        assert after.mean().item() == pytest.approx(before.optical.mean().item(), abs=0.02)
    assert min(spreads) < 0.5
    assert max(spreads) > 1.8


def test_detail_does_not_mix_what_has_no_data_into_its_neighbours():
    hole = flat(0.5)
    hole.optical[:, 10:20, 10:20] = 0
    assert torch.allclose(varied(hole, 3, optical_detail=2).optical, hole.optical.as_subclass(torch.Tensor), atol=1e-5)


@pytest.mark.parametrize("side", [1, 2, 5, 8])
def test_crops_of_a_few_pixels_are_varied(side):
    assert varied(flat(0.5, side), 1, **EACH, shift_px=2).optical.shape == (3, side, side)


def test_speckle_keeps_the_mean_and_varies_as_much_as_asked():
    spreads = []
    for seed in range(20):
        power = varied(flat(0.5, 128), seed, speckle=0.4).sar + 1
        assert power.mean().item() == pytest.approx(1.5, rel=0.02)
        spreads.append((power.std() / power.mean()).item())
    assert 0.3 < max(spreads) <= 0.42


def test_speckle_is_gamma_noise_of_each_pixel():
    power = (varied(flat(0.5, 128), 0, speckle=0.4).sar[0] + 1).numpy() / 1.5
    looks = 1 / power.var()
    assert ((power - 1) ** 3).mean() / power.std() ** 3 == pytest.approx(2 / math.sqrt(looks), rel=0.15)  # its skewness
    assert abs(np.corrcoef(power[:, 1:].ravel(), power[:, :-1].ravel())[0, 1]) < 0.03


def test_a_sensor_is_dropped_as_often_as_asked_and_never_both():
    dropped = [varied(example(8), seed, drop_optical=0.3, drop_sar=0.2) for seed in range(400)]
    assert sum(not each.optical.any() for each in dropped) / 400 == pytest.approx(0.3, abs=0.07)
    assert sum(not each.sar.any() for each in dropped) / 400 == pytest.approx(0.2, abs=0.06)
    assert all(each.optical.any() or each.sar.any() for each in dropped)


@pytest.mark.parametrize(("missing", "left"), [("optical", "sar"), ("sar", "optical")])
def test_the_only_sensor_with_data_is_never_dropped(missing, left):
    alone = example(8)
    getattr(alone, missing).zero_()
    assert all(getattr(varied(alone, seed, drop_optical=0.5, drop_sar=0.5), left).any() for seed in range(30))


def clouded(count=60, value=-0.2):
    """Flat optical under clouds, (n, bands, h, w)."""
    return np.stack([varied(flat(value), seed, clouds=1.0).optical.numpy() for seed in range(count)])


def test_clouds_are_white_soft_and_cover_up_to_two_thirds():
    under = clouded()
    covered = (under > -0.2 + 0.01).all(1)
    shares = covered.mean((1, 2))
    assert shares.max() < 0.7
    assert shares.min() < 0.2
    assert np.median(shares) == pytest.approx(0.36, abs=0.12)
    assert under.max() <= 1.5
    assert (under.max((1, 2, 3)) > 0.1).all()  # brighter than the scene
    assert np.median(under.max((1, 2, 3))) > 0.7
    edges = (under > -0.1) & (under < 0.5)
    assert edges.mean() > 0.05  # no hard outlines
    steps = np.abs(np.diff(under, axis=-1))
    assert (steps > 0.8).mean() < 0.004


def test_shadows_are_darker_than_the_scene_and_lie_beside_their_clouds():
    under = clouded()[:, 0]
    shaded = under < -0.2 - 0.01
    assert (shaded.mean((1, 2)) > 0.01).mean() > 0.9
    assert under.min() >= -1
    near = [ndimage.binary_dilation(each > -0.19, iterations=9) for each in under]  # a shadow falls 8 px away at most
    overlap = [(dark & close).sum() / dark.sum() for dark, close in zip(shaded, near, strict=True) if dark.any()]
    assert np.median(overlap) > 0.9


def test_as_many_samples_have_clouds_as_the_recipe_says():
    clear = [torch.equal(varied(flat(0.2, 8), seed, clouds=0.3).optical, flat(0.2, 8).optical) for seed in range(300)]
    assert 1 - sum(clear) / 300 == pytest.approx(0.3, abs=0.08)


def test_a_smooth_field_is_alike_where_near_and_not_where_far():
    with seeded(0):
        field = np.stack([smooth_field(64, 48)[0].numpy() for _ in range(50)])
    near, far = (np.corrcoef(field[:, 10, 10], field[:, row, 10])[0, 1] for row in (11, 60))
    assert near > 0.8
    assert abs(far) < 0.4
