"""Maps of one mosaic must mean the same by their codes."""

from __future__ import annotations

from collections.abc import Sequence

from rsfuse.errors import LegendMismatchError
from rsfuse.legend import LandClass, Legend, format_color
from rsfuse.raster.mosaics.source import Source

_SHOWN = 8


def agreed_legend(sources: Sequence[Source], named: Legend | None) -> Legend | None:
    """The legend of all maps; None if they are no maps: no file has a legend, and none was named.

    Args:
        sources: the files.
        named: the legend of those that have none.

    Raises:
        LegendMismatchError: if some mean something else, with the entries that differ; or only some have a legend.
    """
    known = [(str(source.path), source.legend) for source in sources if source.legend is not None]
    if not known and named is None:
        return None
    silent = [source.path for source in sources if source.legend is None]
    if silent and named is None:
        more = f" (and {len(silent) - 1} more)" if len(silent) > 1 else ""
        raise LegendMismatchError(
            f"{silent[0]}{more} does not say what its codes mean, {known[0][0]} does",
            hint="name its legend: --legend whu-opt-sar",
        )
    if named is not None:
        known.insert(0, ("--legend", named))
    told, legend = known[0]
    for other, its in known[1:]:
        differences = _differences(legend, its)
        if differences:
            shown = "; ".join(f"{one} in {told}, {two} in {other}" for one, two in differences[:_SHOWN])
            rest = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
            raise LegendMismatchError(
                f"{other} has another legend than {told}: {shown}{rest}",
                hint="make all maps of a mosaic with bundles of one legend",
            )
    return legend


def _differences(one: Legend, other: Legend) -> list[tuple[str, str]]:
    """What each code means in both, where that is not the same; the order of the classes does not count."""
    first, second = ({each.code: each for each in legend} for legend in (one, other))
    codes = sorted({*first, *second})
    return [(_told(first, code), _told(second, code)) for code in codes if first.get(code) != second.get(code)]


def _told(classes: dict[int, LandClass], code: int) -> str:
    found = classes.get(code)
    return f"{code} {found.name} {format_color(found.color)}" if found else f"no code {code}"
