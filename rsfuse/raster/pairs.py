"""Which optical and which SAR raster are mapped together, where many are given: found by where they lie."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from rsfuse.errors import SceneError
from rsfuse.geometry.grid import EARTH_RADIUS_M, Grid
from rsfuse.raster.footprint import carried, lonlat_bounds, outline, overlap
from rsfuse.raster.opening import open_raster

_log = logging.getLogger(__name__)

RASTERS = frozenset({".tif", ".tiff", ".vrt", ".img", ".jp2", ".dat"})
"""Endings of files that are tried; pictures (.png, .jpg) beside SAR rasters are quicklooks, which lie nowhere."""

_EQUAL = 1e-6  # shares that differ by less are equal, and less is nothing: scenes that touch share a hair of rounding
_WORLD = (-180.0, -90.0, 180.0, 90.0)


@dataclass(frozen=True)
class Pair:
    """What is mapped together.

    Args:
        optical: the optical raster; None where there is SAR alone.
        sar: the SAR raster; None where there is none.
        overlap: share of the optical's area, 0 to 1, that the outline of the SAR covers; NaN where one of them is not
            there or nobody has looked.
        name: of the outputs, without an ending; no other pair of the same call has it.
    """

    optical: Path | None
    sar: Path | None
    overlap: float
    name: str


@dataclass(frozen=True)
class _Placed:
    """A raster, and where it lies."""

    path: Path
    grid: Grid

    @cached_property
    def box(self) -> shapely.Polygon:
        """Longitudes and latitudes around it, never too few; the world where they cannot be told."""
        return shapely.box(*(lonlat_bounds(self.grid) or _WORLD))

    @cached_property
    def on_sphere(self) -> NDArray[np.float64]:
        """(n, 3) points along its edge on the unit sphere; none where the CRS is a local one."""
        lonlat = Grid(CRS.from_epsg(4326), Affine.identity(), (1, 1))
        points = np.radians(carried(outline(self.grid), self.grid, lonlat))
        lon, lat = points[np.isfinite(points).all(1)].T
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)

    def gap_km(self, other: _Placed) -> float:
        """From edge to edge along the ground, to a fortieth of their length; infinite where nobody knows."""
        cosine = float((self.on_sphere @ other.on_sphere.T).max(initial=-math.inf))
        return math.inf if math.isinf(cosine) else math.acos(min(cosine, 1.0)) * EARTH_RADIUS_M / 1000


def pairs_by_overlap(optical: Sequence[Path], sar_folder: Path) -> list[Pair]:
    """Every optical raster with that SAR raster of a folder which covers most of it; no pixel is read.

    Of SAR rasters that cover the same share of it, the one whose name is most like its own; of these, the first by
    name. Folders below the folder, hidden files and the optical rasters themselves are not looked at.

    An optical raster that no SAR raster covers, or that cannot be opened, has none, and a warning says so. So does
    one for every SAR raster that cannot be opened.

    Args:
        optical: rasters, each once.
        sar_folder: the folder of SAR rasters.

    Returns:
        A pair for each optical raster, in their order, named as `unique_names` does.

    Raises:
        SceneError: if a raster has no CRS, the folder holds no SAR raster that can be opened, or two optical rasters
            cannot be told apart by name.
    """
    names = unique_names(optical)
    radar = _radar(sar_folder, optical)
    tree = shapely.STRtree([each.box for each in radar])
    pairs = []
    for path, name in zip(optical, names, strict=True):
        sar, share = None, math.nan
        placed = _placed(path, "no SAR raster is looked for")
        if placed is not None:
            near = [radar[number] for number in sorted(tree.query(placed.box).tolist())]
            sar, share = _most_covering(placed, near)
            if sar is None:
                _warn_alone(placed, radar, sar_folder)
        pairs.append(Pair(path, sar, share, name))
    return pairs


def unique_names(paths: Sequence[Path], *, given: Sequence[str] = (), told: Sequence[str] = ()) -> list[str]:
    """A name for the outputs of each raster: its stem, with names of its folders before it where stems repeat.

    Of a/x.tif and b/x.tif the names are a_x and b_x; of a/c/x.tif and b/c/x.tif they are a_c_x and b_c_x.

    Args:
        paths: of the rasters.
        given: names that the user has chosen, "" for none; they stay as they are. None are given by default.
        told: how errors call each raster; by default by its path.

    Raises:
        SceneError: if two of them have one name, whatever folders are named.
    """
    given, told = given or [""] * len(paths), told or [str(path) for path in paths]
    parents = [path.parent.resolve() for path in paths]
    stems = [path.stem for path in paths]
    _check_apart([name or (parent, stem) for name, parent, stem in zip(given, parents, stems, strict=True)], told)
    depths = [0] * len(paths)
    while True:
        names = [
            name or "_".join([*parent.parts[len(parent.parts) - depth :], stem])
            for name, parent, stem, depth in zip(given, parents, stems, depths, strict=True)
        ]
        count = Counter(names)
        longer = [
            depth + (count[name] > 1 and depth < len(parent.parts) - 1)
            for name, parent, depth in zip(names, parents, depths, strict=True)
        ]
        if longer == depths:
            _check_apart(names, told)
            return names
        depths = longer


def _check_apart(keys: Sequence[Hashable], told: Sequence[str]) -> None:
    """Refuse two rasters of one key."""
    first: dict[Hashable, str] = {}
    for key, each in zip(keys, told, strict=True):
        if key in first:
            raise SceneError(
                f"{first[key]} and {each} would write outputs of one name",
                hint="name every scene once, or give names of their own in a list: optical,sar,name",
            )
        first[key] = each


def _radar(folder: Path, optical: Sequence[Path]) -> list[_Placed]:
    """The SAR rasters of a folder that can be opened, by name."""
    if not folder.is_dir():
        raise SceneError(f"{folder} is not a folder", hint="give the folder that holds the SAR rasters")
    others = {path.resolve() for path in optical}
    tried = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in RASTERS and not path.name.startswith(".") and not path.is_dir()
        if path.resolve() not in others
    ]
    placed = [_placed(path, "it is passed over") for path in tried]
    found = [each for each in placed if each is not None]
    if not found:
        wrong = f"{folder} holds no SAR raster" + (f" that can be opened, of {len(tried)}" if tried else "")
        raise SceneError(wrong, hint=f"give a folder that holds files of: {', '.join(sorted(RASTERS))}")
    return found


def _placed(path: Path, otherwise: str) -> _Placed | None:
    """A raster and where it lies; None, and a warning that says what comes of it, where it cannot be opened."""
    try:
        with open_raster(path) as file:
            grid, has_gcps = Grid(file.crs, file.transform, file.shape), bool(file.gcps[0])
    except SceneError as error:
        _log.warning("%s; %s", error, otherwise)
        return None
    if grid.crs is None:
        only, remedy = "", "give it its CRS: gdal_edit.py -a_srs ..."
        if has_gcps:
            only, remedy = ", only ground control points", "orthorectify it: gdalwarp -tps -t_srs ..."
        raise SceneError(
            f"{path} has no CRS{only}: what it overlaps cannot be found",
            hint=f"write the pairs into a list, a CSV with the columns optical,sar; or {remedy}",
        )
    return _Placed(path, grid)


def _most_covering(optical: _Placed, radar: Sequence[_Placed]) -> tuple[Path | None, float]:
    """The SAR raster that covers most of an optical one, and the share; None and NaN if none covers any."""
    shares = [overlap(each.grid, optical.grid) for each in radar]
    most = max(shares, default=0.0)
    if most <= _EQUAL:
        return None, math.nan
    equal = [(each.path, share) for each, share in zip(radar, shares, strict=True) if share >= most - _EQUAL]
    path, share = max(equal, key=lambda each: _likeness(each[0], optical.path))
    if len(equal) > 1:
        _log.info("%d SAR rasters cover %s alike: %s is nearest by name", len(equal), optical.path, path.name)
    return path, share


def _likeness(first: Path, second: Path) -> float:
    """Of two names, 0 to 1, whatever their case."""
    return SequenceMatcher(None, first.stem.casefold(), second.stem.casefold(), autojunk=False).ratio()


def _warn_alone(optical: _Placed, radar: Sequence[_Placed], folder: Path) -> None:
    """Tell of an optical raster that no SAR raster covers, and how far the nearest is."""
    gap, nearest = min((optical.gap_km(each), each.path.name) for each in radar)
    far = f"; the nearest, {nearest}, is about {gap:,.1f} km away" if math.isfinite(gap) else ""
    _log.warning("no SAR for %s: none of the %d in %s covers any of it%s", optical.path, len(radar), folder, far)
