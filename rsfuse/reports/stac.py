"""A map as a STAC 1.1 item: where it lies, what its files hold, and which network made it of what.

The item carries every required field of the Machine Learning Model extension and the weights as an asset with the
role "mlm:model", for the extension's schema knows no item with some of them, and bundles have no item of their own to
which a map could point. That it is a product and not a model, `processing:level` "L4" tells, as the extension advises;
rasters that went in are links "via", since "derived_from" is for what is a STAC item itself.

Maps across the 180th meridian or around a pole are out of scope: their outline is written as one ring all the same.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from shapely import Polygon
from shapely.geometry import mapping
from shapely.geometry.polygon import orient

from rsfuse import __version__
from rsfuse.geometry.grid import Grid
from rsfuse.raster.disk import replace_text, writing
from rsfuse.raster.footprint import carried, gsd_m, outline
from rsfuse.raster.map_layer import Layer
from rsfuse.raster.opening import open_raster
from rsfuse.reports.stac_assets import href, layer_assets, polygons_asset, weights_asset
from rsfuse.reports.stac_model import ModelRun, band_names, model_fields

__all__ = ["ModelRun", "item_path", "map_item", "write_item"]

_SCHEMA = "https://stac-extensions.github.io/{}/schema.json"
_EXTENSIONS = ("mlm/v1.5.1", "classification/v2.0.0", "file/v2.1.0", "processing/v1.2.0", "projection/v2.0.0")
_RASTER = "raster/v2.0.0"

_DIGITS = 7  # of degrees: a centimetre
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)  # where the extension's own examples begin if nobody knows

_ACQUIRED = (("IMAGERY", "ACQUISITIONDATETIME"), (None, "ACQUISITIONDATETIME"), (None, "TIFFTAG_DATETIME"))
"""Domain and name of tags that say when a raster was taken, the surest first; GDAL's drivers write the first."""


def item_path(output: Path) -> Path:
    """Where the item of a map lies: beside it, under the same name with .json."""
    return output.with_suffix(".json")


def map_item(
    layers: Sequence[Layer],
    grid: Grid,
    *,
    runs: Sequence[ModelRun],
    sources: Sequence[Path],
    when: datetime,
    polygons: Path | None = None,
) -> dict[str, Any]:
    """The STAC item of a finished map, as plain data that JSON gives back unchanged.

    Its `datetime` is when the sources were taken, by their tags and in UTC where these know no zone. If they were
    taken at several times it is null, and a range takes its place; if none tells, the range is from 1900 until the map
    was made. Without a CRS, or where the outline has no longitude and latitude, there is no geometry and no `bbox`.

    Args:
        layers: what was written; the first has the legend, and the item is meant to lie beside it.
        grid: where the pixels lie.
        runs: what made the map; more than one for an ensemble.
        sources: the rasters that it was made of.
        when: it was made, with a time zone.
        polygons: of its GeoPackage, if there is one.

    Raises:
        SceneError: if a source cannot be opened.
        ValueError: if the first layer has no legend, there is no run, or the time has no zone.
    """
    legend = layers[0].legend if layers else None
    if legend is None or not runs or when.tzinfo is None:
        raise ValueError("an item wants a layer with a legend first, at least one run, and a time with its zone")
    output = layers[0].path
    properties = {
        "title": f"Land cover, {output.stem}",
        "description": "; ".join(f"{run.bundle}: {run.description}" for run in runs),
        "created": _utc(when),
        **_times(sources, when),
        **_place_fields(grid),
        **_processing_fields(runs, sources),
        **model_fields(runs, legend),
    }
    assets = _assets(layers, runs, polygons)
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": _extensions(assets),
        "id": output.stem,
        **_where(grid),
        "properties": properties,
        "links": [_link(path, output.parent) for path in sources],
        "assets": assets,
    }
    return {key: _plain(value) for key, value in item.items()}


