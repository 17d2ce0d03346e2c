"""What is said of a panchromatic and a multispectral raster that do not lie on each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rsfuse.cli import show

if TYPE_CHECKING:
    from rsfuse.raster.sharpening.offset import Offset


def warn_of_left_out(bands: tuple[int, ...]) -> None:
    """Bands that a file calls transparency: GDAL calls the fourth of bytes so, which may be the near infrared."""
    if bands:
        numbers = ", ".join(map(str, bands))
        show.warning(
            f"band {numbers} of the multispectral raster is called transparency, and is not sharpened: --ms-bands "
            "takes it as data"
        )


def warn_of_repeats(repeats: int) -> None:
    """A raster that shows less than its pixels promise."""
    if repeats > 1:
        show.warning(
            f"each multispectral pixel stands {repeats} x {repeats} times: the raster was enlarged, and shows no more "
            f"than one of {repeats} times its pixel size; give the original, or gdal_translate -outsize "
            f"{100 / repeats:.4g}% {100 / repeats:.4g}% -r nearest"
        )


def warn_of_nothing_to_align_by() -> None:
    """A shift that was to be undone, and is not known."""
    show.warning("--align had nothing to go by: the shift between the two images cannot be told")


def warn_of_offset(offset: Offset, *, aligned: bool) -> None:
    """A shift that is worth undoing, or one that was to be undone and is not known."""
    if aligned and not offset.is_known:
        warn_of_nothing_to_align_by()
    if not aligned and offset.is_noticeable:
        right, down = offset.shift
        show.warning(
            f"the multispectral image lies {math.hypot(right, down):.2f} of its pixels aside of the panchromatic one "
            f"({right:+.2f} right, {down:+.2f} down; {offset.accepted} of {offset.tiles} tiles agree): --align undoes "
            "it"
        )
