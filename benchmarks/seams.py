"""How much of a map depends on where patches begin: the share of pixels whose class changes when their grid is moved.

Run: python -m benchmarks.seams --bundle FOLDER --optical TIF [--sar TIF] [--optical-bands 1 2 3] [--sar-bands 2]
         [--side 1024] [--batch 4] [--threads 1]
Maps the square in the middle of a scene twice, with the grid of patches moved down and to the right, for every overlap
and way to blend, and prints a table in Markdown. The grid is moved by half a patch, and by half its step, from which it
is farthest from where it was: at an overlap of half a patch, half a patch is a step, and the grid falls on itself.
Half a step need not be a multiple of what the network halves its pixels to: a network that tells where its own coarse
pixels begin changes its mind for that alone, and no blending helps.
Compared is what lies so far inside that patches which end with the square have no say: 1.5 patches from the top and the
left, one from the bottom and the right. "windows" are those of the square, "cost" what an endless scene takes of them,
against no overlap.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.windows import Window

from benchmarks.runs import table
from rsfuse.geometry.blend import Blend
from rsfuse.geometry.plan import Plan
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.inference.predictor import probabilities
from rsfuse.learn.inference.stitcher import Stitcher
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.learn.scaling import Scaler
from rsfuse.raster.scene import Bands, Scene

BLENDS: tuple[Blend, ...] = ("crop", "hann", "gaussian")
EIGHTHS = (0, 1, 2, 3, 4)  # of a patch: the overlaps

Maps = dict[Blend, NDArray[np.uint8]]


@dataclass(frozen=True)
class Square:
    """A square of a scene under a network.

    Args:
        scene: where pixels come from.
        predictor: the network.
        scaler: of the scene.
        corner: first row and first column.
        side: rows and columns.
        batch: patches that go through the network together.
    """

    scene: Scene
    predictor: EagerPredictor
    scaler: Scaler
    corner: tuple[int, int]
    side: int
    batch: int

    @property
    def patch(self) -> int:
        """Rows and columns of a patch."""
        return self.predictor.bundle.manifest.patch.size

    def maps(self, overlap: int, moved: int) -> Maps:
        """Class numbers (side, side) for every way to blend, by patches that begin `moved` px from the top left."""
        rest = self.side - moved
        plan = Plan.sliding(rest, rest, size=self.patch, halo=overlap // 2)
        classes, arrays = len(self.predictor.bundle.legend), self.predictor.arrays
        stitchers = {blend: Stitcher(plan, classes, blend, arrays) for blend in BLENDS}
        maps: Maps = {blend: np.zeros((self.side, self.side), np.uint8) for blend in BLENDS}
        for row in range(len(plan.tops)):
            for column, scores in self._scores(plan, row, moved):
                for stitcher in stitchers.values():
                    stitcher.add(row, column, scores)
            for blend, stitcher in stitchers.items():
                for top, finished in stitcher.finish(row):
                    rows = slice(moved + top, moved + top + finished.shape[1])
                    maps[blend][rows, moved:] = self.predictor.arrays.to_numpy(finished.argmax(0))
        return maps

    def _scores(self, plan: Plan, row: int, moved: int) -> Iterator[tuple[int, torch.Tensor]]:
        """The columns of a row of patches, and the probabilities (K, h, w) of each."""
        top, left = self.corner[0] + moved + plan.tops[row], self.corner[1] + moved
        for first in range(0, len(plan.lefts), self.batch):
            lefts = plan.lefts[first : first + self.batch]
            samples = [self.scene.read(Window(left + each, top, self.patch, self.patch)) for each in lefts]
            scores = probabilities(self.predictor, samples, self.scaler)
            yield from enumerate(self.predictor.arrays.taken(scores), first)


def changes(square: Square, overlap: int) -> dict[tuple[str, Blend], str]:
    """Per cent of the pixels that change, by how far the grid is moved ("patch" or "step": half of it) and blend."""
    patch, step = square.patch, square.patch - overlap
    moves = {"patch": patch // 2, "step": step // 2}
    mapped = {moved: square.maps(overlap, moved) for moved in {0, *moves.values()}}
    inside = slice(patch + patch // 2, square.side - patch)
    shares: dict[tuple[str, Blend], str] = {}
    for (told, moved), blend in product(moves.items(), BLENDS):
        differ = mapped[0][blend][inside, inside] != mapped[moved][blend][inside, inside]
        if overlap == 0 and blend != "crop":
            shares[told, blend] = ""  # there is nothing to blend
        else:
            shares[told, blend] = "(same grid)" if moved % step == 0 else f"{100 * differ.mean():.2f}"
    return shares


def row(square: Square, overlap: int) -> list[str]:
    """One row of the table."""
    patch, shares = square.patch, changes(square, overlap)
    windows = len(Plan.sliding(square.side, square.side, size=patch, halo=overlap // 2))
    cost = (patch / (patch - overlap)) ** 2
    told = [shares[moved, blend] for moved, blend in product(("step", "patch"), BLENDS)]
    return [f"{overlap} px ({overlap / patch:g})", str(windows), f"{cost:.2f}", *told]


def main() -> None:
    """Map at every overlap, and print the table."""
    options = asked().parse_args()
    torch.set_num_threads(options.threads)
    bundle = Bundle.open(options.bundle)
    patch, side = bundle.manifest.patch.size, options.side
    bands = Bands(*(tuple(each) if each else None for each in (options.optical_bands, options.sar_bands)))
    with Scene(options.optical, options.sar, bands=bands) as scene:
        if not 3 * patch <= side <= min(scene.grid.shape):
            raise SystemExit(f"--side {side}: between {3 * patch} and {min(scene.grid.shape)} px, please")
        predictor = EagerPredictor(bundle, device="cpu")
        scaler = Scaler(predictor.inputs[0], bundle.manifest.statistics or scene.statistics())
        corner = (scene.grid.height - side) // 2, (scene.grid.width - side) // 2
        square = Square(scene, predictor, scaler, corner, side, options.batch)
        rows = [row(square, patch * eighths // 8) for eighths in EIGHTHS]
    compared = side - 2 * patch - patch // 2
    print(f"{bundle.name}, patches of {patch} px, {side} x {side} px of which {compared} x {compared} are compared")
    own, coarse = 2 * bundle.manifest.patch.halo, getattr(predictor.network, "multiple", 1)
    print(f"Per cent of the pixels whose class changes; its own overlap: {own} px, its coarse pixels: {coarse} px\n")
    columns = [f"half a {moved}: {blend}" for moved, blend in product(("step", "patch"), BLENDS)]
    print(table(["overlap", "windows", "cost", *columns], rows))


def asked() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--optical", type=Path, required=True)
    parser.add_argument("--sar", type=Path)
    parser.add_argument("--optical-bands", type=int, nargs="*", help="counted from 1 (default all)")
    parser.add_argument("--sar-bands", type=int, nargs="*")
    parser.add_argument("--side", type=int, default=1024, help="of the square that is mapped, in pixels")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
