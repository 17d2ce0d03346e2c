"""Networks on onnxruntime beside the same on torch, both on the CPU: patches a second, and seconds to the first one.

Run: python -m benchmarks.runtime --out FOLDER [--only pad whfnet mfafnet f2net cf2n sentinel-10m] [--rounds 7]
    [--starts 3]
Bundles of random weights, of the sizes of the recipes with small networks, and the one that ships, are exported into
FOLDER, which takes minutes; those that are there are taken as they are. Both predictors score the same batch in turn in
one process. To the first patch: whole processes in turn, from the start of Python to the probabilities of one patch.
Prints medians and their ratio: above 1, the graph is the faster.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from rsfuse.learn.bundles.land_cover import Bundle, BundleManifest, PatchSize, build_network, save_bundle
from rsfuse.learn.bundles.sharpening import (
    SharpeningBundle,
    SharpeningManifest,
    build_sharpener,
    open_any_bundle,
    save_sharpening_bundle,
)
from rsfuse.learn.inference.predictor import Predictor, SharpeningPredictor
from rsfuse.learn.recipes.inputs import SettledInputs
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.recipes.recipe import SharpeningRecipe
from rsfuse.learn.runtimes.waking import wake, wake_sharpening
from rsfuse.legends import LEGENDS
from rsfuse.tasks.export import ExportSettings, export
from rsfuse_models.layers.pretrained import without_pretrained

BATCHES = 1, 4
RATIO, BANDS, DIVISOR = 4, ("coastal", "blue", "green", "yellow", "red", "red-edge", "nir", "nir2"), 2047
PAUSE_S = 0.05  # idle threads of either runtime spin for a while, on the cores that the other wants
START = """
import sys, time
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.runtimes.waking import wake
bundle = Bundle.open(sys.argv[1])
predictor, inputs, side = wake(bundle, device="cpu"), bundle.manifest.inputs, int(sys.argv[2])
rooms = [predictor.arrays.batch(1, (len(bands), side, side)) for bands in (inputs.optical, inputs.sar)]
for room in rooms:
    room.pixels[:] = 0.5
