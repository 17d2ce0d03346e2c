"""What is said of a panchromatic and a multispectral raster that do not lie on each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rsfuse.cli import show

if TYPE_CHECKING:
    from rsfuse.raster.sharpening.offset import Offset


def warn_of_offset(offset: Offset, *, aligned: bool) -> None:
    """A shift that is worth undoing, or one that was to be undone and is not known."""
    if aligned and not offset.is_known:
        show.warning("--align had nothing to go by: the shift between the two images cannot be told")
    if not aligned and offset.is_noticeable:
        right, down = offset.shift
        show.warning(
            f"the multispectral image lies {math.hypot(right, down):.2f} of its pixels aside of the panchromatic one "
            f"({right:+.2f} right, {down:+.2f} down; {offset.accepted} of {offset.tiles} tiles agree): --align undoes "
            "it"
        )
