"""What moves pixels moves optical, SAR and labels together; labels are never interpolated."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import tv_tensors

from rsfuse.learn.augment.chance import seeded
from rsfuse.learn.augment.crops import Cropping, ToCrop, bilinear, nearest
from rsfuse.learn.augment.example import Example, Optical, Sar
from rsfuse.learn.augment.mixing import mix
from rsfuse.learn.augment.variations import variations
from rsfuse.learn.recipes.augmentation import NO_AUGMENTATION, Augmentation


def painted(height=32, width=32, *, seed=0, sar=1):
    """The same numbers from 1 to 5 in optical, SAR and labels, so that a move can be seen in each."""
    pattern = torch.randint(1, 6, (height, width), generator=torch.Generator().manual_seed(seed)).float()
    return Example.of(pattern.repeat(3, 1, 1), pattern.repeat(sar, 1, 1), pattern.byte())


def varied(example, seed=0, **changes):
    with seeded(seed):
        return variations(NO_AUGMENTATION.model_copy(update=changes))(example)


def agree(example):
    bands = torch.cat([example.optical.as_subclass(torch.Tensor), example.sar.as_subclass(torch.Tensor)])
    return bool((bands == example.labels.as_subclass(torch.Tensor)).all())


def laid(pattern):
    """The eight ways to lay a square on itself."""
    turns = [np.rot90(pattern, turn) for turn in range(4)]
    return [each for turn in turns for each in (turn, turn[:, ::-1])]


def test_a_recipe_that_varies_nothing_changes_nothing():
    before = painted()
    after = varied(before)
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))
    assert [type(each) for each in after] == [Optical, Sar, tv_tensors.Mask]


@given(st.integers(0, 2**62), st.booleans(), st.booleans())
def test_mirroring_and_turning_lay_the_three_alike(seed, flips, quarter_turns):
    before = painted(9, 9)
    after = varied(before, seed, flips=flips, quarter_turns=quarter_turns)
    assert agree(after)
    assert any(np.array_equal(after.labels.numpy(), each) for each in laid(before.labels.numpy()))


@pytest.mark.parametrize(
    ("changes", "ways"),
    [({"flips": True}, 4), ({"quarter_turns": True}, 4), ({"flips": True, "quarter_turns": True}, 8)],
)
def test_flips_and_quarter_turns_find_all_their_ways_to_lay_a_square(changes, ways):
    found = {tuple(varied(painted(4, 4), seed, **changes).labels.flatten().tolist()) for seed in range(100)}
    assert len(found) == ways


def test_a_network_without_sar_is_served():
    after = varied(painted(sar=0), **Augmentation(shift_px=3, speckle=0.4, sar_gain=0.2, drop_optical=1.0).model_dump())
    assert after.sar.shape == (0, 32, 32)
    assert after.optical.any()
    assert torch.equal(after.optical[0].as_subclass(torch.Tensor), after.labels.as_subclass(torch.Tensor).float())


def test_a_shift_moves_sar_alone_and_by_whole_pixels():
    before, shifts = painted(), set()
    for seed in range(60):
        after = varied(before, seed, shift_px=2)
        assert torch.equal(after.optical, before.optical)
        assert torch.equal(after.labels, before.labels)
        places = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.equal(after.sar[0, 8:16, 8:16], before.sar[0, 8 - down : 16 - down, 8 - right : 16 - right])
        ]
        assert len(places) == 1
        shifts.add(places[0])
    assert len(shifts) > 12


@given(st.integers(0, 2**62), st.floats(0.3, 3.0), st.integers(5, 40), st.integers(5, 40))
def test_a_crop_has_its_side_and_lies_inside_the_tile(seed, factor, height, width):
    before = painted(height, width)
    with seeded(seed):
        cut = Cropping(16, (factor, factor)).draw(before.labels.numpy())
    rows, columns = cut.window.toslices()
    assert 0 <= rows.start < rows.stop <= height
    assert 0 <= columns.start < columns.stop <= width
    assert (rows.stop - rows.start, columns.stop - columns.start) == (min(cut.side, height), min(cut.side, width))
    after = ToCrop(16, cut.side)(Example.of(*(each[..., rows, columns] for each in before)))
    assert [tuple(each.shape) for each in after] == [(3, 16, 16), (1, 16, 16), (16, 16)]
    assert set(after.labels.unique().tolist()) <= {*before.labels.unique().tolist(), 255}
    outside = (after.optical == 0).all(0)
    assert torch.equal(outside.as_subclass(torch.Tensor), (after.labels == 255).as_subclass(torch.Tensor))


def test_the_factor_is_drawn_evenly_between_its_ends():
    with seeded(0):
        sides = [Cropping(100, (0.5, 2.0)).draw(np.zeros((400, 400), np.uint8)).side for _ in range(400)]
    factors = 100 / np.array(sides)
    assert factors.min() == pytest.approx(0.5, abs=0.02)
    assert factors.max() == pytest.approx(2, abs=0.05)
    assert (factors < 1).mean() == pytest.approx(1 / 3, abs=0.07)


def test_crops_show_every_place_of_a_tile():
    with seeded(0):
        windows = [Cropping(6).draw(np.zeros((8, 9), np.uint8)).window for _ in range(200)]
    assert {(each.row_off, each.col_off) for each in windows} == {(row, col) for row in range(3) for col in range(4)}


def test_what_lies_outside_a_small_tile_is_no_data_below_and_to_the_right():
    after = ToCrop(16, 32)(painted(16, 20))  # half as large: 8 rows, 10 columns
    for each in after[:2]:
        assert (each[:, :8, :10] > 0).all()
        assert not each[:, 8:].any()
        assert not each[:, :, 10:].any()
    assert set(after.labels[:8, :10].unique().tolist()) <= {1, 2, 3, 4, 5}
    assert (after.labels[8:] == 255).all()
    assert (after.labels[:, 10:] == 255).all()


@pytest.mark.parametrize("side", [7, 16, 23, 31])
def test_resizing_keeps_the_three_on_each_other(side):
    """Away from the borders of large blocks, where values are mixed, each value is that of its label."""
    labels = torch.tensor([[1, 2, 3], [4, 0, 1], [2, 4, 3]]).repeat_interleave(11, 0).repeat_interleave(11, 1)
    values = torch.tensor([0.31, 0.57, 1.13, 2.29, 4.7])
    pattern = values[labels][:side, :side]
    after = ToCrop(24, side)(Example.of(pattern.repeat(2, 1, 1), pattern[None], labels[:side, :side].byte()))
    inner = torch.isclose(after.optical[0][..., None], values).any(-1)
    assert inner.float().mean() > 0.6
    assert torch.allclose(after.optical[0][inner], values[after.labels[inner].long()])
    assert torch.equal(after.optical[0], after.sar[0])


@pytest.mark.parametrize(("before", "after"), [(7, 16), (16, 7), (20, 20), (30, 11)])
def test_labels_are_those_of_the_nearest_centre(before, after):
    labels = torch.randint(0, 200, (1, before, before), generator=torch.Generator().manual_seed(1)).byte()
    at = [min(int((row + 0.5) * before / after), before - 1) for row in range(after)]
    assert torch.equal(nearest(labels, (after, after)), labels[:, at][:, :, at])


@pytest.mark.parametrize("side", [9, 16, 23, 40])
def test_resizing_mixes_what_has_no_data_into_nothing(side):
    image = torch.full((2, 16, 16), 0.7)
    image[:, 3:9, 5:] = 0
    after = bilinear(image, (side, side))
    assert torch.equal(after == 0, nearest(image, (side, side)) == 0)
    assert torch.allclose(after[after != 0], torch.tensor(0.7))


def test_the_category_limit_is_kept_where_it_can_be_and_the_last_place_stays_where_not():
    labels = np.zeros((40, 40), np.uint8)
    labels[:, 30:] = 1
    labels[:10] = 255

    def shares(limit):
        with seeded(0):
            windows = [Cropping(12, category_limit=limit).draw(labels).window for _ in range(100)]
        parts = [labels[each.toslices()] for each in windows]
        counts = [np.bincount(part[part != 255], minlength=2) for part in parts]
        return np.array([count.max() / count.sum() if count.any() else 2 for count in counts])

    assert (shares(1.0) > 0.75).mean() > 0.5
    assert (shares(0.75) > 0.75).mean() < 0.3
    assert len(shares(0.4)) == 100  # impossible with two classes


def test_a_wanted_class_is_looked_for():
    labels = np.zeros((60, 60), np.uint8)
    labels[:8, :8] = 3

    def shown(wanted):
        with seeded(0):
            windows = [Cropping(20).draw(labels, wanted).window for _ in range(200)]
        return sum((labels[each.toslices()] == 3).any() for each in windows)

    assert shown(3) > 2 * shown(None) > 0


@pytest.mark.parametrize("seed", range(10))
def test_a_mixed_example_has_one_rectangle_of_the_other_in_all_three(seed):
    first, second = painted(40, 40), Example.of(*(each + 10 for each in painted(40, 40, seed=1)))
    with seeded(seed):
        mixed = mix(first, second)
    foreign = mixed.labels > 10
    rows, columns = foreign.nonzero().T
    inside = torch.zeros(40, 40, dtype=torch.bool)
    inside[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    assert 0.08 <= inside.float().mean() <= 0.52
    for target, own, other in zip(mixed, first, second, strict=True):
        assert torch.equal(target, torch.where(inside, other, own))
    assert agree(first)  # the two that went in are as they were


def test_chance_comes_from_the_seed_and_leaves_the_generator_outside_alone():
    everything = Augmentation(
        optical_gain=0.2, optical_detail=1, clouds=0.5, speckle=0.4, shift_px=3, drop_sar=0.3
    ).model_dump()
    torch.manual_seed(11)
    expected = torch.rand(5)
    torch.manual_seed(11)
    first, again, other = (varied(painted(), seed, **everything) for seed in (5, 5, 6))
    assert torch.equal(torch.rand(5), expected)
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert not torch.equal(first.optical, other.optical)


def test_the_generators_of_gpus_are_left_alone(monkeypatch):
    def refuse(seed):
        raise AssertionError(f"seeded with {seed}")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    with seeded(3):
        first = torch.rand(())
    assert first == torch.rand((), generator=torch.Generator().manual_seed(3))
