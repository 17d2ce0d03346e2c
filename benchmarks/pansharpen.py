"""How fast a scene of Gaofen-2's size is sharpened, beside a plain copy of the same bytes.

Run: python -m benchmarks.pansharpen --out FOLDER [--height 29200] [--width 27600] [--rounds 2] [--methods gsa]
A simulated scene: a panchromatic raster and four multispectral bands of pixels four times as large, uint16 in plain
GeoTIFFs. Processes in turn, ROUNDS times; GDAL's programs must be there (apt install gdal-bin):

METHOD         `rsfuse pansharpen --unpacked`, from its start to its end: a plain GeoTIFF
METHOD-cog     the same without that option: a cloud optimised one with overviews
copy           both rasters read in blocks and as many bytes as the result has written to a plain GeoTIFF
copy-cog       gdal_translate of the sharpened pixels, unpacked, to the kind of file that rsfuse writes: cloud
               optimised, packed at the same level, with overviews

Prints seconds (best), megapixels a second, peak memory, and the rate over that of the copy to the same kind of file.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from benchmarks.mosaic import Taken, run

TEXTURE, RATIO, BANDS = 2048, 4, ("blue", "green", "red", "nir")
COG = "-of COG -co COMPRESS=DEFLATE -co LEVEL=1 -co PREDICTOR=YES -co NUM_THREADS=ALL_CPUS -co RESAMPLING=AVERAGE"
KINDS = {"": ["--unpacked"], "-cog": []}
COPY = """
import sys
import numpy as np
import rasterio
from rasterio.windows import Window
pan, ms, target = sys.argv[1:]
with rasterio.open(pan) as fine, rasterio.open(ms) as coarse:
    size = {"width": fine.width, "height": fine.height, "count": coarse.count, "dtype": "uint16"}
    layout = {"driver": "GTiff", "tiled": True, "blockxsize": 512, "blockysize": 512, "bigtiff": "YES"}
    with rasterio.open(target, "w", **layout, **size) as file:
        for top in range(0, fine.height, 512):
            rows = min(512, fine.height - top)
            read = fine.read(1, window=Window(0, top, fine.width, rows))
            coarse.read(window=Window(0, top // 4, coarse.width, rows // 4))
            file.write(np.broadcast_to(read, (coarse.count, *read.shape)), window=Window(0, top, fine.width, rows))
"""


def texture() -> NDArray[np.float32]:
    """Bands (4, TEXTURE, TEXTURE) that share most of their detail, without an edge where they repeat."""
    chance = np.random.default_rng(0)
    waves = np.hypot(np.fft.fftfreq(TEXTURE)[:, None], np.fft.rfftfreq(TEXTURE))
    spectra = np.fft.rfft2(chance.standard_normal((len(BANDS) + 1, TEXTURE, TEXTURE)))
    noise = np.fft.irfft2(spectra / np.maximum(waves, 1 / TEXTURE) ** 1.3)
    noise /= noise.std((1, 2), keepdims=True)
    bands: NDArray[np.float32] = np.clip(400 + 60 * (0.85 * noise[-1] + 0.5 * noise[:-1]), 1, 1023).astype(np.float32)
    return bands


def write_scene(folder: Path, height: int, width: int) -> tuple[Path, Path]:
    """The pair; one that is there already is left as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    pan, ms = folder / "pan.tif", folder / "ms.tif"
    if not ms.is_file():
        bands = texture()
        small = TEXTURE // RATIO
        _write(pan, bands.mean(0, keepdims=True), (height, width), 1.0)
        coarse = bands.reshape(len(BANDS), small, RATIO, small, RATIO).mean((2, 4))
        _write(ms, coarse, (height // RATIO, width // RATIO), float(RATIO))
    return pan, ms


def _write(path: Path, pattern: NDArray[np.float32], shape: tuple[int, int], gsd_m: float) -> None:
    (height, width), side = shape, pattern.shape[-1]
    row = np.tile(np.rint(pattern).astype(np.uint16), (1, 1, -(-width // side)))[..., :width]
    place = {"crs": "EPSG:32650", "transform": Affine(gsd_m, 0, 400_000, 0, -gsd_m, 4_400_000)}
    size = {"height": height, "width": width, "count": len(pattern), "dtype": "uint16"}
    with rasterio.open(
        path, "w", driver="GTiff", photometric="MINISBLACK", alpha="UNSPECIFIED", **size, **place
    ) as file:
        for top in range(0, height, side):
            rows = min(side, height - top)
            file.write(row[:, :rows], window=((top, top + rows), (0, width)))
        if len(pattern) == len(BANDS):
            file.descriptions = BANDS


def main() -> None:
    """Run all in turn, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--height", type=int, default=29_200)
    parser.add_argument("--width", type=int, default=27_600)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--methods", nargs="+", default=["gsa"])
    options = parser.parse_args()
    folder = options.out / f"{options.height}x{options.width}"
    pan, ms = write_scene(folder, options.height, options.width)
    ways = {f"{method}{ending}": [method, *option] for method in options.methods for ending, option in KINDS.items()}
    files = {name: folder / f"{name}.tif" for name in ("copy", "copy-cog", *ways)}
    sharpen = [sys.executable, "-m", "rsfuse", "pansharpen", str(pan), str(ms), "-q", "--sensor", "gf2", "--method"]
    commands = {name: shlex.join([*sharpen, *way, "-o", str(files[name])]) for name, way in ways.items()}
    commands["copy"] = shlex.join([sys.executable, "-c", COPY, str(pan), str(ms), str(files["copy"])])
    commands["copy-cog"] = f"gdal_translate -q {COG} {files[options.methods[0]]} {files['copy-cog']}"
    taken: dict[str, list[Taken]] = {name: [] for name in commands}
    for number in range(options.rounds):
        for name, command in commands.items():
            files[name].unlink(missing_ok=True)
            taken[name].append(run(command))
            print(f"round {number + 1}: {name} {taken[name][-1].wall:.1f} s", file=sys.stderr, flush=True)
            if name == "copy":
                files[name].unlink()
    megapixels = options.height * options.width / 1e6
    best = {name: min(each.wall for each in runs) for name, runs in taken.items()}
    for name, runs in taken.items():
        memory = max(each.memory_mb for each in runs)
        print(f"{name:12} {best[name]:7.1f} s, {megapixels / best[name]:6.1f} megapixels a second, {memory:6.0f} MB")
    for method in options.methods:
        for ending in KINDS:
            name, copy = f"{method}{ending}", f"copy{ending}"
            print(f"rate of {name} over that of {copy}: {best[copy] / best[name]:.2f}")


if __name__ == "__main__":
    main()
