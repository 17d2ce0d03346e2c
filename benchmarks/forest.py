"""A random forest on windowed means and deviations: what a network has to beat on the 10 m areas.

Run: python -m benchmarks.forest --out FOLDER
Trains on both areas together and on each alone, with both sensors and with each alone, and writes FOLDER/forest.json.
Bands are scaled by scene percentiles as for the network, so that the forest is not beaten by gains and offsets alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy.ndimage import uniform_filter
from sklearn.ensemble import RandomForestClassifier

from benchmarks.areas import AREAS, LEGEND, PORTO_ALEGRE, RIVERSIDE, Area, test_labels
from rsfuse.learn.recipes.inputs import Inputs
from rsfuse.learn.scaling import Scaler
from rsfuse.legend import NODATA
from rsfuse.metrics import Confusion
from rsfuse.raster.scene import Scene

WINDOWS = (3, 7, 15)
PIXELS_PER_CLASS = 6000
SENSORS = {"both": slice(None), "optical": slice(0, 3), "sar": slice(3, 4)}
Floats = NDArray[np.float32]


def bands_of(area: Area) -> Floats:
    """Scaled optical and SAR bands of a whole area, (4, H, W)."""
    inputs = Inputs(optical=("red", "green", "blue"), sar=("vh",))
    with Scene(area.optical, area.sar, bands=area.bands) as scene:
        sample = scene.read(Window(0, 0, scene.grid.width, scene.grid.height))
        return np.concatenate(Scaler(inputs, scene.statistics())(sample))


def features_of(bands: Floats) -> Floats:
    """Mean and deviation of each band in each window, and the bands themselves, (F, H, W)."""
    rows = [bands]
    for size in WINDOWS:
        mean = np.stack([uniform_filter(band, size) for band in bands])
        square = np.stack([uniform_filter(band * band, size) for band in bands])
        rows += [mean, np.sqrt(np.maximum(square - mean * mean, 0))]
    return np.concatenate(rows).astype(np.float32)


def training_pixels(area: Area, features: Floats, chance: np.random.Generator) -> tuple[Floats, NDArray[np.uint8]]:
    """As many labelled pixels of each class as there are, up to a limit, from the area's training window."""
    with rasterio.open(area.labels) as source:
        labels = source.read(1, window=area.train)
    rows, columns = [], []
    for code in LEGEND.codes:
        places = np.argwhere(labels == code)
        chosen = places[chance.permutation(len(places))[:PIXELS_PER_CLASS]]
        rows.append(chosen[:, 0])
        columns.append(chosen[:, 1])
    row, column = np.concatenate(rows), np.concatenate(columns)
    seen = row + int(area.train.row_off), column + int(area.train.col_off)
    return features[:, seen[0], seen[1]].T, labels[row, column]


def judge(forest: RandomForestClassifier, features: Floats, labels: Path) -> dict[str, float]:
    """OA and mIoU on the labelled pixels of a raster."""
    with rasterio.open(labels) as source:
        codes = source.read(1)
    known = codes != NODATA
    mapped = forest.predict(features[:, known].T).astype(np.uint8)
    confusion = Confusion.of(codes[known], mapped, len(LEGEND))
    return {
        "oa": round(confusion.oa, 4),
        "miou": round(confusion.miou, 4),
        "mean_recall": round(float(np.nanmean(confusion.recall)), 4),
    }


def main() -> None:
    """Train and judge every combination."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    folder = parser.parse_args().out
    tests = test_labels(folder / "labels")
    bands = {area.name: bands_of(area) for area in AREAS}
    results: dict[str, dict[str, dict[str, float]]] = {}
    for sensors, chosen in SENSORS.items():
        features = {name: features_of(each[chosen]) for name, each in bands.items()}
        for what, areas in {"both areas": AREAS, "porto-alegre": (PORTO_ALEGRE,), "riverside": (RIVERSIDE,)}.items():
            chance = np.random.default_rng(0)
            parts = [training_pixels(area, features[area.name], chance) for area in areas]
            forest = RandomForestClassifier(200, min_samples_leaf=5, n_jobs=-1, random_state=0)
            forest.fit(np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]))
            judged = {
                name: judge(forest, features["riverside" if name == "riverside" else "porto-alegre"], path)
                for name, path in tests.items()
                if not (name == "riverside" and RIVERSIDE in areas)
            }
            results[f"{sensors}, trained on {what}"] = judged
            print(sensors, what, judged, flush=True)
    (folder / "forest.json").write_text(json.dumps(results, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
