"""How fast a raster half a pixel aside is read: the rate of the filter and of GDAL's warp over that of a plain read.

Run: python -m benchmarks.shifted_read [--side 4096] [--rounds 7] [--out FOLDER]
Writes speckle of four uint8 bands, LZW in tiles of 512 px, and reads all of it in windows of 512 px, the kinds of read
in turn; each opens the file anew, so that no block is decoded beforehand. Seconds are of the processor (one thread, and
the file is in the memory of the system), for each window those of its best round: the wall clock of a busy machine
tells more about its neighbours.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.geometry.grid import Grid
from rsfuse.raster.aligned import AlignedRaster
from rsfuse.raster.native import NativeBands
from rsfuse.raster.opening import open_raster
from rsfuse.raster.warped import WarpedBands

BANDS, WINDOW = 4, 512
ACROSS, DOWN = 0.3, -0.4  # px
PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)


def write_speckle(path: Path, side: int) -> None:
    """Four looks of exponential noise, as an amplitude."""
    chance = np.random.default_rng(0)
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "lzw", "photometric": "minisblack"}
    size = {"count": BANDS, "height": side, "width": side, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32722", transform=PLACE, **size, **layout) as file:
        for number in range(1, BANDS + 1):
            power = chance.standard_gamma(4, (side, side), np.float32) / 4
            file.write(np.clip(100 * np.sqrt(power), 1, 255).astype(np.uint8), number)


def windows(side: int) -> list[Window]:
    """All of the raster, row by row."""
    starts = range(0, side, WINDOW)
    return [Window(left, top, min(WINDOW, side - left), min(WINDOW, side - top)) for top in starts for left in starts]


def read_plain(path: Path, grid: Grid) -> Iterator[None]:
    """Every window where its pixels lie, or a filtered one where the grid is shifted."""
    with AlignedRaster(path, grid) as raster:
        for window in windows(grid.height):
            yield
            raster.read(window)
    yield


def read_warped(path: Path, grid: Grid) -> Iterator[None]:
    """Every window through GDAL's warp."""
    with ExitStack() as opened:
        file = opened.enter_context(open_raster(path))
        own = Grid(file.crs, file.transform, file.shape)
        native = NativeBands(file, tuple(range(1, BANDS + 1)), alpha=(), is_unsigned=True)
        warped = opened.enter_context(WarpedBands(path, native, own, grid=grid))
        for window in windows(grid.height):
            yield
            warped.read(window, np.float32)
    yield


def seconds(reads: Iterator[None]) -> NDArray[np.float64]:
    """How long the processor takes for each window; the file is open before the first."""
    return np.diff([time.process_time() for _ in reads])


def main() -> None:
    """Read in turn, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, help="folder for the raster; a temporary one without")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = (options.out or Path(temporary)) / "speckle.tif"
        write_speckle(path, options.side)
        with open_raster(path) as file:
            own = Grid(file.crs, file.transform, file.shape)
        moved = Grid(own.crs, own.transform * Affine.translation(ACROSS, DOWN), own.shape)
        kinds = {"aligned": (read_plain, own), "shifted": (read_plain, moved), "warped": (read_warped, moved)}
        rounds: dict[str, list[NDArray[np.float64]]] = {kind: [] for kind in kinds}
        for _ in range(options.rounds):
            for kind, (read, grid) in kinds.items():
                rounds[kind].append(seconds(read(path, grid)))
    best = {kind: float(np.min(taken, axis=0).sum()) for kind, taken in rounds.items()}
    megapixels = options.side**2 / 1e6
    for kind, took in best.items():
        print(f"{kind}: {took:.3f} s, {megapixels / took:.1f} Mpx/s, {best['aligned'] / took:.3f} of the aligned read")
    print(f"shifted over aligned: {best['aligned'] / best['shifted']:.3f} of its speed")


if __name__ == "__main__":
    main()
