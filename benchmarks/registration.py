"""Shifts that were put into real pairs, and how well they are found; and pairs of unrelated places, which have none.

Run: python -m benchmarks.registration --out FOLDER [--only known null right]
known: San Antonio and GeFolki's two pairs (../shared/data). The SAR image is moved by whole pixels, parts of them, an
affine field and a smooth local one of up to 8 px, which changes by 2 % at most. What the pair had before is measured
and taken off. Errors are those of tiles that were accepted both times.
null: the optical of San Antonio against the SAR of Los Angeles, rolled by random offsets.
right: the same pairs under the same fields, put right; errors are those of the field that they were corrected by, all
over the image, less what the pair had before (a local field). And Los Angeles and San Antonio as they come, checked,
put right and checked once more.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from scipy import ndimage

from benchmarks.areas import DATA
from rsfuse.geometry.correction import Kind
from rsfuse.geometry.registration import Registration, TileShifts
from rsfuse.raster.registration.measure import Search, measure
from rsfuse.raster.registration.overlay import Overlay
from rsfuse.tasks.coreg import CoregReport, CoregSettings, coreg

Floats = NDArray[np.float64]
Field = Callable[[Floats], Floats]
"""From places (n, 2) to shifts (n, 2), x before y."""

GEFOLKI = DATA / "registration" / "gefolki" / "EvalGeFolki"
STEEPEST = 0.02  # px a pixel: what a tile bears, as much as a turn of one degree


def fields(width: int, height: int) -> dict[str, Field]:
    """What is put in: shifts in pixels for an image of a size."""
    wave = min(2 * np.pi / (0.8 * max(width, height)), STEEPEST / 5.6)
    turn = np.array([[0.0015, -0.004], [0.004, 0.001]]) * min(1.0, 1000 / max(width, height))
    centre = np.array([width, height]) / 2

    def local(at: Floats) -> Floats:
        return np.stack([5.6 * np.sin(wave * at[:, 1]), 5.6 * np.cos(wave * at[:, 0])], 1)  # 8 px long at most

    return {
        "whole": lambda at: np.tile([7.0, -5.0], (len(at), 1)),
        "sub-pixel": lambda at: np.tile([3.37, 2.61], (len(at), 1)),
        "affine": lambda at: (at - centre) @ turn.T + [2.0, -1.0],
        "local": local,
    }


def moved(image: NDArray[np.float32], field: Field) -> NDArray[np.float32]:
    """An image whose content lies aside by a field, told at the places where it lay before."""
    rows, columns = np.indices(image.shape, np.float64)
    there = np.stack([columns.ravel(), rows.ravel()], 1)
    origin = there
    for _ in range(6):  # where what is seen here came from
        origin = there - field(origin)
    sources = origin[:, ::-1].T.reshape(2, *image.shape)
    return ndimage.map_coordinates(image, sources, order=3, mode="nearest").astype(np.float32)


def pairs() -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.float32]]]:
    """Name, optical (h, w) and SAR (h, w)."""
    place = DATA / "san_antonio"
    yield "San Antonio", _read(place / "optical.tif"), _read(place / "sar.tif")
    optical, sar = sorted((GEFOLKI / "HR").glob("*_optique.tif")), sorted((GEFOLKI / "HR").glob("*_radar.tif"))
    yield "GeFolki UAVSAR", _read(optical[0]), _read(sar[0])
    yield "GeFolki S1/S2", _read(GEFOLKI / "S1S2" / "S2_patch11.tif"), _read(GEFOLKI / "S1S2" / "S1_patch11.tif")


def _read(path: Path) -> NDArray[np.float32]:
    with rasterio.open(path) as file:
        image: NDArray[np.float32] = file.read().astype(np.float32).mean(0)
    return image


def look(optical: NDArray[np.float32], sar: NDArray[np.float32], folder: Path, search: Search) -> TileShifts:
    """Tiles of two images of one size, through files as a user has them."""
    write(optical, sar, folder)
    with Overlay(folder / "optical.tif", folder / "sar.tif") as overlay:
        return measure(overlay, search, lambda done, total: None)


def write(optical: NDArray[np.float32], sar: NDArray[np.float32], folder: Path) -> None:
    """Two images as optical.tif and sar.tif."""
    for name, image in (("optical", optical), ("sar", sar)):
        profile = {"driver": "GTiff", "count": 1, "height": image.shape[0], "width": image.shape[1], "dtype": "float32"}
        with rasterio.open(folder / f"{name}.tif", "w", tiled=True, **profile) as file:
            file.write(image, 1)


def known(folder: Path) -> None:
    """Every pair under every field."""
    print("| pair | put in | accepted | median error, px | within 1.5 px |\n|---|---|---|---|---|")
    for name, optical, sar in pairs():
        before = look(optical, sar, folder, Search())
        for kind, field in fields(*optical.shape[::-1]).items():
            after = look(optical, moved(sar, field), folder, Search())
            both = before.is_accepted & after.is_accepted
            # what showed dx there before lies aside by the field at that place now
            was = before.shifts[both]
            errors = after.shifts[both] - was - field(before.places[both] + was)
            tell(name, kind, errors, int(after.is_accepted.sum()))


def tell(name: str, kind: str, errors: Floats, accepted: int) -> None:
    """A row of the table."""
    lengths = np.hypot(*errors.T)
    if not len(lengths):
        print(f"| {name} | {kind} | {accepted} | - | - |", flush=True)
        return
    print(f"| {name} | {kind} | {accepted} | {np.median(lengths):.3f} | {(lengths < 1.5).mean():.2%} |", flush=True)


def null(folder: Path, rounds: int = 6) -> None:
    """Unrelated places."""
    optical, sar = _read(DATA / "san_antonio" / "optical.tif"), _read(DATA / "los_angeles" / "sar.tif")
    height, width = (min(one, other) for one, other in zip(optical.shape, sar.shape, strict=True))
    chance, tiles, accepted, verdicts = np.random.default_rng(0), 0, 0, []
    for _ in range(rounds):
        left = int(chance.integers(0, optical.shape[1] - width))
        rolled = np.roll(sar[:height, :width], chance.integers(0, min(height, width), 2), (0, 1))
        found = look(optical[:height, left : left + width], rolled, folder, Search())
        tiles += len(found.states)
        accepted += int(found.is_accepted.sum())
        verdicts.append(Registration(found).verdict().outcome)
    print(f"unrelated places: {accepted} of {tiles} tiles accepted; verdicts: {', '.join(verdicts)}")


def right(folder: Path) -> None:
    """What lies aside, put right."""
    print("| pair | put in | corrected by | median error of the field, px | 95 % | verdicts |")
    print("|---|---|---|---|---|---|")
    for name, optical, sar in pairs():
        write(optical, sar, folder)
        before = put_right(folder, kind="local").correction
        rows, columns = (np.arange(32, length - 31, 32) for length in optical.shape)
        places = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2).astype(np.float64)
        for kind, field in fields(*optical.shape[::-1]).items():
            write(optical, moved(sar, field), folder)
            report = put_right(folder)
            if report.correction is None or before is None:
                print(f"| {name} | {kind} | - | - | - | {verdicts(report)} |", flush=True)
                continue
            was = before.field.at(places)
            errors = np.hypot(*(report.correction.field.at(places) - was - field(places + was)).T)
            told = f"{np.median(errors):.3f} | {np.percentile(errors, 95):.3f}"
            print(f"| {name} | {kind} | {report.correction.kind} | {told} | {verdicts(report)} |", flush=True)
    for place in ("los_angeles", "san_antonio"):
        figures = put_right(DATA / place, aligned=folder / "aligned.tif").to_dict()
        after = figures["aligned"]
        print(f"{place}: by {after['correction']}, median left where it was not fitted {after['held_out_px']}")
        for each in (figures, after):
            keys = "verdict", "tiles", "accepted", "median_dx_px", "median_dy_px", "ce90_px", "noise_px"
            print({key: each[key] for key in keys})


def put_right(folder: Path, aligned: Path | None = None, kind: Kind | None = None) -> CoregReport:
    """A folder's optical.tif and sar.tif, checked, corrected, and checked once more."""
    settings = CoregSettings(aligned=aligned or folder / "aligned.tif", kind=kind, overwrite=True)
    with Overlay(folder / "optical.tif", folder / "sar.tif") as overlay:
        return coreg(overlay, settings)


def verdicts(report: CoregReport) -> str:
    """Before and after."""
    return ", then ".join(each.verdict.outcome for each in (report.before, report.after) if each is not None)


def main() -> None:
    """All, or what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=["known", "null", "right"])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    for name in options.only:
        {"known": known, "null": null, "right": right}[name](options.out)


if __name__ == "__main__":
    main()
