"""Splits of whole scenes: by chance, by lists, or by what a data set's authors say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rasterio.windows import Window

from rsfuse.errors import TileSetError
from rsfuse.geometry.grid import Grid
from rsfuse.geometry.split import Shares, Split, assign_groups
from rsfuse.raster.datasets.dataset import SceneFiles
from rsfuse.raster.leaks import grouped, overlaps

SplitBy = Literal["auto", "scene", "blocks", "list", "random", "none"]

_SAME_PLACE = 0.1
"""Scenes that share more of their area than this are never torn apart; where they share less, the guard sees to it."""


@dataclass(frozen=True)
class SplitRule:
    """How tiles are shared out to training, validation and test.

    Args:
        by: "scene" for whole scenes, "blocks" for square blocks of each scene, "list" for what the scenes' files or
            `names` say, "random" for single tiles by chance, "none" for all into one split; "auto" for what suits.
        shares: of validation and test, where chance decides.
        seed: of the chance.
        block: side of a block in pixels, None for one that suits the scene.
        gap: pixels between training tiles and all others, None for the size of a tile.
        everything: the split of all tiles where nothing is split.
        names: scene to split, for "list".
    """

    by: SplitBy = "auto"
    shares: Shares = field(default_factory=lambda: Shares(0.15, 0.15))
    seed: int = 0
    block: int | None = None
    gap: int | None = None
    everything: Split = "train"
    names: Mapping[str, Split] = field(default_factory=dict)


@dataclass(frozen=True)
class PlacedScene:
    """A scene and where it lies; only the window of it is cut."""

    files: SceneFiles
    grid: Grid
    window: Window

    @property
    def group(self) -> str:
        """Scenes of one group are never torn apart."""
        return self.files.group or self.files.name

    def cut_grid(self, beyond: int = 0) -> Grid:
        """Where its window lies, so many pixels wider on each side."""
        window = self.window
        left, top = window.col_off - beyond, window.row_off - beyond
        return self.grid.window(Window(left, top, window.width + 2 * beyond, window.height + 2 * beyond))


def split_by_scene(scenes: Sequence[PlacedScene], counts: Sequence[int], rule: SplitRule) -> list[Split]:
    """The split of each scene, by chance; those that show much of one place stay together.

    Args:
        scenes: with distinct names.
        counts: tiles of each.
        rule: shares and seed.

    Raises:
        TileSetError: if there are too few scenes.
    """
    names = [scene.group for scene in scenes]
    pairs = [pair for pair in overlaps([scene.cut_grid() for scene in scenes]) if pair.share > _SAME_PLACE]
    groups = _merged(names, grouped([scene.files.name for scene in scenes], pairs))
    sizes: Counter[str] = Counter()
    for group, count in zip(groups, counts, strict=True):
        sizes[group] += count
    chosen = assign_groups(sizes, rule.shares, rule.seed)
    return [chosen[group] for group in groups]


def _merged(groups: Sequence[str], places: Sequence[str]) -> list[str]:
    """Groups such that scenes with the same name in either list are in one."""
    first: dict[tuple[int, str], int] = {}
    root = list(range(len(groups)))

    def find(number: int) -> int:
        while root[number] != number:
            number = root[number]
        return number

    for number, both in enumerate(zip(groups, places, strict=True)):
        for key in enumerate(both):
            root[find(number)] = find(first.setdefault(key, number))
    return [groups[find(number)] for number in range(len(groups))]


def split_as_published(scenes: Sequence[PlacedScene], counts: Sequence[int], rule: SplitRule) -> list[Split]:
    """The split of the data set's authors; where they have none for validation, some of their training scenes.

    Raises:
        TileSetError: if they say nothing of a scene.
    """
    chosen = _official(scenes)
    if "val" in chosen or not rule.shares.val:
        return chosen
    sizes: Counter[str] = Counter()
    for scene, split, count in zip(scenes, chosen, counts, strict=True):
        if split == "train":
            sizes[scene.group] += count
    if len(sizes) < 2:
        return chosen
    drawn = assign_groups(sizes, Shares(rule.shares.val), rule.seed)
    return [drawn[scene.group] if split == "train" else split for scene, split in zip(scenes, chosen, strict=True)]


def _official(scenes: Sequence[PlacedScene]) -> list[Split]:
    silent = [scene.files.name for scene in scenes if scene.files.split is None]
    if silent:
        raise TileSetError(
            f"nothing says which split {len(silent)} of {len(scenes)} scenes are in, the first is {silent[0]!r}",
            hint="give lists: --list train=FILE --list val=FILE, or choose --split-by scene",
        )
    return [scene.files.split or "train" for scene in scenes]


def split_by_lists(scenes: Sequence[PlacedScene], rule: SplitRule) -> list[Split]:
    """The split of each scene, as a user's lists say.

    Raises:
        TileSetError: if they do not name a scene, or name one that is not there.
    """
    names = [scene.files.name for scene in scenes]
    for what, strange in (
        ("the lists do not name", [name for name in names if name not in rule.names]),
        ("the lists name scenes that are not there:", [name for name in rule.names if name not in set(names)]),
    ):
        if strange:
            raise TileSetError(
                f"{what} {len(strange)} of {len(names)} scenes, the first of them {strange[0]!r}",
                hint=f"write every scene into one list, by its name, such as {names[0]!r}",
            )
    return [rule.names[name] for name in names]
