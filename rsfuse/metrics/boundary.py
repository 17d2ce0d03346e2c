"""How well a map draws boundaries: boundary IoU and boundary F1 of each class, from counts that add up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.legend import NODATA
from rsfuse.metrics.ratios import Counts, Floats, mean, ratios

Codes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Inner = tuple[slice, slice]


@dataclass(frozen=True)
class BoundaryCounts:
    """Counts of pixels near boundaries, by class; those of windows add up to exactly those of the whole image.

    The *strip* of a class is its own pixels at most `tolerance` px from a pixel of another class; the *edge* is the
    strip of 1 px. Distance is counted in moves of a chess king here, as the erosions of Cheng's code count it.

    Nothing is known of a pixel without a label, whatever the map says of it, nor of what lies beyond the raster: such a
    pixel makes no boundary and is in no strip and on no edge. A labelled pixel that the map leaves empty is in no strip
    of the map; it makes no boundary there either.

    Args:
        tolerance: in pixels, at least 1.
        strips: (3, K) pixels in the strip of the labels, of the map, of both.
        edges: (4, K) pixels on the edge of the labels, those of them that the map's edge is near, and the same with
            labels and map in each other's place.
    """

    tolerance: int
    strips: Counts
    edges: Counts

    @classmethod
    def empty(cls, classes: int, tolerance: int) -> BoundaryCounts:
        """Of no pixels."""
        return cls(tolerance, np.zeros((3, classes), np.int64), np.zeros((4, classes), np.int64))

    @classmethod
    def of(cls, labels: Codes, mapped: Codes, *, classes: int, tolerance: int, inner: Inner) -> BoundaryCounts:
        """Count the pixels of a window.

        Args:
            labels: (h, w) reference indices, 0 to K-1 or 255, of the window and tolerance + 1 px or more around it.
                Where they end nearer to the window than that, the raster is taken to end there.
            mapped: mapped indices of the same pixels, 0 to K-1 or 255 for "no class".
            classes: K.
            tolerance: in pixels, at least 1.
            inner: rows and columns of the window itself in these arrays.
        """
        truth = _around(labels, inner, tolerance + 1)
        chart = _around(mapped, inner, tolerance + 1)
        chart |= np.where(truth == NODATA, np.uint8(NODATA), np.uint8(0))
        one, other = (_Side.of(each, tolerance) for each in (truth, chart))
        both = other.strip & (one.codes == other.codes)
        wanted = one.tally([both, one.edge, one.edge & _near(one, other, classes, tolerance)], classes)
        found = other.tally([other.edge, other.edge & _near(other, one, classes, tolerance)], classes)
        return cls(tolerance, np.stack([wanted[0], found[0], wanted[1]]), np.concatenate([wanted[2:], found[1:]]))

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        if self.tolerance != other.tolerance:
            raise ValueError(f"tolerances of {self.tolerance} and {other.tolerance} px do not add up")
        return BoundaryCounts(self.tolerance, self.strips + other.strips, self.edges + other.edges)

    @property
    def iou(self) -> Floats:
        """(K,) boundary IoU: the strips of labels and map, intersection over union; NaN without either.

        |(G_d and G) and (P_d and P)| / |(G_d and G) or (P_d and P)| (Cheng et al., CVPR 2021). They choose d as 2 % of
        an image's diagonal and take its border for a boundary; a scene's border is none.
        """
        truth, chart, both = self.strips
        return ratios(both, truth + chart - both)

    @property
    def precision(self) -> Floats:
        """(K,) share of the map's edge with an edge of the labels near it; NaN without an edge on the map."""
        return ratios(self.edges[3], self.edges[2])

    @property
    def recall(self) -> Floats:
        """(K,) share of the labels' edge with an edge of the map near it; NaN without an edge in the labels."""
        return ratios(self.edges[1], self.edges[0])

    @property
    def f1(self) -> Floats:
        """(K,) boundary F1: 2 P R / (P + R) of boundary precision and recall; 0 if one has no edge, NaN if neither.

        Near is at most `tolerance` px in a straight line (Csurka et al., BMVC 2013). They score each image and
        average, here the pixels of all images count together.
        """
        precision, recall = np.nan_to_num(self.precision), np.nan_to_num(self.recall)
        scores = 2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float64).tiny)
        scores[self.edges[0] + self.edges[2] == 0] = np.nan
        return scores

    @property
    def miou(self) -> float:
        """Mean boundary IoU of the classes that have a boundary in labels or map."""
        return mean(self.iou)

    @property
    def mf1(self) -> float:
        """Mean boundary F1 of the classes that have an edge in labels or map."""
        return mean(self.f1)

    @property
    def reason(self) -> str:
        """Why all scores are NaN, in words; empty if they are not."""
        return "" if self.strips.any() else "no boundary between two classes, in labels or map"


