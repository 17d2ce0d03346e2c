"""Markup: elements of a page whose texts may hold any sign, and numbers as people read them."""

from __future__ import annotations

import base64
import io
import math
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rsfuse.reports.html.style import STYLE

_QUALITY = 85


def element(name: str, /, *inside: Element | str, **attributes: str | float) -> Element:
    """An element of HTML or SVG.

    Args:
        name: of the element.
        inside: its texts and elements, in order.
        attributes: with "_" for "-"; one at the end is dropped, so that `class_` can be said.
    """
    made = Element(name, {key.rstrip("_").replace("_", "-"): _short(value) for key, value in attributes.items()})
    for each in inside:
        if isinstance(each, Element):
            made.append(each)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + each
        else:
            made.text = (made.text or "") + each
    return made


def document(title: str, style: str, *inside: Element) -> str:
    """A whole page of HTML as text, in the style of all pages.

    Args:
        title: of the window.
        style: what this page adds to that style.
        inside: its body.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", content="width=device-width, initial-scale=1", name="viewport"),
        element("title", title),
        element("style", STYLE + style),
    )
    page = element("html", head, element("body", *inside), lang="en")
    return f"<!DOCTYPE html>\n{ElementTree.tostring(page, encoding='unicode', method='html')}\n"


def drawing(size: tuple[float, float], told: str, *inside: Element) -> Element:
    """An SVG drawing.

    Args:
        size: width and height; a unit is a pixel of the screen where there is room.
        told: what is drawn, for who cannot see it.
        inside: what is drawn.
    """
    width, height = map(_short, size)
    return element(
        "svg", *inside, viewBox=f"0 0 {width} {height}", width=width, height=height, role="img", aria_label=told
    )


def embedded(picture: NDArray[np.uint8]) -> str:
    """A picture (h, w, 3) as a URI that holds it."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=_QUALITY, optimize=True, subsampling=0)
    return _uri("jpeg", file)


def embedded_exactly(picture: NDArray[np.uint8]) -> str:
    """The same with every pixel as it is, for pictures of few colours."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return _uri("png", file)


def key(swatch: Element, told: str) -> Element:
    """An entry of a legend: a swatch (14 x 14) and what it stands for."""
    drawn = element("svg", swatch, viewBox="0 0 14 14", class_="swatch", aria_hidden="true")
    return element("span", drawn, told, class_="key")


def legend(*keys: Element | str) -> Element:
    """Entries under a drawing."""
    spaced = [part for each in keys for part in (each, " ")]
    return element("p", *spaced, class_="legend")


def figure(value: float, places: int = 2, *, signed: bool = False) -> str:
    """A number, or "-" where there is none."""
    if not math.isfinite(value):
        return "-"
    rounded = round(value, places) + 0.0  # no "-0.00"
    return f"{rounded:+,.{places}f}" if signed and rounded else f"{rounded:,.{places}f}"


def _uri(kind: str, file: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def _short(value: str | float) -> str:
    return value if isinstance(value, str) else f"{round(value, 1):g}"
