"""Maps that overlap, and what reads and warps them."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
import rasterio
from affine import Affine

from rsfuse.legends import LEGENDS
from rsfuse.raster.painted import paint

LEGEND = LEGENDS["whu-opt-sar"]
UTM = "EPSG:32650"


def place(column=0.0, row=0.0, gsd=10.0):
    return Affine(gsd, 0, 500_000 + 10 * column, 0, -gsd, 4_000_000 - 10 * row)


@pytest.fixture
def write(tmp_path):
    """Write pixels (h, w) or (C, h, w) so many columns and rows of 10 m from a corner."""

    def make(name, pixels, column=0.0, row=0.0, *, legend=LEGEND, crs=UTM, gsd=10.0, **profile):
        path, bands = tmp_path / name, pixels if pixels.ndim == 3 else pixels[None]
        count, height, width = bands.shape
        profile = {"crs": crs, "transform": place(column, row, gsd), "dtype": pixels.dtype, **profile}
        size = {"count": count, "height": height, "width": width}
        with rasterio.open(path, "w", driver="GTiff", **size, **{"nodata": 255 if legend else None, **profile}) as file:
            if legend is not None:
                paint(file, legend)
            file.write(bands)
        return path

    return make


@pytest.fixture
def codes():
    """Random patches of classes, a tenth of the pixels without data."""

    def make(shape, seed):
        chance = np.random.default_rng(seed)
        patches = chance.choice(np.array(LEGEND.codes, np.uint8), [-(-side // 8) for side in shape])
        pixels = patches.repeat(8, 0).repeat(8, 1)[: shape[0], : shape[1]]
        pixels[chance.random(shape) < 0.1] = 255
        return pixels

    return make


@pytest.fixture
def maps(write, codes):
    """Five maps of one lattice, that overlap here and there; some of the region has none."""
    corners = [(0, 0, 300, 260), (200, 30, 250, 333), (100, 220, 301, 180), (-40, 150, 90, 90), (430, 400, 64, 64)]
    return [
        write(f"map{number}.tif", codes((height, width), number), column, row)
        for number, (column, row, width, height) in enumerate(corners)
    ]


@pytest.fixture
def read():
    """The bands of a raster."""

    def all_of(path):
        with rasterio.open(path) as file:
            return file.read()

    return all_of


@pytest.fixture
def on_one_grid():
    """Bands (n, H, W) of rasters of one lattice on a grid, 255 elsewhere."""

    def stacked(paths, grid):
        stack = np.full((len(paths), *grid.shape), 255, np.uint8)
        for layer, path in zip(stack, paths, strict=True):
            with rasterio.open(path) as file:
                column, row = (round(each) for each in ~grid.transform * (file.transform.c, file.transform.f))
                layer[row : row + file.height, column : column + file.width] = file.read(1)
        return stack

    return stacked


@pytest.fixture
def warped(read):
    """What gdalwarp makes of some rasters, the last on top; skips where it is not installed."""

    def warp(paths, target, *options):
        if shutil.which("gdalwarp") is None:
            pytest.skip("needs gdalwarp")
        command = ["gdalwarp", "-q", *options, *map(str, paths), str(target)]
        subprocess.run(command, check=True, capture_output=True)
        return read(target)

    return warp
