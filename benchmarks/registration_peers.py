"""Tiles of real optical-SAR pairs matched by rsfuse, AROSICS and scikit-image's phase_cross_correlation, in one run.

Run: python -m benchmarks.registration_peers --out FOLDER --python PYTHON
PYTHON has AROSICS and scikit-image installed, and GDAL's bindings. Newer AROSICS wants a newer GDAL than the 3.6 of
Debian 12 (python3-gdal); with that, arosics 1.11.1, geoarray 0.16.1 and py_tools_ds 0.21.1 (`pip install --no-deps`)
and numpy below 2 work. It is a Python of its own, for nothing of that is needed otherwise.

Places are those of AROSICS's grid, less those at the edge of the image and those without texture. All look at 128 px
(AROSICS also at its default of 256) and may find 16 px. Whole and sub-pixel shifts of benchmarks.registration are put
into the SAR. rsfuse and scikit-image are given pixels in memory; AROSICS reads an uncompressed file, and its time has
the check of similarity in it that it makes at every point.

What is true: that shift, on top of what the pair had before. GeFolki's pairs are documented as co-registered and had
none. Of San Antonio nobody says so. There it is what mutual information of tiles of 256 px finds around the same place:
none of the contestants, neither phases nor orientations. Places where it does not stand out are left out, for all. The
difference to a tool's own answer before the shift was put in would be too kind: a wrong peak moves along.

"within 1.5 px" counts the best guess of every tile, "of accepted" those that the tool itself believes in: AROSICS with
a reliability of 60 %; scikit-image does not say.
"""

from __future__ import annotations

import argparse
import subprocess
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from benchmarks.registration import Floats, fields, moved, pairs
from benchmarks.registration_contestants import RADIUS, SIDE
from rsfuse.geometry.matching import Match, Smoothing
from rsfuse.geometry.methods import METHODS, Method, MethodName

Image = NDArray[np.float32]

STEPS = {"San Antonio": 128, "GeFolki UAVSAR": 64, "GeFolki S1/S2": 32}  # px from place to place
PLACE = Affine(10.0, 0.0, 500_000.0, 0.0, -10.0, 3_400_000.0)  # AROSICS wants coordinates
FLAT = 0.1  # of the usual contrast
CLOSE = 1.5
SMOOTHING = Smoothing()


@dataclass(frozen=True)
class Answers:
    """What one tool says of n places.

    Args:
        shifts: (n, 2), NaN where it says nothing.
        accepted: (n,) where it believes in that.
        seconds: of a tile.
    """

    shifts: Floats
    accepted: NDArray[np.bool_]
    seconds: float

    def among(self, chosen: NDArray[np.bool_]) -> Answers:
        """What it says of some of them."""
        return replace(self, shifts=self.shifts[chosen], accepted=self.accepted[chosen])


