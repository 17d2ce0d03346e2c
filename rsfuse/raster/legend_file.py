"""Legends by name or from a file, and how the label files that go with them say what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from rsfuse.coding import LabelCoding, as_names, key
from rsfuse.errors import LegendMismatchError
from rsfuse.legend import NODATA, Color, LandClass, Legend, format_color, parse_color
from rsfuse.legends import coding_named, legend_named
from rsfuse.strict import Strict, checked, read_mapping

Value = int | Color | str
"""What stands in a label file: a number, a colour, or a name in lower case."""

_HINT = (
    "write each class as {code: 1, name: water, color: '#2b6cb0'}, and with from: [10, '#3c1098', lake] "
    "what label files say instead; colours in quotes"
)


def find_legend(legend: str) -> Legend:
    """A legend that rsfuse knows by name, or one in a YAML file (see `read_legend`).

    Raises:
        LegendMismatchError: if there is none, or the file is not a legend.
    """
    return read_legend_file(Path(legend))[0] if _is_file(legend) else legend_named(legend)


def find_coding(legend: str) -> LabelCoding:
    """How label files say the classes of a legend that `find_legend` finds.

    Raises:
        LegendMismatchError: if there is none, or the file is not a legend.
    """
    return read_legend_file(Path(legend))[1] if _is_file(legend) else coding_named(legend)


def read_legend_file(path: Path) -> tuple[Legend, LabelCoding]:
    """The legend in a YAML file, and how label files say its classes (see `read_legend`).

    Raises:
        LegendMismatchError: if the file cannot be read or is not a legend.
    """
    return read_legend(read_mapping(path, LegendMismatchError, _HINT), str(path))


def read_legend(data: Mapping[str, Any], where: str = "the legend") -> tuple[Legend, LabelCoding]:
    """A legend out of plain data, like `Legend.to_dict`, and how label files say its classes.

    A class may carry `from`: whole numbers in rasters of one band, "#rrggbb" in rasters of three bands, and any other
    text as an attribute of polygons. The numbers and colours there replace its own code as what is looked up in
    rasters; its own name and colour still mean it, unless another class lists them. A class without `from` is said by
    its own code, colour and name. `unlabelled` may list numbers, colours and texts as well, and `binarised_at` is that
    of `LabelCoding`.

    Args:
        data: classes, and optionally unlabelled and binarised_at.
        where: the data stand, for messages.

    Raises:
        LegendMismatchError: if a key is unknown or missing, a value cannot be, or two classes claim one value.
    """
    file = checked(_LegendFile, data, where, kind=LegendMismatchError, hint=_HINT)
    classes = tuple(LandClass(each.code, each.name, each.color) for each in file.classes)
    codes = {each.code for each in classes}
    numbers = (value for value in file.unlabelled or () if isinstance(value, int))
    # a number that only label files use, where the legend has given it to a class, is the coding's affair alone
    unlabelled = tuple(value for value in numbers if 0 <= value <= NODATA and value not in codes)
    try:
        legend = Legend(classes, unlabelled or (NODATA,))
    except LegendMismatchError as error:
        raise LegendMismatchError(f"{where}: {error}", hint=error.hint) from error
    return legend, _coding(file, where)


def _is_file(legend: str) -> bool:
    return Path(legend).suffix in {".yaml", ".yml"}


def _as_color(text: object) -> Color:
    if not isinstance(text, str):
        raise ValueError("a colour is written in quotes, like '#2b6cb0'")
    return parse_color(text)


def _as_value(value: object) -> Value:
    if isinstance(value, str):
        return parse_color(value) if value.startswith("#") else key(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("neither a whole number, nor a colour or a name in quotes")


def _as_values(values: object) -> tuple[Value, ...] | None:
    return tuple(_as_value(each) for each in values) if isinstance(values, list | tuple) else (_as_value(values),)


_Values = Annotated[Any, BeforeValidator(_as_values)]


class _Class(Strict):
    code: Annotated[int, Field(ge=0, lt=NODATA)]
    name: Annotated[str, Field(coerce_numbers_to_str=True)]
    color: Annotated[Any, BeforeValidator(_as_color)]
    said: Annotated[_Values, Field(alias="from")] = None

    def listed(self) -> tuple[Value, ...]:
        """What means this class and no other."""
        if self.said is None:
            return self.code, self.color, key(self.name)
        values: tuple[Value, ...] = self.said
        return values if any(not isinstance(value, str) for value in values) else (self.code, *values)


class _LegendFile(Strict):
    classes: Annotated[tuple[_Class, ...], Field(min_length=1)]
    unlabelled: _Values = None
    binarised_at: Annotated[int, Field(ge=1, le=NODATA)] | None = None


@dataclass
class _Claims:
    """Whose a value is: of one class, or of nobody."""

    where: str
    owners: dict[Value, tuple[int, str]] = field(default_factory=dict)

    def lay(self, values: Iterable[Value], code: int, owner: str) -> None:
        """Give values to an owner."""
        for value in values:
            other = self.owners.setdefault(value, (code, owner))
            if other != (code, owner):
                raise LegendMismatchError(
                    f"{self.where}: {_as_written(value)} is claimed by {other[1]} and by {owner}",
                    hint="list it for one of them only",
                )


def _coding(file: _LegendFile, where: str) -> LabelCoding:
    listed, own = _Claims(where), _Claims(where)
    listed.lay(file.unlabelled or (), NODATA, "unlabelled")
    for each in file.classes:
        listed.lay(each.listed(), each.code, f"class {each.code} ({each.name})")
    for each in file.classes:
        values = (value for value in (each.color, key(each.name)) if value not in listed.owners)
        own.lay(values, each.code, f"class {each.code} ({each.name})")
    codes = {value: code for value, (code, _) in {**own.owners, **listed.owners}.items()}
    numbers = {NODATA: NODATA, **{value: code for value, code in codes.items() if isinstance(value, int)}}
    return LabelCoding(
        codes=numbers,
        colors={value: code for value, code in codes.items() if isinstance(value, tuple)},
        names={**as_names(numbers), **{value: code for value, code in codes.items() if isinstance(value, str)}},
        binarised_at=file.binarised_at,
    )


def _as_written(value: Value) -> str:
    return format_color(value) if isinstance(value, tuple) else repr(value)
