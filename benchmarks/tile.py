"""`rsfuse tile` beside GDAL's gdal_retile.py and a plain loop of rasterio, on the same files in one run.

Run: python -m benchmarks.tile --out FOLDER [--side 16384] [--rounds 3]
Needs gdal_retile.py (Debian: python3-gdal). Cuts a simulated scene (4 bands of uint16, SAR, labels; 512 px blocks,
DEFLATE) into tiles of 512 px: the same layers, compression and cores for all, in turn, and prints medians, ratios and
the peak memory of `rsfuse tile` with all its processes. Then it plans a scene of 30 000 x 30 000 px without copying a
pixel, and reads random tiles from the cut set and from a set without copies.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import rasterio
from affine import Affine
from rasterio.windows import Window

from rsfuse.raster.tiles import TileSet
from rsfuse.simulate import SimulatedScene, write_scene

SIZE = 512
LAYERS = {"optical": "optical.tif", "sar": "sar.tif", "labels": "truth.tif"}
PACKINGS = {
    "deflate": ["COMPRESS=DEFLATE", "ZLEVEL=1", "PREDICTOR=2"],
    "zstd": ["COMPRESS=ZSTD", "ZSTD_LEVEL=1", "PREDICTOR=2"],
    "none": ["COMPRESS=NONE"],
}
READS = 1500


def retile(scene: Path, folder: Path, packing: str) -> None:
    """One run of gdal_retile.py for each layer."""
    options = [part for each in PACKINGS[packing] for part in ("-co", each)]
    for layer, name in LAYERS.items():
        (folder / layer).mkdir(parents=True)
        command = ["gdal_retile.py", "-q", "-ps", str(SIZE), str(SIZE), *options, "-targetDir", str(folder / layer)]
        subprocess.run([*command, str(scene / name)], check=True, stdout=subprocess.DEVNULL)


def loop(scene: Path, folder: Path, packing: str) -> None:
    """The loop that everybody writes: a window read, a file written."""
    options = {key.lower(): value for key, _, value in (each.partition("=") for each in PACKINGS[packing])}
    for layer, name in LAYERS.items():
        (folder / layer).mkdir(parents=True)
        with rasterio.open(scene / name) as source:
            profile = source.profile | {"height": SIZE, "width": SIZE} | options
            for row in range(0, source.height, SIZE):
                for column in range(0, source.width, SIZE):
                    window = Window(column, row, SIZE, SIZE)
                    profile["transform"] = source.window_transform(window)
                    with rasterio.open(folder / layer / f"{row}_{column}.tif", "w", **profile) as target:
                        target.write(source.read(window=window))


def rsfuse(scene: Path, folder: Path, *options: str) -> list[str]:
    """The command that cuts every tile."""
    paths = [str(scene / "optical.tif"), "--sar", str(scene / "sar.tif"), "--labels", str(scene / "truth.tif")]
    return [sys.executable, "-m", "rsfuse", "tile", *paths, "--size", str(SIZE), "-o", str(folder), "-q", *options]


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_mb(command: list[str]) -> float:
    """Memory of a process and all its children together, shared pages counted once (PSS), at the worst moment."""
    process, peaks = subprocess.Popen(command), [0.0]

    def watch() -> None:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                tree = [root, *root.children(recursive=True)]
                peaks.append(sum(each.memory_full_info().pss for each in tree) / 1e6)
            except psutil.Error:
                continue
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{command} failed")
    return max(peaks)


def compare(scene: Path, folder: Path, packing: str, rounds: int) -> None:
    """All three in turn, round by round."""
    # the scene is packed like that itself: "scene" takes its blocks over, as `rsfuse tile` does by default
    compress = "scene" if packing == "deflate" else packing
    ways: dict[str, Callable[[], object]] = {
        "gdal_retile": lambda: retile(scene, folder, packing),
        "rasterio loop": lambda: loop(scene, folder, packing),
        "rsfuse": lambda: subprocess.run(
            rsfuse(scene, folder, "--split", "train", "--compress", compress), check=True, stdout=subprocess.DEVNULL
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            shutil.rmtree(folder, ignore_errors=True)
            seconds[name].append(timed(work))
    shutil.rmtree(folder, ignore_errors=True)
    peak = peak_mb(rsfuse(scene, folder, "--split", "train", "--compress", compress))
    shutil.rmtree(folder, ignore_errors=True)
    middle = {name: statistics.median(each) for name, each in seconds.items()}
    told = ", ".join(f"{name} {value:.1f} s" for name, value in middle.items())
    print(f"{packing}: {told}; gdal_retile / rsfuse {middle['gdal_retile'] / middle['rsfuse']:.2f}, ", end="")
    print(f"rasterio loop / rsfuse {middle['rasterio loop'] / middle['rsfuse']:.2f}; rsfuse at most {peak:.0f} MB")


def plan_large(folder: Path, side: int = 30_000) -> None:
    """A sparse scene of 30 000 x 30 000 px: what counts is the plan, no pixel is there to be read."""
    folder.mkdir(parents=True, exist_ok=True)
    place = {"crs": "EPSG:32650", "transform": Affine(1, 0, 500_000, 0, -1, 3_400_000)}
    blocks = {"tiled": True, "blockxsize": SIZE, "blockysize": SIZE, "sparse_ok": True, "driver": "GTiff"}
    for name, bands, dtype in (("optical", 4, "uint16"), ("sar", 1, "uint16"), ("truth", 1, "uint8")):
        layer = {"height": side, "width": side, "count": bands, "dtype": dtype}
        with rasterio.open(folder / f"{name}.tif", "w", **place, **blocks, **layer):
            pass
    for survey in ("--no-survey", "--survey"):
        command = [*rsfuse(folder, folder / "plan", "--manifest-only", survey, "--overwrite"), "--json"]
        start = time.perf_counter()
        done = subprocess.run([*command, "--legend", "sentinel-5"], check=True, capture_output=True)
        report = json.loads(done.stdout)
        print(
            f"30 000 x 30 000 px, {survey}: {report['tiles']} tiles planned in {report['planned_seconds']:.3f} s, "
            f"command {time.perf_counter() - start:.1f} s, no pixel copied"
        )


def read_random(scene: Path, folder: Path, rounds: int) -> None:
    """Random tiles, as training draws them, from files and from windows of the scene."""
    for name, options in (("cut", ()), ("windows", ("--manifest-only",))):
        command = rsfuse(scene, folder / name, "--split", "train", "--overwrite", *options)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    sets = {name: TileSet(folder / name) for name in ("cut", "windows")}
    seconds: dict[str, list[float]] = {name: [] for name in sets}
    for number in range(rounds):
        drawn = np.random.default_rng(number).integers(len(sets["cut"].manifest.tiles), size=READS // rounds)
        for name, tiles in sets.items():
            seconds[name].append(timed(lambda: [tiles.read(tiles.manifest.tiles[at]) for at in drawn]))  # noqa: B023
    rates = {name: READS // rounds / statistics.median(each) for name, each in seconds.items()}
    print(
        f"random tiles: {rates['cut']:.0f} a second from files, {rates['windows']:.0f} from windows of the scene, "
        f"ratio {rates['windows'] / rates['cut']:.2f}"
    )


def main() -> None:
    """Compare, plan, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=16384)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--packings", nargs="*", default=list(PACKINGS), choices=PACKINGS)
    options = parser.parse_args()
    scene = options.out / f"scene-{options.side}"
    if not (scene / "truth.tif").is_file():
        write_scene(SimulatedScene(height=options.side, width=options.side, seed=5), scene, overwrite=True)
    for packing in options.packings:
        compare(scene, options.out / "tiles", packing, options.rounds)
    plan_large(options.out / "large")
    read_random(scene, options.out / "reads", options.rounds)


if __name__ == "__main__":
    main()
