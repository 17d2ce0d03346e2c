"""FolderLayout: the YAML file that describes the folders of a data set of one's own."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, InstanceOf, PositiveInt, model_validator

from rsfuse.coding import LabelCoding
from rsfuse.errors import TileSetError
from rsfuse.legend import Legend
from rsfuse.legends import coding_named, legend_named
from rsfuse.raster.datasets.dataset import Edge, Split
from rsfuse.raster.datasets.path_pattern import PathPattern
from rsfuse.raster.legend_file import read_legend, read_legend_file
from rsfuse.strict import Strict, checked, read_mapping

_HINT = "mend that key; `optical: 'images/{image}.tif'` and `labels: 'masks/{image}.tif'` show how patterns are written"


def _as_pattern(text: object) -> PathPattern:
    if not isinstance(text, str):
        raise ValueError("a pattern is text in quotes, like 'images/{image}.tif'")
    return PathPattern(text)


def _as_texts(values: object) -> object:
    """Numbers as they name folders; a single one is a list of one."""
    values = values if isinstance(values, list) else [values]
    return tuple(str(each) if type(each) is int else each for each in values)


_Pattern = Annotated[InstanceOf[PathPattern], BeforeValidator(_as_pattern)]
_Texts = Annotated[tuple[str, ...], BeforeValidator(_as_texts)]
_Names = Annotated[tuple[str, ...], Field(min_length=1)]


class BandNames(Strict):
    """Names of the bands, in the order of the files."""

    optical: _Names
    sar: tuple[str, ...] = ()


class FolderSplit(Strict):
    """Which scenes are used for what: by the values of one field, or by list files."""

    field: str | None = None
    """Whose values the lists hold; None if `train`, `val` and `test` name one list file each."""
    train: _Texts = ()
    val: _Texts = ()
    test: _Texts = ()

    @property
    def parts(self) -> dict[Split, tuple[str, ...]]:
        """Values, or names of list files, of each split that has any."""
        named: dict[Split, tuple[str, ...]] = {"train": self.train, "val": self.val, "test": self.test}
        return {split: values for split, values in named.items() if values}

    @model_validator(mode="after")
    def _is_clear(self) -> Self:
        if not self.parts:
            raise ValueError("a split says what is for train, val or test")
        for (one, values), (other, others) in combinations(self.parts.items(), 2):
            both = sorted(set(values) & set(others))
            if both:
                raise ValueError(f"{', '.join(map(repr, both))} is in {one} and in {other}")
        several = [split for split, values in self.parts.items() if len(values) > 1]
        if self.field is None and several:
            raise ValueError(f"without a field, {several[0]} is the name of one list file")
        return self


class FolderLayout(Strict):
    """Where the files of a data set lie under its root, and what they hold."""

    name: Annotated[str, Field(min_length=1)]
    optical: _Pattern
    labels: _Pattern
    sar: _Pattern | None = None
    bands: BandNames
    legend: str | dict[str, Any]
    """Name of a legend, a YAML file beside the layout, or the legend itself."""
    group: str | None = None
    """Field of which scenes that share its value are never torn apart by a split."""
    split: FolderSplit | None = None
    size: PositiveInt = 512
    edge: Edge = "drop"
    chips: bool = True
    notes: tuple[str, ...] = ()

    @property
    def patterns(self) -> dict[str, PathPattern]:
        """The pattern of each layer, optical first."""
        return {
            "optical": self.optical,
            **({"sar": self.sar} if self.sar else {}),
            "labels": self.labels,
        }

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        fields = self.optical.fields
        if not fields:
            raise ValueError(f"optical {str(self.optical)!r} has no field, and so names one scene only")
        for layer, pattern in self.patterns.items():
            strange = [field for field in pattern.fields if field not in fields]
            if strange:
                raise ValueError(f"{layer} uses {{{strange[0]}}}, which optical {str(self.optical)!r} does not have")
        for (one, pattern), (other, second) in combinations(self.patterns.items(), 2):
            if pattern == second:
                raise ValueError(f"{one} and {other} are the same files: {pattern}")
        for key, field in (("group", self.group), ("split.field", self.split.field if self.split else None)):
            if field is not None and field not in fields:
                raise ValueError(f"{key} is {field!r}, the fields of optical are {', '.join(fields)}")
        if bool(self.bands.sar) != (self.sar is not None):
            raise ValueError("bands.sar names the bands of sar: give both or neither")
        return self


def read_layout(path: Path) -> FolderLayout:
    """The layout in a YAML file.

    Raises:
        TileSetError: if it cannot be read, or a key in it is unknown, missing or has a value that cannot be.
    """
    data = read_mapping(path, TileSetError, "name the YAML file that describes the folders")
    return checked(FolderLayout, data, str(path), kind=TileSetError, hint=_HINT)


def legend_of(layout: FolderLayout, path: Path) -> tuple[Legend, LabelCoding]:
    """The legend that a layout names or holds, and how the label files say its classes.

    Args:
        layout: what the file holds.
        path: of the file; a legend in a file of its own lies beside it.

    Raises:
        LegendMismatchError: if there is no such legend, or it is none.
    """
    if not isinstance(layout.legend, str):
        return read_legend(layout.legend, f"{path}: legend")
    if layout.legend.endswith((".yaml", ".yml")):
        return read_legend_file(path.parent / layout.legend)
    return legend_named(layout.legend), coding_named(layout.legend)
