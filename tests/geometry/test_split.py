"""Splits come near their shares, and no training tile near the tiles that judge it."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import ndimage

from rsfuse.errors import TileSetError
from rsfuse.geometry.plan import Plan
from rsfuse.geometry.split import (
    Shares,
    assign_blocks,
    assign_groups,
    assign_random,
    default_block,
    guard,
    near,
)

SHARES = [Shares(0.2, 0.1), Shares(0.1, 0.0), Shares(0.0, 0.3)]
shares_drawn = st.builds(Shares, *[st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.45])] * 2)
seeds = st.integers(0, 2**32)


def rectangles(plan):
    return np.array(
        [(patch.read.col_off, patch.read.row_off, patch.read.width, patch.read.height) for patch in plan], np.int64
    )


def squares(rows, columns, size):
    return np.array([(x * size, y * size, size, size) for y in range(rows) for x in range(columns)], np.int64)


def painted(tiles, shape):
    canvas = np.zeros(shape, bool)
    for left, top, width, height in tiles:
        canvas[top : top + height, left : left + width] = True
    return canvas


@st.composite
def cut_scenes(draw):
    """Tiles of a scene that overlap by their halos, some of them left out, and the size of one."""
    size = draw(st.integers(2, 12))
    halo = draw(st.integers(0, (size - 1) // 2))
    height, width = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    tiles = rectangles(Plan.sliding(height, width, size=size, halo=halo))
    if draw(st.booleans()):
        tiles = tiles[np.random.default_rng(draw(seeds)).random(len(tiles)) < 0.8]
    return tiles, size


@given(
    cut_scenes(), st.sampled_from([1, 2, 3, 4]), st.integers(0, 14), shares_drawn.filter(lambda s: s.held_out), seeds
)
def test_no_pixel_that_judges_lies_within_the_gap_of_a_training_pixel(scene, side, gap, shares, seed):
    tiles, size = scene
    try:
        splits = assign_blocks(tiles, block=side * size, shares=shares, seed=seed)
    except TileSetError:
        assume(False)
    stays = guard(tiles, splits, gap)
    training, judging = (splits == "train") & stays, splits != "train"
    shape = (tiles[:, 1::2].sum(1).max(), tiles[:, 0::2].sum(1).max())
    far = ndimage.distance_transform_cdt(~painted(tiles[judging], shape), metric="chessboard")
    assert stays[judging].all()
    assert far[painted(tiles[training], shape)].min(initial=10**6) > gap
    dropped = tiles[~stays]
    assert all(far[y : y + height, x : x + width].min() <= gap for x, y, width, height in dropped)


@given(cut_scenes(), st.sampled_from([1, 2, 3, 4]), shares_drawn, seeds)
def test_a_block_is_never_torn_apart_and_every_split_has_one(scene, side, shares, seed):
    tiles, size = scene
    assume(len(tiles))
    blocks = list(map(tuple, (tiles[:, :2] - tiles[:, :2].min(0)) // (side * size)))
    wanted = {"train", *shares.held_out}
    if len(wanted) > len(set(blocks)):
        assume(len(wanted) > 1)
        with pytest.raises(TileSetError, match=f"^{len(set(blocks))} blocks of {side * size} px"):
            assign_blocks(tiles, block=side * size, shares=shares, seed=seed)
        return
    splits = assign_blocks(tiles, block=side * size, shares=shares, seed=seed)
    assert set(splits) == wanted
    assert len(set(zip(blocks, splits, strict=True))) == len(set(blocks))


def within_half_a_part(sizes, assigned, shares):
    """No split misses its share by more than half of the largest part, unless it or training has only one."""
    parts = {split: [size for name, size in sizes.items() if assigned[name] == split and size] for split in
             ("train", "val", "test")}  # fmt: skip
    for split, share in (("val", shares.val), ("test", shares.test)):
        missed = abs(sum(parts[split]) - share * sum(sizes.values()))
        assert missed <= max(sizes.values()) / 2 + 0.5 or 1 in (len(parts["train"]), len(parts[split]))


groups = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 200), min_size=3, max_size=30)


@given(groups, shares_drawn, seeds)
def test_groups_come_near_the_shares_and_every_split_has_one(sizes, shares, seed):
    assume(sum(size > 0 for size in sizes.values()) >= 3)
    assigned = assign_groups(sizes, shares, seed)
    assert assigned.keys() == sizes.keys()
    assert {assigned[name] for name, size in sizes.items() if size} == {"train", *shares.held_out}
    within_half_a_part(sizes, assigned, shares)


def test_few_groups_come_nearly_as_near_to_one_share_as_any_choice_could():
    worse = []
    for seed in range(200):
        chance = np.random.default_rng(seed)
        sizes = {str(number): int(size) for number, size in enumerate(chance.integers(1, 50, chance.integers(4, 8)))}
        assigned, wanted = assign_groups(sizes, Shares(0.3), seed), 0.3 * sum(sizes.values())
        missed = abs(sum(size for name, size in sizes.items() if assigned[name] == "val") - wanted)
        choices = itertools.chain(*(itertools.combinations(sizes.values(), n) for n in range(1, len(sizes))))
        best = min(abs(sum(choice) - wanted) for choice in choices)
        worse.append((missed - best) / sum(sizes.values()))
    assert max(worse) < 0.08
    assert np.quantile(worse, 0.9) < 0.01


@given(st.integers(3, 100), seeds)
def test_groups_of_one_size_meet_the_shares_exactly(count, seed):
    sizes = {str(number): 70 for number in range(10 * count)}
    assigned = list(assign_groups(sizes, Shares(0.2, 0.1), seed).values())
    assert (assigned.count("val"), assigned.count("test")) == (2 * count, count)


@given(groups, seeds, st.randoms())
def test_groups_are_told_by_their_names_whatever_their_order(sizes, seed, random):
    assume(sum(size > 0 for size in sizes.values()) >= 3)
    shuffled = random.sample(list(sizes.items()), len(sizes))
    assert assign_groups(dict(shuffled), SHARES[0], seed) == assign_groups(sizes, SHARES[0], seed)


@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize("seed", range(3))
def test_blocks_come_near_the_shares(shares, seed):
    splits = assign_blocks(squares(40, 30, 64), block=5 * 64, shares=shares, seed=seed)
    for split, share in (("val", shares.val), ("test", shares.test)):
        assert abs((splits == split).sum() - share * 1200) <= 25 / 2


@pytest.mark.parametrize("seed", range(5))
def test_validation_is_spread_over_the_scene(seed):
    tiles = squares(16, 16, 10)
    splits = assign_blocks(tiles, block=20, shares=Shares(0.25), seed=seed)
    quarters = [splits[(tiles[:, 0] >= x) & (tiles[:, 0] < x + 80) & (tiles[:, 1] >= y) & (tiles[:, 1] < y + 80)]
                for x in (0, 80) for y in (0, 80)]  # fmt: skip
    assert [(quarter == "val").sum() for quarter in quarters] == [16] * 4


def test_a_seed_gives_one_split_and_another_seed_another():
    tiles, sizes = squares(12, 12, 8), {f"s{number}": 10 for number in range(20)}
    drawn = [
        (
            tuple(assign_blocks(tiles, block=16, shares=SHARES[0], seed=seed)),
            tuple(assign_groups(sizes, SHARES[0], seed).items()),
            tuple(assign_random(50, SHARES[0], seed)),
        )
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1]
    assert all(first != second for first, second in zip(drawn[0], drawn[2], strict=True))


@given(st.integers(3, 300), shares_drawn, seeds)
def test_random_tiles_meet_the_shares(count, shares, seed):
    splits = assign_random(count, shares, seed)
    for split, share in (("val", shares.val), ("test", shares.test)):
        wanted = max(round(share * count), 1) if share else 0
        assert (splits == split).sum() == wanted
    assert (splits == "train").any()


def test_no_tiles_have_no_splits():
    none = np.empty((0, 4), np.int64)
    assert assign_random(0, Shares(), 0).shape == (0,)
    assert assign_blocks(none, block=8, shares=Shares(), seed=0).shape == (0,)
    assert guard(none, np.empty(0, "<U5"), 8).shape == (0,)


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (4, 4), (7, 10), (14, 22), (40, 40), (1, 12)])
@pytest.mark.parametrize("seed", range(3))
def test_default_blocks_leave_tiles_to_train_on_behind_a_guard_of_one_tile(rows, columns, seed):
    tiles = squares(rows, columns, 64)
    block = default_block(tiles, 64)
    splits = assign_blocks(tiles, block=block, shares=Shares(0.1, 0.1), seed=seed)
    assert block % 64 == 0
    assert set(splits) == {"train", "val", "test"}
    kept = ((splits == "train") & guard(tiles, splits, 64)).mean()
    assert kept >= (0.5 if rows * columns >= 50 else 0.25)


def test_a_default_block_is_at_least_a_tile():
    assert [default_block(squares(1, count, 64).reshape(-1, 4), 64) for count in (0, 1, 3)] == [64, 64, 64]


def slow_near(tiles, others, gap):
    found = []
    for left, top, width, height in tiles.tolist():
        found.append(False)
        for x, y, w, h in others.tolist():
            across = max(x - (left + width), left - (x + w))
            down = max(y - (top + height), top - (y + h))
            found[-1] |= across < gap and down < gap
    return found


places = st.lists(
    st.tuples(st.integers(-60, 60), st.integers(-60, 60), st.integers(1, 20), st.integers(1, 20)), max_size=12
).map(lambda rows: np.array(rows, np.int64).reshape(-1, 4))


@given(places, places, st.integers(0, 30), st.sampled_from([0, 10**12, -(2**40)]))
@example(np.array([[0, 0, 8, 8]]), np.array([[8, 0, 8, 8]]), 0, 0)
@example(np.array([[0, 0, 8, 8]]), np.array([[8, 8, 8, 8]]), 1, 0)
@example(np.array([[0, 0, 8, 8]]), np.array([[16, 0, 8, 8]]), 8, 0)
def test_near_is_what_two_loops_find_wherever_the_scene_begins(tiles, others, gap, origin):
    moved = [each + np.array([origin, origin, 0, 0]) for each in (tiles, others)]
    assert near(*moved, gap).tolist() == slow_near(tiles, others, gap)


def test_near_in_portions_is_near_in_one_go(monkeypatch):
    chance = np.random.default_rng(0)
    tiles, others = (
        np.c_[chance.integers(0, 500, (count, 2)), chance.integers(1, 30, (count, 2))] for count in (90, 7)
    )
    expected = slow_near(tiles, others, 9)
    assert 0 < sum(expected) < 90
    monkeypatch.setattr("rsfuse.geometry.split._PAIRS", 20)
    assert near(tiles, others, 9).tolist() == expected


def test_a_gap_of_zero_finds_overlaps_and_one_of_a_tile_leaves_a_tile_between():
    tile, beside = np.array([[0, 0, 8, 8]]), [np.array([[left, 3, 8, 8]]) for left in (7, 8, 15, 16)]
    assert [near(tile, other, 0)[0] for other in beside] == [True, False, False, False]
    assert [near(tile, other, 1)[0] for other in beside] == [True, True, False, False]
    assert [near(tile, other, 8)[0] for other in beside] == [True, True, True, False]


def test_fractions_of_pixels_count_and_a_rectangle_that_is_nowhere_is_near_nothing():
    tiles = np.array([[0, 0, 8, 8], [np.nan, 0, 8, 8], [0.5, 0, 8, 8]])
    others = np.array([[16.25, 0, 8, 8], [np.nan, np.nan, np.nan, np.nan]])
    assert near(tiles, others, 8).tolist() == [False, False, True]
    assert not near(tiles, others[1:], 8).any()


def test_a_negative_gap_is_a_programmers_mistake():
    with pytest.raises(ValueError, match="-1 px"):
        near(squares(1, 1, 8), squares(1, 1, 8), -1)


@pytest.mark.parametrize(("val", "test"), [(-0.1, 0), (0, -0.1), (0.5, 0.5), (1.0, 0), (float("nan"), 0)])
def test_shares_that_leave_nothing_for_training_are_refused(val, test):
    with pytest.raises(TileSetError, match="for training") as caught:
        Shares(val, test)
    assert caught.value.hint


def test_too_few_parts_are_refused_with_their_number():
    with pytest.raises(
        TileSetError, match=r"^2 scenes with tiles are too few for 3 splits \(train, val, test\)"
    ) as told:
        assign_groups({"a": 8, "b": 3, "empty": 0}, SHARES[0], 0)
    assert "blocks" in told.value.hint
    with pytest.raises(TileSetError, match=r"^1 tiles are too few for 2 splits \(train, test\)"):
        assign_random(1, Shares(test=0.5), 0)


def test_shares_travel_to_other_processes():
    assert pickle.loads(pickle.dumps(SHARES[0])) == SHARES[0]
