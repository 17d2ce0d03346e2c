"""What the speckle filters do to single-look tiles of Gaofen-3: how many looks even areas gain, and whether means stay.

Run: python -m benchmarks.speckle --tiles FOLDER [--figure docs/speckle.png] [--shown 3_HH]
FOLDER holds a TIFF of amplitudes for each tile and polarisation, 0 where there is no data. Prints three tables in
Markdown: of the tiles as they are, of means of 2 x 2 pixels of them, and of simulated even speckle, whose pixels are
independent. Filters are given the looks that `estimate_enl` finds in the whole image, as `rsfuse prepare` does (which
looks at the middle of a scene), and at least 1.

Even areas are those of an image's areas of 32 x 32 px that vary least before they are filtered: 12 of the 256 of a
tile, and as large a share of fewer. A rim of 3 px is left aside: it is filtered with what lies around. ENL is
mean^2 / variance, the median of the areas. "possible" is what a plain mean of the window gains where neighbouring
pixels are as alike as in these areas: the pixels of the window over the sum of their correlations. ENL and gains are
medians of the images; changes of means are means of the images, beside the largest.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.runs import table
from rsfuse.geometry.looks import multilook
from rsfuse.geometry.speckle.enl import estimate_enl
from rsfuse.geometry.speckle.filters import FILTERS, WINDOW, speckle_filter
from rsfuse.geometry.speckle.window_sums import Surroundings
from rsfuse.raster.opening import open_raster

SIDE = 32  # of an area
EVEN = 12 / 256  # of the areas of an image: those that vary least
RIM = 3  # of an area, left aside

BLOCKS = (1, 2)  # rows and columns that are averaged before
WAYS = (*((name, WINDOW) for name in FILTERS), ("frost", 9), ("plain mean", WINDOW))

SIMULATED_SIDE, SIMULATED_LOOKS = 1536, (1, 4)

DETAIL = (128, 320)  # rows and columns of a tile that are shown
ZOOM, CAPTION = 2, 24
DARKEST, BRIGHTEST = 2, 99.5  # percentiles of what is shown

Power = NDArray[np.float32]
Areas = NDArray[np.float64]
Way = tuple[str, int]


class Effect(NamedTuple):
    """What became of an image.

    Args:
        before: ENL of its even areas.
        after: the same once it is filtered.
        possible: times that a plain mean of as many pixels raises it.
        even: change of the mean of even areas, in per cent.
        whole: change of the mean of all pixels, in per cent.
    """

    before: float
    after: float
    possible: float
    even: float
    whole: float


def read_power(path: Path) -> Power:
    """Power of a TIFF of amplitudes, NaN where there is no data."""
    with open_raster(path) as file:
        amplitude = file.read(1).astype(np.float32)
    return np.where(amplitude > 0, amplitude**2, np.float32(np.nan))


def filtered(power: Power, way: Way) -> Power:
    """An image less its speckle, by a filter and its window, or by a plain mean."""
    name, window = way
    if name in FILTERS:
        return speckle_filter(name, window, looks=max(estimate_enl(power), 1.0))(power)
    halo = window // 2
    mean = Surroundings.of(np.pad(power, halo, constant_values=np.nan), halo).moments().mean
    return np.where(np.isnan(power), power, mean).astype(np.float32)


def measure(power: Power, way: Way) -> Effect:
    """The effect of a filter on an image."""
    result = filtered(power, way)
    areas = split(power)
    ratio = areas.var((1, 2)) / areas.mean((1, 2)) ** 2  # NaN of areas without data, which argsort puts last
    even = np.argsort(ratio)[: round(EVEN * len(areas))]
    before, after = inside(areas[even]), inside(split(result)[even])
    return Effect(
        looks(before),
        looks(after),
        possible_gain(areas[even], way[1]),
        100 * float((after.mean((1, 2)) / before.mean((1, 2)) - 1).mean()),
        change(power, result),
    )


def split(power: Power) -> Areas:
    """Areas (N, SIDE, SIDE), row by row."""
    down, across = (length // SIDE for length in power.shape)
    whole = power[: down * SIDE, : across * SIDE].reshape(down, SIDE, across, SIDE)
    return whole.swapaxes(1, 2).reshape(-1, SIDE, SIDE).astype(np.float64)


def inside(areas: Areas) -> Areas:
    """Areas less their rim."""
    return areas[:, RIM:-RIM, RIM:-RIM]


def looks(areas: Areas) -> float:
    """ENL, the median of the areas."""
    return float(np.median(areas.mean((1, 2)) ** 2 / areas.var((1, 2))))


def change(power: Power, result: Power) -> float:
    """Of the mean of all pixels, in per cent."""
    return 100 * float(np.nanmean(result, dtype=np.float64) / np.nanmean(power, dtype=np.float64) - 1)


def possible_gain(areas: Areas, window: int) -> float:
    """Times that the mean of a window raises the looks of pixels as alike as these."""
    pairs = np.convolve(np.ones(window), np.ones(window))  # of rows, or of columns, so far apart
    return float(window**4 / (np.multiply.outer(pairs, pairs) * correlation(areas, window - 1)).sum())


def correlation(areas: Areas, reach: int) -> Areas:
    """Of pixels some rows and columns apart, (2 reach + 1, 2 reach + 1), that of a pixel with itself in the middle."""
    relative = areas / areas.mean((1, 2), keepdims=True) - 1
    padded = np.pad(relative, ((0, 0), (reach, reach), (reach, reach)))
    found = np.empty((2 * reach + 1, 2 * reach + 1))
    for down, right in np.ndindex(found.shape):
        overlap = (SIDE - abs(down - reach)) * (SIDE - abs(right - reach))
        found[down, right] = (padded[:, down : down + SIDE, right : right + SIDE] * relative).sum() / overlap
    return np.asarray(found / found[reach, reach])


def told_tiles(images: list[Power]) -> Iterator[str]:
    """The looks found in the images, and the table of what became of them."""
    found = [estimate_enl(each) for each in images]
    yield f"{len(images)} images, ENL estimated: {np.median(found):.2f} ({min(found):.2f} to {max(found):.2f})\n"
    columns = ["filter", "window", "ENL before", "after", "gain", "possible", "mean, even %", "largest", "all pixels %"]
    yield table(columns, [_row(way, [measure(each, way) for each in images]) for way in WAYS]) + "\n"


def _row(way: Way, effects: list[Effect]) -> list[str]:
    name, window = way
    before, after, possible, even, whole = np.array(effects).T
    middle = (f"{np.median(each):.2f}" for each in (before, after, after / before, possible))
    largest = even[np.abs(even).argmax()]
    return [name, str(window), *middle, f"{even.mean():+.2f}", f"{largest:+.2f}", f"{whole.mean():+.2f}"]


def told_simulated() -> Iterator[str]:
    """The table of what becomes of speckle over an area that is even, and as large as may be."""
    yield f"Simulated, {SIMULATED_SIDE} x {SIMULATED_SIDE} px of L looks, independent\n"
    chance = np.random.default_rng(3)
    images = [_speckle(chance, number) for number in SIMULATED_LOOKS]
    each = ("ENL after", "gain", "mean %")
    columns = ["filter", "window", *(f"L = {number}: {name}" for number in SIMULATED_LOOKS for name in each)]
    yield table(columns, [[way[0], str(way[1]), *_gains(images, way)] for way in WAYS])


def _speckle(chance: np.random.Generator, number: int) -> Power:
    return np.asarray(chance.gamma(number, 1 / number, (SIMULATED_SIDE, SIMULATED_SIDE)), np.float32)


def _gains(images: Iterable[Power], way: Way) -> Iterator[str]:
    for image in images:
        result = filtered(image, way)
        # at the edge of an image a window has fewer pixels
        before, after = (looks(inside(each[None].astype(np.float64))) for each in (image, result))
        yield from (f"{after:.2f}", f"{after / before:.2f}", f"{change(image, result):+.2f}")


def draw(power: Power, name: str) -> Image.Image:
    """A detail before and after, 2 x 3 pictures in decibels, all with the same darkest and brightest value."""
    coarse = multilook(power, 2, 2)
    pictures = {f"{name}, as it is": power}
    pictures |= {each: filtered(power, (each, WINDOW)) for each in FILTERS}
    pictures["lee of means of 2 x 2 px"] = filtered(coarse, ("lee", WINDOW)).repeat(2, 0).repeat(2, 1)
    shade = _shading(_detail(power))
    side = ZOOM * (DETAIL[1] - DETAIL[0])
    sheet = Image.new("L", (3 * side, 2 * (side + CAPTION)), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=16)
    for number, (caption, picture) in enumerate(pictures.items()):
        left, top = number % 3 * side, number // 3 * (side + CAPTION)
        pen.text((left + 6, top + 2), caption, fill=0, font=font)
        shaded = Image.fromarray(shade(_detail(picture)))
        sheet.paste(shaded.resize((side, side), Image.Resampling.NEAREST), (left, top + CAPTION))
    return sheet


def _detail(power: Power) -> Power:
    """In decibels."""
    return np.asarray(10 * np.log10(power[slice(*DETAIL), slice(*DETAIL)]))


def _shading(decibels: Power) -> Callable[[Power], NDArray[np.uint8]]:
    """How pictures become grey; black where there is no data."""
    dark, bright = np.nanpercentile(decibels, (DARKEST, BRIGHTEST))

    def shade(picture: Power) -> NDArray[np.uint8]:
        grey = np.clip((picture - dark) / (bright - dark), 0, 1)
        return np.asarray(255 * np.nan_to_num(grey) + 0.5, np.uint8)

    return shade


def main() -> None:
    """Filter all, print the tables, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--figure", type=Path, help="a picture of a detail before and after")
    parser.add_argument("--shown", default="3_HH", help="of the tiles, in the figure")
    options = parser.parse_args()
    tiles = {path.stem: read_power(path) for path in sorted(options.tiles.glob("*.tif*"))}
    if not tiles:
        raise SystemExit(f"{options.tiles} has no TIFF")
    for block in BLOCKS:
        print(f"Means of {block} x {block} px: ", end="")
        print(*told_tiles([multilook(each, block, block) for each in tiles.values()]), sep="\n", flush=True)
    print(*told_simulated(), sep="\n")
    if options.figure:
        draw(tiles[options.shown], options.shown).save(options.figure, optimize=True)


if __name__ == "__main__":
    main()
