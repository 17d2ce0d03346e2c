"""A small scene on disk and an untrained bundle that can map it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from rsfuse.learn.bundle import Bundle, BundleManifest, PatchSize, build_network, save_bundle
from rsfuse.learn.recipe import load_recipe
from rsfuse.legend import LEGENDS

NETWORK = {"name": "pad", "encoder": "test_resnet", "stages": [1, 2], "aux_stage": 1, "channels": 8, "aux_channels": 8}


@pytest.fixture
def write_raster(tmp_path: Path) -> Callable[..., Path]:
    """Write an array (bands, h, w) as a raster of 10 m pixels, or of another size."""

    def write(name: str, pixels: np.ndarray, *, gsd_m: float = 10.0, nodata: float | None = None) -> Path:
        path = tmp_path / name
        count, height, width = pixels.shape
        transform = Affine(gsd_m, 0, 500_000, 0, -gsd_m, 4_000_000)
        profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype}
        with rasterio.open(path, "w", crs="EPSG:32650", transform=transform, nodata=nodata, **profile) as target:
            target.write(pixels)
        return path

    return write


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A network of random weights for red, green, blue + VH, patches of 64 px with a halo of 8."""
    recipe = load_recipe("pad_sentinel-10m")
    legend = LEGENDS["sentinel-5"]
    torch.manual_seed(0)
    network = build_network(NETWORK, recipe.inputs, len(legend))
    manifest = BundleManifest(
        description="random weights, for tests",
        network=NETWORK,
        inputs=recipe.inputs,
        statistics=None,
        legend=legend.to_dict(),
        patch=PatchSize(size=64, halo=8),
        gsd_m=10.0,
        trained_on=(),
        scores={},
    )
    folder = tmp_path_factory.mktemp("bundles") / "small"
    return save_bundle(folder, manifest, network.state_dict(), storage="float32", card="# small\n")
