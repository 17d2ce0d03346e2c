"""How label files say which class is meant: by a code, a colour or a name, which need not be the legend's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rsfuse.errors import LegendMismatchError
from rsfuse.legend import NODATA, Color, Legend

_UNKNOWN = 256  # no code of a legend
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class LabelCoding:
    """From what stands in label files to the codes of a legend; 255 is "nobody said" on both sides.

    Args:
        codes: number in a raster of one band -> code.
        colors: (red, green, blue), 0 to 255 each, in a raster of three bands -> code.
        names: attribute of a polygon, in lower case -> code.
        binarised_at: every number is taken for 0 below this and for 255 from it on, before it is looked up; for masks
            that went through a lossy file. None for exact numbers.
    """

    codes: Mapping[int, int]
    colors: Mapping[Color, int] = field(default_factory=dict)
    names: Mapping[str, int] = field(default_factory=dict)
    binarised_at: int | None = None

    @classmethod
    def of(cls, legend: Legend) -> LabelCoding:
        """Files that use the legend's own codes, colours or names.

        A colour or a name that two classes share says nothing, and is not known.
        """
        codes = {**dict.fromkeys((*legend.unlabelled, NODATA), NODATA), **{code: code for code in legend.codes}}
        return cls(
            codes=codes,
            colors=_unshared((each.color, each.code) for each in legend),
            names={**as_names(codes), **_unshared((key(each.name), each.code) for each in legend)},
        )

    def extended(
        self,
        codes: Mapping[int, int] | None = None,
        colors: Mapping[Color, int] | None = None,
        names: Mapping[str, int] | None = None,
    ) -> LabelCoding:
        """This coding with more entries, or others for the same."""
        return replace(
            self,
            codes={**self.codes, **(codes or {})},
            colors={**self.colors, **(colors or {})},
            names={**self.names, **{key(name): code for name, code in (names or {}).items()}},
        )

    def translate(self, values: NDArray[np.integer[Any]]) -> tuple[NDArray[np.uint8], dict[str, int]]:
        """Codes of what a label raster holds.

        Args:
            values: (1, h, w) numbers, or (3, h, w) colours.

        Returns:
            codes: (h, w), 255 where nobody said or the value is not known.
            unknown: each value without a code, as a person would write it, and how many pixels have it.

        Raises:
            ValueError: if there are neither one band nor three.
        """
        if len(values) not in {1, 3}:
            raise ValueError(f"labels have one band or three, not {len(values)}")
        if self.binarised_at is not None:
            values = np.where(values >= self.binarised_at, np.uint8(255), np.uint8(0))
        if len(values) == 1 and values.dtype == np.uint8:
            return self._translate_bytes(values[0].astype(np.uint8, copy=False))
        numbers = _packed(values) if len(values) == 3 else values[0]
        table = self._color_table if len(values) == 3 else self._code_table
        found = _look_up(numbers, table)
        strange = found == _UNKNOWN
        unknown: dict[str, int] = {}
        if strange.any():
            told, counts = np.unique(numbers[strange], return_counts=True)
            unknown = {
                _told(int(value), colored=len(values) == 3): int(n) for value, n in zip(told, counts, strict=True)
            }
            found = np.where(strange, NODATA, found)
        return found.astype(np.uint8), unknown

    def _translate_bytes(self, numbers: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], dict[str, int]]:
        """The same for what nearly all label files are, by the table of bytes, four times as fast as one of numpy."""
        table, known = self._byte_table
        values = bytearray(np.ascontiguousarray(numbers))
        strange = Counter(values.translate(None, known))
        codes: NDArray[np.uint8] = np.frombuffer(values.translate(table), np.uint8).reshape(numbers.shape)
        return codes, {str(value): count for value, count in sorted(strange.items())}

    def reads_colors(self, palette: Mapping[int, tuple[int, ...]]) -> bool:
        """Whether a raster of one band means the colours of its colour table, and not its numbers.

        It does where this coding knows colours, and of numbers none but those that mean "nobody said": programs that
        save pictures with few colours number these as they come, in each file anew.

        Args:
            palette: number -> (red, green, blue) or (red, green, blue, alpha) of the file; empty if it has none.

        Raises:
            LegendMismatchError: if a number and its colour are both known and mean two classes.
        """
        if not palette or not self.colors:
            return False
        numbers = np.array([sorted(palette)], np.int64)
        painted = np.array([palette[int(number)][:3] for number in numbers[0]], np.int64).T[:, None]
        by_number, by_color = self.translate(numbers[None])[0], self.translate(painted)[0]
        torn = (by_number != NODATA) & (by_color != NODATA) & (by_number != by_color)
        if torn.any():
            at = int(np.flatnonzero(torn[0])[0])
            color = _told(int(_packed(painted)[0, at]), colored=True)
            raise LegendMismatchError(
                f"the number {numbers[0, at]} stands for class {by_number[0, at]}, but its colour in the colour table, "
                f"{color}, for class {by_color[0, at]}",
                hint="give a legend whose classes list only what is meant, as in from: [1] or from: ['#3c1098']",
            )
        return all(code == NODATA for code in self.codes.values())

    def code_of_name(self, name: object) -> int | None:
        """Code of a polygon's attribute, None where it is not known."""
        number = int(name) if isinstance(name, float | np.floating) and float(name).is_integer() else name
        return self.names.get(key(number))

    @cached_property
    def _byte_table(self) -> tuple[bytes, bytes]:
        """Code of each byte, 255 for those that are not known; and the known ones."""
        found = _look_up(np.arange(256), self._code_table)
        codes = np.where(found == _UNKNOWN, NODATA, found).astype(np.uint8)
        return codes.tobytes(), bytes(np.flatnonzero(found != _UNKNOWN).astype(np.uint8))

    @cached_property
    def _code_table(self) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
        return _table(self.codes)

    @cached_property
    def _color_table(self) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
        return _table({(red << 16) + (green << 8) + blue: code for (red, green, blue), code in self.colors.items()})


def key(name: object) -> str:
    """What counts of a name: neither capitals nor blanks around it."""
    return str(name).strip().casefold()


def as_names(codes: Mapping[int, int]) -> dict[str, int]:
    """Numbers as attributes of polygons, from what they mean in rasters."""
    return {key(number): code for number, code in codes.items()}


def _unshared(pairs: Iterable[tuple[_Value, int]]) -> dict[_Value, int]:
    told = list(pairs)
    count = Counter(value for value, _ in told)
    return {value: code for value, code in told if count[value] == 1}


def _packed(colors: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    red, green, blue = colors.astype(np.int64)
    packed: NDArray[np.int64] = (red << 16) + (green << 8) + blue
    return packed


def _table(codes: Mapping[int, int]) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    known = np.array(sorted(codes), np.int64)
    return known, np.array([codes[int(value)] for value in known], np.uint16)


def _look_up(
    numbers: NDArray[np.integer[Any]], table: tuple[NDArray[np.int64], NDArray[np.uint16]]
) -> NDArray[np.uint16]:
    known, codes = table
    if len(known) == 0:
        return np.full(numbers.shape, _UNKNOWN, np.uint16)
    places = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    return np.where(known[places] == numbers, codes[places], np.uint16(_UNKNOWN))


def _told(value: int, *, colored: bool) -> str:
    return f"#{value:06x}" if colored else str(value)