@dataclass(frozen=True)
class _Side:
    """Labels or map of a window.

    Args:
        codes: (h, w).
        strip: (h, w), where its strip is.
        edge: (h, w), where its edge is.
        wide_codes: codes with `tolerance` px around.
        wide_edge: likewise, its edge.
    """

    codes: Codes
    strip: Mask
    edge: Mask
    wide_codes: Codes
    wide_edge: Mask

    @classmethod
    def of(cls, codes: Codes, tolerance: int) -> _Side:
        """Of codes with tolerance + 1 px around."""
        wide, edge = _inside(codes, 1), _strip(codes, 1)
        return cls(_inside(wide, tolerance), _strip(wide, tolerance), _inside(edge, tolerance), wide, edge)

    def tally(self, marks: list[Mask], classes: int) -> Counts:
        """Pixels of each class in the strip, and those of them with each mark: a row for each."""
        # one histogram of the few pixels that matter, of which each tells its class and all its marks
        packed = self.codes.astype(np.uint16)
        for bit, mark in enumerate(marks, 8):
            packed |= mark.astype(np.uint16) << bit
        table = np.bincount(packed[self.strip], minlength=256 << len(marks)).reshape(-1, 256)[:, :classes]
        marked = np.arange(len(table)) >> np.arange(len(marks))[:, None] & 1
        return np.concatenate([table.sum(0, keepdims=True), marked @ table])


def _around(codes: Codes, inner: Inner, reach: int) -> Codes:
    """A window and what is around it, 255 beyond the end of the array; a copy."""
    spans = [each.indices(length)[:2] for each, length in zip(inner, codes.shape, strict=True)]
    outer = tuple(slice(max(start - reach, 0), stop + reach) for start, stop in spans)
    missing = [
        (max(reach - start, 0), max(stop + reach - length, 0))
        for (start, stop), length in zip(spans, codes.shape, strict=True)
    ]
    return np.pad(codes[outer], missing, constant_values=NODATA)


def _strip(codes: Codes, reach: int) -> Mask:
    """Where a pixel has one of another class within so many moves of a king; smaller by that on each side.

    A square holds two classes where its lowest and its highest differ, whatever the classes are. 255 is never the
    lowest; with 1 added it becomes 0 and is never the highest. Around a 255 there may be two classes as well: it stands
    for no class, and so in no count.
    """
    lowest = _over_square(codes, reach, np.minimum)
    highest = _over_square(codes + np.uint8(1), reach, np.maximum)
    strip: Mask = lowest + np.uint8(1) != highest
    return strip


def _near(own: _Side, other: _Side, classes: int, reach: int) -> Mask:
    """Where the other's edge of the own class lies in a disc around a pixel of the window."""
    near = np.zeros(own.codes.shape, bool)
    for first in range(0, classes, 8):  # a bit for each class: eight are spread at once
        edges = _bits(other.wide_codes, first) * other.wide_edge
        near |= (_over_disc(edges, reach, np.bitwise_or) & _bits(own.codes, first)) != 0
    return near


def _bits(codes: Codes, first: int) -> Codes:
    """1 for the first class, 2 for the next, 4, ... 128; 0 for every other."""
    bits: Codes = np.left_shift(np.uint8(1), codes - np.uint8(first))  # a shift of 8 and more leaves nothing
    return bits


def _over_square(image: Codes, reach: int, join: Callable[..., Codes]) -> Codes:
    """What a square of 2 reach + 1 px holds, joined; smaller by reach on each side."""
    return _over_row(_over_row(image, reach, join).T, reach, join).T


def _over_disc(image: Codes, reach: int, join: Callable[..., Codes]) -> Codes:
    """What a disc with a radius of reach px holds, joined; smaller by reach on each side."""
    height = len(image) - 2 * reach
    joined = np.zeros((height, image.shape[1] - 2 * reach), np.uint8)
    for down in range(reach + 1):
        half = isqrt(reach**2 - down**2)
        row = _over_row(image[:, reach - half : image.shape[1] - reach + half], half, join)
        for start in {reach - down, reach + down}:
            join(joined, row[start : start + height], out=joined)
    return joined


def _over_row(image: Codes, reach: int, join: Callable[..., Codes]) -> Codes:
    """What 2 reach + 1 px in a row hold, joined two at a time; narrower by reach on each side."""
    length, full = 1, 2 * reach + 1
    while length < full:
        step = min(length, full - length)
        image = join(image[:, :-step], image[:, step:])
        length += step
    return image


def _inside(image: NDArray[Any], reach: int) -> NDArray[Any]:
    return image[reach : len(image) - reach, reach : image.shape[1] - reach]
