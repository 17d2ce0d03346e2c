"""How a file of class codes carries its legend: colour table, TIFF tag, and the .aux.xml beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from rasterio.io import DatasetWriter

from rsfuse.errors import LegendMismatchError
from rsfuse.legend import NODATA, Legend

LEGEND_TAG = "LEGEND"
"""Tag of the band with the legend as JSON, like `Legend.to_dict`; it stays with the file where the .aux.xml is lost."""


def paint(codes: DatasetWriter, legend: Legend) -> None:
    """Give an open file of class codes its colour table and its legend. Do so before the first pixel is written."""
    codes.write_colormap(1, color_table(legend))
    codes.update_tags(1, **{LEGEND_TAG: json.dumps(legend.to_dict())})


def color_table(legend: Legend) -> dict[int, tuple[int, int, int, int]]:
    """Red, green, blue and opacity of each code; nothing is seen where there is no data."""
    return {**{each.code: (*each.color, 255) for each in legend}, NODATA: (0, 0, 0, 0)}


def painted_legend(tags: Mapping[str, str]) -> Legend | None:
    """The legend that `paint` left in the tags of a file, or None."""
    try:
        return Legend.from_dict(json.loads(tags[LEGEND_TAG]))
    except (KeyError, ValueError, LegendMismatchError):  # anybody may use that name for a tag
        return None


def names_beside(path: Path) -> Path:
    """Where the names of the classes of a file lie."""
    return path.with_name(f"{path.name}.aux.xml")


def category_names(legend: Legend) -> str:
    """Text of the .aux.xml that names the classes for GIS programs, which count the names from 0: gaps stay empty."""
    names = {each.code: each.name for each in legend}
    root = Element("PAMDataset")
    categories = SubElement(SubElement(root, "PAMRasterBand", band="1"), "CategoryNames")
    for code in range(max(names) + 1):
        SubElement(categories, "Category").text = names.get(code, "")
    indent(root)
    return tostring(root, "unicode") + "\n"
