"""A mosaic that holds no pixels: a virtual raster, made by GDAL's gdalbuildvrt, that shows those of its rasters."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from rsfuse.errors import GridMismatchError
from rsfuse.geometry.grid import Grid
from rsfuse.raster import gdal
from rsfuse.raster.disk import writing
from rsfuse.raster.mosaics.mosaic import Design
from rsfuse.raster.mosaics.source import Source
from rsfuse.raster.painted import LEGEND_TAG, category_names, names_beside


def write_linked(design: Design, path: Path) -> None:
    """Write the virtual raster; the last raster lies on top, or the first if that is the rule.

    Args:
        design: of the mosaic, by rule "first" or "last".
        path: to write, .vrt; what is there is replaced in one go.

    Raises:
        GridMismatchError: if the rasters do not share a CRS, or their rows do not run from west to east.
        ToolError: if gdalbuildvrt is missing or fails.
        OutputError: if the file cannot be written.
    """
    grid = design.region.grid
    for source in design.sources:
        _check(source, grid)
    sources = reversed(design.sources) if design.rule == "first" else design.sources
    with writing(path), TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        listed = Path(folder) / "rasters.txt"
        listed.write_text("".join(f"{source.path.resolve()}\n" for source in sources), encoding="utf-8")
        # beside the finished file, so that paths in it are right
        part = path.with_name(f".{path.name}.part.vrt")
        try:
            gdal.run("gdalbuildvrt", "-q", "-overwrite", "-strict", *_options(design), "-input_file_list", listed, part)
            _name(design, part, path)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _options(design: Design) -> list[str]:
    grid = design.region.grid
    place = [*map(repr, grid.bounds)]
    options = ["-resolution", "user", "-te", *place, "-tr", repr(grid.transform.a), repr(-grid.transform.e)]
    if design.legend is not None:
        options += ["-srcnodata", str(design.nodata), "-vrtnodata", str(design.nodata)]
    return options


def _name(design: Design, part: Path, path: Path) -> None:
    """Say what the codes mean: gdalbuildvrt takes over colours, but neither tags nor names."""
    if design.legend is None:
        return
    tree = ElementTree.parse(part)
    band = tree.getroot().find("VRTRasterBand")
    assert band is not None
    about = ElementTree.Element("Metadata")
    ElementTree.SubElement(about, "MDI", key=LEGEND_TAG).text = json.dumps(design.legend.to_dict())
    band.insert(0, about)
    tree.write(part)
    names_beside(path).write_text(category_names(design.legend), encoding="utf-8")


def _check(source: Source, grid: Grid) -> None:
    if source.grid.crs != grid.crs:
        its, others = (each.crs.to_string() if each.crs else "no CRS" for each in (source.grid, grid))
        raise GridMismatchError(
            f"{source.path} has {its}, the mosaic {others}: a virtual raster cannot bring one to the other",
            hint="write a GeoTIFF: name the output .tif",
        )
    if source.grid.transform.b or source.grid.transform.d or grid.transform.e > 0:
        raise GridMismatchError(
            f"{source.path} is turned: a virtual raster cannot show it", hint="write a GeoTIFF: name the output .tif"
        )
