"""The ground of a simulated scene: which material lies on each pixel, and how the land slopes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rsfuse.simulate import palette, settlements
from rsfuse.simulate.blobs import Blobs
from rsfuse.simulate.districts import Districts, turned
from rsfuse.simulate.noise import Floats, Frame, generator, hash_places, unit

Mask = NDArray[np.bool_]

# Cells of 1400 px with little jitter: no square of 2048 px is without a town.
CITIES = Blobs("cities", 1400, 1.0, (170, 330), jitter=0.4, ragged=0.22)
TOWNS = Blobs("towns", 620, 0.45, (34, 80), jitter=0.8, ragged=0.25)
VILLAGES = Blobs("villages", 105, 0.55, (7, 25), jitter=0.9, ragged=0.34)
LAKES = Blobs("lakes", 760, 0.70, (22, 130), jitter=0.8, ragged=0.38)
QUARRIES = Blobs("quarries", 430, 0.60, (16, 62), jitter=0.8, ragged=0.30)


@dataclass(frozen=True)
class Ground:
    """What lies under one frame.

    Args:
        frame: (h, w) pixels of the ground.
        material: (h, w) indices into the palette.
        slope: (h, w) rise towards the right, 0 on level land, deviation near 0.1 in the hills.
    """

    frame: Frame
    material: NDArray[np.uint8]
    slope: Floats

    def inside(self, margin: int) -> Ground:
        """This ground without a ring of `margin` pixels."""
        middle = np.s_[margin : self.frame.height - margin, margin : self.frame.width - margin]
        return Ground(self.frame.inside(margin), self.material[middle], self.slope[middle])

    @cached_property
    def index(self) -> NDArray[np.intp]:
        """The materials as NumPy likes its indices: converted once, looked up a dozen times."""
        return self.material.astype(np.intp)


def ground_under(frame: Frame) -> Ground:
    """Lay out the land under a frame."""
    land = _Land(frame)
    material = land.fields()
    land.paint_woods(material)
    land.paint_settlements(material)
    water = land.paint_water(material)
    land.paint_roads(material, water)
    return Ground(frame, material, land.slope)


class _Land:
    """The fields of noise that several layers of one frame share."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.districts = Districts.under(frame)
        self.fine = frame.noise("fine", 15)
        self.medium = frame.noise("medium", 48)
        self.broad = frame.noise("broad", 180)
        self.hills = np.float32(0.85) * frame.noise("hills", 640) + np.float32(0.4) * self.broad

    @cached_property
    def slope(self) -> Floats:
        """(h, w): rise towards the right of ridges that stand up where the hills do."""
        ridges: Floats = (self.medium + np.float32(0.3) * self.fine) * np.clip(self.hills, 0, 1.5)
        slope: Floats = np.gradient(ridges, axis=1)
        slope *= 4
        return slope

    def fields(self) -> NDArray[np.uint8]:
        """Materials (h, w) of farmland: one mix of crops per district, one crop per parcel."""
        parcels = self.districts.parcels()
        mixes = (self.districts.hashes >> np.uint32(9)).astype(np.uint8) % np.uint8(palette.FIELD_MIXES)
        first = mixes * np.uint8(palette.FIELD_KINDS) + np.uint8(palette.FIELDS)
        kind = (parcels >> np.uint32(7)).astype(np.uint8) & np.uint8(palette.FIELD_KINDS - 1)
        return kind + self.districts.of(first)

    def paint_woods(self, material: NDArray[np.uint8]) -> None:
        """Forest on the hills, and a grove here and there."""
        edge = self.hills + np.float32(0.24) * self.medium + np.float32(0.1) * self.fine
        woods = (edge > 0.62) | (self.medium + np.float32(0.4) * self.fine > 2.05)
        material[woods] = self._patches(woods, "stands", 55, palette.WOODS, palette.WOOD_KINDS)
        quarries = QUARRIES.depth(self.frame, np.float32(0.7) * (self.medium + self.fine)) > 0
        material[quarries] = self._patches(quarries, "pits", 38, palette.BARE, palette.BARE_KINDS)

    def _patches(self, where: Mask, name: str, side: float, first: int, kinds: int) -> NDArray[np.uint8]:
        """Varieties (n,) of the pixels of a mask (h, w): irregular patches of about the given side."""
        across, along = turned(self.frame, name)
        across = across[where] + np.float32(0.34 * side) * self.medium[where] + np.float32(3) * self.fine[where]
        along = along[where] + np.float32(0.2 * side) * self.broad[where] - np.float32(5) * self.fine[where]
        row = np.floor(along / np.float32(side))
        column = np.floor(across / np.float32(side) + row * np.float32(0.37))
        hashes = hash_places(row, column)
        return ((hashes >> np.uint32(9)) % np.uint32(kinds) + np.uint32(first)).astype(np.uint8)

    def paint_settlements(self, material: NDArray[np.uint8]) -> None:
        """Villages strewn over the plain and strung along roads; towns."""
        rough = np.float32(0.8) * self.fine + np.float32(0.6) * self.medium
        beside = self.districts.roads(15) & (self.medium + np.float32(0.5) * self.fine > 1.0)
        villages = ((VILLAGES.depth(self.frame, rough) > 0) | beside) & (self.hills < 0.9)
        material[villages] = settlements.village(self.districts, villages)

        cities = CITIES.depth(self.frame, np.float32(0.9) * self.broad + np.float32(0.4) * self.medium) > 0
        cities |= TOWNS.depth(self.frame, rough) > 0
        if cities.any():
            material[cities] = settlements.city(self.districts, cities)

    def paint_water(self, material: NDArray[np.uint8]) -> Mask:
        """Streams, lakes, rivers and their sandbanks; returns where (h, w) no minor road crosses."""
        streams = self._strays("streams", spacing=560, sway=60) < 1.6 + 0.6 * self.medium
        material[streams] = palette.STREAM
        lakes = LAKES.depth(self.frame, self.broad * np.float32(0.9) + np.float32(0.5) * self.medium) > 0
        material[lakes] = palette.LAKE
        off = self._strays("rivers", spacing=1650, sway=230)
        width = np.float32(19) + np.float32(5) * self.broad + np.float32(1.2) * self.fine
        np.maximum(width, 6, out=width)
        banks = (off < width + 7) & (self.medium > 0.9)
        material[banks] = palette.SAND
        rivers = off < width
        material[rivers] = palette.RIVER
        return lakes | rivers

    def _strays(self, name: str, *, spacing: float, sway: float) -> Floats:
        """Distance (h, w) in pixels from the nearest of many winding lines."""
        across, _ = turned(self.frame, name)
        period = round(3.2 * sway)
        across = across + np.float32(sway) * self.frame.noise(name, period) + np.float32(0.22 * sway) * self.broad
        place = across * np.float32(1 / spacing)
        place -= np.floor(place)
        off: Floats = np.abs(place - np.float32(0.5)) * np.float32(spacing)
        if off.min() > 150:  # too far to be seen, and to be worth its gradient
            return off
        down, right = np.gradient(across)
        off /= np.sqrt(down**2 + right**2 + np.float32(0.02))
        return off

    def paint_roads(self, material: NDArray[np.uint8], water: Mask) -> None:
        """Minor roads between districts, and main roads that also climb hills and cross rivers."""
        minor = self.districts.roads(2.4) & ~water & (self.hills < 1.0)
        material[minor] = palette.ROADS + unit(self.districts.hashes, 20).round().astype(np.uint8).take(
            self.districts.index[minor]
        )
        rng = generator(self.frame.seed, "roads")
        for number, coordinate in enumerate(turned(self.frame, "roads")):
            spacing = np.float32(rng.uniform(850, 1150))
            place = coordinate + np.float32(38) * self.frame.noise(f"road {number}", 420)
            place = place * (1 / spacing)
            place -= np.floor(place)
            material[np.abs(place - np.float32(0.5)) * spacing < 2.0] = palette.ROADS + 2 + number
