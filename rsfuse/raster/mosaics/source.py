"""A raster that goes into a mosaic: what is known of it before its first pixel is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rasterio.enums import MaskFlags

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.native import alpha_bands
from rsfuse.raster.opening import open_raster
from rsfuse.raster.painted import painted_legend


@dataclass(frozen=True)
class Source:
    """One raster.

    Args:
        path: of the file.
        grid: where its pixels lie.
        dtypes: of its bands, transparency left out.
        names: of these bands.
        nodata: number that stands for no data in all of them; None if there is no such number.
        legend: what its codes mean, if rsfuse wrote it into the file.
        is_plain: whether it is one band of bytes of which nothing but 255 may be no data.
    """

    path: Path
    grid: Grid
    dtypes: tuple[str, ...]
    names: tuple[str, ...]
    nodata: float | None
    legend: Legend | None
    is_plain: bool

    @classmethod
    def of(cls, path: Path) -> Source:
        """Ask the file.

        Raises:
            SceneError: if it is missing, not a raster, or holds complex numbers.
            GridMismatchError: if nobody knows where it lies.
        """
        with open_raster(path) as file:
            if file.crs is None:
                raise GridMismatchError(
                    f"{path} has no CRS: nobody knows where it lies in a mosaic",
                    hint="give it its CRS: gdal_edit.py -a_srs ..., or orthorectify it: gdalwarp -rpc",
                )
            transparent = alpha_bands(file)
            at = [band - 1 for band in file.indexes if band not in transparent]
            numbers = {str(file.nodatavals[each]) for each in at}  # NaN, too, is one number
            source = cls(
                path,
                Grid(file.crs, file.transform, file.shape),
                tuple(file.dtypes[each] for each in at),
                tuple(file.descriptions[each] or "" for each in at),
                file.nodatavals[at[0]] if len(numbers) == 1 else None,
                painted_legend({**file.tags(), **file.tags(1)}),
                file.dtypes == ("uint8",)
                and file.nodata in (None, NODATA)
                and file.mask_flag_enums[0] in ([MaskFlags.nodata], [MaskFlags.all_valid]),
            )
        if any(dtype.startswith("complex") for dtype in source.dtypes):
            raise SceneError(f"{path} holds complex numbers", hint="make amplitudes or power of them first")
        return source


def check_bands(sources: Sequence[Source]) -> None:
    """Refuse images whose bands cannot be those of one mosaic.

    Raises:
        SceneError: naming the first that differs.
    """
    first = sources[0]
    for source in sources[1:]:
        if len(source.dtypes) != len(first.dtypes):
            raise SceneError(
                f"{source.path} has {len(source.dtypes)} band(s), {first.path} has {len(first.dtypes)}",
                hint="give images of the same bands, or take some out: gdal_translate -b ...",
            )
