"""The files of a map as assets of its STAC item: where they lie, what their numbers are, and what proves them whole."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rsfuse.legend import Legend
from rsfuse.raster.map_layer import Layer

_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_GEOPACKAGE = "application/geopackage+sqlite3"
_WEIGHTS = "application/octet-stream; application={}"  # there is no registered type
_SHA256 = "1220"  # multihash: function 0x12, 0x20 bytes of it


def href(path: Path, folder: Path) -> str:
    """Where a file lies: "./..." inside the folder of the item, which may be moved as a whole, else a file URI."""
    # a scene that is linked into the folder moves with it: where the link points to does not matter
    there, here = path.parent.resolve() / path.name, folder.resolve()
    if there.is_relative_to(here):
        return f"./{quote(there.relative_to(here).as_posix())}"
    return there.as_uri()


def class_objects(legend: Legend) -> list[dict[str, Any]]:
    """The classes of a legend, in its order, as the classification extension has them.

    Its names are for machines: letters, digits, "-" and "_"; what people call a class is its title.
    """
    short = [re.sub(r"[^0-9A-Za-z_-]+", "_", name).strip("_") for name in legend.names]
    if not all(short) or len(set(short)) < len(short):  # names in another script, or alike but for signs
        short = [f"class_{code}" for code in legend.codes]
    return [
        {
            "value": each.code,
            "name": name,
            "title": each.name,
            "description": each.name,
            "color_hint": "{:02X}{:02X}{:02X}".format(*each.color),
        }
        for each, name in zip(legend, short, strict=True)
    ]


def layer_assets(layers: Sequence[Layer]) -> dict[str, dict[str, Any]]:
    """The rasters of a map under short keys: "classes", and what the names of the others add to that of the first."""
    first = layers[0].path
    return {_key(layer, first): _layer_asset(layer, _key(layer, first), first.parent) for layer in layers}


def polygons_asset(path: Path, folder: Path) -> dict[str, Any]:
    """The GeoPackage of a map's polygons."""
    return {
        "href": href(path, folder),
        "type": _GEOPACKAGE,
        "title": "Polygons",
        "roles": ["data"],
        **_proof(path, _digest(path)),
    }


def weights_asset(path: Path, sha256: str, title: str, bands: Sequence[str], folder: Path) -> dict[str, Any]:
    """The weights of a network that made a map.

    Args:
        path: of the weights.
        sha256: of the same, 64 digits.
        title: for people.
        bands: what the network takes.
        folder: of the item.
    """
    kind = path.suffix.removeprefix(".") or "weights"
    return {
        "href": href(path, folder),
        "type": _WEIGHTS.format(kind),
        "title": title,
        "roles": ["mlm:model", "mlm:weights"],
        "mlm:artifact_type": kind,
        "bands": [{"name": band} for band in bands],
        **_proof(path, sha256),
    }


def _key(layer: Layer, first: Path) -> str:
    return "classes" if layer.path == first else layer.path.stem.removeprefix(f"{first.stem}_")


def _layer_asset(layer: Layer, key: str, folder: Path) -> dict[str, Any]:
    asset: dict[str, Any] = {
        "href": href(layer.path, folder),
        "type": _COG,
        "title": key.replace("_", " ").capitalize(),
        "roles": ["data"],
        "data_type": layer.stored_dtype,
        "bands": [{"name": band or key} for band in layer.bands],
        **_proof(layer.path, _digest(layer.path)),
    }
    if layer.nodata is not None:
        asset["nodata"] = "nan" if math.isnan(layer.nodata) else layer.nodata
    if layer.scale != 1:
        asset["raster:scale"] = layer.scale
    if layer.legend is not None:
        asset["classification:classes"] = class_objects(layer.legend)
    return asset


def _proof(path: Path, sha256: str) -> dict[str, Any]:
    return {"file:size": path.stat().st_size, "file:checksum": f"{_SHA256}{sha256.lower()}"}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
