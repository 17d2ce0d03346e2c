"""No tile that judges a training lies near one that trains, whatever the scenes, sizes, rules and seeds."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.warp import transform
from rasterio.windows import Window

from rsfuse.errors import SceneError, TileSetError
from rsfuse.geometry.grid import Grid
from rsfuse.geometry.split import Shares
from rsfuse.raster.datasets.dataset import SceneFiles
from rsfuse.raster.leaks import Overlap
from rsfuse.raster.tiling.scene_splits import PlacedScene, SplitRule
from rsfuse.raster.tiling.tile_plan import Cover, plan_tiles, torn_apart

UTM = CRS.from_epsg(32722)
NEIGHBOUR = CRS.from_epsg(32721)
PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
THIRDS = Shares(0.2, 0.2)


def placed(name, column=0, row=0, shape=(60, 60), window=None, **files):
    """A scene that begins at a column and row of the ground; no file is ever opened."""
    grid = Grid(UTM, PLACE * Affine.translation(column, row), shape)
    part = window or Window(0, 0, shape[1], shape[0])
    return PlacedScene(SceneFiles(name, Path(f"{name}.tif"), **files), grid, part)


def elsewhere(name, column, row, shape, scale=1.0):
    """A scene in the next zone, whose first pixel lies at a column and row of the ground."""
    x, y = PLACE * (column, row)
    (x,), (y,) = transform(UTM, NEIGHBOUR, [x], [y])
    grid = Grid(NEIGHBOUR, Affine(10.0 * scale, 0, x, 0, -10.0 * scale, y), shape)
    return PlacedScene(SceneFiles(name, Path(f"{name}.tif")), grid, Window(0, 0, shape[1], shape[0]))


def starts(length, cover):
    """Where tiles begin on one axis, from the words of the settings."""
    step = cover.size - 2 * cover.halo
    whole = [at for at in range(0, length, step) if at + cover.size <= length]
    if cover.edge == "shift" and (not whole or whole[-1] + cover.size < length):
        whole.append(max(length - cover.size, 0))
    return whole


def covering(scene, cover):
    window = scene.window
    return {
        (int(window.col_off) + left, int(window.row_off) + top, cover.size, cover.size)
        for top in starts(int(window.height), cover)
        for left in starts(int(window.width), cover)
    }


def on_ground(scene, place):
    """First column, first row, end column, end row on the ground that `placed` counts in."""
    left, top = (round(value) for value in (~PLACE * scene.grid.transform) * place[:2])
    return left, top, left + place[2], top + place[3]


RULES = st.sampled_from(["auto", "scene", "blocks", "list"])
SPLITS = st.sampled_from(["train", "train", "val", "test"])
COVERS = st.integers(3, 9).flatmap(
    lambda size: st.builds(
        Cover, st.just(size), st.integers(0, min((size - 1) // 2, 2)), st.sampled_from(["drop", "shift"])
    )
)


@st.composite
def scenes_of_one_crs(draw):
    found = []
    for number in range(draw(st.integers(1, 4))):
        height, width = draw(st.integers(25, 80)), draw(st.integers(25, 80))
        window = None
        if draw(st.booleans()):  # a crop
            left, top = draw(st.integers(0, 10)), draw(st.integers(0, 10))
            window = Window(left, top, draw(st.integers(12, width - left)), draw(st.integers(12, height - top)))
        column, row = draw(st.integers(-90, 90)), draw(st.integers(-90, 90))
        found.append(placed(f"s{number}", column, row, (height, width), window))
    return found


@st.composite
def rules(draw, scenes, cover):
    by = draw(RULES)
    names = {scene.files.name: draw(SPLITS) for scene in scenes} if by == "list" else {}
    shares = draw(st.sampled_from([THIRDS, Shares(0.1), Shares(0.0, 0.3)]))
    gap = draw(st.sampled_from([None, cover.size, cover.size + 5]))
    return SplitRule(by, shares, draw(st.integers(0, 99)), draw(st.sampled_from([None, 12, 25])), gap, names=names)


def planned(scenes, cover, rule):
    """The plan, or None with a word on why there is none."""
    try:
        return plan_tiles(scenes, cover, rule), ""
    except TileSetError as error:
        return None, str(error)


def test_no_pixel_that_judges_lies_within_the_guard_of_a_training_tile_and_no_tile_is_left_out_without_need():
    seen = Counter()

    @settings(max_examples=250)
    @given(st.data(), scenes_of_one_crs(), COVERS)
    def check(data, scenes, cover):
        rule = data.draw(rules(scenes, cover))
        plan, why = planned(scenes, cover, rule)
        if plan is None:
            seen[why.split()[-1]] += 1
            return
        gap, edge = rule.gap or cover.size, 250  # pixels around the ground that is painted
        judged = np.zeros((600, 600), np.bool_)

        def near(scene, place):
            left, top, right, bottom = (value + edge for value in on_ground(scene, place))
            return judged[top - gap : bottom + gap, left - gap : right + gap].any()

        for scene, tiles in zip(scenes, plan.tiles, strict=True):
            for tile in tiles:
                if tile.split != "train":
                    left, top, right, bottom = (value + edge for value in on_ground(scene, tile.place))
                    judged[top:bottom, left:right] = True
        dropped = 0
        for scene, tiles in zip(scenes, plan.tiles, strict=True):
            assert not any(near(scene, tile.place) for tile in tiles if tile.split == "train")
            there = {tile.place for tile in tiles}
            assert len(there) == len(tiles)
            gone = covering(scene, cover) - there
            assert there <= covering(scene, cover)
            assert all(near(scene, place) for place in gone)
            dropped += len(gone)
        assert plan.dropped == dropped
        held = Counter(tile.split == "train" for tiles in plan.tiles for tile in tiles)
        seen["both"] += bool(held[True] and held[False])
        seen["guarded"] += bool(dropped)
        seen["several"] += len({tile.scene for tiles in plan.tiles for tile in tiles if tile.split == "train"}) > 1

    check()
    assert min(seen["both"], seen["guarded"], seen["several"]) > 25, seen


def test_the_guard_holds_between_scenes_of_two_zones_and_two_sizes_of_pixels():
    seen = Counter()

    def corners(scene, tile, other):
        """Every corner of every pixel of a tile, in pixels of another scene."""
        left, top, width, height = tile.place
        columns, rows = np.meshgrid(np.arange(left, left + width + 1), np.arange(top, top + height + 1))
        xs, ys = scene.grid.transform * (columns.ravel().astype(float), rows.ravel().astype(float))
        xs, ys = transform(scene.grid.crs, other.grid.crs, xs, ys)
        return np.stack(~other.grid.transform * (np.array(xs), np.array(ys)), 1)

    @settings(max_examples=40)
    @given(
        column=st.integers(-60, 60), row=st.integers(-60, 60), scale=st.sampled_from([1.0, 1.3, 0.7]),
        size=st.integers(4, 9), seed=st.integers(0, 99), by=st.sampled_from(["blocks", "list"]),
    )  # fmt: skip
    def check(column, row, scale, size, seed, by):
        scenes = [placed("here", shape=(50, 50)), elsewhere("there", column, row, (45, 55), scale)]
        names = {"here": "train", "there": "val"} if seed % 2 else {"here": "test", "there": "train"}
        plan, _ = planned(scenes, Cover(size), SplitRule(by, Shares(0.2), seed, names=names if by == "list" else {}))
        if plan is None:
            return
        seen["guarded"] += bool(plan.dropped)
        for one, other in ((0, 1), (1, 0)):
            training = np.array([tile.place for tile in plan.tiles[other] if tile.split == "train"]).reshape(-1, 4)
            low, high = training[:, :2] - size, training[:, :2] + 2 * size
            for tile in plan.tiles[one]:
                if tile.split != "train":
                    points = corners(scenes[one], tile, scenes[other])[:, None]
                    assert not ((points > low + 0.01) & (points < high - 0.01)).all(-1).any()
                    seen["looked"] += 1

    check()
    assert seen["guarded"] > 15
    assert seen["looked"] > 300


def test_the_same_seed_plans_the_same_and_another_one_another():
    scenes = [placed("a", shape=(90, 90)), placed("b", 300, shape=(90, 90))]
    first, again, other = (plan_tiles(scenes, Cover(8), SplitRule("blocks", THIRDS, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first.tiles != other.tiles


@pytest.mark.parametrize("gap", [0, 7])
def test_a_guard_smaller_than_a_tile_is_refused(gap):
    with pytest.raises(TileSetError, match=f"guard of {gap} px is smaller than a tile of 8 px") as caught:
        plan_tiles([placed("a")], Cover(8), SplitRule("blocks", gap=gap))
    assert "at least 8" in caught.value.hint


def test_chance_may_put_neighbours_into_two_splits_and_says_so():
    plan = plan_tiles([placed("a")], Cover(10), SplitRule("random", Shares(0.25, 0.25)))
    assert Counter(tile.split for tile in plan.tiles[0]) == {"train": 18, "val": 9, "test": 9}
    assert (plan.leaks, plan.dropped) == (True, 0)
    assert "scores are too high" in plan.told


def test_the_authors_lists_are_left_alone_and_scenes_of_theirs_that_leak_are_found():
    scenes = [placed("a", split="train"), placed("b", 30, split="test"), placed("c", 300, split="val")]
    official = plan_tiles(scenes, Cover(10), SplitRule(), official=True)
    assert (official.rule.by, official.dropped, official.leaks) == ("list", 0, True)
    assert [{tile.split for tile in tiles} for tiles in official.tiles] == [{"train"}, {"test"}, {"val"}]
    pairs = [Overlap(0, 1, 0.5), Overlap(0, 2, 0.1)]
    assert torn_apart(pairs, official) == pairs
    assert torn_apart(pairs, plan_tiles(scenes, Cover(10), SplitRule("none"))) == []
    own = plan_tiles(scenes, Cover(10), SplitRule(), official=False)
    assert own.dropped == 6 * 4  # columns 20 to 60 of a, which ends where b begins to be 30 px in


@pytest.mark.parametrize(("count", "by"), [(1, "blocks"), (3, "blocks"), (4, "scene")])
def test_whole_scenes_are_held_out_where_there_are_several(count, by):
    scenes = [placed(f"s{number}", 200 * number) for number in range(count)]
    plan = plan_tiles(scenes, Cover(6), SplitRule())
    assert plan.rule.by == by
    if by == "scene":
        assert all(len({tile.split for tile in tiles}) == 1 for tiles in plan.tiles)


@pytest.mark.parametrize("seed", range(6))
def test_scenes_of_one_place_or_one_group_are_never_torn_apart(seed):
    scenes = [placed("may"), placed("june", 5, 5), placed("west", 500, group="town"), placed("east", 700, group="town")]
    scenes += [placed(f"s{number}", 1000 + 200 * number) for number in range(4)]
    plan = plan_tiles(scenes, Cover(10), SplitRule("scene", Shares(0.3, 0.3), seed))
    used = [{tile.split for tile in tiles} for tiles in plan.tiles]
    assert used[0] == used[1]
    assert used[2] == used[3]
    assert set().union(*used) == {"train", "val", "test"}
    assert plan.dropped == 0


def test_lists_must_name_every_scene_and_none_else():
    scenes = [placed("a"), placed("b", 300)]
    with pytest.raises(TileSetError, match="do not name 1 of 2 scenes, the first of them 'b'"):
        plan_tiles(scenes, Cover(10), SplitRule("list", names={"a": "train"}))
    with pytest.raises(TileSetError, match=r"not there: 1 .* 'c'"):
        plan_tiles(scenes, Cover(10), SplitRule("list", names={"a": "train", "b": "val", "c": "val"}))
    with pytest.raises(TileSetError, match="which split 1 of 2 scenes are in, the first is 'b'"):
        plan_tiles([placed("a", split="train"), placed("b")], Cover(10), SplitRule("list"))


def test_what_leaves_nothing_to_train_on_is_refused_with_the_numbers():
    scenes = [placed("a"), placed("b")]
    with pytest.raises(TileSetError, match="all 36 training tiles lie within 10 px"):
        plan_tiles(scenes, Cover(10), SplitRule("list", names={"a": "train", "b": "val"}))
    with pytest.raises(TileSetError, match="too few for 3 splits"):
        plan_tiles([placed("a")], Cover(40), SplitRule("blocks"))


def test_a_tile_that_does_not_fit_is_refused_or_hangs_over_the_edge_as_told():
    scene = placed("a", shape=(20, 50), window=Window(5, 3, 30, 15))
    with pytest.raises(TileSetError, match=r"no tile of 16 px fits into scene 'a' \(a\.tif\): 15 x 30 px"):
        plan_tiles([scene], Cover(16), SplitRule("none"))
    with pytest.raises(TileSetError, match="15 x 30 px"):  # beyond the part lie pixels that nobody has asked for
        plan_tiles([scene], Cover(16, edge="shift"), SplitRule("none"))
    ((one, two),) = plan_tiles([placed("a", shape=(15, 30))], Cover(16, edge="shift"), SplitRule("none")).tiles
    assert (one.place, two.place) == ((0, 0, 16, 16), (14, 0, 16, 16))
    with pytest.raises(SceneError, match="halo of 8 px"):
        plan_tiles([scene], Cover(16, 8, "shift"), SplitRule("none"))


def test_tiles_are_named_by_scene_row_and_column_and_all_count_where_none_trains():
    plan = plan_tiles([placed("a", shape=(20, 31)), placed("b", 99, shape=(10, 10))], Cover(10), SplitRule("none"))
    assert [tile.name for tile in plan.tiles[0]] == [f"a_r00{row}c00{column}" for row in (0, 1) for column in (0, 1, 2)]
    assert [tile.name for tile in plan.tiles[1]] == ["b"]
    assert plan.outside == pytest.approx(20 / 720)
    assert all(tile.sampled and tile.split == "train" for tiles in plan.tiles for tile in tiles)
    test = plan_tiles([placed("a")], Cover(10), SplitRule("none", everything="test"))
    assert all(tile.sampled and tile.split == "test" for tile in test.tiles[0])
    both = plan_tiles([placed("a")], Cover(6), SplitRule("blocks"))
    assert all(tile.sampled == (tile.split == "train") for tile in both.tiles[0])


def official_row(**split_of):
    """Scenes of 60 px in a row that touch each other, as their authors split them."""
    return [placed(name, 60 * number, split=split) for number, (name, split) in enumerate(split_of.items())]


def test_where_the_authors_have_no_validation_whole_scenes_of_their_training_are_drawn():
    scenes = official_row(a="train", b="train", c="train", d="train", e="test")
    plan = plan_tiles(scenes, Cover(10), SplitRule(shares=Shares(0.25, 0.5), seed=4), official=True)
    used = [{tile.split for tile in tiles} for tiles in plan.tiles]
    assert used[-1] == {"test"}
    assert sorted(map(tuple, used[:-1])) == [("train",), ("train",), ("train",), ("val",)]
    none = plan_tiles(scenes, Cover(10), SplitRule(shares=Shares(0)), official=True)
    assert [{tile.split for tile in tiles} for tiles in none.tiles] == [{"train"}] * 4 + [{"test"}]
    whole = plan_tiles(official_row(a="train", b="val", c="train"), Cover(10), SplitRule(), official=True)
    assert [{tile.split for tile in tiles} for tiles in whole.tiles] == [{"train"}, {"val"}, {"train"}]


def test_validation_that_is_drawn_from_the_authors_training_is_guarded():
    scenes = official_row(a="train", b="train", c="train", d="train", e="test")
    plan = plan_tiles(scenes, Cover(10), SplitRule(shares=Shares(0.25), seed=4), official=True)
    places = [(on_ground(scenes[n], tile.place), tile.split) for n, tiles in enumerate(plan.tiles) for tile in tiles]
    val = [place for place, split in places if split == "val"]
    assert val
    assert sum(split == "test" for _, split in places) == 36  # and their training by it stays
    for place, split in places:
        if split == "train":
            assert all(place[0] >= other[2] + 10 or place[2] + 10 <= other[0] for other in val)
