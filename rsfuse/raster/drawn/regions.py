"""Regions of a map that comes strip by strip: which are whole, and which may still grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from rsfuse.legend import NODATA
from rsfuse.raster.drawn.band import Band
from rsfuse.raster.drawn.corners import Corners

_NOBODY = -1


@dataclass(frozen=True, eq=False)
class Regions:
    """n whole regions: all pixels of one code that are joined by their sides.

    Args:
        codes: (n,) code of each.
        sums: (n,) sum of the values of its pixels.
        corners: (k,) numbers of their corners, in any order.
        owners: (k,) which region each corner belongs to.
    """

    codes: NDArray[np.uint8]
    sums: NDArray[np.float64]
    corners: NDArray[np.int64]
    owners: NDArray[np.int64]


class RegionStream:
    """Takes the rows of a map from the top down and gives its regions as they become whole.

    Memory is that of the regions that touch the last row, and of each no more than its corners.

    Args:
        corners: of the map's grid.
    """

    def __init__(self, corners: Corners) -> None:
        self._corners = corners
        self._row = 0
        self._last = np.full(corners.columns - 1, NODATA, np.uint8)
        # the open regions: which of them each pixel of the last row belongs to, their sums and corners so far
        self._owners = np.full(len(self._last), _NOBODY)
        self._sums = np.zeros(0)
        self._pieces: list[list[NDArray[np.int64]]] = []

    def add(self, codes: NDArray[np.uint8], values: NDArray[np.uint8] | None = None) -> Regions:
        """The regions that do not touch the last of some more rows.

        Args:
            codes: (h, W), h > 0; pixels without data are in no region.
            values: (h, W) to sum up over the pixels of each; None for nothing.
        """
        band = Band(self._last, codes)
        labels = self._labels(band)
        code = np.full(labels.max() + 1, NODATA, np.uint8)
        code[labels] = band.codes
        now = np.zeros(len(self._pieces), np.intp)  # labels of the regions that were open
        known = self._owners != _NOBODY
        now[self._owners[known]] = labels[band.first[known]]
        sums = np.zeros(len(code))
        np.add.at(sums, now, self._sums)
        if values is not None:
            np.add.at(sums, labels, band.sums(values))
        stays = np.zeros(len(code), bool)
        stays[labels[band.last]] = True
        stays &= code != NODATA
        corners, runs = band.corners(self._corners, self._row)
        corners, owners = self._sort_out(corners, labels[runs], now, stays)
        whole = ~stays & (code != NODATA)
        self._row, self._last = self._row + len(codes), codes[-1].copy()
        self._owners, self._sums = _numbers(stays)[labels[band.last]], sums[stays]
        return Regions(code[whole], sums[whole], corners, _numbers(whole)[owners])

    def end(self) -> Regions:
        """The regions that touch the last row, since no more rows come."""
        return self.add(np.full((1, len(self._last)), NODATA, np.uint8))

    def _labels(self, band: Band) -> NDArray[np.int32]:
        """Number of the region of each run, as far as the map is known, (runs,)."""
        upper, lower = band.touching()
        # runs of the row above may belong together by rows before it
        order = np.argsort(self._owners, kind="stable")
        owners, runs = self._owners[order], band.first[order]
        same = (owners[1:] == owners[:-1]) & (owners[1:] != _NOBODY)
        ends = np.concatenate([upper, runs[:-1][same]]), np.concatenate([lower, runs[1:][same]])
        count = len(band.codes)
        graph = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(count, count))
        labels: NDArray[np.int32] = connected_components(graph, directed=False)[1]
        return labels

    def _sort_out(
        self,
        corners: NDArray[np.int64],
        owners: NDArray[np.int32],
        now: NDArray[np.intp],
        stays: NDArray[np.bool_],
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """All corners of the regions that end, and their labels; those of the others are kept.

        Args:
            corners: new ones.
            owners: label of each.
            now: label of each region that was open.
            stays: of each label, whether it is open now.
        """
        held: dict[int, list[NDArray[np.int64]]] = {}
        for label, pieces in zip(now.tolist(), self._pieces, strict=True):
            held[label] = _together(held.get(label, []), pieces)
        keep = stays[owners]
        order = np.argsort(owners[keep], kind="stable")
        growing, labels = corners[keep][order], np.flatnonzero(stays)
        ends = np.searchsorted(owners[keep][order], labels, "right").tolist()
        self._pieces = []
        for label, start, end in zip(labels.tolist(), [0, *ends], ends, strict=False):
            pieces = held.pop(label, [])
            if end > start:
                pieces.append(growing[start:end].copy())  # a view would keep the corners of all others
            self._pieces.append(pieces)
        old = [piece for pieces in held.values() for piece in pieces]
        whose = [np.full(len(piece), label, np.int32) for label, pieces in held.items() for piece in pieces]
        return np.concatenate([corners[~keep], *old]), np.concatenate([owners[~keep], *whose])


def _together(pieces: list[NDArray[np.int64]], others: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Both lists in one. The shorter moves: a region that swallows a thousand others is not copied a thousand times."""
    shorter, longer = sorted((pieces, others), key=len)
    longer.extend(shorter)
    return longer


def _numbers(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Place of each chosen one among the chosen, (n,); of the others `_NOBODY`."""
    return np.where(chosen, np.cumsum(chosen) - 1, _NOBODY)