def square(image: Image, place: Floats, side: int) -> Image:
    """Pixels around a place."""
    column, row = (int(each) - side // 2 for each in place)
    return image[row : row + side, column : column + side]


def match(method: Method, optical: Image, sar: Image, *, place: Floats, side: int) -> Match:
    """The tile around a place, with as much around it as features need."""
    rim, parts = SMOOTHING.margin, []
    for image, length in ((optical, side), (sar, side + 2 * RADIUS)):
        pixels = square(image, place, length + 2 * rim)
        parts.append(method.features(pixels, np.ones(pixels.shape, np.bool_), SMOOTHING)[:, rim:-rim, rim:-rim])
    return method.match(*parts)


def by_rsfuse(name: MethodName, optical: Image, sar: Image, *, places: Floats, side: int = SIDE) -> Answers:
    """One of its methods."""
    method = METHODS[name]
    start = time.perf_counter()
    found = [match(method, optical, sar, place=place, side=side) for place in places]
    seconds = (time.perf_counter() - start) / max(len(places), 1)
    accepted = np.array([method.accepts(each) for each in found], np.bool_)
    return Answers(np.array([(each.dx, each.dy) for each in found]).reshape(-1, 2), accepted, seconds)


def by_others(
    optical: Image, sar: Image, step: int, *, folder: Path, python: Path
) -> tuple[Floats, dict[str, Answers]]:
    """Places, and what the contestants in the other Python say of them."""
    for name, image in (("optical", optical), ("sar", sar)):
        np.save(folder / f"{name}.npy", image)
        size = {"count": 1, "height": image.shape[0], "width": image.shape[1], "dtype": "float32"}
        with rasterio.open(
            folder / f"{name}.tif", "w", driver="GTiff", crs="EPSG:32650", transform=PLACE, **size
        ) as file:
            file.write(image, 1)
    script = Path(__file__).with_name("registration_contestants.py")
    subprocess.run([str(python), str(script), str(folder), str(step)], check=True, stdout=subprocess.DEVNULL)
    with np.load(folder / "contestants.npz") as found:
        names = dict.fromkeys(key.split("|")[0] for key in found if "|" in key)
        answers = {
            name: Answers(found[f"{name}|shifts"], found[f"{name}|accepted"], float(found[f"{name}|seconds"]))
            for name in names
        }
        return found["places"], answers


def judged(places: Floats, optical: Image, sar: Image) -> NDArray[np.bool_]:
    """Which places (n,) lie far enough inside for every tile, and have texture in both images."""
    reach = SIDE + RADIUS + SMOOTHING.margin  # half of the largest tile, 256 px, and what is searched around it
    inside: NDArray[np.bool_] = np.logical_and.reduce(
        (places >= reach) & (places <= np.array(optical.shape[::-1]) - reach), 1
    )
    contrasts = np.array([[square(image, place, SIDE).std() for image in (optical, sar)] for place in places[inside]])
    inside[inside] = (contrasts > FLAT * np.median(contrasts, 0)).all(1)
    return inside


def before(name: str, optical: Image, sar: Image, places: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The shift that a pair had at places, (n, 2), and where it is known."""
    if name.startswith("GeFolki"):
        return np.zeros_like(places), np.ones(len(places), np.bool_)
    found = by_rsfuse("mutual-information", optical, sar, places=places, side=2 * SIDE)
    return found.shifts, found.accepted


def tell(answers: dict[str, Answers], truth: Floats) -> dict[str, float]:
    """Share within 1.5 px of every tool, which is also printed."""
    shares = {}
    for name, said in answers.items():
        close, believed = np.hypot(*(said.shifts - truth).T) < CLOSE, said.accepted  # not close where it says nothing
        shares[name] = float(close.mean())
        right = f"{close[believed].mean():.1%}" if believed.any() else "-"
        print(f"| {name} | {close.mean():.1%} | {believed.sum()} | {right} | {1000 * said.seconds:.1f} |", flush=True)
    return shares


def compare(name: str, optical: Image, sar: Image, folder: Path, python: Path) -> None:
    """One pair, under both shifts."""
    known: tuple[Floats, NDArray[np.bool_]] | None = None
    for kind in ("whole", "sub-pixel"):
        field = fields(*optical.shape[::-1])[kind]
        shifted = moved(sar, field)
        places, answers = by_others(optical, shifted, STEPS[name], folder=folder, python=python)
        among = judged(places, optical, sar)
        known = known or before(name, optical, sar, places[among])  # the grid is the same both times
        was = known[0][known[1]]
        among[among] = known[1]
        ours = by_rsfuse("orientation", optical, shifted, places=places[among])
        said = {"rsfuse": ours, **{each: answer.among(among) for each, answer in answers.items()}}
        print(f"\n{name}, {kind} shift, {among.sum()} tiles\n")
        print("| tool | within 1.5 px | accepted | of accepted | ms a tile |\n|---|---|---|---|---|")
        shares = tell(said, was + field(places[among] + was))
        best = max(share for each, share in shares.items() if each != "rsfuse")
        print(f"\nrsfuse over the best of the others: {shares['rsfuse'] / best if best else np.inf:.2f}", flush=True)


def main() -> None:
    """All pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True, help="a Python that has AROSICS and scikit-image")
    parser.add_argument("--only", nargs="*", choices=list(STEPS), default=list(STEPS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    for name, optical, sar in pairs():
        if name in options.only:
            compare(name, optical, sar, options.out, options.python)


if __name__ == "__main__":
    main()
