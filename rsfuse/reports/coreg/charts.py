"""Charts of shifts: where they point, and how long they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

import numpy as np

from rsfuse.geometry.registration import Limits
from rsfuse.reports.coreg.looks import Look
from rsfuse.reports.html.axes import Axis, bar, frame, ticks
from rsfuse.reports.html.markup import drawing, element, figure, key, legend

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _RIM = 360, 348, 58, 46, 10  # inside, a square
_BINS = 20
_LEAST = 0.1  # px that an axis reaches at least
_INK = "#111111"


def draw_scatter(look: Look, limits: Limits) -> Element:
    """A dot for every shift that was accepted, circles for CE90 and what it may be; dots beyond lie on the frame."""
    reach = _reach([look], limits)
    across, down = Axis(-reach, reach, _LEFT, _WIDTH - _RIM), Axis(-reach, reach, _RIM, _HEIGHT - _BOTTOM)
    found = look.checked.found
    dots = [
        element("circle", cx=across.at(x), cy=down.at(y), r=2.2)
        for x, y in np.clip(look.shifts, -reach, reach).tolist()
    ]
    drawn = [frame(across, down, ("dx, px to the right", "dy, px down"))]
    drawn.append(element("g", *dots, class_="dots", fill=look.color))
    centre = across.at(0), down.at(0)
    drawn.append(_circle(centre, across.length(limits.ce90), class_="limit"))
    if math.isfinite(found.ce(90)):
        drawn.append(_circle(centre, across.length(found.ce(90)), class_="ce90", stroke=look.color))
        drawn.append(_plus(across.at(found.median[0]), down.at(found.median[1])))
    return drawing((_WIDTH, _HEIGHT), f"scatter of shifts {look.name}", *drawn)


def scatter_legend(look: Look, limits: Limits) -> Element:
    """What is drawn, and how many dots lie beyond."""
    found = look.checked.found
    beyond = int((np.abs(look.shifts) > _reach([look], limits)).any(1).sum())
    return legend(
        key(_circle((7, 7), 5.5, class_="ce90", stroke=look.color), f"CE90 {figure(found.ce(90))} px"),
        key(_circle((7, 7), 5.5, class_="limit"), f"at most {limits.ce90:g} px"),
        key(_plus(7, 7), f"median {figure(found.median[0], signed=True)}, {figure(found.median[1], signed=True)} px"),
        f"{beyond:,} of {len(look.shifts):,} lie beyond, drawn on the frame" if beyond else "",
    )


def draw_histogram(looks: Sequence[Look], limits: Limits) -> Element:
    """How many tiles have shifts of which length; the last bars hold all that are longer."""
    reach = _reach(looks, limits)
    edges = np.linspace(0, reach, _BINS + 1)
    # shares, for looks may have accepted more or fewer
    shares = [
        100 * np.histogram(np.minimum(look.lengths, reach), edges)[0] / max(len(look.lengths), 1) for look in looks
    ]
    highest = max(float(each.max()) for each in shares) or 1.0
    across, up = Axis(0, reach, _LEFT, _WIDTH - _RIM), Axis(0, highest * 1.08, _HEIGHT - _BOTTOM, _RIM)
    bars = element("g", class_="bars")
    wide = edges[1] / len(looks)
    for number, (look, heights) in enumerate(zip(looks, shares, strict=True)):
        for edge, height in zip(edges[:-1], heights.tolist(), strict=True):
            start = edge + number * wide
            bars.append(bar(across, up, (start, start + wide), height, look.color))
    limit = across.at(limits.ce90)
    line = element("line", x1=limit, x2=limit, y1=up.start, y2=up.end, class_="limit")
    names = "length of shift, px", "% of accepted tiles"
    return drawing((_WIDTH, _HEIGHT), "lengths of shifts", frame(across, up, names), bars, line)


def histogram_legend(looks: Sequence[Look], limits: Limits) -> Element:
    """Colours of the looks."""
    keys = [key(element("rect", width=14, height=14, fill=look.color), look.name) for look in looks]
    line = element("line", x1=7, x2=7, y1=0, y2=14, class_="limit")
    longer = f"the last bar: {figure(_reach(looks, limits) * (1 - 1 / _BINS))} px and longer"
    return legend(*keys, key(line, f"CE90 at most {limits.ce90:g} px"), longer)


def _reach(looks: Sequence[Look], limits: Limits) -> float:
    """Up to where axes go: all but few shifts, the limit, and to a round number."""
    wanted = [1.3 * limits.ce90, _LEAST, *(1.2 * look.checked.found.ce(95) for look in looks)]
    largest = max(each for each in wanted if math.isfinite(each))
    step = ticks(0, largest, 6)[1]
    return math.ceil(largest / step) * step


def _circle(centre: tuple[float, float], radius: float, **attributes: str) -> Element:
    return element("circle", cx=centre[0], cy=centre[1], r=radius, fill="none", **attributes)


def _plus(x: float, y: float) -> Element:
    return element("path", d=f"M{x - 6:.1f} {y:.1f}h12m-6 -6v12", stroke=_INK, stroke_width=2, class_="median")