def write_item(path: Path, item: Mapping[str, Any]) -> None:
    """Write an item as JSON in one go: a file that is there is replaced, or stays as it is.

    Raises:
        OutputError: if the disk is full, or the folder is not there.
        ValueError: if a number is not finite.
    """
    text = json.dumps(item, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with writing(path):
        replace_text(path, text)


def _extensions(assets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    scaled = any("raster:scale" in asset for asset in assets.values())
    return [_SCHEMA.format(each) for each in (*_EXTENSIONS, *[_RASTER] * scaled)]


def _assets(layers: Sequence[Layer], runs: Sequence[ModelRun], polygons: Path | None) -> dict[str, dict[str, Any]]:
    folder, assets = layers[0].path.parent, layer_assets(layers)
    if polygons is not None:
        assets["polygons"] = polygons_asset(polygons, folder)
    for number, run in enumerate(runs, 1):
        key = "model" if len(runs) == 1 else f"model-{number}"
        title = f"Weights of {run.bundle} ({run.network})"
        assets[key] = weights_asset(run.weights, run.weights_sha256, title, band_names([run]), folder)
    return assets


def _link(path: Path, folder: Path) -> dict[str, str]:
    """Where a map comes from."""
    with open_raster(path) as file:
        kind = {"type": "image/tiff; application=geotiff"} if file.driver == "GTiff" else {}
    return {"rel": "via", "href": href(path, folder), **kind, "title": path.name}


def _where(grid: Grid) -> dict[str, Any]:
    """The outline of a grid in degrees, counterclockwise, with its box; or null and no box."""
    if grid.crs is None:
        return {"geometry": None}
    degrees = Grid(CRS.from_epsg(4326), Affine.identity(), (1, 1))  # one a pixel
    points = carried(outline(grid), grid, degrees).round(_DIGITS)
    if not np.isfinite(points).all():
        return {"geometry": None}
    ring = orient(Polygon(points).simplify(10**-_DIGITS))  # straight edges need no points between
    return {"geometry": mapping(ring), "bbox": ring.bounds}


def _place_fields(grid: Grid) -> dict[str, Any]:
    fields: dict[str, Any] = {"proj:code": None, "proj:shape": grid.shape, "proj:transform": grid.transform[:6]}
    if grid.crs is None:
        return fields
    authority = grid.crs.to_authority(confidence_threshold=100)
    fields |= {"proj:bbox": grid.bounds}
    fields |= {"proj:code": ":".join(authority)} if authority else {"proj:wkt2": grid.crs.to_wkt(version="WKT2_2019")}
    gsd = gsd_m(grid)
    return fields | ({"gsd": float(f"{gsd:.6g}")} if math.isfinite(gsd) else {})


def _times(sources: Sequence[Path], when: datetime) -> dict[str, Any]:
    taken = sorted({time for time in map(_taken, sources) if time is not None})
    if len(taken) == 1:
        return {"datetime": _utc(taken[0])}
    start, end = (taken[0], taken[-1]) if taken else (_EARLIEST, when)
    return {"datetime": None, "start_datetime": _utc(start), "end_datetime": _utc(end)}


def _taken(path: Path) -> datetime | None:
    """When a raster was taken, if a tag tells."""
    with open_raster(path) as file:
        times = [_parsed(_tag(file, domain, name)) for domain, name in _ACQUIRED]
    return next((time for time in times if time is not None), None)


def _tag(file: DatasetReader, domain: str | None, name: str) -> str:
    return str(file.tags(ns=domain).get(name, "")).strip()


def _parsed(text: str) -> datetime | None:
    """TIFF's "2024:05:01 10:56:21", or any time of ISO 8601; None for anything else, such as a row of zeros."""
    iso = re.sub(r"^(\d{4}):(\d\d):(\d\d)", r"\1-\2-\3", text)
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _processing_fields(runs: Sequence[ModelRun], sources: Sequence[Path]) -> dict[str, Any]:
    made = "; ".join(f"{run.network} of bundle {run.bundle}, {run.told}" for run in runs)
    files = ", ".join(path.name for path in sources)
    return {
        "processing:level": "L4",
        "processing:software": {"rsfuse": __version__, **dict(run.framework for run in runs)},
        "processing:lineage": f"{made}; from {files}; on {runs[0].device} in {runs[0].seconds:.1f} s",
    }


def _plain(value: Any) -> Any:
    """As JSON would give it back; a number that is not finite, which JSON does not know, becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float) else str(value)