predictor.score(*(room.sent(1) for room in rooms))
print(time.time())
"""


class Row(NamedTuple):
    """A network, and the sides of its patches in pixels.

    Args:
        recipe: with the network's size; or the name of a bundle that ships.
        sides: the recipe's own first.
        settings: as of `--set`.
    """

    recipe: str
    sides: Sequence[int]
    settings: Sequence[str] = ()


ROWS = {
    "pad": Row("pad_porto-alegre", (128, 512)),
    "whfnet": Row("whfnet_porto-alegre", (128, 512)),
    "mfafnet": Row("mfafnet_porto-alegre", (128, 512)),
    "f2net": Row("f2net_dubai", (256,)),
    "cf2n": Row("cf2n_scene", (256,), ("network.channels=16",)),
    "sentinel-10m": Row("sentinel-10m", (128,)),
}


def random_bundle(name: str, folder: Path) -> Path:
    """A bundle of random weights."""
    row = ROWS[name]
    recipe = load_recipe(row.recipe, row.settings)
    torch.manual_seed(0)
    size = PatchSize(size=row.sides[0], halo=recipe.training.halo)
    if isinstance(recipe, SharpeningRecipe):
        return _random_sharpener(recipe, size, folder)
    network, legend = without_pretrained(recipe.network), LEGENDS["sentinel-5"]
    manifest = BundleManifest(
        description="random weights, for measuring time",
        network=network,
        inputs=recipe.inputs,
        statistics=None,
        legend=legend.to_dict(),
        patch=size,
        gsd_m=10.0,
        trained_on=(),
        scores={},
    )
    weights = build_network(network, recipe.inputs, len(legend)).state_dict()
    return save_bundle(folder, manifest, weights, storage="float32", card="# random\n").folder


def _random_sharpener(recipe: SharpeningRecipe, size: PatchSize, folder: Path) -> Path:
    manifest = SharpeningManifest(
        description="random weights, for measuring time",
        network=recipe.network,
        inputs=SettledInputs(ms=BANDS, divisor=DIVISOR),
        ratio=RATIO,
        maximum=DIVISOR,
        patch=size,
        sensors=("wv2",),
        trained_on=(),
        scores={},
    )
    weights = build_sharpener(recipe.network, len(BANDS), RATIO).state_dict()
    return save_sharpening_bundle(folder, manifest, weights, storage="float32").folder


def graph_of(name: str, side: int, folder: Path) -> tuple[Path, Path]:
    """Folders of a bundle and of its graph for patches of a side, made where they are not there."""
    source, target = folder / name, folder / f"{name}-{side}"
    if ROWS[name].recipe == name:
        source = Bundle.open(name).folder
    elif not source.is_dir():
        random_bundle(name, source)
    if not target.is_dir():
        print(f"exporting {name} for {side} px", file=sys.stderr, flush=True)
        export(source, target, ExportSettings(patch=side))
    return source, target


def awake(folder: Path) -> Predictor | SharpeningPredictor:
    """The predictor of a bundle of either kind, on the CPU."""
    bundle = open_any_bundle(folder)
    return wake_sharpening(bundle, device="cpu") if isinstance(bundle, SharpeningBundle) else wake(bundle, device="cpu")


def batch_of(predictor: Predictor | SharpeningPredictor, count: int, side: int) -> Callable[[], object]:
    """One call that scores a batch of patches, the same for every predictor of a bundle."""
    given, chance = [], np.random.default_rng(0)
    for shape in _shapes(predictor.bundle, side):
        room = predictor.arrays.batch(count, shape)
        room.pixels[:] = chance.random((count, *shape), np.float32)
        given.append(room.sent(count))
    return lambda: predictor.score(*given)


def _shapes(bundle: Bundle | SharpeningBundle, side: int) -> list[tuple[int, int, int]]:
    if isinstance(bundle, SharpeningBundle):
        return [(1, side, side), (len(bundle.manifest.inputs.ms), side // RATIO, side // RATIO)]
    inputs = bundle.manifest.inputs
    return [(len(bands), side, side) for bands in (inputs.optical, inputs.sar)]


def medians(calls: Sequence[Callable[[], float]], rounds: int) -> list[float]:
    """Median of the seconds that each call tells, called in turn; the first round does not count."""
    taken = [[call() for call in calls] for _ in range(rounds + 1)][1:]
    return [statistics.median(each) for each in zip(*taken, strict=True)]


def timed(call: Callable[[], object]) -> Callable[[], float]:
    """Seconds of a call."""

    def measured() -> float:
        time.sleep(PAUSE_S)
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return measured


def started(folder: Path, side: int) -> Callable[[], float]:
    """Seconds from the start of Python to the first patch of a bundle."""

    def measured() -> float:
        start = time.time()
        command = [sys.executable, "-c", START, str(folder), str(side)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) - start

    return measured


def main() -> None:
    """Measure what is asked for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--starts", type=int, default=3)
    options = parser.parse_args()
    pairs = {(name, side): graph_of(name, side, options.out) for name in options.only for side in ROWS[name].sides}
    print("| network | patch, px | batch | torch | onnxruntime | ratio |\n|---|---|---|---|---|---|")
    for (name, side), folders in pairs.items():
        predictors = [awake(folder) for folder in folders]
        for batch in BATCHES if options.rounds else ():
            eager, graph = medians([timed(batch_of(each, batch, side)) for each in predictors], options.rounds)
            rates = f"{batch / eager:.2f} patches/s | {batch / graph:.2f} patches/s"
            print(f"| {name} | {side} | {batch} | {rates} | {eager / graph:.2f} |", flush=True)
    for (name, side), folders in pairs.items():
        if options.starts and side == ROWS[name].sides[0] and isinstance(open_any_bundle(folders[0]), Bundle):
            eager, graph = medians([started(folder, side) for folder in folders], options.starts)
            print(f"| {name} | {side} | first | {eager:.2f} s | {graph:.2f} s | {eager / graph:.2f} |", flush=True)


if __name__ == "__main__":
    main()
