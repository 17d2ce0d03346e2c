"""The contact sheet of a tile set: a few tiles of every split, one row a tile: optical, SAR, labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rsfuse.legend import NODATA, Color, Legend
from rsfuse.raster.tiles import TileEntry, TileSet
from rsfuse.reports.legend_strip import SWATCH, LegendEntry, class_entries
from rsfuse.reports.sheet import Sheet, SheetBlock, SheetRow, counted, evenly, write_sheet
from rsfuse.reports.shown_bands import shown_bands
from rsfuse.reports.thumbnails import SIDE, Thumbnail, dotted, hatched, look_at_tile

EACH = 4
"""Tiles of a split, at most."""

_TOLD = 4  # shares in a caption
_FOOT = "Brightness from the 2nd to the 98th percentile of {of}, alike in all its tiles; labels by the commonest class."


def draw_contact_sheet(tiles: TileSet, path: Path) -> None:
    """Draw tiles, spread evenly over each split, into a PNG; the same tiles every time.

    Args:
        tiles: the set.
        path: of the PNG; a file that is there is replaced.

    Raises:
        SceneError: if a tile is damaged.
        OutputError: if the file cannot be written.
    """
    splits = {split: tiles.select(split) for split in ("train", "val", "test")}
    looks = {
        split: [(tile, look_at_tile(tiles, tile)) for tile in evenly(all_, EACH)] for split, all_ in splits.items()
    }
    blocks = tuple(
        SheetBlock(
            heading=f"{split}: {counted(len(shown), len(splits[split]), 'tile', 'tiles')}",
            rows=tuple(_row(tile, look, tiles.legend) for tile, look in shown),
        )
        for split, shown in looks.items()
        if shown
    )
    sheet = Sheet(
        title=f"{tiles.folder.resolve().name}: {len(tiles.manifest.tiles):,} tiles of {_source(tiles)}",
        columns=_columns(tiles),
        blocks=blocks,
        legend=_legend(tiles, [look for shown in looks.values() for _, look in shown]),
        foot=_FOOT.format(of="the set" if tiles.manifest.scenes[0].statistics is None else "a scene"),
        cell=SIDE,
    )
    write_sheet(sheet, path)


def _source(tiles: TileSet) -> str:
    told = tiles.manifest.told_scenes
    return told[0] if len(told) == 1 else f"{len(told)} scenes"


def _columns(tiles: TileSet) -> tuple[str, ...]:
    """Captions that name the bands."""
    statistics, layers = tiles.manifest.statistics, tiles.manifest.layers
    shown = [statistics.optical[band].name for band in shown_bands([band.name for band in statistics.optical])]
    captions = {"optical": f"optical: {_joined(shown)}", "sar": "", "labels": "labels"}
    if "sar" in layers:
        captions["sar"] = f"SAR: {statistics.sar[0].name}"
    return tuple(caption for layer, caption in captions.items() if layer in layers)


def _joined(names: Sequence[str]) -> str:
    """Names of bands: "red, green, blue", or "bands 1, 2, 3" where a file has none."""
    if len(names) > 1 and all(name.startswith("band ") for name in names):
        return "bands " + ", ".join(name.removeprefix("band ") for name in names)
    return ", ".join(names)


def _row(tile: TileEntry, look: Thumbnail, legend: Legend) -> SheetRow:
    pictures = tuple(each for each in (look.optical, look.sar, look.labels) if each is not None)
    return SheetRow(tile.name, _shares(look, legend) if look.labels is not None else (), pictures)


def _shares(look: Thumbnail, legend: Legend) -> tuple[tuple[str, Color | None], ...]:
    """The largest shares of a tile's pixels, and in which colour they are drawn."""
    known = {each.code: (each.name, each.color) for each in legend}
    named: dict[int, tuple[str, Color | None]] = {**known, NODATA: ("not labelled", None)}
    total = max(sum(look.pixels.values()) + look.empty, 1)
    shares = [(count / total, *named[code]) for code, count in look.pixels.items()]
    shares += [(look.empty / total, "no data", None)] if look.empty else []
    largest = sorted(shares, key=lambda share: -share[0])[:_TOLD]
    return tuple((f"{name} {_percent(share)}", color) for share, name, color in largest)


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "< 1%"


def _legend(tiles: TileSet, looks: Sequence[Thumbnail]) -> tuple[LegendEntry, ...]:
    """Classes of the legend, and what else is to be seen."""
    labelled = "labels" in tiles.manifest.layers
    entries = class_entries(tiles.legend) if labelled else []
    if labelled and any(NODATA in look.pixels for look in looks):
        entries.append(LegendEntry("not labelled", dotted(SWATCH, SWATCH)))
    if any(look.empty for look in looks):
        entries.append(LegendEntry("no data", hatched(SWATCH, SWATCH)))
    return tuple(entries)
