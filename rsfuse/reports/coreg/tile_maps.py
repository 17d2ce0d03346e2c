"""Maps of tiles: an arrow for every shift that was accepted, and a sign for what became of every tile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from rsfuse.geometry.registration import TileState
from rsfuse.geometry.shift_field import Floats
from rsfuse.reports.coreg.figures import STATES
from rsfuse.reports.coreg.ground import Ground
from rsfuse.reports.coreg.looks import Look, shift_told
from rsfuse.reports.html.axes import below
from rsfuse.reports.html.colors import STEPS
from rsfuse.reports.html.markup import element, key, legend

_REACH = 1.5  # times the distance of tiles: as long as the arrow is that one of ten exceeds
_SHAFT, _BARB, _HEAD, _TAIL = 0.8, 2.6, 6.0, 1.7  # half widths, length of the head, radius of the dot

_SIGNS = {
    TileState.ACCEPTED: "#0067a8",
    TileState.REJECTED: "#b34700",
    TileState.FLAT: "#111111",
    TileState.EMPTY: "#111111",
}


@dataclass(frozen=True)
class Quiver:
    """How arrows are drawn, alike in all looks.

    Args:
        ground: below them.
        factor: by how much longer they are than the shifts.
        margins: edges of the classes of confidence, one more than there are colours.
    """

    ground: Ground
    factor: float
    margins: Floats

    @classmethod
    def of(cls, looks: Sequence[Look], ground: Ground) -> Quiver:
        """As suits the first look."""
        tiles = looks[0].checked.found.tiles
        factor, lengths = 1.0, looks[0].lengths
        if len(lengths) and np.percentile(lengths, 90) > 0:
            distance = math.sqrt(tiles.shape[0] * tiles.shape[1] / len(tiles.states))
            factor = below(_REACH * distance / float(np.percentile(lengths, 90)))
        margins = np.concatenate([look.checked.found.tiles.margins[look.accepted] for look in looks])
        low, high = (float(margins.min()), float(np.percentile(margins, 95))) if len(margins) else (0.0, 1.0)
        return cls(ground, factor, np.linspace(low, max(high, low + 0.01), len(STEPS) + 1))

    def draw(self, look: Look) -> Element:
        """The arrows of a look; those of little confidence below."""
        tiles, accepted = look.checked.found.tiles, look.accepted
        starts = self.ground.places(look.checked)[accepted]
        ends = starts + self.factor * self.ground.lengths(tiles.shifts[accepted])
        classes = np.clip(np.digitize(tiles.margins[accepted], self.margins[1:-1]), 0, len(STEPS) - 1)
        names = [shift_told(tiles, at) for at in accepted]
        arrows = [
            element("path", element("title", names[at]), d=_arrow(starts[at], ends[at]), fill=STEPS[classes[at]])
            for at in np.argsort(classes, kind="stable")
        ]
        return self.ground.draw(f"shifts {look.name}", element("g", *arrows, class_="arrows"))

    @property
    def legend(self) -> Element:
        """How long, and what colours stand for."""
        keys: list[Element | str] = [f"arrows {self.factor:g} times as long as the shifts; margin of the peak: "]
        for color, low, high in zip(STEPS, self.margins, self.margins[1:], strict=False):
            swatch = element("rect", width=14, height=14, fill=color)
            keys.append(key(swatch, f"{low:.2f} to {high:.2f}" if color != STEPS[-1] else f"above {low:.2f}"))
        return legend(*keys)


def draw_states(look: Look, ground: Ground) -> Element:
    """A sign for every tile."""
    tiles = look.checked.found.tiles
    signs = [
        _sign(TileState(int(state)), place)
        for state, place in zip(tiles.states, ground.places(look.checked).tolist(), strict=True)
    ]
    return ground.draw(f"states of tiles {look.name}", element("g", *signs, class_="states"))


def states_legend(look: Look) -> Element:
    """What signs stand for, and how many there are of each."""
    tiles = look.checked.found.tiles
    return legend(*(key(_sign(state, (7, 7)), f"{tiles.count(state):,} {told}") for state, told in STATES.items()))


def _sign(state: TileState, place: Sequence[float]) -> Element:
    """Shapes differ beside colours."""
    (x, y), color = place, _SIGNS[state]
    if state == TileState.ACCEPTED:
        return element("circle", cx=x, cy=y, r=3.4, fill=color, stroke="#fff", stroke_width=1)
    if state == TileState.REJECTED:
        cross = f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6"
        return element("path", d=cross, stroke=color, stroke_width=1.8, fill="none")
    if state == TileState.FLAT:
        return element("rect", x=x - 3, y=y - 3, width=6, height=6, stroke=color, stroke_width=1.2, fill="#fff")
    return element("circle", cx=x, cy=y, r=1.4, fill=color)


def _arrow(start: Floats, end: Floats) -> str:
    """Outline of a dot and an arrow from it; its head is never longer than itself."""
    (x, y), along = start.tolist(), (end - start)
    length = float(np.hypot(*along))
    dot = f"M{x - _TAIL:.1f} {y:.1f}a{_TAIL} {_TAIL} 0 1 0 {2 * _TAIL} 0a{_TAIL} {_TAIL} 0 1 0 {-2 * _TAIL} 0z"
    if length < _TAIL:
        return dot
    along /= length
    aside, neck = np.array([-along[1], along[0]]), end - along * min(_HEAD, length)
    barb = _BARB * min(1.0, length / _HEAD)
    corners = start + _SHAFT * aside, neck + _SHAFT * aside, neck + barb * aside, end
    mirrored = neck - barb * aside, neck - _SHAFT * aside, start - _SHAFT * aside
    return dot + "M" + "L".join(f"{corner[0]:.1f} {corner[1]:.1f}" for corner in (*corners, *mirrored)) + "z"
