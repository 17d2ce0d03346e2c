"""Which bands of an image are shown, told from their names."""

from __future__ import annotations

import re
from collections.abc import Sequence

_COLORS = ("red", "r"), ("green", "g"), ("blue", "b")
_SENTINEL = ("b4", "b04"), ("b3", "b03"), ("b2", "b02")  # Landsat 8 counts likewise
_OTHERS = {"edge", "near", "nir", "infra", "infrared", "rededge"}  # "vegetation red edge", "near infra-red"


def shown_bands(names: Sequence[str]) -> tuple[int, ...]:
    """Places, from 0, of the bands for red, green and blue; of one band where there are fewer than three.

    These are the bands that are called so, in any spelling, or B4, B3 and B2; else the first three.
    """
    words = [set(re.findall(r"[a-z0-9]+", name.lower())) for name in names]
    plain = [each if not each & _OTHERS else set() for each in words]
    for known in (_COLORS, _SENTINEL):
        places = [next((at for at, each in enumerate(plain) if each & set(color)), None) for color in known]
        found = tuple(place for place in places if place is not None)
        if len(set(found)) == 3:
            return found
    return (0, 1, 2) if len(names) >= 3 else (0,)
