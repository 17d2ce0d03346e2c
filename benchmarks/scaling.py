"""How the time of `predict` grows with the scene, and what blending adds to it.

Run: python -m benchmarks.scaling --out FOLDER [--sides 2048 4096 8192 16384] [--blend-side 4096] [--rounds 3]
Predicts simulated square scenes with the toy network of benchmarks.predict (patches of 512 px that overlap by 128), all
sides in turn in one process, and prints the medians with the slope of the logarithm of seconds over that of pixels: 1
where a megapixel takes as long whatever the scene. Since the last patch of a row is moved back, the patches of a small
scene overlap more or less than those of a large one; the slope of the number of windows says what that alone makes of
it. Then the same scene blended (hann) and cut (crop), at the same overlap in turn.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.predict import BATCH, INPUTS, Toy, compare, five_layers
from benchmarks.runs import table
from rsfuse.geometry.blend import Blend
from rsfuse.geometry.plan import Plan
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.raster.scene import Scene
from rsfuse.simulate import SimulatedScene, write_scene
from rsfuse.tasks.predict import PredictSettings, predict


def simulated(side: int, folder: Path) -> Path:
    """A folder with a scene of side x side pixels, written if it is not there."""
    target = folder / f"scene-{side}"
    if not (target / "truth.tif").is_file():
        write_scene(SimulatedScene(height=side, width=side, seed=5), target, overwrite=True)
    return target


def run(predictor: EagerPredictor, place: Path, blend: Blend = "hann") -> float:
    """Seconds of one prediction, from before its scene is opened to the sealed map."""
    start = time.perf_counter()
    sar = place / "sar.tif" if predictor.bundle.manifest.inputs.sar else None
    with Scene(place / "optical.tif", sar) as scene:
        settings = PredictSettings(blend=blend, batch_size=BATCH, overwrite=True)
        predict(scene, predictor, place / "map.tif", settings)
    return time.perf_counter() - start


def windows(predictor: EagerPredictor, side: int) -> int:
    """How many patches a square scene takes."""
    patch = predictor.bundle.manifest.patch
    return len(Plan.sliding(side, side, size=patch.size, halo=patch.halo))


def slope(sides: Sequence[int], amounts: Sequence[float]) -> float:
    """Of the straight line through the logarithm of amounts over that of pixels."""
    return float(np.polyfit(2 * np.log(sides), np.log(amounts), 1)[0])


def scaling(predictor: EagerPredictor, sides: Sequence[int], folder: Path, rounds: int) -> None:
    """Predict scenes of all sides in turn, and print how the time grows."""
    places = {side: simulated(side, folder) for side in sides}
    run(predictor, places[sides[0]])  # the first time, threads and kernels are made ready
    taken: dict[int, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, place in places.items():
            taken[side].append(run(predictor, place))
            print(f"{side} px: {taken[side][-1]:.2f} s", flush=True)
    medians, counts = [statistics.median(taken[side]) for side in sides], [windows(predictor, side) for side in sides]
    rows = [
        [str(side), str(count), f"{seconds:.2f}", f"{seconds / side**2 * 1e6:.4f}", f"{1000 * seconds / count:.1f}"]
        for side, count, seconds in zip(sides, counts, medians, strict=True)
    ]
    print(table(["side, px", "windows", "s", "s a megapixel", "ms a window"], rows))
    if len(sides) > 1:
        print(f"log-log slope over pixels: {slope(sides, medians):.3f}; of windows: {slope(sides, counts):.3f}")


def blending(predictor: EagerPredictor, side: int, folder: Path, rounds: int) -> None:
    """Predict one scene blended and cut in turn, and print the ratio."""
    place = simulated(side, folder)
    run(predictor, place)
    hann, crop = partial(run, predictor, place, "hann"), partial(run, predictor, place, "crop")
    compare(f"{side} px: hann / crop", hann, crop, rounds)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sides", type=int, nargs="*", default=[2048, 4096, 8192, 16384], help="none to leave it out")
    parser.add_argument("--blend-side", type=int, default=4096, help="0 to leave it out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of torch (default all)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    predictor = Toy(five_layers(), INPUTS["toy"])
    if options.sides:
        scaling(predictor, sorted(options.sides), options.out, options.rounds)
    if options.blend_side:
        blending(predictor, options.blend_side, options.out, options.rounds)


if __name__ == "__main__":
    main()
