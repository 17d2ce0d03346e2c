"""What the names of Gaofen scenes and of their files say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

_PLACE_AND_DAY = r"_*([EW]\d+(?:\.\d+)?)_*([NS]\d+(?:\.\d+)?)_*(\d{8})_*L(?:EVEL)?(\d[A-D]?)"
_OPTICAL = re.compile(rf"(GF[126][A-D]?)_*(PMS\d?|WFV\d?){_PLACE_AND_DAY}[A-Z]*[_-]*(\d+)", re.IGNORECASE)
_SAR = re.compile(
    rf"(GF3[BCD]?)_+([A-Z]{{3}})_+([A-Z0-9]+)_+(\d+){_PLACE_AND_DAY}[A-Z]*_+([HVAD]+)_*(L?\d+)", re.IGNORECASE
)

CHANNELS = {
    "AHV": ("HH", "HV", "VH", "VV"),
    "DH": ("HH",),
    "DV": ("VV",),
    "HHHV": ("HH", "HV"),
    "HVHH": ("HH", "HV"),
    "VVVH": ("VV", "VH"),
    "VHVV": ("VV", "VH"),
    "HH": ("HH",),
    "HV": ("HV",),
    "VH": ("VH",),
    "VV": ("VV",),
}
"""Polarisations that the tag of a SAR scene promises."""


@dataclass(frozen=True)
class SceneName:
    """What the name of a scene says.

    Args:
        text: the name, as it is spelt.
        satellite: as "GF1", "GF1B", "GF3".
        sensor: as "PMS1", "PMS", "WFV2"; "SAR".
        acquired: day.
        level: as "L1A".
        mode: of imaging, of a SAR scene.
        tag: of polarisations, likewise: "HHHV"; of a file of such a scene, its polarisation.
        key: the same for all files of a scene, whatever their spelling and polarisation.
    """

    text: str
    satellite: str
    sensor: str
    acquired: date
    level: str
    mode: str = ""
    tag: str = ""
    key: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileName:
    """What the name of a file says: its scene, and what follows, as "-MSS1", ".meta", "_strip_0" or ""."""

    scene: SceneName
    rest: str


def parse_name(text: str) -> FileName | None:
    """What a name without its ending, of a file, folder or archive, says; None where it is not one of Gaofen's."""
    if found := _OPTICAL.match(text):
        satellite, sensor, *_, day, level, _ = key = tuple(part.upper() for part in found.groups())
        mode = tag = ""
    elif found := _SAR.match(text):
        groups = tuple(part.upper() for part in found.groups())
        satellite, _, mode, _, _, _, day, level, tag, _ = groups
        sensor, key = "SAR", groups[:8] + groups[9:]
    else:
        return None
    acquired = day_of(day)
    if acquired is None:
        return None
    scene = SceneName(found[0], satellite, sensor, acquired, f"L{level}", mode, tag, key)
    return FileName(scene, text[found.end() :])


def parse_file(name: str) -> FileName | None:
    """The same of the path of a file in a product."""
    return parse_name(PurePosixPath(name).stem)


def day_of(text: str | None) -> date | None:
    """The day with which a text begins: 2018-05-30, 2018/5/30, 20180530."""
    found = re.match(r"\s*(\d{4})\D?(\d{1,2})\D?(\d{1,2})", text or "")
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def satellite_of(text: str | None) -> str | None:
    """A satellite as its name is spelt in those of scenes: "GF-1" and "gf01" are "GF1"; None for one not known."""
    found = re.fullmatch(r"GF0*([1-9])([A-D]?)", re.sub(r"[^A-Z0-9]", "", (text or "").upper()))
    return f"GF{found[1]}{found[2]}" if found else None


def channels_of(tag: str) -> tuple[str, ...]:
    """Polarisations that a tag promises; none of an unknown one."""
    if tag.upper() in CHANNELS:
        return CHANNELS[tag.upper()]
    pairs = re.findall("..", tag.upper())
    known = "".join(pairs) == tag.upper() and all(CHANNELS.get(pair) == (pair,) for pair in pairs)
    return tuple(dict.fromkeys(pairs)) if known else ()
