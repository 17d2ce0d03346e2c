"""An image of a product, opened once to see what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from rasterio.rpc import RPC
from rasterio.windows import Window

from rsfuse.errors import SceneError
from rsfuse.raster.opening import open_source, reading
from rsfuse.raster.products.archive import ArchiveFiles, Files
from rsfuse.raster.products.metadata import number_of
from rsfuse.raster.products.product import ProductImage
from rsfuse.raster.products.rpb import parse_rpb

_RPC_ENDINGS = (".rpb", ".rpc", "_rpc.txt")


@dataclass(frozen=True)
class Measured:
    """What an image is.

    Args:
        name: of its file in the product.
        shape: rows and columns.
        bands: how many.
        dtype: of its numbers.
        rpc: polynomials beside or in it.
        placed: whether it says itself where it lies.
    """

    name: str
    shape: tuple[int, int]
    bands: int
    dtype: str
    rpc: RPC | None
    placed: bool

    def told(self, gsd_m: float | None) -> str:
        """In words, on a line."""
        rows, columns = self.shape
        size = f"{rows} x {columns} px, {self.bands} band{'s' * (self.bands != 1)} of {self.dtype}"
        return f"{PurePosixPath(self.name).name}: {size}" + (f", {gsd_m:g} m" if gsd_m else "")


def measure(files: Files, name: str) -> Measured:
    """What an image of a product is; that it is whole, where it costs nothing to see that.

    Raises:
        SceneError: if it is no raster or is truncated, or the polynomials beside it are damaged.
    """
    with open_source(files.source(name), name) as file:
        if not isinstance(files, ArchiveFiles):  # a packed one would have to be unpacked to its last row
            with reading(name, last := Window(0, file.height - 1, file.width, 1)):
                file.read(file.count, window=last)
        text = files.beside(name, *_RPC_ENDINGS)
        rpc = parse_rpb(files.read(text).decode("latin-1"), text) if text else file.rpcs
        return Measured(name, file.shape, file.count, file.dtypes[0], rpc, placed=file.crs is not None)


def check_size(image: Measured, fields: Element, xml: str) -> None:
    """Refuse an XML that tells of an image of another size, which is another image.

    Args:
        image: of the product.
        fields: where the XML tells of the image.
        xml: its name.

    Raises:
        SceneError: naming both.
    """
    width, height = number_of(fields, "WidthInPixels", "width"), number_of(fields, "HeightInPixels", "height")
    rows, columns = image.shape
    if (width or columns) != columns or (height or rows) != rows:
        raise SceneError(
            f"{xml} tells of an image of {height or rows:.0f} x {width or columns:.0f} px, "
            f"{image.name} has {rows} x {columns} px",
            hint="they are not of one product: copy or unpack it again",
        )


def told_rpcs(images: Sequence[Measured]) -> str:
    """Of how many images there are polynomials, and how well they hold by what they say themselves."""
    rpcs = [image.rpc for image in images if image.rpc is not None]
    if not rpcs:
        return "none" + (", the images lie on a map" if all(image.placed for image in images) else "")
    errors = [f"{error:g} m {kind}" for error, kind in _errors(rpcs[0])]
    return f"of {len(rpcs)} of {len(images)} images" + (f", stated error {' and '.join(errors)}" if errors else "")


def unplaced(images: Sequence[ProductImage], measured: Sequence[Measured]) -> Iterator[str]:
    """A sentence for each image of which nobody says where it lies."""
    placed = {each.name for each in measured if each.placed}
    for image in images:
        if image.model is None and image.file not in placed:
            yield f"there is no RPB beside {image.file}, nor coordinates in it: nobody says where it lies"


def _errors(rpc: RPC) -> list[tuple[float, str]]:
    return [(each, kind) for each, kind in ((rpc.err_bias, "bias"), (rpc.err_rand, "random")) if each is not None]
