"""A virtual raster (GDAL's VRT) of the parts of a map: what turns them into one file sees one file already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import rsfuse
from rsfuse.geometry.grid import Grid
from rsfuse.legend import Legend
from rsfuse.raster.map_layer import BLOCK, Layer
from rsfuse.raster.painted import LEGEND_TAG, color_table
from rsfuse.raster.vrt import show, vrt_on

_TYPES = {"uint8": "Byte", "float32": "Float32"}


def virtual(layer: Layer, grid: Grid, parts: Sequence[Path]) -> str:
    """The text of a VRT that shows parts of `BLOCK` rows, one below the other, as the layer that they are to become.

    Args:
        layer: of a map.
        grid: of the map.
        parts: files in the folder where the VRT will lie, from the top down.
    """
    root = vrt_on(grid)
    _tell(root, {**layer.tags, "TIFFTAG_SOFTWARE": f"rsfuse {rsfuse.__version__}"})
    for number, name in enumerate(layer.bands, 1):
        band = SubElement(root, "VRTRasterBand", dataType=_TYPES[layer.stored_dtype], band=str(number))
        if name:
            SubElement(band, "Description").text = name
        if layer.legend is not None:
            _tell(band, {LEGEND_TAG: json.dumps(layer.legend.to_dict())})
        if layer.nodata is not None:
            SubElement(band, "NoDataValue").text = repr(layer.nodata)
        if layer.scale != 1:
            SubElement(band, "Scale").text = repr(layer.scale)
        if layer.legend is not None:
            SubElement(band, "ColorInterp").text = "Palette"
            _color(band, layer.legend)
        for at, part in enumerate(parts):
            _show(band, number, part, at * BLOCK, grid)
    return tostring(root, "unicode")


def _tell(node: Element, tags: Mapping[str, str]) -> None:
    about = SubElement(node, "Metadata")
    for key, value in tags.items():
        SubElement(about, "MDI", key=key).text = value


def _color(band: Element, legend: Legend) -> None:
    """A colour for each of 256 codes, black where the legend has none."""
    table, colors = SubElement(band, "ColorTable"), color_table(legend)
    for code in range(256):
        color = colors.get(code, (0, 0, 0, 255))
        SubElement(table, "Entry", {f"c{at}": str(value) for at, value in enumerate(color, 1)})


def _show(band: Element, number: int, part: Path, top: int, grid: Grid) -> None:
    source = show(band, part, number, beside=True)
    box = {"xOff": "0", "xSize": str(grid.width), "ySize": str(min(BLOCK, grid.height - top))}
    SubElement(source, "SrcRect", box, yOff="0")
    SubElement(source, "DstRect", box, yOff=str(top))
