"""Colours of figures: from pale to dark, so that brightness alone tells them apart, and ink that is read on them."""

from __future__ import annotations

from rsfuse.legend import format_color, parse_color

STEPS = "#ffc857", "#f4843b", "#cf3f68", "#83227f", "#2b0f63"
"""From pale to dark."""

_BLACK, _WHITE = "#000000", "#ffffff"


def shade(full: str, share: float) -> str:
    """White for a share of 0, the full colour for 1, between them in proportion."""
    red, green, blue = (round(255 + share * (value - 255)) for value in parse_color(full))
    return format_color((red, green, blue))


def ink_on(color: str) -> str:
    """Black or white, whichever stands out more."""
    return max(_BLACK, _WHITE, key=lambda ink: contrast(ink, color))


def contrast(one: str, other: str) -> float:
    """How much two colours stand out from each other, 1 to 21 (WCAG 2: contrast ratio); text needs 4.5."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    """Relative luminance of sRGB (WCAG 2)."""
    shares = (value / 255 for value in parse_color(color))
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
