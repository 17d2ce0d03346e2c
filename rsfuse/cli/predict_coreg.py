"""What `rsfuse predict` asks before it starts: do the two rasters lie on each other?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rsfuse.cli import show
from rsfuse.errors import GridMismatchError

if TYPE_CHECKING:
    from rsfuse.raster.pairs import Pair
    from rsfuse.raster.scene import Bands
    from rsfuse.tasks.coreg import CoregReport


OnShift = Literal["warn", "fail", "off"]
"""What to do about rasters that do not."""


def look(pair: Pair, bands: Bands, on_shift: OnShift) -> CoregReport | None:
    """Check a pair on a sparse grid of tiles; None where there is only one raster, or nobody wants to know.

    Raises:
        GridMismatchError: if they lie aside, and that is to stop the work.
    """
    if on_shift == "off" or pair.optical is None or pair.sar is None:
        return None
    from rsfuse.raster.registration.overlay import Overlay
    from rsfuse.tasks.coreg import QUICK, coreg

    with Overlay(pair.optical, pair.sar, bands=bands) as overlay:
        report = coreg(overlay, QUICK, show.progress)
    verdict = report.last.verdict
    if verdict.outcome == "fail":
        told = f"{pair.sar} lies aside of {pair.optical}: {verdict.why}"
        hint = f"put that right: rsfuse coreg {pair.optical} {pair.sar} --write aligned.tif"
        if on_shift == "fail":
            raise GridMismatchError(told, hint=f"{hint}; or map it as it is: --coreg warn")
        show.warning(f"{told}; {hint}")
    return report
