"""The legend of a map: which code means which class, and in which colour.

A *code* is what stands in a raster (WHU-OPT-SAR counts 10, 20, ... 70); an *index* is what a network counts
(0 to K-1, in the order of the legend). Only this file translates between the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.errors import LegendMismatchError

NODATA = 255
"""Code of a map pixel without a class, and index of a label pixel that no loss and no metric counts."""

Color = tuple[int, int, int]


@dataclass(frozen=True)
class LandClass:
    """One class of a legend: its code in rasters (0 to 254), its name, its colour (red, green, blue; 0 to 255)."""

    code: int
    name: str
    color: Color


@dataclass(frozen=True)
class Legend:
    """The classes of a map, in the order in which a network counts them.

    Args:
        classes: K classes with distinct codes.
        unlabelled: codes in label rasters that mean "nobody said"; 255 always does.

    Raises:
        LegendMismatchError: if there is no class, or two share a code, or a code is out of range.
    """

    classes: tuple[LandClass, ...]
    unlabelled: tuple[int, ...] = (NODATA,)

    def __post_init__(self) -> None:
        codes = [each.code for each in self.classes]
        if not codes or len(set(codes)) != len(codes) or not all(0 <= code < NODATA for code in codes):
            raise LegendMismatchError(
                f"a legend needs distinct codes from 0 to {NODATA - 1}, these are {codes}",
                hint="give every class a code of its own",
            )

    def __len__(self) -> int:
        return len(self.classes)

    def __iter__(self) -> Iterator[LandClass]:
        return iter(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of the indices."""
        return tuple(each.name for each in self.classes)

    @property
    def codes(self) -> tuple[int, ...]:
        """Class codes in the order of the indices."""
        return tuple(each.code for each in self.classes)

    @cached_property
    def _index_of_code(self) -> NDArray[np.uint8]:
        table = np.full(256, NODATA, np.uint8)
        table[list(self.codes)] = np.arange(len(self), dtype=np.uint8)
        return table

    @cached_property
    def _code_of_index(self) -> NDArray[np.uint8]:
        table = np.full(256, NODATA, np.uint8)
        table[: len(self)] = self.codes
        return table

    def to_index(self, codes: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Indices (0 to K-1) of raster codes, 255 where unlabelled. Shape stays.

        Raises:
            LegendMismatchError: if a code is neither a class nor unlabelled.
        """
        self.check(codes)
        return self._index_of_code[codes.astype(np.uint8, copy=False)]

    def to_code(self, indices: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Raster codes of indices; whatever is not an index becomes 255. Shape stays."""
        codes: NDArray[np.uint8] = self._code_of_index[indices]
        return codes

    def check(self, codes: NDArray[np.integer[Any]], where: str = "the labels") -> None:
        """Refuse codes that this legend does not know.

        Raises:
            LegendMismatchError: naming each unknown code and how many pixels have it.
        """
        self.check_counts(dict(zip(*(each.tolist() for each in _count_codes(codes)), strict=True)), where)

    def check_counts(self, counts: Mapping[int, int], where: str = "the labels") -> None:
        """Refuse codes that this legend does not know, of which somebody has counted the pixels.

        Raises:
            LegendMismatchError: naming each unknown code and how many pixels have it.
        """
        known = {*self.codes, *self.unlabelled, NODATA}
        strange = {code: count for code, count in counts.items() if count and code not in known}
        if strange:
            told = ", ".join(f"{code} ({count} px)" for code, count in strange.items())
            raise LegendMismatchError(
                f"{where}: code {told} is not in the legend ({self})",
                hint="name the legend that these labels were made with, or map the code to 255 (unlabelled)",
            )

    def __str__(self) -> str:
        return ", ".join(f"{each.code} {each.name}" for each in self.classes)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for YAML, JSON and TIFF tags; `from_dict` reads it back."""
        return {
            "classes": [
                {"code": each.code, "name": each.name, "color": format_color(each.color)} for each in self.classes
            ],
            "unlabelled": list(self.unlabelled),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Legend:
        """The legend that `to_dict` wrote.

        Raises:
            LegendMismatchError: if an entry is missing or a colour is not like "#00ff7f".
        """
        try:
            classes = tuple(
                LandClass(int(each["code"]), str(each["name"]), parse_color(each["color"])) for each in data["classes"]
            )
            return cls(classes, tuple(data.get("unlabelled", (NODATA,))))
        except (KeyError, TypeError, ValueError) as error:
            raise LegendMismatchError(
                f"not a legend: {error!r}", hint="write each class as {code: 1, name: water, color: '#2b6cb0'}"
            ) from error


def _count_codes(codes: NDArray[np.integer[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    if codes.dtype == np.uint8:  # a histogram is fifty times as fast as the sort inside np.unique
        counts = np.bincount(codes.ravel(), minlength=256)
        found = np.flatnonzero(counts)
        return found, counts[found]
    return np.unique(codes, return_counts=True)


def format_color(color: Color) -> str:
    """A colour as "#rrggbb", which `parse_color` reads."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def parse_color(text: str) -> Color:
    """Red, green, blue (0 to 255) of "#rrggbb"."""
    if len(text) != 7 or text[0] != "#":
        raise ValueError(f"colour {text!r} is not like '#00ff7f'")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
