"""What `rsfuse info` says of a folder of tiles, or of patches for sharpening."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from rsfuse.cli import show
from rsfuse.cli.tile_report import show_balance

_FEW = 7
_LAYERS = {"optical": "optical", "sar": "SAR", "labels": "labels"}
_STATISTICS = ("min", "1 %", "mean", "median", "std", "99 %", "max")
_HDF5 = {
    "pancollection": "read from PanCollection's HDF5 files, no pixel was copied",
    "wald": "one scale down, in HDF5 files of the set",
}


def show_tiles(folder: Path, found: Mapping[str, Any]) -> None:
    """What a folder of tiles is, its bands and how often each class occurs.

    Args:
        folder: of the tiles.
        found: what `tasks.info` says of it.
    """
    from rsfuse.raster.manifest import read_manifest

    facts = {
        "tiles": _splits(found),
        "of": _source(found),
        "size": _sizes(found) + _ground(found),
        "layers": _layers(found),
        "coordinates": _crs(found),
        "cut": _options(found["options"]),
        "split": found["split"],
        "left out": "; ".join(f"{count:,} {why}" for why, count in found["left_out"].items()),
        "classes": "" if found["balance"] else _classes(found),
        "written by": found["software"],
    }
    _show_facts(str(folder), facts, found["notes"])
    _show_bands(found["bands"], found["statistics_of"])
    show_balance(read_manifest(folder))


def show_patches(folder: str, found: Mapping[str, Any]) -> None:
    """Likewise of patches for sharpening."""
    sides = {f"{each['split']} {each['width']} x {each['height']}" for each in found["sizes"]}
    facts = {
        "patches": _splits(found, "patches"),
        "of": f"{', '.join(found['scenes']) or found['dataset']}, sensor {found['sensor']}: {_HDF5[found['dataset']]}",
        "size": f"panchromatic px: {', '.join(sorted(sides))}; multispectral: 1/{found['ratio']} of the side",
        "bands": ", ".join(found["band_names"]),
        "maximum": f"{found['maximum']}, the largest digital number",
        "split": found["split"],
        "files": "\n".join(each["path"] for each in found["files"].values()),
        "written by": found["software"],
    }
    _show_facts(folder, facts, found["notes"])
    _show_bands(found["bands"], "the training patches")


def _show_facts(title: str, facts: Mapping[str, str], notes: Sequence[str]) -> None:
    rows = [(what, value) for what, value in facts.items() if value]
    show.table(title, ("what", "value"), rows + [("note", note) for note in notes])


def _show_bands(bands: Sequence[Mapping[str, Any]], counted: str) -> None:
    """A table for the bands of each sensor, type and unit, which would leave the numbers no room."""
    for (sensor, dtype, unit), group in groupby(bands, key=itemgetter("sensor", "dtype", "unit")):
        rows = [(band["name"], *map(_number, _values(band))) for band in group]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        padded = [(name, *map(str.rjust, numbers, widths[1:])) for name, *numbers in rows]
        title = f"{sensor} ({dtype}{', ' if unit else ''}{unit}), over {counted}"
        show.table(title, ("band", *_STATISTICS), padded)


def _values(band: Mapping[str, Any]) -> tuple[float, ...]:
    """In the order of `_STATISTICS`."""
    percentiles = {int(at): value for at, value in band["percentiles"].items()}
    return band["minimum"], percentiles[1], band["mean"], percentiles[50], band["std"], percentiles[99], band["maximum"]


def _number(value: float) -> str:
    """Four digits, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _splits(found: Mapping[str, Any], what: str = "tiles") -> str:
    told = ", ".join(f"{count:,} {split}" for split, count in found["splits"].items() if count)
    return f"{found[what]:,}: {told}"


def _source(found: Mapping[str, Any]) -> str:
    scenes = found["scenes"]
    named = f": {', '.join(scene['name'] for scene in scenes)}" if len(scenes) <= _FEW else ""
    count = f"{len(scenes):,} scene{'s' if len(scenes) > 1 else ''}{named}"
    return f"the data set {found['dataset']}, {count}" if found["dataset"] else count


def _sizes(found: Mapping[str, Any]) -> str:
    sizes = [f"{each['width']} x {each['height']}" for each in found["sizes"]]
    more = f" and {len(sizes) - _FEW} others" if len(sizes) > _FEW else ""
    return ", ".join(sizes[:_FEW]) + more + " px"


def _ground(found: Mapping[str, Any]) -> str:
    return f", {found['gsd_m']:.4g} m a pixel" if found["gsd_m"] else ""


def _layers(found: Mapping[str, Any]) -> str:
    layers = ", ".join(_LAYERS[layer] for layer in found["layers"])
    if found["reading"] is not None:
        return f"{layers}: windows of the scenes, no pixel was copied"
    compression = found["options"]["compress"]
    return f"{layers}: GeoTIFF, {'compressed as the scenes are' if compression == 'scene' else compression}"


def _crs(found: Mapping[str, Any]) -> str:
    systems = list(dict.fromkeys(scene["crs"] or "none" for scene in found["scenes"]))
    return ", ".join(systems) if len(systems) <= _FEW else f"{len(systems)} reference systems"


def _options(options: Mapping[str, Any]) -> str:
    """The choices that were not left as they come, in words."""
    told = {
        "halo": "{} px shared with each neighbour",
        "crop": "the part {}",
        "optical_bands": "optical bands {}",
        "sar_bands": "SAR bands {}",
        "label_field": "classes by the attribute {!r}",
    }
    words = [text.format(_plain(options[key])) for key, text in told.items() if options.get(key)]
    words.append("the last tile shifted back at the edge" if options["edge"] == "shift" else "no tile over the edge")
    if options["survey"]:  # else nobody has counted
        words.append(f"at least {options['min_valid']:.0%} of a tile with data")
    return "; ".join(words)


def _plain(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _classes(found: Mapping[str, Any]) -> str:
    told = ", ".join(f"{each['code']} {each['name']}" for each in found["legend"]["classes"])
    return f"{told}; not counted yet"
