"""The two labelled 10 m areas, Porto Alegre and Riverside, as scenes, training tiles and test labels.

Labels are readings of the same 10 m pictures by one interpreter, not ground truth; the test polygons were drawn
before the labels and independently of them. Training never sees the polygons or the labels of tile rows 5 and 6.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.features import rasterize
from rasterio.windows import Window

from rsfuse.geometry.split import Split
from rsfuse.legend import NODATA
from rsfuse.legends import LEGENDS
from rsfuse.raster.crop import Crop
from rsfuse.raster.scene import Bands
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.tasks.tile import TileSettings, tile

DATA = Path(__file__).parents[2] / "shared" / "data"
LEGEND = LEGENDS["sentinel-5"]
BLOCK, TILE = 512, 256


@dataclass(frozen=True)
class Area:
    """A labelled area.

    Args:
        optical, sar, labels: its rasters.
        bands: which of their bands.
        train: window that training may see.
    """

    name: str
    optical: Path
    sar: Path
    labels: Path
    bands: Bands
    train: Window


PORTO_ALEGRE = Area(
    "porto-alegre",
    DATA / "porto_alegre" / "s2_rgb_preflood.tif",
    DATA / "porto_alegre" / "s1_vv_vh_preflood.tif",
    DATA / "porto_alegre" / "labels_preflood.tif",
    Bands(None, (2,)),
    Window(0, 0, 3 * BLOCK, 5 * BLOCK),  # tile columns 0-2, tile rows 0-4
)
RIVERSIDE = Area(
    "riverside",
    DATA / "riverside" / "optical.tif",
    DATA / "riverside" / "sar.tif",
    DATA / "riverside" / "labels.tif",
    Bands(),
    Window(0, 0, 4 * BLOCK, 4 * BLOCK),
)
AREAS = (PORTO_ALEGRE, RIVERSIDE)


def cut(area: Area, folder: Path) -> list[Path]:
    """Tiles of an area under `folder`, cut once: training tiles, and its last column of tiles for validation."""
    left, top, width, height = (int(side) for side in area.train.flatten())
    parts: dict[Split, tuple[int, int, int, int]] = {
        "train": (left, top, width - TILE, height),
        "val": (left + width - TILE, top, TILE, height),
    }
    dataset = own_dataset([area.optical], [area.sar], [area.labels], LEGEND)
    for split, pixels in parts.items():
        rule = SplitRule(by="none", everything=split)
        settings = TileSettings(size=TILE, crop=Crop(pixels=pixels), bands=area.bands, rule=rule)
        tile(dataset, folder / f"{area.name}-{split}", settings)  # again: what is there already stays
    return [folder / f"{area.name}-{split}" for split in parts]


def test_labels(folder: Path) -> dict[str, Path]:
    """Label rasters on the areas' grids, 255 where nothing is to be tested; written under `folder` once.

    "polygons": the test polygons of Porto Alegre (tile rows 5-6 and tile column 3), drawn by hand;
    "rows 5-6": the labels of Porto Alegre's tile rows 5 and 6; "riverside": all labels of Riverside.
    """
    paths = {"polygons": folder / "polygons.tif", "rows 5-6": folder / "rows_5_6.tif"}
    if all(path.is_file() for path in paths.values()):
        return {**paths, "riverside": RIVERSIDE.labels}
    folder.mkdir(parents=True, exist_ok=True)
    with rasterio.open(PORTO_ALEGRE.labels) as source:
        profile, codes = source.profile, source.read(1)
    shapes = json.loads((PORTO_ALEGRE.labels.parent / "test_polygons_preflood.geojson").read_text(encoding="utf-8"))
    burned = rasterize(
        [(each["geometry"], each["properties"]["class"]) for each in shapes["features"]],
        out_shape=codes.shape,
        fill=NODATA,
        dtype=np.uint8,
    )  # the polygons are in pixels of this grid, so no transform
    lower = codes.copy()
    lower[: 5 * BLOCK] = NODATA
    for path, labels in zip(paths.values(), (burned, lower), strict=True):
        part = path.with_suffix(f".{os.getpid()}.tif")  # several runs may start at once
        with rasterio.open(part, "w", **profile) as target:
            target.write(labels, 1)
        part.replace(path)
    return {**paths, "riverside": RIVERSIDE.labels}
