"""How fast and small `rsfuse prepare` is on a complex SAR scene, beside gdalwarp on the same image.

Run: python -m benchmarks.prepare --out FOLDER [--side 20000] [--rounds 2]
A synthetic Gaofen-3 L1A scene of one polarisation: SIDE x SIDE complex pixels of 16 bits, in strips as the vendor's
are, and made-up polynomials. Processes in turn, ROUNDS times; GDAL's programs must be there (apt install gdal-bin):

prepare        `rsfuse prepare --unpacked`: sigma0 in dB, a plain tiled GeoTIFF
prepare-cog    the same without that option: a cloud optimised GeoTIFF with overviews
gdalwarp       I and Q bilinear on the same grid by as many threads, 0 as no data: a plain tiled GeoTIFF
gdalwarp-all   the same without a word of no data, so that it does not look where there is none
gdalwarp-cog   the first, then gdal_translate of its first band to a packed, cloud optimised GeoTIFF

Prints seconds (best), megapixels of the grid a second, peak memory, and the rates of prepare over those of gdalwarp.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import rasterio
from rasterio.windows import Window

from benchmarks.mosaic import Taken, run
from rsfuse.raster.cores import usable_cores
from rsfuse.raster.opening import quiet

TESTS = Path(__file__).parent.parent / "tests"
TEXTURE = 2048
WAYS = "prepare", "prepare-cog", "gdalwarp", "gdalwarp-all", "gdalwarp-cog"
COG = "-of COG -co COMPRESS=DEFLATE -co LEVEL=1 -co PREDICTOR=YES -co NUM_THREADS=ALL_CPUS -co RESAMPLING=AVERAGE"


def write_product(folder: Path, side: int) -> Path:
    """The folder of the scene; one that is there is left as it is."""
    products = SimpleNamespace(**run_path(str(TESTS / "gaofen_products.py")))
    ground = products.ground
    there = list(folder.glob("GF3_*/*.rpb"))
    if there:
        return there[0].parent
    made = products.write_gf3(folder, "HH", "L1A")
    (image,) = made.path.glob("*.tiff")
    (meta,) = made.path.glob("*.meta.xml")
    view = ground.View((side, side), (5.2, 3.92), turned_deg=-11.0, lean=-1.4)
    text = meta.read_text(encoding="utf-8")
    for tag, was in (("width", 160), ("height", 192)):
        text = text.replace(f"<{tag}>{was}</{tag}>", f"<{tag}>{side}</{tag}>")
    meta.write_text(text, encoding="utf-8")
    _write_speckle(image, side)  # which takes the polynomials of the small image away
    image.with_suffix(".rpb").write_text(ground.rpb_text(ground.synthetic_rpc(view), "GF3"))
    return Path(made.path)


def _write_speckle(path: Path, side: int) -> None:
    chance = np.random.default_rng(0)
    pattern = np.rint(chance.normal(scale=900, size=(2, TEXTURE, TEXTURE))).astype(np.int16)
    wide = np.tile(pattern, (1, 1, -(-side // TEXTURE)))[..., :side]
    size = {"width": side, "height": side, "count": 2, "dtype": "int16"}
    with quiet(), rasterio.open(path, "w", driver="GTiff", bigtiff="IF_SAFER", **size) as file:
        for top in range(0, side, TEXTURE):
            rows = min(TEXTURE, side - top)
            file.write(wide[:, :rows], window=Window(0, top, side, rows))


def warp_options(result: Path) -> str:
    """The grid of a result, in gdalwarp's words."""
    with rasterio.open(result) as file:
        bounds, (width, height) = file.bounds, file.res
        box = " ".join(f"{each:.12g}" for each in (bounds.left, bounds.bottom, bounds.right, bounds.top))
        return f"-t_srs EPSG:{file.crs.to_epsg()} -te {box} -tr {width:.12g} {height:.12g}"


def main() -> None:
    """Run all in turn, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    folder = options.out / str(options.side)
    folder.mkdir(parents=True, exist_ok=True)
    product = write_product(folder, options.side)
    results = {name: folder / f"{name}.tif" for name in WAYS}
    taken: dict[str, list[Taken]] = {name: [] for name in WAYS}
    for number in range(options.rounds):
        for name, path in results.items():
            path.unlink(missing_ok=True)
            taken[name].append(run(_command(name, product, results)))
            print(f"round {number + 1}: {name} {taken[name][-1].wall:.1f} s", file=sys.stderr, flush=True)
    with rasterio.open(results["prepare"]) as file:
        megapixels = file.width * file.height / 1e6
    best = {name: min(each.wall for each in runs) for name, runs in taken.items()}
    for name, runs in taken.items():
        memory = max(each.memory_mb for each in runs)
        print(f"{name:12} {best[name]:7.1f} s, {megapixels / best[name]:6.1f} megapixels a second, {memory:6.0f} MB")
    for own, other in (("prepare", "gdalwarp"), ("prepare", "gdalwarp-all"), ("prepare-cog", "gdalwarp-cog")):
        print(f"rate of {own} over that of {other}: {best[other] / best[own]:.2f}")


def _command(name: str, product: Path, results: dict[str, Path]) -> str:
    if name.startswith("prepare"):
        unpacked = ["--unpacked"] if name == "prepare" else []
        command = [sys.executable, "-m", "rsfuse", "prepare", str(product), "-q", *unpacked, "-o", str(results[name])]
        return shlex.join(command)
    (image,) = product.glob("*.tiff")
    threads = f"-multi -wo NUM_THREADS={usable_cores()}"
    nodata = "" if name == "gdalwarp-all" else "-srcnodata 0 -dstnodata 0"
    grid = warp_options(results["prepare"])
    plain = results[name].with_suffix(".plain.tif") if name == "gdalwarp-cog" else results[name]
    kind = "-co TILED=YES -co BIGTIFF=YES"
    warp = f"gdalwarp -q -overwrite -rpc -r bilinear {threads} {nodata} {grid} {kind} {image} {plain}"
    if name != "gdalwarp-cog":
        return warp
    return f"{warp} && gdal_translate -q {COG} -b 1 {plain} {results[name]} && rm {plain}"


if __name__ == "__main__":
    main()
