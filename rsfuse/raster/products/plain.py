"""Any raster as a product: all that is known of it is what the file says."""

from __future__ import annotations

from pathlib import Path

from rasterio.io import DatasetReader

from rsfuse.raster.native import alpha_bands
from rsfuse.raster.opening import GDAL_ERRORS, open_raster
from rsfuse.raster.products.product import Product, ProductImage


def plain_product(path: Path) -> Product:
    """A raster whose numbers are taken for what they are.

    Raises:
        SceneError: if it cannot be read.
    """
    with open_raster(path) as file:
        names = tuple(file.descriptions[band - 1] or f"band {band}" for band in file.indexes)
        doubts = tuple(f"band {band} is called transparency, and read as data" for band in _transparent(file))
    image = ProductImage(path.name, str(path), "ms", names, None)
    return Product(path, path.stem, (image,), None, missing=doubts)


def _transparent(file: DatasetReader) -> tuple[int, ...]:
    try:
        return alpha_bands(file)
    except GDAL_ERRORS:  # it looks for metadata first, and stumbles over polynomials that it cannot read
        return ()
