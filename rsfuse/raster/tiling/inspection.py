"""Inspection: what the files of a scene are like, and whether those of many go together, before work starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from rasterio.windows import Window

from rsfuse.errors import GridMismatchError, SceneError, TileSetError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.labelled import SceneSource
from rsfuse.raster.manifest import LAYERS, SceneEntry
from rsfuse.raster.scene import Bands
from rsfuse.raster.statistics import BandStatistics, SceneStatistics, optical_unit, sar_unit

_SAME_GSD = 1.5
"""Factor between the GSDs of two scenes of one set beyond which a house in one is a car in the other."""
_SAME_SCALE = 50.0
"""Factor between the brightest values of two scenes that no weather explains; reflectance and DN differ by 10 000."""


@dataclass(frozen=True)
class SceneFacts:
    """What is known of a scene without reading it as a whole.

    Args:
        entry: what the manifest says of it.
        grid: where it lies.
        window: the part of it that counts.
        bands: names of its optical and of its SAR bands.
        dtypes: types of both files, None for one that is not there.
        units: of the bands, as files give them.
        strips: whether a file is stored in blocks as wide as the scene.
        sar_overlap: share of the optical's area that the SAR covers.
    """

    entry: SceneEntry
    grid: Grid
    window: Window
    bands: tuple[tuple[str, ...], tuple[str, ...]]
    dtypes: tuple[str | None, str | None]
    units: tuple[tuple[str, ...], tuple[str, ...]]
    strips: bool
    sar_overlap: float

    @property
    def layers(self) -> tuple[str, ...]:
        """Which layers it has."""
        return tuple(layer for layer in LAYERS if getattr(self.entry, layer) is not None)

    @property
    def bytes_per_pixel(self) -> int:
        """Of all bands as stored, and the labels."""
        sizes = zip(self.dtypes, self.bands, strict=True)
        return 1 + sum(np.dtype(dtype).itemsize * len(bands) for dtype, bands in sizes if dtype)


@dataclass(frozen=True)
class BandNames:
    """What a data set calls its bands; empty for what the files say."""

    optical: tuple[str, ...] = ()
    sar: tuple[str, ...] = ()

    def chosen(self, bands: Bands) -> BandNames:
        """The names of some of the bands; one that the data set does not name is called by its number."""
        return BandNames(_pick(self.optical, bands.optical), _pick(self.sar, bands.sar))


def inspect(source: SceneSource, names: BandNames) -> SceneFacts:
    """Open a scene and its labels; no pixel is read.

    Args:
        source: the scene.
        names: of its bands.

    Raises:
        SceneError: if a file is missing or cannot serve, or its bands are not as many as their names.
        GridMismatchError: if the files lie elsewhere than each other.
    """
    files = source.files
    with source.open() as opened:
        paths = [path for path in (files.optical, files.sar, files.labels) if path]
        scene = opened.scene
        bands = (
            _named(files.optical, scene.optical_bands, names.optical),
            _named(files.sar, scene.sar_bands, names.sar) if files.sar else (),
        )
        entry = SceneEntry(
            name=files.name,
            optical=files.optical.name,
            sar=files.sar.name if files.sar else None,
            labels=files.labels.name if files.labels else None,
            bytes=sum(path.stat().st_size for path in paths),
            modified=datetime.fromtimestamp(max(path.stat().st_mtime for path in paths), UTC).isoformat(),
            crs=scene.grid.crs.to_string() if scene.grid.crs else None,
            gsd_m=scene.gsd_m,
            statistics=None,
        )
        strips = scene.block[1] >= scene.grid.width and scene.grid.width > 4 * scene.block[0]
        return SceneFacts(
            entry, scene.grid, opened.area.window, bands, scene.dtypes, scene.units, strips, scene.overlap
        )


def with_units(
    statistics: SceneStatistics, bands: tuple[tuple[str, ...], ...], declared: tuple[tuple[str, ...], ...]
) -> SceneStatistics:
    """Statistics that say what the bands are called and what their values are."""
    optical = [
        band.model_copy(update={"name": name, "unit": optical_unit(unit, band.dtype)})
        for band, name, unit in zip(statistics.optical, bands[0], declared[0], strict=True)
    ]
    sar = [
        band.model_copy(update={"name": name, "unit": sar_unit(unit, band.dtype, band.percentiles[50])})
        for band, name, unit in zip(statistics.sar, bands[1], declared[1], strict=True)
    ]
    return SceneStatistics(optical=tuple(optical), sar=tuple(sar))


def check_alike(facts: Sequence[SceneFacts]) -> list[str]:
    """Refuse scenes that cannot be one tile set; what is odd but can be lived with is told.

    Raises:
        TileSetError: if some have SAR or labels and others not.
        SceneError: if band counts or types differ.
        GridMismatchError: if their GSDs differ too much.
    """
    first = facts[0]
    for other in facts[1:]:
        _check_layers(first, other)
        for layer, one, two in zip(("optical", "SAR"), first.bands, other.bands, strict=True):
            if len(one) != len(two):
                raise _unlike(
                    first, other, f"{len(one)} {layer} bands", f"{len(two)}", "name the bands: --optical-bands"
                )
        for layer, type_one, type_two in zip(("optical", "SAR"), first.dtypes, other.dtypes, strict=True):
            if type_one != type_two:
                raise _unlike(first, other, f"{layer} of {type_one}", f"{type_two}", "bring both to one calibration")
    _check_gsd(facts)
    return _oddities(facts)


def _pick(names: tuple[str, ...], bands: tuple[int, ...] | None) -> tuple[str, ...]:
    if not names or bands is None:
        return names
    return tuple(names[band - 1] if band <= len(names) else f"band {band}" for band in bands)


def _named(path: object, found: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    if names and len(names) != len(found):
        raise SceneError(
            f"{path} has {len(found)} band(s), the data set has {len(names)} ({', '.join(names)})",
            hint="choose the bands: --optical-bands 1,2,3 --sar-bands 1",
        )
    return names or found


def _check_layers(first: SceneFacts, other: SceneFacts) -> None:
    for layer in ("sar", "labels"):
        has = [getattr(each.entry, layer) is not None for each in (first, other)]
        if has[0] != has[1]:
            with_it, without = (first, other) if has[0] else (other, first)
            raise TileSetError(
                f"scene {with_it.entry.name!r} has {layer}, scene {without.entry.name!r} has none",
                hint="give every scene the same layers, or tile them into sets of their own",
            )


def _unlike(first: SceneFacts, other: SceneFacts, one: str, two: str, hint: str) -> SceneError:
    return SceneError(
        f"scene {first.entry.name!r} ({first.entry.optical}) has {one}, {other.entry.name!r} ({other.entry.optical}) "
        f"has {two}",
        hint=f"{hint}, or tile them into sets of their own",
    )


def _check_gsd(facts: Sequence[SceneFacts]) -> None:
    known = [each for each in facts if not math.isnan(each.entry.gsd_m)]
    if not known:
        return
    finest, coarsest = (pick(known, key=lambda each: each.entry.gsd_m) for pick in (min, max))
    if coarsest.entry.gsd_m > _SAME_GSD * finest.entry.gsd_m:
        raise GridMismatchError(
            f"scene {finest.entry.name!r} has {finest.entry.gsd_m:.2f} m a pixel, scene {coarsest.entry.name!r} "
            f"{coarsest.entry.gsd_m:.2f} m",
            hint=f"resample one (gdalwarp -tr), or make two sets: a factor above {_SAME_GSD} is too much",
        )


def check_scale(scenes: Mapping[str, SceneStatistics]) -> None:
    """Refuse scenes whose values are on different scales: DN beside reflectance, dB beside power.

    Args:
        scenes: name of each, and the statistics of its bands.

    Raises:
        SceneError: naming two of them, with the numbers that show it.
    """
    layers: tuple[tuple[str, Callable[[SceneStatistics], tuple[BandStatistics, ...]]], ...] = (
        ("optical", lambda statistics: statistics.optical),
        ("SAR", lambda statistics: statistics.sar),
    )
    for layer, bands in layers:
        firsts = [
            (band.percentiles[98], band.percentiles[50], name)
            for name, statistics in scenes.items()
            for band in bands(statistics)[:1]
        ]
        if not firsts:
            continue
        decibel = [median < 0 for _, median, _ in firsts]
        below, above = [each for each in firsts if each[1] < 0], [each for each in firsts if each[1] >= 0]
        (low, _, one), (high, _, two) = sorted((min(below or above), max(above or below)))
        # dB come down to 0 and below: only values that are all positive can be compared by their factor
        if any(decibel) != all(decibel) or (not any(decibel) and high > _SAME_SCALE * max(low, 1e-6)):
            raise SceneError(
                f"the {layer} of scene {one!r} reaches {low:.6g} (98th percentile of its first band), "
                f"that of scene {two!r} {high:.6g}: another scale",
                hint="bring both to one calibration, or tile them into sets of their own",
            )


def _oddities(facts: Sequence[SceneFacts]) -> list[str]:
    told = []
    systems = sorted({each.entry.crs or "none" for each in facts})
    if len(systems) > 1:
        told.append(f"the scenes have {len(systems)} coordinate reference systems: {', '.join(systems[:5])}")
    partly = [each for each in facts if each.sar_overlap < 0.999]
    if partly:
        least = min(partly, key=lambda each: each.sar_overlap)
        told.append(
            f"the SAR of {len(partly)} scene(s) does not cover the optical, least that of {least.entry.name!r}: "
            f"{least.sar_overlap:.0%}"
        )
    return told


def with_paths(entry: SceneEntry, source: SceneSource) -> SceneEntry:
    """The entry of a set whose tiles are read from the scene itself."""
    files = source.files
    return entry.model_copy(
        update={
            "optical": str(files.optical.resolve()),
            "sar": str(files.sar.resolve()) if files.sar else None,
            "labels": str(files.labels.resolve()) if files.labels else None,
        }
    )
