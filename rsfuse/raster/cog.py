"""Cloud optimised GeoTIFFs: what every large raster that is written becomes in the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import rasterio.shutil

from rsfuse.raster.map_layer import BLOCK
from rsfuse.raster.opening import quiet

DRAFT = {"driver": "GTiff", "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "bigtiff": "IF_SAFER"}
"""What is written window by window before it becomes one: plain, in the same blocks."""

_COG = {
    "driver": "COG",
    "compress": "DEFLATE",
    "blocksize": BLOCK,
    "bigtiff": "IF_SAFER",
    "num_threads": "ALL_CPUS",
}
_QUICK = 5  # level of DEFLATE for class codes; GDAL's own 6 takes twice as long, and saves a tenth
_QUICKEST = 1  # and for numbers, whose noise no effort packs: 6 takes four times as long, and saves a fourteenth


def write_cog(source: Path, target: Path, *, resampling: str, predictor: bool) -> None:
    """A copy with overviews.

    Args:
        source: any raster that GDAL reads.
        target: to write; what is there is replaced.
        resampling: of the overviews, in GDAL's words.
        predictor: pack differences of neighbours, which is less for numbers and more for class codes.
    """
    packing = {"predictor": "YES", "level": _QUICKEST} if predictor else {"predictor": "NO"}
    with quiet():
        rasterio.shutil.copy(
            source, target, **_COG, **packing, overviews="IGNORE_EXISTING", overview_resampling=resampling
        )


def write_pyramid(levels: Sequence[Path], target: Path, *, predictor: bool) -> None:
    """A copy whose overviews are there already: GDAL takes long over those.

    Args:
        levels: the raster, and the same at a half, a quarter and so on of its size, in one folder.
        target: to write; what is there is replaced.
        predictor: as in `write_cog`.
    """
    joined = levels[0].with_suffix(".vrt")
    with quiet():
        rasterio.shutil.copy(levels[0], joined, driver="VRT")
    tree = ElementTree.parse(joined)
    for number, band in enumerate(tree.getroot().findall("VRTRasterBand"), 1):
        for level in levels[1:]:
            overview = ElementTree.SubElement(band, "Overview")
            ElementTree.SubElement(overview, "SourceFilename", relativeToVRT="1").text = level.name
            ElementTree.SubElement(overview, "SourceBand").text = str(number)
    tree.write(joined)
    packing = {"predictor": "YES", "level": _QUICKEST} if predictor else {"predictor": "NO", "level": _QUICK}
    overviews = "AUTO" if len(levels) > 1 else "NONE"
    with quiet():
        rasterio.shutil.copy(joined, target, **_COG, **packing, overviews=overviews)
