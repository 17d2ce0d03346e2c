"""A small labelled scene whose classes can be told from its values, cut into tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from rsfuse.geometry.split import Shares
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.recipes.recipe import Recipe
from rsfuse.legends import LEGENDS
from rsfuse.raster.crop import Crop
from rsfuse.raster.datasets.dataset import Dataset
from rsfuse.raster.tiles import TileSet
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.tasks.tile import TileSettings, tile

SIDE, TILE = 256, 64
A_QUARTER = SplitRule(by="random", shares=Shares(0.25))  # 12 tiles train, 4 validate: too few for blocks
TRANSFORM = Affine(10, 0, 500_000, 0, -10, 4_000_000)


def write(path: Path, pixels: np.ndarray) -> Path:
    profile = {"driver": "GTiff", "count": len(pixels), "height": SIDE, "width": SIDE, "dtype": pixels.dtype}
    with rasterio.open(path, "w", crs="EPSG:32650", transform=TRANSFORM, **profile) as f:
        f.write(pixels)
    return path


@pytest.fixture(scope="session")
def labelled_scene(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Paths of optical, SAR and labels: stripes of the five classes, each of its own brightness."""
    folder, chance = tmp_path_factory.mktemp("scene"), np.random.default_rng(0)
    labels = (np.add.outer(np.arange(SIDE) // 16, np.arange(SIDE) // 24) % 5).astype(np.uint8)
    optical = labels * 40 + 20 + chance.normal(0, 4, (3, SIDE, SIDE))
    sar = (4 - labels) * 40 + 20 + chance.normal(0, 8, (1, SIDE, SIDE))
    labels[:4] = 255
    return {
        "optical": write(folder / "optical.tif", optical.clip(0, 255).astype(np.uint8)),
        "sar": write(folder / "sar.tif", sar.clip(0, 255).astype(np.uint8)),
        "labels": write(folder / "labels.tif", labels[None]),
    }


def as_dataset(files: dict[str, Path]) -> Dataset:
    """One scene of the legend "sentinel-5"; without "sar" it has none."""
    sar = [files["sar"]] if "sar" in files else []
    return own_dataset([files["optical"]], sar, [files["labels"]], LEGENDS["sentinel-5"])


@pytest.fixture(scope="session")
def tiles(labelled_scene: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    """12 training tiles and 4 for validation, 64 px each."""
    folder = tmp_path_factory.mktemp("cut") / "tiles"
    tile(as_dataset(labelled_scene), folder, TileSettings(size=TILE, rule=A_QUARTER))
    return TileSet(folder)


@pytest.fixture(scope="session")
def recipe(small_network: tuple[str, ...]) -> Recipe:
    """A recipe for a network so small that ten steps take seconds."""
    length = "training.batch=4", "training.validate_every=5", "training.steps=10"
    return load_recipe("pad_sentinel-10m", [*small_network, *length])


@pytest.fixture(scope="session")
def rare_tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    """A dark scene of trees with water in one corner of one tile; scaled by percentiles that leave it dark."""
    folder = tmp_path_factory.mktemp("rare")
    optical = np.full((3, SIDE, SIDE), 10, np.uint8)
    optical[:, :, 200:] = np.arange(56) * 4 + 20
    labels = np.full((1, SIDE, SIDE), 2, np.uint8)
    labels[0, :12, :12] = 0
    paths = write(folder / "optical.tif", optical), write(folder / "sar.tif", optical[:1])
    settings = TileSettings(size=TILE, crop=Crop(pixels=(0, 0, 192, SIDE)), rule=SplitRule(by="none"))
    files = {"optical": paths[0], "sar": paths[1], "labels": write(folder / "labels.tif", labels)}
    tile(as_dataset(files), folder / "tiles", settings)
    return TileSet(folder / "tiles")
