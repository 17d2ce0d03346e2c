"""Panels: pictures side by side with captions, and a legend below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rsfuse.legend import Legend

_GAP, _CAPTION, _SWATCH, _TEXT = 16, 44, 20, 18
_INK, _PAPER = (32, 32, 32), (255, 255, 255)


def draw_panels(pictures: Mapping[str, NDArray[np.uint8]], legend: Legend, path: Path) -> None:
    """Write pictures of one height side by side into a PNG.

    Args:
        pictures: caption to picture (h, w, 3), in reading order.
        legend: drawn below.
        path: of the PNG.
    """
    height = max(picture.shape[0] for picture in pictures.values())
    width = sum(picture.shape[1] + _GAP for picture in pictures.values()) + _GAP
    places = _legend_places(legend, width)
    sheet = Image.new("RGB", (width, _CAPTION + height + _GAP + _CAPTION * (places[-1][1] + 1)), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT)
    left = _GAP
    for caption, picture in pictures.items():
        draw.text((left, _CAPTION // 2), caption, fill=_INK, font=font, anchor="lm")
        sheet.paste(Image.fromarray(picture), (left, _CAPTION))
        left += picture.shape[1] + _GAP
    for each, (column, row) in zip(legend, places, strict=True):
        middle = _CAPTION + height + _GAP + _CAPTION * row + _CAPTION // 2
        swatch = (column, middle - _SWATCH // 2, column + _SWATCH, middle + _SWATCH // 2)
        draw.rectangle(swatch, fill=each.color, outline=_INK)
        draw.text((column + _SWATCH + 8, middle), each.name, fill=_INK, font=font, anchor="lm")
    sheet.save(path, optimize=True)


def _legend_places(legend: Legend, width: int) -> list[tuple[int, int]]:
    """(column in pixels, row) of each class, wrapped at the width."""
    font = ImageFont.load_default(_TEXT)
    places, column, row = [], _GAP, 0
    for each in legend:
        needs = _SWATCH + 8 + round(font.getlength(each.name)) + 2 * _GAP
        if column + needs > width and column > _GAP:
            column, row = _GAP, row + 1
        places.append((column, row))
        column += needs
    return places
