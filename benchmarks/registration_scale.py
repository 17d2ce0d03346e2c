"""Memory and time of `rsfuse coreg` on a large pair, over those of reading it once and of matching its tiles alone.

Run: python -m benchmarks.registration_scale --out FOLDER [--side 16384] [--tiles 1200] [--rounds 3]
The pair is San Antonio's (../shared/data), mirrored again and again: optical of three bands of uint8 and SAR of one of
float32 under fresh speckle of a hundred looks, 3 px aside, both in deflated blocks of 512 px. Three processes in turn:

coreg  `rsfuse coreg --tiles N`, from its start to its end, and its peak resident memory
read   both rasters, all bands, block by block; without what is imported
match  features and matching of N tiles of 128 px whose pixels are in memory; likewise

Printed are medians over all rounds, and coreg over read and match together. Linux alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from benchmarks.areas import DATA
from benchmarks.registration_peers import match
from rsfuse.geometry.methods import METHODS
from rsfuse.raster.opening import open_raster

BLOCK, ASIDE, TILE, HELD = 512, 3, 128, 4096
LOOKS = 100  # or a float32 of 256 values would be packed better than any SAR raster is
PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 3_260_000.0)
OPTICAL, SAR = "optical.tif", "sar.tif"


def mirrored(length: int, side: int, aside: int = 0) -> NDArray[np.intp]:
    """Indices 0 to length - 1, back and forth, for a side; what they show lies aside by so many pixels."""
    at = (np.arange(side) - aside) % (2 * length)
    return np.where(at < length, at, 2 * length - 1 - at)


def write_pair(folder: Path, side: int) -> None:
    """Both rasters, a row of blocks at a time."""
    chance = np.random.default_rng(0)
    layout = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "crs": "EPSG:32614"}
    for name, count, dtype, aside in ((OPTICAL, 3, "uint8", 0), (SAR, 1, "float32", ASIDE)):
        with rasterio.open(DATA / "san_antonio" / name) as file:
            image = file.read()[:count]
        rows, columns = (mirrored(length, side, aside) for length in image.shape[1:])
        size = {"height": side, "width": side, "count": count, "dtype": dtype, "transform": PLACE}
        with rasterio.open(folder / name, "w", driver="GTiff", **size, **layout) as file:
            for top in range(0, side, BLOCK):
                part = image[:, rows[top : top + BLOCK]][:, :, columns].astype(dtype)
                if dtype == "float32":
                    part *= chance.standard_gamma(LOOKS, part.shape, np.float32) / LOOKS
                file.write(part, window=Window(0, top, side, part.shape[1]))


def read(folder: Path) -> None:
    """Both rasters once."""
    for name in (OPTICAL, SAR):
        with open_raster(folder / name) as file:
            for _, window in file.block_windows(1):
                file.read(window=window)


def held(path: Path) -> NDArray[np.float32]:
    """As much of a raster as is matched."""
    with rasterio.open(path) as file:
        side = min(file.width, HELD)
        image: NDArray[np.float32] = file.read(window=Window(0, 0, side, side), out_dtype="float32").mean(0)
    return image


def match_all(optical: NDArray[np.float32], sar: NDArray[np.float32], tiles: int) -> None:
    """So many tiles, spread evenly."""
    across = int(np.ceil(np.sqrt(tiles)))
    at = np.linspace(TILE, len(optical) - TILE, across)
    places = np.stack(np.meshgrid(at, at), -1).reshape(-1, 2)[:tiles]
    for place in places:
        match(METHODS["orientation"], optical, sar, place=place, side=TILE)


def part(name: str, folder: Path, tiles: int) -> float:
    """Seconds of one of the two parts, in this process."""
    if name == "read":
        return timed(lambda: read(folder))
    optical, sar = (held(folder / each) for each in (OPTICAL, SAR))
    return timed(lambda: match_all(optical, sar, tiles))


def timed(work: Callable[[], None]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def finished(command: list[str]) -> tuple[str, float, float]:
    """What a process printed, its seconds from start to end, and its peak resident memory in MB."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 1}:  # 1: the pair fails, as a pair that is 3 px aside should
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return told, time.perf_counter() - start, used.ru_maxrss * 1024 / 1e6


def main() -> None:
    """All rounds, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=16384)
    parser.add_argument("--tiles", type=int, default=1200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", choices=["read", "match"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.out / f"pair-{options.side}"
    if options.part:
        print(part(options.part, folder, options.tiles))
        return
    if not (folder / "done").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_pair(folder, options.side)
        (folder / "done").touch()
    own = [sys.executable, "-m", "benchmarks.registration_scale", *sys.argv[1:], "--part"]
    pair = [str(folder / name) for name in (OPTICAL, SAR)]
    coreg = [sys.executable, "-m", "rsfuse", "coreg", *pair, "--tiles", str(options.tiles), "--json", "-q"]
    rounds = []
    for _ in range(options.rounds):
        told, seconds, peak_mb = finished(coreg)
        parts = [float(finished([*own, name])[0]) for name in ("read", "match")]
        rounds.append((seconds, peak_mb, *parts, seconds / sum(parts)))
        report = json.loads(told)
        found = {name: report[name] for name in ("tiles", "accepted", "median_dx_px", "median_dy_px", "seconds")}
        print(found, [round(each, 2) for each in rounds[-1]], flush=True)
    seconds, peak_mb, reading, matching, ratio = (statistics.median(each) for each in zip(*rounds, strict=True))
    sizes = [f"{Path(each).stat().st_size / 1e6:.0f}" for each in pair]
    print(f"{options.side} x {options.side} px, {' and '.join(sizes)} MB: peak {peak_mb:.0f} MB")
    print(f"coreg {seconds:.1f} s, read {reading:.1f} s, match {matching:.1f} s: {ratio:.2f} of the two together")


if __name__ == "__main__":
    main()
