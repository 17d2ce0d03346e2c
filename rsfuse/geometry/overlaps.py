"""Where several scenes show one place: which of them a mosaic takes there, or how it mixes them.

A rule is filled scene by scene, in the order in which they were given, and then tells what it has come to.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rsfuse.legend import NODATA

NOBODY = 255
"""Number of the scene of a pixel that has none; scenes count to 254."""

Mask = NDArray[np.bool_]
Pixels = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Share:
    """What one scene shows of a window.

    Args:
        at: rows and columns of the window that it covers.
        pixels: (C, h, w) there.
        valid: (h, w), where they are data.
        scene: number of the scene, 0 to 254.
        weight: (h, w), 0 or more: how much it has to say; None for rules that do not ask.
    """

    at: tuple[slice, slice]
    pixels: Pixels
    valid: Mask
    scene: int
    weight: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class Merged:
    """A window of a mosaic.

    Args:
        pixels: (C, H, W); anything may stand where no scene has data.
        scenes: (H, W) number of the scene that each pixel is from, `NOBODY` where there is none.
    """

    pixels: Pixels
    scenes: NDArray[np.uint8]

    @property
    def valid(self) -> Mask:
        """(H, W), where a scene has data."""
        return np.asarray(self.scenes != NOBODY)


class Rule(ABC):
    """Shares of a window on their way to one.

    Args:
        shape: (C, H, W) of the window.
        dtype: of its pixels.
    """

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike) -> None:
        self._pixels = np.zeros(shape, dtype)
        self._scenes = np.full(shape[1:], NOBODY, np.uint8)

    @abstractmethod
    def add(self, share: Share) -> None:
        """Take what the next scene shows."""

    def merged(self) -> Merged:
        """What the window has become."""
        return Merged(self._pixels, self._scenes)

    def is_full(self) -> bool:
        """Whether no further scene can change anything."""
        return False

    def _take(self, share: Share, where: Mask) -> None:
        if where.all():  # as in most windows; with a mask, copying takes ten times as long
            self._pixels[:, *share.at] = share.pixels
            self._scenes[share.at] = share.scene
            return
        np.copyto(self._pixels[:, *share.at], share.pixels, where=where, casting="same_kind")
        np.copyto(self._scenes[share.at], np.uint8(share.scene), where=where)


class First(Rule):
    """The first scene that has data."""

    def add(self, share: Share) -> None:
        """Fill what is still free."""
        self._take(share, share.valid & (self._scenes[share.at] == NOBODY))

    def is_full(self) -> bool:
        """Whether every pixel has its scene."""
        return bool(self._scenes.max() < NOBODY)


class Heaviest(Rule):
    """The scene with the largest weight, of equals the first."""

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike) -> None:
        super().__init__(shape, dtype)
        self._best = np.full(shape[1:], -1, np.float32)

    def add(self, share: Share) -> None:
        """Take the pixels where this scene has more to say than all before."""
        assert share.weight is not None
        better = share.valid & (share.weight > self._best[share.at])
        np.copyto(self._best[share.at], share.weight, where=better)
        self._take(share, better)


class Majority(First):
    """The class that most scenes say; of equals the one that the scene given first says. It is also that pixel's scene.

    Memory is that of all shares.
    """

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike) -> None:
        super().__init__(shape, dtype)
        self._shares: list[Share] = []
        self._voters = np.zeros(shape[1:], np.int32)

    def add(self, share: Share) -> None:
        """Count it among those that say something, and keep it until all have been heard."""
        super().add(share)
        self._shares.append(share)
        self._voters[share.at] += share.valid

    def is_full(self) -> bool:
        """Never: the last scene may turn the scales."""
        return False

    def merged(self) -> Merged:
        """Count votes where three scenes or more have data; of two, the first is right whatever the other says."""
        contested = self._voters > 2
        if contested.any():
            votes = np.stack([self._votes(share, contested) for share in self._shares])
            codes, first = elected(votes)
            self._pixels[0][contested] = codes
            self._scenes[contested] = np.array([share.scene for share in self._shares], np.uint8)[first]
        return super().merged()

    def _votes(self, share: Share, contested: Mask) -> NDArray[np.uint8]:
        """What a scene says of each contested pixel, `NODATA` if nothing."""
        says = np.full(contested.shape, NODATA, np.uint8)
        np.copyto(says[share.at], share.pixels[0], where=share.valid)
        return says[contested]


def elected(votes: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """The most frequent code of each column, of equals the one that stands further up.

    Args:
        votes: (n, p) codes; `NODATA` is no vote.

    Returns:
        codes: (p,), `NODATA` where nobody votes.
        first: (p,) row in which it stands for the first time.
    """
    count, places = votes.shape
    codes, first = np.full(places, NODATA, np.uint8), np.zeros(places, np.intp)
    best = np.zeros(places, np.int64)
    for code in np.flatnonzero(np.bincount(votes.ravel(), minlength=256)[:NODATA]).tolist():
        says = votes == code
        row, total = says.argmax(0), says.sum(0)
        # a vote counts as many points as there are rows, and an early row less than that
        points = np.where(total > 0, total * count + count - 1 - row, 0)
        better = points > best
        best[better], codes[better], first[better] = points[better], code, row[better]
    return codes, first


class Feathered(Rule):
    """The mean of all scenes by their weights; the scene of a pixel is the one that weighs most."""

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike) -> None:
        super().__init__(shape, np.result_type(dtype, np.float32))
        self._dtype = np.dtype(dtype)
        self._total = np.zeros(shape[1:], np.float32)
        self._best = np.zeros(shape[1:], np.float32)

    def add(self, share: Share) -> None:
        """Mix it in."""
        assert share.weight is not None
        weight = np.where(share.valid, share.weight, np.float32(0))
        self._pixels[:, *share.at] += weight * np.where(share.valid, share.pixels, 0)
        self._total[share.at] += weight
        heavier = weight > self._best[share.at]
        np.copyto(self._best[share.at], weight, where=heavier)
        np.copyto(self._scenes[share.at], np.uint8(share.scene), where=heavier)

    def merged(self) -> Merged:
        """Divide by the sum of the weights."""
        mean = self._pixels / np.where(self._total > 0, self._total, 1)
        if self._dtype.kind in "iu":
            mean = np.rint(mean)
        return Merged(mean.astype(self._dtype, copy=False), self._scenes)
