"""What the values of a scene's bands look like, from a sample of its pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.strict import Strict

PERCENTILES = (1, 2, 50, 98, 99)


class BandStatistics(Strict):
    """Values of one band, in the units of its file.

    Args:
        name: what the file calls it.
        dtype: numpy's name for its type in the file.
        minimum: smallest value of the sample.
        maximum: largest value of the sample.
        mean: arithmetic mean.
        std: standard deviation.
        percentiles: value below which 1, 2, 50, 98, 99 percent of the sample lie.
        unit: of the values, "DN" or "dB" for example; empty where nobody knows.
    """

    name: str
    dtype: str
    minimum: float
    maximum: float
    mean: float
    std: float
    percentiles: dict[int, float]
    unit: str = ""

    @classmethod
    def of(cls, name: str, dtype: str, values: NDArray[Any], unit: str = "") -> BandStatistics:
        """Statistics of a sample of valid values (n,), of which there must be one at least."""
        take = _of_counts if values.dtype.kind in "iu" and values.dtype.itemsize <= 2 else _of_values
        return cls(name=name, dtype=dtype, unit=unit, **take(values))


class SceneStatistics(Strict):
    """Statistics of the bands of a scene, in the order in which they are read; no SAR where the scene has none."""

    optical: tuple[BandStatistics, ...]
    sar: tuple[BandStatistics, ...]


def _of_values(values: NDArray[Any]) -> dict[str, Any]:
    return {
        "minimum": float(values.min()),
        "maximum": float(values.max()),
        "mean": float(values.mean(dtype=np.float64)),
        "std": float(values.std(dtype=np.float64)),
        "percentiles": dict(zip(PERCENTILES, np.percentile(values, PERCENTILES).tolist(), strict=True)),
    }


def _of_counts(values: NDArray[Any]) -> dict[str, Any]:
    """The same from how often each number occurs, in a tenth of the time."""
    least = int(values.min())
    counts = np.bincount(values.ravel() if least == 0 else np.subtract(values, least, dtype=np.int64).ravel())
    numbers, until = np.arange(len(counts), dtype=np.float64) + least, counts.cumsum()
    mean = float(numbers @ counts / until[-1])
    places = np.array(PERCENTILES) / 100 * (until[-1] - 1)
    below, above = (numbers[np.searchsorted(until, side(places), "right")] for side in (np.floor, np.ceil))
    between = below + (above - below) * (places % 1)
    return {
        "minimum": float(least),
        "maximum": float(numbers[-1]),
        "mean": mean,
        "std": math.sqrt((numbers - mean) ** 2 @ counts / until[-1]),
        "percentiles": dict(zip(PERCENTILES, between.tolist(), strict=True)),
    }


def merge_statistics(scenes: Sequence[SceneStatistics]) -> SceneStatistics:
    """Statistics that stand for several scenes, each with the same weight, whatever its size.

    Those of SAR stand for the scenes that have it.

    Percentiles are the mean of the scenes' percentiles: of a mixture they cannot be had from these numbers, and a
    mean is not moved far by one odd scene.

    Raises:
        ValueError: if there is no scene, or the numbers of bands differ among those that have any.
    """
    if not scenes:
        raise ValueError("no scene to take statistics of")
    optical = zip(*(scene.optical for scene in scenes), strict=True)
    sar = zip(*(scene.sar for scene in scenes if scene.sar), strict=True)
    return SceneStatistics(optical=tuple(map(_merge_band, optical)), sar=tuple(map(_merge_band, sar)))


def _merge_band(bands: Sequence[BandStatistics]) -> BandStatistics:
    mean = float(np.mean([band.mean for band in bands]))
    spread = np.mean([band.std**2 + (band.mean - mean) ** 2 for band in bands])  # within scenes and between them
    return BandStatistics(
        name=bands[0].name,
        dtype=bands[0].dtype,
        minimum=min(band.minimum for band in bands),
        maximum=max(band.maximum for band in bands),
        mean=mean,
        std=float(np.sqrt(spread)),
        percentiles={at: float(np.mean([band.percentiles[at] for band in bands])) for at in PERCENTILES},
        unit=bands[0].unit,
    )


def sar_unit(declared: str, dtype: str, median: float) -> str:
    """What the values of a SAR band are, as a manifest states it.

    Args:
        declared: what the file says; it is believed.
        dtype: of the file.
        median: of its valid values.
    """
    if declared:
        return declared
    if np.issubdtype(dtype, np.integer):
        return "DN"
    return "dB" if median < 0 else "linear"  # power and amplitude are never below 0


def optical_unit(declared: str, dtype: str) -> str:
    """What the values of an optical band are, as a manifest states it; "" for floats of which the file says nothing."""
    return declared or ("DN" if np.issubdtype(dtype, np.integer) else "")
