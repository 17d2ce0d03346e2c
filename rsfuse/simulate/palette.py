"""Palette: what each material of the ground looks like to either sensor.

A material is a class and a variety of it: one crop, one kind of roof. Every table here has 256 entries, one per
material. Reflectances and backscatter are round figures for level terrain at 5 m: plausible, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rsfuse.simulate.noise import Floats, generator

FARMLAND, CITY, VILLAGE, WATER, FOREST, ROAD, OTHER = 10, 20, 30, 40, 50, 60, 70
"""Codes of the WHU-OPT-SAR legend."""

FIELDS, FIELD_KINDS, FIELD_MIXES = 0, 32, 4
"""First material of the fields, varieties in a mix of crops, mixes."""
WOODS, WOOD_KINDS = 128, 16
HOUSES, HOUSE_KINDS = 144, 16
ROOFS, ROOF_KINDS = 160, 24
CITY_GREEN, ASPHALT, SHADOW, WALL = 184, 185, 186, 187
YARDS, YARD_KINDS = 188, 4
ROADS, ROAD_KINDS = 192, 4
RIVER, LAKE, STREAM = 196, 197, 198
BARE, BARE_KINDS = 204, 16
SAND = 220


@dataclass(frozen=True)
class Look:
    """How one kind of ground looks.

    Args:
        reflectance: blue, green, red, near infrared; 0 to 1.
        backscatter_db: mean sigma0.
        spread: relative deviation of the brightness from variety to variety.
        spread_db: deviation of the backscatter from variety to variety.
        texture: relative deviation of the brightness within a variety.
    """

    reflectance: tuple[float, float, float, float]
    backscatter_db: float
    spread: float = 0.08
    spread_db: float = 1.0
    texture: float = 0.05


YOUNG_PADDY = Look((0.062, 0.078, 0.064, 0.130), -14.5, 0.12, 2.0, 0.04)
GROWN_PADDY = Look((0.042, 0.078, 0.050, 0.310), -9.5, 0.10, 1.8, 0.04)
WHEAT = Look((0.047, 0.086, 0.050, 0.380), -11.0, 0.12, 1.8, 0.04)
RAPE = Look((0.058, 0.130, 0.110, 0.360), -9.5, 0.10, 1.5, 0.04)
ORCHARD = Look((0.031, 0.054, 0.036, 0.275), -8.8, 0.10, 1.5, 0.12)  # like forest to the optical sensor
STUBBLE = Look((0.085, 0.110, 0.130, 0.215), -13.0, 0.12, 2.0, 0.05)
SOIL = Look((0.090, 0.115, 0.145, 0.195), -11.0, 0.14, 2.5, 0.05)
GREENHOUSE = Look((0.240, 0.255, 0.260, 0.320), -8.0, 0.12, 2.0, 0.12)
CLEARED = Look((0.150, 0.180, 0.215, 0.265), -14.5, 0.15, 1.5, 0.06)  # a bare plot, of class other
POND = Look((0.066, 0.080, 0.056, 0.035), -21.0, 0.15, 1.5, 0.03)
WOOD = Look((0.028, 0.048, 0.032, 0.260), -8.0, 0.12, 0.5, 0.20)

MIXES: tuple[tuple[tuple[Look, int], ...], ...] = (
    ((GROWN_PADDY, 14), (YOUNG_PADDY, 8), (STUBBLE, 3), (SOIL, 3), (ORCHARD, 2), (POND, 1), (CLEARED, 1)),
    ((WHEAT, 11), (RAPE, 8), (SOIL, 6), (STUBBLE, 4), (ORCHARD, 2), (CLEARED, 1)),
    ((SOIL, 8), (STUBBLE, 8), (GREENHOUSE, 3), (WHEAT, 6), (ORCHARD, 4), (CLEARED, 3)),
    ((YOUNG_PADDY, 13), (POND, 8), (GROWN_PADDY, 7), (WHEAT, 4)),
)
"""What grows in each of the four kinds of farmland: 32 varieties each."""

CITY_ROOFS = (
    (Look((0.150, 0.150, 0.150, 0.175), -1.5, 0.25, 4.0, 0.08), 9),  # concrete
    (Look((0.330, 0.345, 0.350, 0.370), -1.0, 0.15, 4.0, 0.06), 4),  # white sheet
    (Look((0.250, 0.215, 0.150, 0.180), -2.0, 0.15, 4.0, 0.06), 4),  # blue steel
    (Look((0.105, 0.110, 0.160, 0.210), -2.5, 0.15, 3.0, 0.08), 4),  # tiles
    (Look((0.150, 0.175, 0.205, 0.245), -3.0, 0.15, 3.0, 0.06), 3),  # earth tones, like a bare plot
)
VILLAGE_ROOFS = (
    (Look((0.095, 0.100, 0.140, 0.190), -4.5, 0.15, 2.5, 0.10), 7),
    (Look((0.125, 0.128, 0.132, 0.165), -4.0, 0.20, 2.5, 0.10), 5),
    (Look((0.250, 0.260, 0.265, 0.290), -3.5, 0.15, 2.5, 0.08), 2),
    (Look((0.190, 0.180, 0.150, 0.170), -4.0, 0.15, 2.5, 0.08), 2),
)
BARE_GROUND = (
    (Look((0.195, 0.225, 0.260, 0.300), -12.0, 0.12, 2.0, 0.10), 6),  # quarry
    (Look((0.135, 0.170, 0.225, 0.275), -13.0, 0.12, 2.0, 0.08), 6),  # red earth
    (Look((0.165, 0.180, 0.195, 0.225), -10.0, 0.15, 2.5, 0.12), 4),  # rubble, as rough as a village to the SAR
)
SINGLE: dict[int, tuple[int, Look]] = {
    CITY_GREEN: (CITY, Look((0.046, 0.072, 0.052, 0.225), -7.5, texture=0.12)),
    ASPHALT: (CITY, Look((0.105, 0.108, 0.110, 0.125), -12.0, texture=0.06)),
    SHADOW: (CITY, Look((0.045, 0.044, 0.040, 0.055), -8.0, texture=0.06)),
    WALL: (CITY, Look((0.150, 0.150, 0.150, 0.170), 5.0, texture=0.08)),
    RIVER: (WATER, Look((0.088, 0.108, 0.098, 0.050), -21.0, 0.10, 1.5, 0.03)),
    LAKE: (WATER, Look((0.056, 0.067, 0.046, 0.026), -23.0, 0.12, 1.5, 0.03)),
    STREAM: (WATER, Look((0.072, 0.088, 0.072, 0.060), -20.0, 0.10, 1.5, 0.03)),
    SAND: (OTHER, Look((0.170, 0.200, 0.230, 0.260), -16.5, 0.10, 1.0, 0.05)),
}
YARD = Look((0.048, 0.076, 0.058, 0.240), -7.5, 0.20, 2.0, 0.14)
PAVEMENT = Look((0.135, 0.140, 0.145, 0.160), -18.0, 0.25, 1.0, 0.04)  # smooth: as dark as water to the SAR


@dataclass(frozen=True)
class Palette:
    """The looks of the 256 materials at one date.

    Args:
        code: (256,) class codes.
        reflectance: (4, 256), 0 to 1.
        sigma: (256,) mean sigma0, a power ratio.
        texture: (256,) relative deviation of the fine brightness texture.
        relief: (256,) how much slopes show; 1 on wooded hills.
        glint: (256,) share of pixels with a strong point scatterer.
    """

    code: NDArray[np.uint8]
    reflectance: Floats
    sigma: Floats
    texture: Floats
    relief: Floats
    glint: Floats


@lru_cache(maxsize=8)
def palette_of(seed: int) -> Palette:
    """The palette of a seed: each seed is another date, with other crops, leaves and moisture."""
    rng = generator(seed, "palette")
    code = np.full(256, OTHER, np.uint8)
    looks = [WOOD] * 256
    for first, land, kinds in _groups():
        kinds = [kinds[each] for each in rng.permutation(len(kinds))]
        for material, look in enumerate(kinds, first):
            looks[material], code[material] = look, _land(look, land)

    draw = rng.standard_normal((3, 256))
    spread, spread_db = np.array([(look.spread, look.spread_db) for look in looks]).T
    reflectance = np.array([look.reflectance for look in looks]).T * np.clip(1 + spread * draw[0], 0.5, 1.6)
    leafy = reflectance[3] > 1.8 * reflectance[2]
    reflectance[3, leafy] *= rng.uniform(0.85, 1.12)
    reflectance[2] *= 1 + 0.05 * draw[1]  # two varieties differ in hue too
    backscatter_db = np.array([look.backscatter_db for look in looks]) + spread_db * draw[2]
    backscatter_db[code == FARMLAND] += rng.normal(0, 0.7)  # soil moisture of the date
    return Palette(
        code=code,
        reflectance=reflectance.astype(np.float32),
        sigma=(10 ** (backscatter_db / 10)).astype(np.float32),
        texture=np.array([look.texture for look in looks], np.float32),
        relief=np.where(code == FOREST, 1, 0.15 * (code == FARMLAND)).astype(np.float32),
        glint=_glint(code),
    )


def _groups() -> list[tuple[int, int, list[Look]]]:
    """First material, class code and varieties of each group of materials."""
    mixes = [(FIELDS + FIELD_KINDS * number, FARMLAND, _repeat(mix)) for number, mix in enumerate(MIXES)]
    return [
        *mixes,
        (WOODS, FOREST, [WOOD] * WOOD_KINDS),
        (HOUSES, VILLAGE, _repeat(VILLAGE_ROOFS)),
        (ROOFS, CITY, _repeat(CITY_ROOFS)),
        (YARDS, VILLAGE, [YARD] * YARD_KINDS),
        (ROADS, ROAD, [PAVEMENT] * ROAD_KINDS),
        (BARE, OTHER, _repeat(BARE_GROUND)),
        *((material, land, [look]) for material, (land, look) in SINGLE.items()),
    ]


def _repeat(kinds: tuple[tuple[Look, int], ...]) -> list[Look]:
    return [look for look, times in kinds for _ in range(times)]


def _land(look: Look, land: int) -> int:
    """Class of a variety: among the fields lie plots that are none."""
    return {id(POND): WATER, id(CLEARED): OTHER}.get(id(look), land)


def _glint(code: NDArray[np.uint8]) -> Floats:
    """Buildings hold corners that send everything back."""
    glint = np.zeros(256, np.float32)
    glint[code == CITY] = 0.030
    glint[code == VILLAGE] = 0.015
    glint[[CITY_GREEN, ASPHALT, SHADOW]] = 0
    return glint
