"""How good sharpening methods are: with a reference, one scale down (Wald's protocol), and without, as a scene is.

Run: python -m benchmarks.sharpening PAN MS --out FOLDER [--sensor wv2] [--ms-bands 1 2 3 4] [--align] [--bundle RUN]
With --bundle, a network that was trained elsewhere, best on another part of the scene. Prints two tables in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from rsfuse.geometry.sharpening.methods import METHODS, Method
from rsfuse.geometry.sharpening.sensors import find_sensor
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.runtimes.eager import EagerSharpeningPredictor
from rsfuse.raster.sharpening.offset import measure_offset, undone
from rsfuse.raster.sharpening.reduction import ReducedScene
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.tasks.evaluate_sharpening import Judges, SharpeningRules, evaluate_sharpening
from rsfuse.tasks.pansharpen import PansharpenSettings, pansharpen
from rsfuse.tasks.progress import unheard

Scores = dict[str, float]
Methods = dict[str, Method | EagerSharpeningPredictor]


def write_reduced(scene: PanMsScene, sensor: str, folder: Path) -> tuple[Path, Path, Path]:
    """The scene one scale down, and its reference: as much of it as whole coarse pixels cover."""
    reduced, ratio = ReducedScene(scene, find_sensor(sensor)), scene.ratio
    rows, columns = ((-(-low // ratio) * ratio, high // ratio * ratio) for low, high in reduced.inside)
    sample = reduced.read(rows, columns)
    place = Affine(1.0, 0.0, 500_000.0, 0.0, -1.0, 4_500_000.0)
    paths = folder / "pan.tif", folder / "ms.tif", folder / "reference.tif"
    images = (sample.pan, sample.ms, sample.reference)
    for path, image, side in zip(paths, images, (1, ratio, 1), strict=True):
        _write(path, image, place * Affine.scale(side), scene.bands)
    return paths


def _write(path: Path, image: NDArray[np.float32], place: Affine, names: Sequence[str]) -> None:
    size = {"count": len(image), "height": image.shape[1], "width": image.shape[2], "dtype": "float32"}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=place, **size) as file:
        file.write(image)
        if len(names) == len(image):
            file.descriptions = tuple(names)


def scores_of(
    methods: dict[str, Method | EagerSharpeningPredictor],
    pair: tuple[Path, Path],
    judges: Judges,
    options: argparse.Namespace,
) -> dict[str, Scores]:
    """Each method's scores on a pair."""
    found = {}
    for name, method in methods.items():
        sharp = options.out / f"{name}.tif"
        bands = options.ms_bands if judges.reference is None else None
        align = options.align and judges.reference is None
        settings = PansharpenSettings(method, options.sensor, bands, align, packed=False, overwrite=True)
        report = pansharpen(*pair, sharp, settings)
        rules = SharpeningRules(ratio=round(report.ratio), sensor=options.sensor, bands=bands, align=align)
        evaluation = evaluate_sharpening(sharp, judges, rules)
        judged = evaluation.reduced or evaluation.full
        assert judged is not None
        found[name] = {each.key: each.value for each in judged.scores}
    return found


def table(found: dict[str, Scores]) -> str:
    """Scores in Markdown."""
    keys = list(next(iter(found.values())))
    lines = [f"| method | {' | '.join(keys)} |", "|---" * (len(keys) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(f'{scores[key]:.4f}' for key in keys)} |" for name, scores in found.items()]
    return "\n".join(lines)


def main() -> None:
    """Sharpen and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pair", type=Path, nargs=2, metavar=("PAN", "MS"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sensor", default="other")
    parser.add_argument("--ms-bands", type=int, nargs="+", default=None)
    parser.add_argument("--align", action="store_true")
    parser.add_argument("--bundle", type=Path, default=None)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    methods: Methods = {name: name for name in METHODS}
    if options.bundle is not None:
        methods["cf2n"] = EagerSharpeningPredictor(SharpeningBundle.open(options.bundle))
    with PanMsScene(*options.pair, bands=options.ms_bands) as given:
        shift = undone(measure_offset(given, unheard) if options.align else None)
        with given.moved(shift) as scene:
            pan, ms, reference = write_reduced(scene, options.sensor, options.out)
    print(f"multispectral image moved by {shift[0]:+.2f}, {shift[1]:+.2f} of its pixels\n")
    print("With a reference, one scale down:\n")
    print(table(scores_of(methods, (pan, ms), Judges(reference=reference), options)))
    print("\nWithout, as it is:\n")
    print(table(scores_of(methods, tuple(options.pair), Judges(pair=tuple(options.pair)), options)))


if __name__ == "__main__":
    main()
