"""Info: what a file or folder is, as far as rsfuse understands it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rsfuse.errors import OutputError, RsfuseError, SceneError
from rsfuse.geometry.rational import RationalModel
from rsfuse.learn.bundles.files import MANIFEST, bundle_kind, bundle_names
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.bundles.sharpening import SharpeningBundle, open_any_bundle
from rsfuse.learn.bundles.stored import stored_bytes, stored_precision
from rsfuse.learn.recipes.reading import read_recipe, recipe_names
from rsfuse.raster.disk import check_free
from rsfuse.raster.opening import open_raster
from rsfuse.raster.ortho.models import model_of
from rsfuse.raster.products.opened import is_product, open_product
from rsfuse.raster.products.product import Product
from rsfuse.raster.scene import Scene
from rsfuse.raster.sharpening.patches import SharpeningSet
from rsfuse.raster.statistics import BandStatistics
from rsfuse.raster.table import read_table
from rsfuse.raster.tiles import TILES, TileSet
from rsfuse.reports.contact_sheet import draw_contact_sheet
from rsfuse.reports.patch_sheet import draw_patch_sheet

PICTURED = ("tiles", "sharpening")
"""Kinds of which there can be a contact sheet."""

_SPLITS = ("train", "val", "test")


def info(thing: str) -> dict[str, Any]:
    """What is known of a raster, a product, a folder of tiles, a bundle or a recipe, as plain data with a "kind".

    Raises:
        RsfuseError: if it is none of these.
    """
    path = Path(thing)
    if (path / MANIFEST).is_file() or (not path.exists() and thing in bundle_names()):
        return _bundle(open_any_bundle(thing))
    if (path / TILES).is_file():
        return _patches(path) if _for_sharpening(path) else _tiles(TileSet(path))
    if path.suffix in {".yaml", ".yml"} or (not path.exists() and thing in recipe_names()):
        return {"kind": "recipe", **read_recipe(thing).model_dump(mode="json")}
    if is_product(path):
        return _product(open_product(path))
    if path.is_dir():
        return _folder(path)
    return _raster(path)


def _folder(path: Path) -> dict[str, Any]:
    """A product whose files somebody has renamed: its XML may tell."""
    try:
        return _product(open_product(path))
    except SceneError as error:
        raise RsfuseError(
            f"{path} is a folder with neither a bundle ({MANIFEST}), nor tiles ({TILES}), nor a product of a satellite "
            "in it",
            hint="name a raster, a product, a folder of `rsfuse tile` or of `rsfuse train`, or a recipe",
        ) from error


def check_sheet(path: Path, *, overwrite: bool) -> None:
    """Refuse a path at which no contact sheet can be drawn, before any work is done.

    Raises:
        OutputError: saying why.
    """
    if path.suffix.lower() != ".png":
        raise OutputError(f"the contact sheet is a PNG, {path} is not named like one", hint="name it sheet.png")
    if path.exists() and not path.is_dir() and not overwrite:
        raise OutputError(f"{path} exists already", hint="choose another --sheet, or add --overwrite")
    check_free(path, overwrite=overwrite)


def draw_sheet(folder: Path, path: Path, *, overwrite: bool = False) -> None:
    """Draw the contact sheet of a folder of tiles, or of patches for sharpening.

    Args:
        folder: what `info` says is one of `PICTURED`.
        path: of the PNG.
        overwrite: replace a file that is there.

    Raises:
        OutputError: if the file exists or cannot be written.
        RsfuseError: if a tile is damaged.
    """
    check_sheet(path, overwrite=overwrite)
    if _for_sharpening(folder):
        with SharpeningSet(folder) as patches:
            draw_patch_sheet(patches, path)
    else:
        draw_contact_sheet(TileSet(folder), path)


def _for_sharpening(folder: Path) -> bool:
    return read_table(folder / TILES)[0].get("kind") == "sharpening"


def _raster(path: Path) -> dict[str, Any]:
    with Scene(path) as scene:
        grid, bounds = scene.grid, scene.grid.bounds
        return {
            "kind": "raster",
            "height": grid.height,
            "width": grid.width,
            "crs": grid.crs.to_string() if grid.crs else None,
            "bounds": list(bounds),
            "gsd_m": _known(scene.gsd_m),
            **_unplaced(path),
            "bands": [band.model_dump(mode="json") for band in scene.statistics().optical],
        }


def _unplaced(path: Path) -> dict[str, str]:
    """What ties a raster without a CRS to the ground."""
    with open_raster(path) as file:
        if file.crs:
            return {}
        model = model_of(file)
    if model is None:
        return {}
    kind = "polynomials (RPC)" if isinstance(model, RationalModel) else "control points"
    return {"geometry": f"{kind}; rsfuse prepare brings it to the ground"}


def _product(product: Product) -> dict[str, Any]:
    """What was understood of a delivered scene, and what was not."""
    return {
        "kind": "product",
        "name": product.name,
        **product.understood,
        "not_understood": list(product.missing),
    }


def _bundle(bundle: Bundle | SharpeningBundle) -> dict[str, Any]:
    """The manifest, and what runs the network; torch is not asked."""
    graph = bundle.manifest.onnx
    manifest = bundle.manifest.model_dump(mode="json", exclude={"kind"})
    return {
        "kind": "bundle",
        "name": bundle.name,
        "purpose": bundle_kind(bundle.folder),
        "runtime": "torch" if graph is None else "onnxruntime",
        "precision": stored_precision(bundle.weights) if graph is None else graph.precision,
        "megabytes": round(stored_bytes(bundle.weights) / 1e6, 3),
        "providers": None if graph is None else _providers(),
        **manifest,
    }


def _providers() -> list[str] | None:
    """What onnxruntime can compute with on this machine, the fastest first; None where it is not installed."""
    try:
        from rsfuse.learn.runtimes.session import usable_providers
    except ImportError:
        return None
    return usable_providers()


def _tiles(tiles: TileSet) -> dict[str, Any]:
    """The manifest without its rows, and what they come to."""
    manifest, statistics = tiles.manifest, tiles.manifest.statistics
    data = manifest.model_dump(mode="json", exclude={"tiles"})
    sides = Counter(tile.window[2:] for tile in manifest.tiles)
    return {
        "kind": "tiles",
        **data,
        "scenes": [scene | {"gsd_m": _known(float(scene["gsd_m"]))} for scene in data["scenes"]],
        "tiles": len(manifest.tiles),
        "splits": {split: len(tiles.select(split)) for split in _SPLITS},
        "sizes": [{"width": width, "height": height, "tiles": count} for (width, height), count in sides.most_common()],
        "gsd_m": _known(manifest.gsd_m),
        "bands": [*_bands("optical", statistics.optical), *_bands("SAR", statistics.sar)],
        "balance": manifest.balance if any(tile.classes is not None for tile in manifest.tiles) else None,
    }


def _patches(folder: Path) -> dict[str, Any]:
    """Likewise of patches for sharpening; their names are there without statistics too."""
    with SharpeningSet(folder) as patches:
        header, entries = patches.header, patches.entries
        sides = Counter((entry.split, entry.width, entry.height) for entry in entries)
        data = header.model_dump(mode="json")
        statistics = header.statistics
        return data | {
            "patches": len(entries),
            "splits": {split: len(patches.select(split)) for split in (*_SPLITS, "full")},
            "sizes": [
                {"split": split, "width": width, "height": height, "patches": count}
                for (split, width, height), count in sides.items()
            ],
            "band_names": data["bands"],
            "bands": [*_bands("ms", statistics.ms), *_bands("pan", [statistics.pan])] if statistics else [],
        }


def _known(gsd_m: float) -> float | None:
    """To a tenth of a millimetre; JSON has no NaN."""
    return None if math.isnan(gsd_m) else round(gsd_m, 4)


def _bands(sensor: str, bands: Sequence[BandStatistics]) -> list[dict[str, Any]]:
    return [{"sensor": sensor, **band.model_dump(mode="json")} for band in bands]
