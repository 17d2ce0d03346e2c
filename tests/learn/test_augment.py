"""Augmentation moves optical, SAR and labels together, and changes values of one sensor at a time."""

import pytest
import torch

from rsfuse.learn.augment import Augment, Example
from rsfuse.learn.recipe import Augmentation
from rsfuse.learn.samples import TrainingSamples, sources

QUIET = Augmentation(flips=False)


def example(side=32, seed=0):
    """Optical, SAR and labels that all hold the same pattern, so that a move can be seen in each."""
    pattern = torch.rand(side, side, generator=torch.Generator().manual_seed(seed)) + 0.1
    return Example(pattern.repeat(3, 1, 1), pattern[None].clone(), (pattern * 100).long())


def augment(seed=0, **changes):
    return Augment(QUIET.model_copy(update=changes), torch.Generator().manual_seed(seed))


def test_a_recipe_that_varies_nothing_changes_nothing():
    before = example()
    after = augment()(before)
    assert torch.allclose(after.optical, before.optical, atol=1e-6)
    assert torch.allclose(after.sar, before.sar, atol=1e-6)
    assert torch.equal(after.labels, before.labels)


@pytest.mark.parametrize("seed", range(8))
def test_flips_move_the_three_alike(seed):
    after = augment(seed, flips=True)(example())
    assert torch.equal((after.optical[0] * 100).round(decimals=3).long(), (after.sar[0] * 100).round(decimals=3).long())
    assert torch.allclose(after.sar[0] * 100, after.labels.float(), atol=1.01)


def test_flips_find_all_eight_ways_to_lay_a_square():
    found = {tuple(augment(seed, flips=True)(example(4)).labels.flatten().tolist()) for seed in range(100)}
    assert len(found) == 8


def test_a_shift_moves_sar_alone_and_by_whole_pixels():
    before = example()
    shifts = set()
    for seed in range(60):
        after = augment(seed, shift_px=2)(before)
        assert torch.allclose(after.optical, before.optical, atol=1e-6)
        inner = after.sar[0, 8:16, 8:16]
        places = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.allclose(inner, before.sar[0, 8 - down : 16 - down, 8 - right : 16 - right], atol=1e-6)
        ]
        assert len(places) == 1
        shifts.add(places[0])
    assert len(shifts) > 12


def test_speckle_keeps_the_mean_and_varies_as_much_as_asked():
    flat = Example(torch.ones(3, 256, 256), torch.full((1, 256, 256), 0.5), torch.zeros(256, 256, dtype=torch.long))
    spreads = []
    for seed in range(20):
        power = augment(seed, speckle=0.4)(flat).sar + 1
        assert power.mean().item() == pytest.approx(1.5, rel=0.01)
        spreads.append((power.std() / power.mean()).item())
    assert max(spreads) <= 0.42
    assert max(spreads) > 0.3


def test_a_sensor_is_dropped_as_often_as_asked_and_never_both():
    dropped = [augment(seed, drop_optical=0.3, drop_sar=0.2)(example(8)) for seed in range(400)]
    no_optical = sum(not each.optical.any() for each in dropped) / 400
    no_sar = sum(not each.sar.any() for each in dropped) / 400
    assert no_optical == pytest.approx(0.3, abs=0.07)
    assert no_sar == pytest.approx(0.2, abs=0.07)
    assert all(each.optical.any() or each.sar.any() for each in dropped)


def test_pixels_without_data_stay_at_zero():
    hole = example()
    hole.optical[:, :8] = 0
    hole.sar[:, :8] = 0
    strong = {"optical_gain": 0.3, "optical_offset": 0.3, "sar_gamma": 1.0, "sar_offset": 0.3, "speckle": 0.5}
    after = augment(3, **strong)(hole)
    assert not after.optical[:, :8].any()
    assert not after.sar[:, :8].any()


def test_the_zoom_stays_within_its_reach_both_ways():
    zooms = [augment(seed, zoom=0.5).zoom() for seed in range(200)]
    assert min(zooms) >= 1 / 1.5
    assert max(zooms) <= 1.5
    assert min(zooms) < 0.75
    assert max(zooms) > 1.35


def test_the_same_seed_varies_alike():
    changes = {"flips": True, "optical_gain": 0.2, "speckle": 0.4, "shift_px": 3}
    first, second = (augment(5, **changes)(example()) for _ in range(2))
    assert torch.equal(first.optical, second.optical)
    assert torch.equal(first.sar, second.sar)


def test_detail_goes_from_blurred_to_crisp_and_keeps_what_is_coarse():
    before = example(64)
    spreads = []
    for seed in range(40):
        after = augment(seed, optical_detail=2)(before)
        spreads.append((after.optical.std() / before.optical.std()).item())
        assert after.optical.mean().item() == pytest.approx(before.optical.mean().item(), rel=0.02)
        assert torch.allclose(after.sar, before.sar, atol=1e-6)
    assert min(spreads) < 0.5
    assert max(spreads) > 2


def test_detail_leaves_pixels_without_data_and_does_not_spread_them():
    flat = example(32)
    flat.optical.fill_(0.5)
    flat.optical[:, 10:20, 10:20] = 0
    after = augment(3, optical_detail=2)(flat)
    assert torch.allclose(after.optical, flat.optical, atol=1e-5)


@pytest.mark.parametrize("seed", range(10))
def test_a_mixed_example_has_one_rectangle_of_the_other_in_all_three(seed):
    first, second = example(40), example(40, seed=1)
    mixed = augment(seed).mix(first, second)
    foreign = mixed.labels != first.labels
    rows, columns = foreign.nonzero().T
    inside = torch.zeros_like(foreign)
    inside[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    assert 0.08 <= inside.float().mean() <= 0.52
    for target, own, other in zip(
        (mixed.optical, mixed.sar, mixed.labels),
        (first.optical, first.sar, first.labels),
        (second.optical, second.sar, second.labels),
        strict=True,
    ):
        assert torch.equal(target, torch.where(inside, other, own))


def test_samples_are_mixed_as_often_as_the_recipe_says(recipe, tiles):
    def drawn(mix):
        augmentation = Augmentation(flips=False, mix=mix)
        varied = recipe.model_copy(update={"augmentation": augmentation})
        samples = TrainingSamples(varied, sources(varied, [tiles], "train", None), 0)
        return [samples[place][2] for place in range(len(samples))]

    same = [torch.equal(*pair) for pair in zip(drawn(0.0), drawn(0.5), strict=True)]
    assert 0.2 < sum(same) / len(same) < 0.8
