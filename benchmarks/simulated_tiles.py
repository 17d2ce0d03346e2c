"""Tiles of simulated scenes, every other one of them partly under cloud."""

from __future__ import annotations

from pathlib import Path

from rsfuse.legends import LEGENDS
from rsfuse.raster.manifest import TILES, Split
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.simulate import SimulatedScene, write_scene
from rsfuse.tasks.tile import TileSettings, tile


def cut(scene: SimulatedScene, folder: Path, split: Split, size: int) -> Path:
    """Tiles of one simulated scene; those that are there are left.

    Args:
        scene: what is simulated.
        folder: for the scene and its tiles, each under its seed.
        split: what all the tiles are for.
        size: side of a tile in pixels.
    """
    target = folder / f"tiles-{scene.seed}"
    if not (target / TILES).is_file():
        paths = write_scene(scene, folder / f"scene-{scene.seed}", overwrite=True)
        dataset = own_dataset([paths.optical], [paths.sar], [paths.truth], LEGENDS["whu-opt-sar"])
        tile(dataset, target, TileSettings(size=size, rule=SplitRule(by="none", everything=split), overwrite=True))
    return target
