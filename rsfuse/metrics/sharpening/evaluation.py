"""What is known of a sharpened image once it was judged: every score, its ideal, and by which rules it was made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rsfuse.metrics.evaluation import number
from rsfuse.metrics.sharpening.agreement import Agreement
from rsfuse.metrics.sharpening.blocks import BLOCK
from rsfuse.metrics.sharpening.full_resolution import Distortion


class Score(NamedTuple):
    """A score, and what it is at best."""

    key: str
    name: str
    value: float
    ideal: float


@dataclass(frozen=True)
class ReducedScores:
    """Scores against a reference.

    Args:
        agreement: sums over all that was compared.
        bands: names of the bands.
        ratio: of the pixels that were sharpened, for ERGAS.
        maximum: largest number that the sensor can give, for PSNR.
        cut: pixels that were left out at the border.
    """

    agreement: Agreement
    bands: tuple[str, ...]
    ratio: float
    maximum: float
    cut: int

    @property
    def pixels(self) -> int:
        """That were compared."""
        return self.agreement.fidelity.pixels

    @property
    def index(self) -> str:
        """What Q2n is called for so many bands: Q4 of three or four, Q8 of up to eight."""
        return f"Q{1 << (len(self.bands) - 1).bit_length()}"

    @property
    def scores(self) -> tuple[Score, ...]:
        """Of all bands together."""
        fidelity = self.agreement.fidelity
        return (
            Score("sam", "SAM (degrees)", fidelity.sam, 0),
            Score("ergas", "ERGAS", fidelity.ergas(self.ratio), 0),
            Score("scc", "SCC", self.agreement.edges.scc, 1),
            Score("psnr", "PSNR (dB)", fidelity.psnr(self.maximum), math.inf),
            Score("q2n", f"Q2n ({self.index})", self.agreement.q2n.score, 1),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; a score that is not finite is None."""
        by_band = zip(self.bands, self.agreement.rmse, self.agreement.bands.means, strict=True)
        return {
            **_plain(self.scores),
            "index": self.index,
            "pixels": self.pixels,
            "blocks": self.agreement.q2n.blocks,
            "bands": [{"name": name, "rmse": number(rmse), "uiqi": number(uiqi)} for name, rmse, uiqi in by_band],
        }


@dataclass(frozen=True)
class FullScores:
    """Scores without a reference.

    Args:
        distortion: sums over all that was compared.
        pixels: that were compared.
        sensor: its code.
        gains: of its multispectral bands at Nyquist.
    """

    distortion: Distortion
    pixels: int
    sensor: str
    gains: tuple[float, ...]

    @property
    def scores(self) -> tuple[Score, ...]:
        """Of all bands together."""
        found = self.distortion
        return (
            Score("d_lambda", "D_lambda", found.d_lambda, 0),
            Score("d_s", "D_s", found.d_s, 0),
            Score("qnr", "QNR", found.qnr, 1),
            Score("d_lambda_k", "D_lambda_K", found.d_lambda_k, 0),
            Score("hqnr", "HQNR", found.hqnr, 1),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; a score that is not defined is None."""
        return {**_plain(self.scores), "pixels": self.pixels, "blocks": self.distortion.consistency.blocks}


@dataclass(frozen=True)
class SharpeningEvaluation:
    """Scores of a sharpened raster.

    Args:
        sharp: the raster.
        reduced: against a reference; None without one.
        full: by the pair that it was made of; None without it.
        seconds: that it took.
        shift: (right, down) of the multispectral raster that was undone, in its pixels; None where none was.
    """

    sharp: Path
    reduced: ReducedScores | None
    full: FullScores | None
    seconds: float
    shift: tuple[float, float] | None = None

    @property
    def pixels(self) -> int:
        """That were compared, with the reference where there is one."""
        part = self.reduced or self.full
        return 0 if part is None else part.pixels

    @property
    def parts(self) -> Mapping[str, tuple[Score, ...]]:
        """Scores by the resolution at which they were made, in words."""
        parts = {"reduced": self.reduced, "full": self.full}
        return {name: part.scores for name, part in parts.items() if part is not None}

    @property
    def conventions(self) -> dict[str, Any]:
        """The rules that differ from one paper to the next, as plain data."""
        told: dict[str, Any] = {"values": "as stored, neither scaled, rounded nor clipped", "block": BLOCK}
        if self.reduced is not None:
            reduced = self.reduced
            told |= {"cut": reduced.cut, "ratio": reduced.ratio, "maximum": reduced.maximum}
        if self.full is not None:
            told |= {
                "sensor": self.full.sensor,
                "gains": list(self.full.gains),
                "ms": "interpolated at panchromatic pixels (Lanczos, 4 lobes)",
                "pan_low": "reduced to the pixels of MS by cubic convolution, interpolated like MS",
            }
        if self.shift is not None:
            told["shift undone"] = [round(each, 3) for each in self.shift]
        return told

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; a score that is not finite is None."""
        return {
            "sharp": str(self.sharp),
            "reduced": None if self.reduced is None else self.reduced.to_dict(),
            "full": None if self.full is None else self.full.to_dict(),
            "conventions": self.conventions,
            "pixels": self.pixels,
            "seconds": round(self.seconds, 2),
        }


def _plain(scores: tuple[Score, ...]) -> dict[str, float | None]:
    return {each.key: number(each.value) for each in scores}
