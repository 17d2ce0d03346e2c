"""An image as it was delivered, and where its pixels lie."""

from __future__ import annotations

from dataclasses import dataclass

from rsfuse.errors import SceneError
from rsfuse.geometry.image_model import ImageModel
from rsfuse.raster.opening import open_source
from rsfuse.raster.ortho.models import model_of
from rsfuse.raster.products.product import ProductImage


@dataclass(frozen=True)
class Delivered:
    """An image that can be brought to the ground.

    Args:
        source: what GDAL opens.
        name: in messages.
        model: where its pixels lie.
        shape: rows and columns.
        dtypes: of its bands.
        gsd_m: nominal; None where nobody says.
    """

    source: str
    name: str
    model: ImageModel
    shape: tuple[int, int]
    dtypes: tuple[str, ...]
    gsd_m: float | None = None


def delivered(image: ProductImage) -> Delivered:
    """An image of a product.

    Raises:
        SceneError: if it cannot be opened, holds something else than its bands, or nobody says where it lies.
    """
    with open_source(image.source, image.file) as file:
        model = image.model or model_of(file)
        shape, dtypes = file.shape, file.dtypes
        if any(dtype.startswith("complex") for dtype in dtypes):
            raise SceneError(
                f"{image.file} holds complex numbers, of which nobody says how they become power",
                hint="name the product that it belongs to, or give its amplitude",
            )
    if model is None:
        raise SceneError(
            f"{image.file} says nowhere where its pixels lie: it has neither polynomials (RPC) nor control points, "
            "nor a CRS",
            hint="put the .rpb or .rpc that was delivered with it beside it, under the same name",
        )
    return Delivered(image.source, image.file, model, shape, dtypes, image.gsd_m)
