"""GDAL's virtual rasters: what every one of them begins with, and how it points to a band of a file."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from rsfuse.geometry.grid import Grid


def vrt_on(grid: Grid) -> Element:
    """A virtual raster on a grid, still without bands."""
    root = Element("VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height))
    if grid.crs is not None:
        SubElement(root, "SRS", dataAxisToSRSAxisMapping="1,2").text = grid.crs.to_wkt()
        SubElement(root, "GeoTransform").text = ", ".join(map(repr, grid.transform.to_gdal()))
    return root


def show(band: Element, path: Path, number: int, *, beside: bool) -> Element:
    """Let a band of a virtual raster show a band of a file.

    Args:
        band: of the virtual raster.
        path: of the file.
        number: of the file's band, from 1.
        beside: whether the file lies in the folder of the virtual raster, wherever that is moved.
    """
    source = SubElement(band, "SimpleSource")
    SubElement(source, "SourceFilename", relativeToVRT=str(int(beside))).text = (
        path.name if beside else str(path.resolve())
    )
    SubElement(source, "SourceBand").text = str(number)
    return source
