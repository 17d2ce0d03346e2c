"""The page about one pair: a single file of HTML that loads nothing from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.etree.ElementTree import Element

from rsfuse import __version__
from rsfuse.geometry.correction import Correction
from rsfuse.geometry.registration import Limits
from rsfuse.raster.disk import replace_text, writing
from rsfuse.raster.registration.checked import Checked
from rsfuse.reports.coreg import charts, tile_maps
from rsfuse.reports.coreg.checkerboards import draw_spot, spots
from rsfuse.reports.coreg.figures import correction_table, figures_table
from rsfuse.reports.coreg.ground import Ground
from rsfuse.reports.coreg.looks import Look, looks
from rsfuse.reports.coreg.page_style import STYLE
from rsfuse.reports.html.markup import document, element, figure

_WIDE, _HALF = (1140.0, 760.0), (556.0, 760.0)  # for maps of tiles: alone, and two beside each other
_FLAT = 1.7  # width to height of rasters whose maps lie below each other

_HOW = (
    "Shifts are of the SAR against the optical, in pixels{size} of the coarser of the two: dx to the right, dy down. "
    "Edges are matched, not brightness, tile by tile. A pair passes if nine of ten shifts are no longer than "
    "{ce90:g} px (CE90) and their median is no longer than {median:g} px."
)
_KINDS = (
    "Each kind of correction was fitted to some of the tiles and judged by the others. Unless one is asked for, the "
    "simplest is taken that leaves nearly as little as the best. Figures after it are of tiles that lie between those "
    "it was fitted to, and share some of their pixels."
)
_AXES = "Axes reach as far as shifts do, on each chart its own; the dashed circle is always the limit of CE90."
_BOARDS = (
    "Optical (grey) and SAR (yellowish) in turn, {} px a square, where the SAR as it came lies best, middling and "
    "worst of all tiles that were accepted. Roads and shores that run on from one square to the next lie well; the "
    "worst tile may be matched wrongly."
)


@dataclass(frozen=True)
class CoregPage:
    """All that is on it.

    Args:
        before: the pair as it came, still open.
        after: the same with the SAR corrected, still open; its grid may differ by some pixels. None where nothing was.
        limits: what passes.
        correction: what was made of the SAR; None where nothing was.
    """

    before: Checked
    after: Checked | None
    limits: Limits
    correction: Correction | None

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        """The one or two looks at the pair."""
        return looks(self.before, self.after)

    @property
    def has_shifts(self) -> bool:
        """Whether a tile was accepted in any of them."""
        return any(len(look.accepted) for look in self.looks)


def write_page(page: CoregPage, path: Path) -> None:
    """Write the page; a file that is there is replaced.

    The optical raster is read once as a whole, in squares, and both rasters around a few tiles.

    Raises:
        SceneError: if a raster is truncated or damaged.
        OutputError: if the file cannot be written.
    """
    text = _draw(page)
    with writing(path):
        replace_text(path, text)


def _draw(page: CoregPage) -> str:
    optical, sar = (path.name for path in page.before.overlay.paths)
    return document(
        f"{optical} and {sar}",
        STYLE,
        *_introduction(page),
        element("div", *_tables(page), class_="tables"),
        *_maps(page),
        *_charts(page),
        *_boards(page),
        element("p", f"rsfuse {__version__}, coreg", class_="soft"),
    )


def _introduction(page: CoregPage) -> list[Element]:
    """Names, verdicts and limits."""
    overlay = page.before.overlay
    gsd = figure(overlay.gsd_m)
    size = f" of {gsd} m" if gsd != "-" else ""
    verdicts = [_verdict(look) for look in page.looks]
    return [
        element("p", "Does the SAR lie on the optical?", class_="soft"),
        element("h1", " and ".join(path.name for path in overlay.paths)),
        element("div", *verdicts, class_="verdicts"),
        element("p", _HOW.format(size=size, ce90=page.limits.ce90, median=page.limits.median)),
    ]


def _verdict(look: Look) -> Element:
    verdict = look.checked.verdict
    name = f"{look.name}: {look.checked.overlay.paths[1].name}"
    outcome = element("strong", verdict.outcome.upper())
    return element(
        "div", element("span", name), outcome, element("span", verdict.why), class_=f"verdict {verdict.outcome}"
    )


def _tables(page: CoregPage) -> list[Element]:
    """Figures, and the correction beside them."""
    parts = [element("section", element("h2", "Figures"), figures_table(page.looks))]
    if page.correction is not None:
        told = element("h2", "Correction"), element("p", _KINDS), correction_table(page.correction)
        parts.append(element("section", *told))
    return parts


def _maps(page: CoregPage) -> list[Element]:
    """Arrows and states of tiles over the optical raster."""
    height, width = page.before.overlay.grid.shape
    beside = len(page.looks) == 2 and width < _FLAT * height
    ground = Ground(page.before.overlay, _HALF if beside else _WIDE)
    kind = "maps two" if beside else "maps"
    states = [_titled(look, tile_maps.draw_states(look, ground), tile_maps.states_legend(look)) for look in page.looks]
    return [
        ground.definition,
        element("h2", "Shifts of accepted tiles"),
        *_arrows(page, ground, kind),
        element("h2", "What became of all tiles"),
        element("div", *states, class_=kind),
    ]


def _arrows(page: CoregPage, ground: Ground, kind: str) -> list[Element]:
    if not page.has_shifts:
        return [element("p", "No tile was accepted: there are no shifts to draw.")]
    quiver = tile_maps.Quiver.of(page.looks, ground)
    arrows = [_titled(look, quiver.draw(look)) for look in page.looks]
    return [element("div", *arrows, class_=kind), quiver.legend]


def _charts(page: CoregPage) -> list[Element]:
    """Where shifts point, and how long they are."""
    if not page.has_shifts:
        return []
    drawn = [
        _titled(look, charts.draw_scatter(look, page.limits), charts.scatter_legend(look, page.limits))
        for look in page.looks
    ]
    lengths = charts.draw_histogram(page.looks, page.limits), charts.histogram_legend(page.looks, page.limits)
    drawn.append(element("figure", element("h3", "lengths"), *lengths))
    heading = element("h2", "Where shifts point, and how long they are")
    return [heading, element("p", _AXES), element("div", *drawn, class_="charts")]


def _boards(page: CoregPage) -> list[Element]:
    """Checkerboards of a few tiles."""
    places = spots(page.looks[0])
    if not places:
        return []
    boards = [draw_spot(spot, page.looks) for spot in places]
    told = element("p", _BOARDS.format(places[0].cell))
    return [element("h2", "Checkerboards"), told, element("div", *boards, class_="boards")]


def _titled(look: Look, *inside: Element) -> Element:
    return element("figure", element("h3", look.name, style=f"color: {look.color}"), *inside)
