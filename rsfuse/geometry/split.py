"""Splits: which tiles train a network, and which judge it, such that none of the first lies near one of the others.

A rectangle is what a tile reads, halo included: first column, first row, width, height in pixels of one scene.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from rsfuse.errors import TileSetError

Split = Literal["train", "val", "test"]
Splits = NDArray[np.str_]
"""(n,) of "train", "val" or "test"."""
Rectangles = NDArray[np.int64]
"""(n, 4) first column, first row, width, height."""
Flags = NDArray[np.bool_]

_ORDERS = 32  # random orders of groups that are tried: the sizes of scenes may differ by any factor
_BLOCKS = 9, 4  # that a scene should have, or at least, see `default_block`
_MOST_TILES = 8  # along a side of a block, likewise
_FAR = np.iinfo(np.int64).max  # the least of no numbers
_PAIRS = 1 << 22  # of rectangles looked at in one go: 64 MB of indices


@dataclass(frozen=True)
class Shares:
    """How much of the tiles is kept from training.

    Args:
        val: share for validation, 0 to 1.
        test: share for the final test, 0 to 1.

    Raises:
        TileSetError: if a share is negative or nothing is left for training.
    """

    val: float = 0.0
    test: float = 0.0

    def __post_init__(self) -> None:
        if not (self.val >= 0 and self.test >= 0 and self.val + self.test < 1):
            raise TileSetError(
                f"{self.val:g} of the tiles for validation and {self.test:g} for testing leave "
                f"{1 - self.val - self.test:g} for training",
                hint="choose two shares of at least 0 whose sum is below 1",
            )

    @property
    def held_out(self) -> dict[Split, float]:
        """The splits other than training that get tiles, and their shares."""
        both: dict[Split, float] = {"val": self.val, "test": self.test}
        return {split: share for split, share in both.items() if share > 0}

    def check(self, what: str, count: int, *, hint: str) -> None:
        """Refuse to share out fewer parts than there are splits.

        Args:
            what: the parts, for the message.
            count: of them.
            hint: for the user.

        Raises:
            TileSetError: if a split would get no part.
        """
        splits = ["train", *self.held_out]
        if len(splits) > 1 and count < len(splits):
            raise TileSetError(f"{what} are too few for {len(splits)} splits ({', '.join(splits)})", hint=hint)


def assign_groups(sizes: Mapping[str, int], shares: Shares, seed: int) -> dict[str, Split]:
    """Whole groups (scenes) to splits by chance, so that the numbers of tiles come near the shares.

    Args:
        sizes: number of tiles of each group, in any order; groups of none are for training.
        shares: what validation and test shall get; at least one group each where it is not 0.
        seed: of the chance.

    Raises:
        TileSetError: if there are fewer groups with tiles than splits.
    """
    names = sorted(sizes)
    counts = [sizes[name] for name in names]
    filled = np.flatnonzero(counts)
    hint = "split each scene by blocks, give more scenes, or leave a split out"
    shares.check(f"{len(filled)} scenes with tiles", len(filled), hint=hint)
    chance = np.random.default_rng(seed)
    best, least = _share_out(counts, chance.permutation(filled), shares)
    for _ in range(_ORDERS - 1):
        if least == 0:
            break
        drawn, off = _share_out(counts, chance.permutation(filled), shares)
        if off < least:
            best, least = drawn, off
    return dict(zip(names, best, strict=True))


def assign_blocks(tiles: Rectangles, *, block: int, shares: Shares, seed: int) -> Splits:
    """Tiles of one scene to splits by square blocks, which are spread over the scene.

    A tile belongs to the block that its first column and row fall into; it may read beyond: see `guard`.

    Args:
        tiles: (n, 4) rectangles.
        block: side of a block in pixels.
        shares: what validation and test shall get; at least one block each where it is not 0.
        seed: of the chance by which the blocks are drawn.

    Raises:
        TileSetError: if there are fewer blocks than splits.
    """
    corners = tiles[:, :2] - tiles[:, :2].min(axis=0, initial=_FAR)
    blocks, members = np.unique(corners // block, axis=0, return_inverse=True)
    what = f"{len(blocks)} blocks of {block} px, which hold all {len(tiles)} tiles,"
    shares.check(what, len(blocks), hint="choose smaller blocks or smaller tiles, or leave a split out")
    members = members.reshape(-1)  # a column of indices in numpy 2.0
    order = _scattered(blocks, np.random.default_rng(seed))
    drawn, _ = _share_out(np.bincount(members).tolist(), order, shares)
    return np.array(drawn, "<U5")[members]


def assign_random(count: int, shares: Shares, seed: int) -> Splits:
    """Each of so many tiles to a split by chance: neighbours of training tiles then judge the training.

    Raises:
        TileSetError: if there are fewer tiles than splits.
    """
    shares.check(f"{count} tiles", count, hint="cut smaller tiles, or leave a split out")
    drawn, _ = _share_out([1] * count, np.random.default_rng(seed).permutation(count), shares)
    return np.array(drawn, "<U5")


def default_block(tiles: Rectangles, size: int) -> int:
    """A side for the blocks of a scene in pixels, a multiple of the tile's.

    Args:
        tiles: (n, 4) rectangles of the scene.
        size: side of a tile.
    """
    # A guard as wide as a tile costs a ring of 4 b + 4 training tiles around a lone block of b x b. Blocks of one tile
    # would thus leave next to nothing to train on (0 to 10 % of all tiles where 20 % are held out), those of 3 x 3
    # half, those of 8 x 8 seven tenths. So blocks are large. But nine are wanted, so that a tenth of the tiles is about
    # one of them; and beyond 8 x 8 tiles the ring hardly matters, while more blocks show more of the scene. Where nine
    # would be single tiles, four must do.
    corners = tiles[:, :2] - tiles[:, :2].min(axis=0, initial=_FAR)
    for wanted in _BLOCKS:
        for side in range(_MOST_TILES, 1, -1):
            if len(np.unique(corners // (side * size), axis=0)) >= wanted:
                return side * size
    return size


def near(tiles: Rectangles | NDArray[np.float64], others: Rectangles | NDArray[np.float64], gap: int) -> Flags:
    """Which tiles have fewer than so many pixels between them and any of the others.

    Between [l, l + w) and [m, m + v) on one axis lie max(m - (l + w), l - (m + v)) pixels: 0 where they touch, less
    where they overlap. Two rectangles are near if this is below the gap on both axes. A gap of 0 thus finds the pairs
    that overlap, a gap of 1 those that touch, too. A rectangle with NaN is nowhere, and near nothing.

    Args:
        tiles: (n, 4) rectangles.
        others: (m, 4) rectangles.
        gap: in pixels, 0 or more.

    Returns:
        (n,) whether each tile is near one of the others.
    """
    if gap < 0:
        raise ValueError(f"a gap of {gap} px")
    found = np.zeros(len(tiles), np.bool_)
    others = others[np.isfinite(others).all(axis=1)]
    if not len(others):
        return found
    tree = shapely.STRtree(_boxes(others, 0))
    for some in _portions(np.flatnonzero(np.isfinite(tiles).all(axis=1)), max(_PAIRS // len(others), 1)):
        # the tree counts in floats; what it finds is a pixel more than asked, and then looked at exactly
        which, where = tree.query(_boxes(tiles[some], gap + 1))
        first, second = tiles[some[which]], others[where]
        between = np.maximum(second[:, :2] - first[:, :2] - first[:, 2:], first[:, :2] - second[:, :2] - second[:, 2:])
        found[some[which[(between < gap).all(axis=1)]]] = True
    return found


def guard(tiles: Rectangles, splits: Splits, gap: int) -> Flags:
    """Which tiles may stay: all of validation and test, and the training tiles that are near none of these.

    Args:
        tiles: (n, 4) rectangles of one scene.
        splits: (n,) of each tile.
        gap: pixels that lie at least between a training tile and any other; 0 for tiles that only do not overlap.

    Returns:
        (n,) whether each tile stays.
    """
    training = splits == "train"
    stays = np.ones(len(tiles), np.bool_)
    stays[training] = ~near(tiles[training], tiles[~training], gap)
    return stays


def _share_out(counts: Sequence[int], order: NDArray[np.int64], shares: Shares) -> tuple[list[Split], int]:
    """Split of each part, and by how many tiles validation and test miss their shares together.

    Args:
        counts: tiles of each part.
        order: parts that may be held out, the favourites first.
        shares: of the tiles.
    """
    drawn: list[Split] = ["train"] * len(counts)
    free, off, needy = order.tolist(), 0, len(shares.held_out)  # train and every later split need a part, too
    for split, share in shares.held_out.items():
        wanted = round(share * sum(counts))
        taken = _fill(counts, free, wanted, most=len(free) - needy)
        for part in taken:
            drawn[part] = split
        free = [part for part in free if drawn[part] == "train"]
        off += abs(wanted - sum(counts[part] for part in taken))
        needy -= 1
    return drawn, off


def _fill(counts: Sequence[int], parts: Sequence[int], wanted: int, *, most: int) -> list[int]:
    """At least one part, at most so many, whose tiles add up to nearly what is wanted.

    These are the first that fit, or these and one that does not quite, or a single one: whichever comes nearest.
    """
    taken: list[int] = []
    missing = wanted
    for part in parts:
        if counts[part] <= missing and len(taken) < most:
            taken.append(part)
            missing -= counts[part]
    left = set(parts).difference(taken)
    choices = [taken] if taken else []
    if left and len(taken) < most:
        last = min((part for part in parts if part in left), key=lambda part: abs(missing - counts[part]))
        choices.append([*taken, last])
    choices.append([min(parts, key=lambda part: abs(wanted - counts[part]))])
    return min(choices, key=lambda choice: abs(wanted - sum(counts[part] for part in choice)))


def _scattered(blocks: NDArray[np.int64], chance: np.random.Generator) -> NDArray[np.int64]:
    """Order in which a Bayer matrix (ordered dithering) visits blocks (n, 2): the first few, any few, lie far apart."""
    levels = int(blocks.max(initial=0)).bit_length()
    # flipped by chance, level by level: the walk may begin at any block
    columns, rows = (blocks ^ chance.integers(1 << levels, size=2)).T
    rank = np.zeros(len(blocks), np.int64)
    for level in range(levels):  # halves of the scene change fastest, then quarters, ...
        shift = levels - 1 - level
        rank |= ((columns >> shift) & 1) << 2 * level
        rank |= (((columns ^ rows) >> shift) & 1) << 2 * level + 1
    return np.argsort(rank)


def _boxes(rectangles: Rectangles | NDArray[np.float64], reach: int) -> NDArray[np.object_]:
    """Geometries, larger by the reach on each side."""
    left, top, width, height = rectangles.T
    boxes: NDArray[np.object_] = shapely.box(left - reach, top - reach, left + width + reach, top + height + reach)
    return boxes


def _portions(indices: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [indices[start : start + size] for start in range(0, len(indices), size)]
