"""Options of `rsfuse predict` that would do nothing, or not what they say, beside others: they are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rsfuse.errors import BundleError, OutputError, SceneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rsfuse.raster.pairs import Pair
    from rsfuse.raster.scene import Bands
    from rsfuse.tasks.predict import PredictSettings


def check_written(settings: PredictSettings, pairs: Sequence[Pair]) -> None:
    """Refuse polygons of several scenes in one file, and a least area of polygons that nobody wants.

    Raises:
        OutputError: saying which.
    """
    if settings.polygons is not None and len(pairs) > 1:
        raise OutputError(
            f"--polygons names one file, and there are {len(pairs)} scenes",
            hint="map them one by one",
        )
    if settings.polygons is None and settings.min_area_m2:
        raise OutputError(
            f"--min-area {settings.min_area_m2:g} does nothing without --polygons: pixels are not sieved",
            hint="add --polygons FILE.gpkg, or leave --min-area out",
        )


def check_bands(bands: Bands, pairs: Sequence[Pair]) -> None:
    """Refuse band numbers of a sensor that no scene has.

    Raises:
        SceneError: saying which.
    """
    for option, numbers, rasters in (
        ("--optical-bands", bands.optical, [pair.optical for pair in pairs]),
        ("--sar-bands", bands.sar, [pair.sar for pair in pairs]),
    ):
        if numbers and not any(rasters):
            sensor = "optical" if option == "--optical-bands" else "SAR"
            raise SceneError(
                f"{option} {','.join(map(str, numbers))} does nothing: there is no {sensor} raster",
                hint=f"name the {sensor} raster, or leave {option} out",
            )


def check_overlap(overlap: int | None, size: int, *, whole: bool) -> None:
    """Refuse an overlap that patches cannot have.

    Args:
        overlap: pixels; None where none was asked for.
        size: side of a patch in pixels.
        whole: whether there is one patch, and nothing to overlap.

    Raises:
        BundleError: saying why.
    """
    if overlap is None:
        return
    if whole:
        raise BundleError(
            f"--overlap {overlap} does nothing with --whole: the image is one patch", hint="leave one of them out"
        )
    if overlap >= size:
        raise BundleError(
            f"--overlap {overlap} leaves nothing of patches of {size} px",
            hint=f"give --overlap an even number from 0 to {(size - 1) // 2 * 2}",
        )
    if overlap % 2:
        raise BundleError(
            f"--overlap {overlap} is odd, and neighbouring patches give up half of it each",
            hint=f"give --overlap {overlap - 1}" + (f" or {overlap + 1}" if overlap + 1 < size else ""),
        )
