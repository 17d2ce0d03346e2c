"""Info: what a file or folder is, as far as rsfuse understands it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsfuse.errors import RsfuseError
from rsfuse.learn.bundle import MANIFEST, Bundle, bundle_names
from rsfuse.learn.recipe import load_recipe, recipe_names
from rsfuse.raster.scene import Scene
from rsfuse.raster.tiles import TILES, TileSet


def info(thing: str) -> dict[str, Any]:
    """What is known of a raster, a folder of tiles, a bundle or a recipe, as plain data with a "kind".

    Raises:
        RsfuseError: if it is none of these.
    """
    path = Path(thing)
    if (path / MANIFEST).is_file() or (not path.exists() and thing in bundle_names()):
        bundle = Bundle.open(thing)
        return {"kind": "bundle", "name": bundle.name, **bundle.manifest.model_dump(mode="json")}
    if (path / TILES).is_file():
        return _tiles(TileSet(path))
    if path.suffix in {".yaml", ".yml"} or (not path.exists() and thing in recipe_names()):
        return {"kind": "recipe", **load_recipe(thing).model_dump(mode="json")}
    if path.is_dir():
        raise RsfuseError(
            f"{path} is a folder with neither a bundle ({MANIFEST}) nor tiles ({TILES}) in it",
            hint="name a raster, a folder of `rsfuse tile` or of `rsfuse train`, or a recipe",
        )
    return _raster(path)


def _raster(path: Path) -> dict[str, Any]:
    with Scene(path) as scene:
        grid, bounds = scene.grid, scene.grid.bounds
        return {
            "kind": "raster",
            "height": grid.height,
            "width": grid.width,
            "crs": grid.crs.to_string() if grid.crs else None,
            "bounds": list(bounds),
            "gsd_m": None if scene.gsd_m != scene.gsd_m else round(scene.gsd_m, 4),
            "bands": [band.model_dump(mode="json") for band in scene.statistics().optical],
        }


def _tiles(tiles: TileSet) -> dict[str, Any]:
    data = tiles.manifest.model_dump(mode="json", exclude={"tiles"})
    splits = {split: len(tiles.select(split)) for split in ("train", "val", "test")}
    return {"kind": "tiles", **data, "splits": splits}
