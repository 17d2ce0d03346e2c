"""Which patches of a scene one scale down there are, and what each may be used for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rsfuse.errors import TileSetError
from rsfuse.geometry.sharpening.filters import Span
from rsfuse.geometry.split import Rectangles, Split, Splits, assign_blocks, default_block, guard
from rsfuse.raster.sharpening.reduction import ReducedScene
from rsfuse.raster.tiling.scene_splits import SplitRule

SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class WaldCover:
    """Where patches lie, in multispectral pixels.

    Args:
        size: side of a patch, a multiple of the ratio.
        halo: what it shares with its neighbour, on each side.
        window: first column, first row, width, height of a part; None for all that the panchromatic raster covers.
    """

    size: int = 64
    halo: int = 0
    window: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class WaldPlan:
    """All patches of a set.

    Args:
        tiles: (n, 4) in multispectral pixels, row by row.
        splits: (n,) of each.
        told: how they were split, in words.
        largest: digital number in them.
        left_out: how many others there would be, and why they are not there.
    """

    tiles: Rectangles
    splits: Splits
    told: str
    largest: float
    left_out: dict[str, int]

    @property
    def looked_at(self) -> int:
        """Patches that there are, and that there would be."""
        return len(self.tiles) + sum(self.left_out.values())


def plan_wald(
    reduced: ReducedScene, cover: WaldCover, rule: SplitRule, *, progress: Callable[[int, int], None]
) -> WaldPlan:
    """Plan the patches of a scene: with data in all pixels, and no training patch near one that judges the training.

    Args:
        reduced: is read once, without what lies around patches.
        cover: where they lie.
        rule: how they are split, by "blocks" or "none".
        progress: told of patches looked at, of twice as many: they are yet to be written.

    Raises:
        SceneError: if a file is damaged.
        TileSetError: if there is no patch, or too few to be split.
    """
    rule = _decided(rule, cover, reduced.reach)
    places = _places(reduced, cover)
    largest = np.full(len(places), np.nan)
    for number, (left, top, width, height) in enumerate(places.tolist()):
        found = reduced.largest((top, top + height), (left, left + width))
        largest[number] = np.nan if found is None else found
        progress(number + 1, 2 * len(places))
    known = ~np.isnan(largest)
    tiles = places[known]
    _check_values(reduced, largest[known], len(places))
    rule = replace(rule, block=rule.block or default_block(tiles, cover.size))
    splits = _assign(tiles, rule)
    stays = guard(tiles, splits, rule.gap or 0) if rule.by != "none" else np.ones(len(tiles), np.bool_)
    if not np.isin(splits[stays], "train").any() and rule.by != "none":
        raise TileSetError(
            f"all {(~stays).sum()} training patches lie within {rule.gap} multispectral px of a patch for validation "
            "or testing",
            hint="cut smaller patches: --size; or choose smaller --val and --test, or a smaller --block",
        )
    left_out = {"with pixels without data": int((~known).sum()), "near those of other splits": int((~stays).sum())}
    return WaldPlan(tiles[stays], splits[stays], _told(rule), float(largest[known][stays].max()), left_out)


def _decided(rule: SplitRule, cover: WaldCover, reach: int) -> SplitRule:
    """The rule with nothing left open but the block."""
    least = 2 * reach  # what filters see around patches of different splits does not overlap either
    gap = max(cover.size, least) if rule.gap is None else rule.gap
    if gap < least:
        raise TileSetError(
            f"a guard of {gap} multispectral px is smaller than twice the {reach} px that filters look beyond a patch",
            hint=f"choose a --guard of at least {least}",
        )
    return replace(rule, by="none" if rule.by == "none" else "blocks", gap=gap)


def _places(reduced: ReducedScene, cover: WaldCover) -> Rectangles:
    """(n, 4) rectangles, row by row; all begin at multiples of the ratio."""
    ratio, size = reduced.ratio, cover.size
    if size % ratio:
        raise TileSetError(
            f"a patch of {size} multispectral px is {size / ratio:g} px one scale down, at ratio {ratio}",
            hint=f"choose --size {-(-size // ratio) * ratio}",
        )
    step = (size - 2 * cover.halo) // ratio * ratio
    if step <= 0:
        raise TileSetError(
            f"patches of {size} px with a halo of {cover.halo} px on each side leave {size - 2 * cover.halo} px "
            f"between the halos, less than the ratio of {ratio}",
            hint=f"choose a --halo between 0 and {(size - ratio) // 2}",
        )
    rows, columns = _asked(reduced, cover.window)
    tops, lefts = (range(-(-low // ratio) * ratio, high - size + 1, step) for low, high in (rows, columns))
    if not (tops and lefts):
        raise TileSetError(
            f"no patch of {size} px fits into the {rows[1] - rows[0]} x {columns[1] - columns[0]} multispectral px "
            "to be cut",
            hint="choose a smaller --size, or a larger part",
        )
    return np.array([(left, top, size, size) for top in tops for left in lefts], np.int64)


def _asked(reduced: ReducedScene, window: tuple[int, int, int, int] | None) -> tuple[Span, Span]:
    """Rows and columns that both rasters have, and a window if there is one."""
    rows, columns = reduced.inside
    if window is None:
        return rows, columns
    left, top, width, height = window
    if min(left, top) < 0 or top + height > reduced.shape[0] or left + width > reduced.shape[1]:
        raise TileSetError(
            f"window (column {left}, row {top}, {width} x {height} px) reaches beyond the multispectral raster "
            f"of {reduced.shape[1]} x {reduced.shape[0]} px",
            hint="give --window COLUMN ROW WIDTH HEIGHT inside it, in multispectral pixels",
        )
    return (max(rows[0], top), min(rows[1], top + height)), (max(columns[0], left), min(columns[1], left + width))


def _check_values(reduced: ReducedScene, largest: NDArray[np.float64], places: int) -> None:
    pan, ms = reduced.scene.paths
    if not len(largest):
        raise TileSetError(
            f"none of {places} patches has data in all pixels of {pan} and {ms}",
            hint="choose a smaller --size, and check the nodata values of both",
        )
    if largest.max() <= 0:
        raise TileSetError(f"{pan} and {ms} have no value above 0", hint="give digital numbers or reflectances")


def _assign(tiles: Rectangles, rule: SplitRule) -> Splits:
    if rule.by == "none":
        return np.full(len(tiles), rule.everything, "<U5")
    assert rule.block is not None
    return assign_blocks(tiles, block=rule.block, shares=rule.shares, seed=rule.seed)


def _told(rule: SplitRule) -> str:
    if rule.by == "none":
        return f"no split: every patch is {rule.everything}"
    shares = f"{rule.shares.val:.0%} for validation and {rule.shares.test:.0%} for testing, seed {rule.seed}"
    return (
        f"by blocks of {rule.block} multispectral px, {shares}; at least {rule.gap} px between training patches and "
        "all others"
    )
