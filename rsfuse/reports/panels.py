"""Panels: pictures side by side with captions, and a legend below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rsfuse.legend import Legend
from rsfuse.reports.legend_strip import LegendStrip, class_entries

_GAP, _CAPTION, _TEXT = 16, 44, 18
_INK, _PAPER = (32, 32, 32), (255, 255, 255)


def draw_panels(pictures: Mapping[str, NDArray[np.uint8]], legend: Legend | None, path: Path) -> None:
    """Write pictures of one height side by side into a PNG.

    Args:
        pictures: caption to picture (h, w, 3), in reading order.
        legend: drawn below; None for none.
        path: of the PNG.
    """
    height = max(picture.shape[0] for picture in pictures.values())
    width = sum(picture.shape[1] + _GAP for picture in pictures.values()) + _GAP
    strip = LegendStrip(class_entries(legend) if legend else (), width)
    sheet = Image.new("RGB", (width, _CAPTION + height + _GAP + strip.height), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT)
    left = _GAP
    for caption, picture in pictures.items():
        draw.text((left, _CAPTION // 2), caption, fill=_INK, font=font, anchor="lm")
        sheet.paste(Image.fromarray(picture), (left, _CAPTION))
        left += picture.shape[1] + _GAP
    strip.draw(sheet, _CAPTION + height + _GAP)
    sheet.save(path, optimize=True)
