"""Make the bundle `demo`: simulate scenes, cut them, train on them, judge on scenes of other seeds.

Run: python -m benchmarks.demo_bundle --out FOLDER
Leaves the bundle in FOLDER/demo and prints its scores on simulated scenes of seeds that it never saw, with and
without cloud. What is simulated is exact and easy; the scores say nothing about real scenes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.simulated_tiles import cut
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.raster.scene import Scene
from rsfuse.simulate import SimulatedScene, write_scene
from rsfuse.tasks.evaluate import evaluate_maps
from rsfuse.tasks.predict import PredictSettings, predict
from rsfuse.tasks.train import train

TRAIN, VALIDATION, TEST = range(1, 6), 6, (101, 102)
SIDE = 1536


def judge(predictor: EagerPredictor, seed: int, cloud: float, folder: Path) -> dict[str, object]:
    """Scores on a simulated scene of another seed."""
    name = f"test-{seed}-{cloud:g}"
    paths = write_scene(_scene(seed, cloud), folder / name, overwrite=True)
    with Scene(paths.optical, paths.sar) as scene:
        report = predict(scene, predictor, folder / name / "map.tif", PredictSettings(overwrite=True))
    scores = evaluate_maps([(report.output, paths.truth)]).to_dict()
    iou = {each["name"]: round(each["iou"], 3) for each in scores["classes"]}
    return {"seed": seed, "cloud": cloud, "oa": round(scores["oa"], 4), "miou": round(scores["miou"], 4), "iou": iou}


def _scene(seed: int, cloud: float) -> SimulatedScene:
    return SimulatedScene(height=SIDE, width=SIDE, seed=seed, cloud=cloud)


def main() -> None:
    """Simulate, train, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", nargs="*", default=[], dest="settings")
    options = parser.parse_args()
    tiles = [cut(_scene(seed, 0.3 * (seed % 2)), options.out, "train", 512) for seed in TRAIN]
    tiles.append(cut(_scene(VALIDATION, 0.0), options.out, "val", 512))
    report = train(load_recipe("pad_demo", options.settings), tiles, options.out / "demo", FitMeans(), overwrite=True)
    assert report is not None  # this is the only process
    print(f"{report.seconds:.0f} s, best at step {report.step}, {report.scores}", flush=True)
    predictor = EagerPredictor(Bundle.open(options.out / "demo"))
    for seed in TEST:
        for cloud in (0.0, 0.3):
            print(json.dumps(judge(predictor, seed, cloud, options.out)), flush=True)


if __name__ == "__main__":
    main()
