"""`rsfuse eval` on two large maps: beside scikit-learn and torchmetrics on arrays, and beside bare decoding of files.

Run: python -m benchmarks.eval --out FOLDER [--side 16384] [--rounds 3]
Maps of seven classes in smooth patches, of which some pixels differ, in deflated blocks of 512 px. In one run:

arrays  confusion matrix of both as arrays in memory, 4096 px a side (scikit-learn needs eight bytes a code and more):
        ours sample by sample as in evaluation, `sklearn.metrics.confusion_matrix`, `torchmetrics` on the CPU
files   all that evaluation gives by default, beside reading both files block row by block row in one thread, and
        the peak memory of a process that evaluates

Printed are medians, and ratios.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.transform import from_origin
from rasterio.windows import Window
from scipy import ndimage
from sklearn.metrics import confusion_matrix
from torchmetrics.functional.classification import multiclass_confusion_matrix

from rsfuse.legends import LEGENDS
from rsfuse.metrics.code_pairs import confusion_of
from rsfuse.metrics.confusion import count_pairs
from rsfuse.tasks.evaluate import EvalSettings, evaluate_maps

LEGEND = LEGENDS["whu-opt-sar"]
BLOCK, ARRAY, PATCH = 512, 4096, 2048
WRONG = 0.02  # of pixels, one by one


def patches(chance: np.random.Generator) -> NDArray[np.uint8]:
    """Codes of one patch of the maps: the class whose smooth noise is highest."""
    fields = [ndimage.gaussian_filter(chance.normal(size=(PATCH, PATCH)), 12, mode="wrap") for _ in LEGEND]
    return LEGEND.to_code(np.argmax(fields, 0))


def write_maps(folder: Path, side: int) -> tuple[Path, Path]:
    """A map and its labels."""
    chance = np.random.default_rng(0)
    codes = patches(chance)
    tiled = np.tile(codes, (1, -(-side // PATCH)))[:, :side]
    paths = folder / "map.tif", folder / "labels.tif"
    layout = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "nodata": 255}
    place = {"crs": "EPSG:32650", "transform": from_origin(300_000, 3_400_000, 5, 5)}
    for path in paths:
        with rasterio.open(path, "w", "GTiff", side, side, 1, dtype="uint8", **layout, **place) as file:
            for top in range(0, side, BLOCK):
                rows = tiled[np.arange(top, top + BLOCK) % PATCH].copy()
                wrong = chance.random(rows.shape, np.float32) < WRONG
                rows[wrong] = chance.choice(LEGEND.codes, int(wrong.sum()))
                file.write(rows, 1, window=Window(0, top, side, BLOCK))
    return paths


def decode(paths: tuple[Path, Path]) -> None:
    """Both files, a row of blocks at a time."""
    for path in paths:
        with rasterio.open(path) as file:
            for top in range(0, file.height, BLOCK):
                file.read(1, window=Window(0, top, file.width, BLOCK))


def ours(labels: NDArray[np.uint8], mapped: NDArray[np.uint8]) -> None:
    """A confusion of every sample."""
    for top in range(0, len(labels), BLOCK):
        for left in range(0, len(labels), BLOCK):
            part = np.s_[top : top + BLOCK, left : left + BLOCK]
            confusion_of(count_pairs(labels[part], mapped[part]), LEGEND)


def timed(what: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def peak_mb(paths: tuple[Path, Path]) -> float:
    """Of a process that evaluates."""
    code = (
        "import sys; from rsfuse.cli import app; from typer.testing import CliRunner;"
        "done = CliRunner().invoke(app, ['eval', *sys.argv[1:], '--legend', 'whu-opt-sar', '-q']);"
        "assert done.exit_code == 0, done.output;"
        "told = dict(line.split(':', 1) for line in open('/proc/self/status'));"
        "print(int(told['VmHWM'].split()[0]) / 1024)"  # unlike ru_maxrss, nothing of the process that started it
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=16_384)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    paths = write_maps(options.out, options.side)
    arrays = []
    for path in paths[::-1]:
        with rasterio.open(path) as file:
            arrays.append(file.read(1, window=Window(0, 0, ARRAY, ARRAY)))
    labels, mapped = arrays
    indices = [LEGEND.to_index(each) for each in arrays]
    tensors = [torch.from_numpy(each).long().flatten() for each in indices]
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: ours(labels, mapped),
        "scikit-learn": lambda: confusion_matrix(labels.ravel(), mapped.ravel()),
        "torchmetrics": lambda: multiclass_confusion_matrix(tensors[1], tensors[0], len(LEGEND)),
        "decoding": lambda: decode(paths),
        "evaluation": lambda: evaluate_maps([paths], EvalSettings(LEGEND)),
    }
    seconds = {name: statistics.median(timed(way) for _ in range(options.rounds)) for name, way in ways.items()}
    for name in ("ours", "scikit-learn", "torchmetrics"):
        print(f"{name}: {ARRAY**2 / 1e6 / seconds[name]:.0f} Mpx/s, {seconds[name] / seconds['ours']:.1f} times ours")
    bare, whole = seconds["decoding"], seconds["evaluation"]
    print(f"decoding both files {bare:.2f} s, evaluation {whole:.2f} s: {whole / bare:.2f} times")
    print(f"{peak_mb(paths):.0f} MB of memory at most")


if __name__ == "__main__":
    main()
