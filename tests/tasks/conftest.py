"""A small scene on disk and an untrained bundle that can map it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from rsfuse.learn.bundles.land_cover import Bundle


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
def small_bundle(
    save_untrained: Callable[..., tuple[Bundle, object]], tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    """A network of random weights for red, green, blue + VH, patches of 64 px with a halo of 8."""
    bundle, _ = save_untrained(tmp_path_factory.mktemp("bundles") / "small")
    return bundle
