"""Layer: one of the rasters in which a map is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rsfuse.legend import NODATA, Legend

BLOCK = 512
"""Side in pixels of the blocks of a map."""

FULL = 254
"""What stands for a probability of 1 in a layer of bytes; 255 is no data."""


@dataclass(frozen=True)
class Layer:
    """Where a raster is written, and what its numbers are.

    Args:
        path: of the finished file.
        bands: names of its bands.
        dtype: of its numbers; a file holds "float16" as float32: its last 13 bits are 0 and pack well.
        legend: what the codes mean, where it holds class codes.
        nodata: what stands where nothing is known; None if there is no such number.
        scale: what 1 stands for; GDAL's programs multiply by it where they are asked to.
        packed: its parts are, while they wait; what is noise is not worth it.
        tags: whatever else the file shall say of itself.
    """

    path: Path
    bands: tuple[str, ...] = ("",)
    dtype: Literal["uint8", "uint16", "float16", "float32"] = "uint8"
    legend: Legend | None = None
    nodata: float | None = NODATA
    scale: float = 1.0
    packed: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def resampling(self) -> str:
        """GDAL's word for what stands for four pixels: the most frequent code, or the mean of numbers."""
        return "AVERAGE" if self.legend is None else "MODE"

    @property
    def stored_dtype(self) -> str:
        """Type of its numbers in a file. GDAL's own 16 bits leave chance in the bytes beyond the edge."""
        return "float32" if self.dtype == "float16" else self.dtype


def beside(path: Path, what: str) -> Path:
    """Where another layer of a map lies: its confidence, for example."""
    return path.with_name(f"{path.stem}_{what}{path.suffix}")
