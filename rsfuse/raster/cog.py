"""Cloud optimised GeoTIFFs: what every large raster that is written becomes in the end."""

from __future__ import annotations

from pathlib import Path

import rasterio.shutil

from rsfuse.raster.map_layer import BLOCK
from rsfuse.raster.opening import quiet


def write_cog(source: Path, target: Path, *, resampling: str, predictor: bool) -> None:
    """A copy with overviews.

    Args:
        source: any raster that GDAL reads.
        target: to write; what is there is replaced.
        resampling: of the overviews, in GDAL's words.
        predictor: pack differences of neighbours, which is less for numbers and more for class codes.
    """
    with quiet():
        rasterio.shutil.copy(
            source,
            target,
            driver="COG",
            compress="DEFLATE",
            blocksize=BLOCK,
            overviews="IGNORE_EXISTING",
            overview_resampling=resampling,
            predictor="YES" if predictor else "NO",
            bigtiff="IF_SAFER",
            num_threads="ALL_CPUS",
        )
