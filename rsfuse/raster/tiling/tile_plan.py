"""The plan of a tile set: which tiles are cut from which scenes, and what each may be used for. No pixel is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rasterio.windows import Window

from rsfuse.errors import TileSetError
from rsfuse.geometry.plan import Plan
from rsfuse.geometry.split import (
    Flags,
    Rectangles,
    Split,
    Splits,
    assign_blocks,
    assign_random,
    default_block,
    guard,
    near,
)
from rsfuse.raster.datasets.dataset import Edge
from rsfuse.raster.leaks import Overlap, overlaps, rectangles_on
from rsfuse.raster.tiling.scene_splits import PlacedScene, SplitRule, split_as_published, split_by_lists, split_by_scene

_ENOUGH_SCENES = 4
"""With so many, whole scenes can be held out and most are left to train on."""


@dataclass(frozen=True)
class Cover:
    """How tiles cover a scene: their side and halo in pixels, and what becomes of the right and lower edge."""

    size: int
    halo: int = 0
    edge: Edge = "drop"


@dataclass(frozen=True)
class PlannedTile:
    """A tile to be cut.

    Args:
        name: of its files, without an ending.
        scene: name of its scene.
        split: what it may be used for.
        place: first column, first row, width, height in the scene's pixels.
        sampled: whether statistics look at it.
    """

    name: str
    scene: str
    split: Split
    place: tuple[int, int, int, int]
    sampled: bool

    @property
    def window(self) -> Window:
        """Where in the scene it lies."""
        return Window(*self.place)


@dataclass(frozen=True)
class TilePlan:
    """All tiles of a set.

    Args:
        tiles: of each scene, row by row.
        told: how they were split, in words.
        rule: by which they were split; nothing in it is left open.
        dropped: training tiles that lay too near a tile of another split.
        outside: share of the scenes' pixels that no tile covers.
        leaks: whether nothing keeps tiles of different splits apart.
    """

    tiles: tuple[tuple[PlannedTile, ...], ...]
    told: str
    rule: SplitRule
    dropped: int
    outside: float
    leaks: bool


def plan_tiles(scenes: Sequence[PlacedScene], cover: Cover, rule: SplitRule, *, official: bool = False) -> TilePlan:
    """Plan the tiles of scenes such that no training tile lies near one that judges the training.

    Args:
        scenes: with distinct names.
        cover: how tiles cover each.
        rule: how they are split.
        official: whether "list" is the split of a data set's authors, from which nothing is then taken away.

    Raises:
        TileSetError: if a scene holds no tile, or there is too little for the splits that are asked for.
    """
    rule = _decided(rule, scenes, cover)
    rectangles = [_cover(scene, cover) for scene in scenes]
    splits = _assign(scenes, rectangles, rule, cover)
    stays = [np.ones(len(each), np.bool_) for each in rectangles]
    leaks = rule.by == "random" or (rule.by == "list" and official)
    drawn = _to_guard(scenes, rule, official=official)
    kept = _guarded(
        [scenes[n] for n in drawn], [rectangles[n] for n in drawn], [splits[n] for n in drawn], rule.gap or 0
    )
    for number, stay in zip(drawn, kept, strict=True):
        stays[number] = stay
    trains = any((each[stay] == "train").any() for each, stay in zip(splits, stays, strict=True))
    dropped = sum(int((~stay).sum()) for stay in stays)
    if dropped and not trains:
        raise TileSetError(
            f"all {dropped} training tiles lie within {rule.gap} px of a tile for validation or testing",
            hint="cut smaller tiles, choose smaller --val and --test, or tile the parts one by one: --split",
        )
    tiles = tuple(
        tuple(_tiles(scene, each, split, stay, everything=not trains))
        for scene, each, split, stay in zip(scenes, rectangles, splits, stays, strict=True)
    )
    return TilePlan(tiles, _told(rule, dropped, official), rule, dropped, _outside(scenes, rectangles), leaks)


def torn_apart(pairs: Sequence[Overlap], plan: TilePlan) -> list[Overlap]:
    """Those of the pairs of scenes whose tiles are used for different splits."""
    used = [{tile.split for tile in tiles} for tiles in plan.tiles]
    return [pair for pair in pairs if len(used[pair.first] | used[pair.second]) > 1]


def _decided(rule: SplitRule, scenes: Sequence[PlacedScene], cover: Cover) -> SplitRule:
    """The rule with nothing left open but the block, which each scene may have of its own."""
    by = rule.by
    if by == "auto":
        official = all(scene.files.split for scene in scenes)
        groups = {scene.group for scene in scenes}
        by = "list" if rule.names or official else "scene" if len(groups) >= _ENOUGH_SCENES else "blocks"
    gap = cover.size if rule.gap is None else rule.gap
    if gap < cover.size:
        raise TileSetError(
            f"a guard of {gap} px is smaller than a tile of {cover.size} px: what trains would be seen in the test",
            hint=f"choose a --guard of at least {cover.size}, or smaller tiles",
        )
    return replace(rule, by=by, gap=gap)


def _cover(scene: PlacedScene, cover: Cover) -> Rectangles:
    """(n, 4) rectangles of the tiles of a scene, row by row."""
    height, width = int(scene.window.height), int(scene.window.width)
    is_part = (height, width) != scene.grid.shape  # beyond which there are pixels that nobody has asked for
    if cover.edge == "drop" or (is_part and min(height, width) < cover.size):
        height, width = (_whole(side, cover) for side in (height, width))
        if not (height and width):
            raise TileSetError(
                f"no tile of {cover.size} px fits into scene {scene.files.name!r} "
                f"({scene.files.optical}): {scene.window.height:.0f} x {scene.window.width:.0f} px are to be cut",
                hint="choose a smaller --size"
                + (", or a larger part" if is_part else ", or --edge shift, which fills up what is missing"),
            )
    plan = Plan.sliding(height, width, size=cover.size, halo=cover.halo)
    left, top = int(scene.window.col_off), int(scene.window.row_off)
    places = [(left + column, top + row, cover.size, cover.size) for row in plan.tops for column in plan.lefts]
    return np.array(places, np.int64)


def _whole(side: int, cover: Cover) -> int:
    """How much of a side whole tiles cover."""
    step = cover.size - 2 * cover.halo
    return (side - cover.size) // step * step + cover.size if side >= cover.size and step > 0 else side * (step <= 0)


def _assign(
    scenes: Sequence[PlacedScene], rectangles: Sequence[Rectangles], rule: SplitRule, cover: Cover
) -> list[Splits]:
    counts = [len(each) for each in rectangles]
    if rule.by == "none":
        return [np.full(count, rule.everything, "<U5") for count in counts]
    if rule.by == "random":
        return list(np.split(assign_random(sum(counts), rule.shares, rule.seed), np.cumsum(counts)[:-1]))
    if rule.by == "blocks":
        return [
            assign_blocks(
                each, block=rule.block or default_block(each, cover.size), shares=rule.shares, seed=rule.seed + number
            )
            for number, each in enumerate(rectangles)
        ]
    if rule.by == "scene":
        chosen = split_by_scene(scenes, counts, rule)
    else:
        chosen = split_by_lists(scenes, rule) if rule.names else split_as_published(scenes, counts, rule)
    return [np.full(count, split, "<U5") for count, split in zip(counts, chosen, strict=True)]


def _to_guard(scenes: Sequence[PlacedScene], rule: SplitRule, *, official: bool) -> list[int]:
    """Numbers of the scenes among which training tiles are kept away from others."""
    if rule.by in ("none", "random"):
        return []
    if rule.by == "list" and official:
        # what the authors use for training stays, but not beside what chance has taken of it for validation
        return [number for number, scene in enumerate(scenes) if scene.files.split == "train"]
    return list(range(len(scenes)))


def _guarded(
    scenes: Sequence[PlacedScene], rectangles: Sequence[Rectangles], splits: Sequence[Splits], gap: int
) -> list[Flags]:
    """Which tiles of each scene stay: training tiles do where no other split is near, in their own scene or another."""
    stays = [guard(tiles, split, gap) for tiles, split in zip(rectangles, splits, strict=True)]
    grids = [scene.cut_grid(beyond=gap) for scene in scenes]
    for pair in overlaps(grids):
        for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
            training, held = splits[one] == "train", splits[other] != "train"
            if training.any() and held.any():
                seen = rectangles_on(rectangles[other][held], scenes[other].grid, scenes[one].grid)
                stays[one][training] &= ~near(rectangles[one][training], seen, gap)
    return stays


def _tiles(
    scene: PlacedScene, rectangles: Rectangles, splits: Splits, stays: Flags, *, everything: bool
) -> list[PlannedTile]:
    name = scene.files.name
    rows, columns = (np.unique(rectangles[:, axis], return_inverse=True)[1] for axis in (1, 0))
    alone = len(rectangles) == 1
    return [
        PlannedTile(
            name if alone else f"{name}_r{row:03d}c{column:03d}",
            name,
            str(split),  # type: ignore[arg-type]
            tuple(int(value) for value in place),  # type: ignore[arg-type]
            bool(split == "train" or everything),
        )
        for place, split, stay, row, column in zip(rectangles, splits, stays, rows, columns, strict=True)
        if stay
    ]


def _outside(scenes: Sequence[PlacedScene], rectangles: Sequence[Rectangles]) -> float:
    pixels = sum(scene.window.width * scene.window.height for scene in scenes)
    covered = 0.0
    for scene, tiles in zip(scenes, rectangles, strict=True):
        ends = tiles[:, :2] + tiles[:, 2:] - (scene.window.col_off, scene.window.row_off)
        width, height = np.minimum(ends.max(0), (scene.window.width, scene.window.height))
        covered += float(width * height)
    return float(1 - covered / pixels)


def _told(rule: SplitRule, dropped: int, official: bool) -> str:
    shares = f"{rule.shares.val:.0%} for validation and {rule.shares.test:.0%} for testing, seed {rule.seed}"
    if rule.by == "none":
        return f"no split: every tile is {rule.everything}"
    if rule.by == "random":
        return (
            f"single tiles by chance, {shares}; neighbours of training tiles are among the others: scores are too high"
        )
    guarded = f"; at least {rule.gap} px between training tiles and all others"
    if dropped:
        guarded += f", for which {dropped} training tiles are left out"
    if rule.by == "list" and not rule.names:
        told = "by the lists of the data set" if official else f"as its files say{guarded}"
        val = f"{rule.shares.val:.0%} of its training tiles, by whole scenes, seed {rule.seed}"
        return f"{told}; for validation, where it has none, {val}" if rule.shares.val else told
    if rule.by == "list":
        return f"by lists{guarded}"
    block = "" if rule.block is None else f" of {rule.block} px"
    return f"by {'whole scenes' if rule.by == 'scene' else f'blocks{block}'}, {shares}{guarded}"
