"""How fast many maps become one: `rsfuse mosaic` against gdal_merge.py, rio merge and gdalwarp, first map wins.

Run: python -m benchmarks.mosaic --out FOLDER [--side 20000] [--across 4] [--rounds 3] [--only rsfuse gdalwarp-cog]
Makes ACROSS x ACROSS maps that overlap by a tenth and together are SIDE x SIDE pixels (16 by default; --across 32 for
1,024), of seven classes in patches, as cloud optimised GeoTIFFs with a strip without data. Each program then runs in a
process of its own, in turn, ROUNDS times. Names without an ending write what the program writes by default, which is no
cloud optimised GeoTIFF; those that end in -cog make one with packed class codes and overviews by mode, which is what
rsfuse writes. Prints seconds (best and median), the processor's seconds of the best, peak memory of the largest process
and the size of the file; then whether the pixels of rsfuse are those of gdalwarp, and the ratios.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import ndimage

from rsfuse.legends import LEGENDS
from rsfuse.raster.cog import write_cog
from rsfuse.raster.painted import paint

TEXTURE, PATCH = 4096, 64  # px: a map is cut out of a texture that repeats; classes lie in patches of about this size
GAP = 30  # rows without data at the top of each map
COG = "-of COG -co COMPRESS=DEFLATE -co NUM_THREADS=ALL_CPUS -co OVERVIEW_RESAMPLING=MODE"
LAUNCHER = """
import resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(["/bin/sh", "-c", sys.argv[1]]).returncode
wall, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(code)
"""  # a process takes over the peak memory of the one that starts it: this one is small
FIRST_OF_PEERS = "gdalwarp"  # whose pixels are compared


@dataclass(frozen=True)
class Taken:
    """What one run took: seconds on the wall, of the processor, and MB of the largest process."""

    wall: float
    processor: float
    memory_mb: float


def texture() -> NDArray[np.uint8]:
    """Codes (TEXTURE, TEXTURE) in patches with frayed edges."""
    chance = np.random.default_rng(0)
    codes = np.array(LEGENDS["whu-opt-sar"].codes, np.uint8)
    best, chosen = np.full((TEXTURE, TEXTURE), -np.inf, np.float32), np.zeros((TEXTURE, TEXTURE), np.uint8)
    for code in codes.tolist():
        coarse = chance.normal(size=(TEXTURE // PATCH, TEXTURE // PATCH)).astype(np.float32)
        fine = ndimage.zoom(coarse, 8, order=1, mode="grid-wrap", grid_mode=True)
        fine += 0.3 * chance.normal(size=fine.shape).astype(np.float32)
        field = ndimage.zoom(fine, PATCH // 8, order=1, mode="grid-wrap", grid_mode=True)
        chosen[field > best] = code
        np.maximum(best, field, out=best)
    return chosen


def write_maps(folder: Path, side: int, across: int) -> list[Path]:
    """The maps, those that are there already left as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    pattern, step = texture(), side // across
    chance = np.random.default_rng(1)
    paths = []
    for row in range(across):
        for column in range(across):
            (top, left), (bottom, right) = (
                [max(at * step - step // 20, 0) for at in (row, column)],
                [min((at + 1) * step + step // 20, side) if at + 1 < across else side for at in (row, column)],
            )
            rows, columns = (np.arange(stop - start) for start, stop in ((top, bottom), (left, right)))
            moved = chance.integers(0, TEXTURE, 2)
            paths.append(folder / f"map_{row:02}_{column:02}.tif")
            if not paths[-1].is_file():
                codes = pattern[np.ix_((rows + moved[0]) % TEXTURE, (columns + moved[1]) % TEXTURE)]
                codes[:GAP] = 255
                _write(paths[-1], codes, Affine(10, 0, 500_000 + 10 * left, 0, -10, 4_000_000 - 10 * top))
    return paths


def _write(path: Path, codes: NDArray[np.uint8], place: Affine) -> None:
    draft = path.with_name("draft.tif")
    size = {"count": 1, "height": codes.shape[0], "width": codes.shape[1], "dtype": "uint8", "nodata": 255}
    with rasterio.open(draft, "w", driver="GTiff", crs="EPSG:32650", transform=place, tiled=True, **size) as file:
        paint(file, LEGENDS["whu-opt-sar"])
        file.write(codes, 1)
    write_cog(draft, path, resampling="MODE", predictor=False)
    draft.unlink()


def commands(maps: list[Path], folder: Path) -> dict[str, str]:
    """A shell command of each contestant; it writes NAME.tif. Of gdalwarp and gdal_merge.py the last map wins."""
    forward, backward = (shlex.join(map(str, each)) for each in (maps, maps[::-1]))
    rio = shutil.which("rio") or str(Path(sys.executable).with_name("rio"))
    merge = "gdal_merge.py -q -n 255 -init 255 -a_nodata 255"

    def then_cog(name: str, command: str) -> str:
        return f"{command.format(plain=folder / f'{name}-plain.tif')} && gdal_translate -q {COG} " + shlex.join(
            [str(folder / f"{name}-plain.tif"), str(folder / f"{name}.tif")]
        )

    return {
        "rsfuse": f"{sys.executable} -m rsfuse mosaic {forward} --rule first -q -o {folder}/rsfuse.tif",
        "gdalwarp": f"gdalwarp -q {backward} {folder}/gdalwarp.tif",
        "gdal_merge": f"{merge} -o {folder}/gdal_merge.tif {backward}",
        "rio-merge": f"{rio} merge {forward} {folder}/rio-merge.tif",
        "gdalwarp-cog": f"gdalwarp -q {COG} {backward} {folder}/gdalwarp-cog.tif",
        "gdal_merge-cog": then_cog("gdal_merge-cog", f"{merge} -o {{plain}} {backward}"),
        "rio-merge-cog": then_cog("rio-merge-cog", f"{rio} merge {forward} {{plain}}"),
    }


def run(command: str) -> Taken:
    """One run, and what its processes took."""
    done = subprocess.run([sys.executable, "-S", "-c", LAUNCHER, command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"exit code {done.returncode}: {command[:300]}\n{done.stderr[-1000:]}")
    wall, processor, memory_kb = map(float, done.stdout.splitlines()[-1].split())
    return Taken(wall, processor, memory_kb * 1024 / 1e6)


def differing(one: Path, other: Path) -> int:
    """Pixels that differ between two rasters of one size."""
    with rasterio.open(one) as first, rasterio.open(other) as second:
        assert first.shape == second.shape
        assert first.transform.almost_equals(second.transform, 1e-6)
        rows = [Window(0, top, first.width, min(512, first.height - top)) for top in range(0, first.height, 512)]
        return sum(int((first.read(1, window=each) != second.read(1, window=each)).sum()) for each in rows)


def main() -> None:
    """Run all in turn, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--across", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=None)
    options = parser.parse_args()
    maps = write_maps(options.out / f"maps_{options.side}_{options.across}", options.side, options.across)
    contestants = commands(maps, options.out)
    chosen = {name: contestants[name] for name in options.only or contestants}
    taken: dict[str, list[Taken]] = {name: [] for name in chosen}
    for number in range(options.rounds):
        for name, command in chosen.items():
            for old in (options.out / f"{name}.tif", options.out / f"{name}-plain.tif"):
                old.unlink(missing_ok=True)
            taken[name].append(run(command))
            print(f"round {number + 1}: {name} {taken[name][-1].wall:.2f} s", file=sys.stderr, flush=True)
    print(f"{len(maps)} maps to {options.side} x {options.side} px")
    for name, runs in taken.items():
        best = min(runs, key=lambda each: each.wall)
        size = (options.out / f"{name}.tif").stat().st_size / 1e6
        print(
            f"{name:15} {best.wall:7.2f} s, median {median(each.wall for each in runs):7.2f} s, processor "
            f"{best.processor:7.2f} s, {max(each.memory_mb for each in runs):6.0f} MB, file {size:7.1f} MB"
        )
    if {"rsfuse", FIRST_OF_PEERS} <= set(taken):
        count = differing(options.out / "rsfuse.tif", options.out / f"{FIRST_OF_PEERS}.tif")
        print(f"pixels unlike those of {FIRST_OF_PEERS}: {count}")
    if "rsfuse" in taken:
        ours = min(each.wall for each in taken["rsfuse"])
        for ending, what in (("-cog", "to the same kind of file"), ("", "to whatever they write by default")):
            peers = [name for name in taken if name != "rsfuse" and name.endswith("-cog") == (ending == "-cog")]
            if peers:
                fastest = min(peers, key=lambda name: min(each.wall for each in taken[name]))
                theirs = min(each.wall for each in taken[fastest])
                print(f"{what}: the fastest is {fastest}, {theirs / ours:.2f} times as long as rsfuse")


if __name__ == "__main__":
    main()
