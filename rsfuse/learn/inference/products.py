"""What is written of the probabilities of a map: class codes, and on request how sure they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rsfuse.learn.inference.conveyor import Strip
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.map_layer import FULL, Layer, beside


@dataclass(frozen=True)
class Products:
    """Which layers a map has.

    Args:
        legend: of the classes.
        confidence: the winning probability, in bytes.
        probabilities: of every class, a band each; None for none.
        validity: which sensors have data: 1 the optical, 2 the SAR, 3 both, 0 neither.
    """

    legend: Legend
    confidence: bool = False
    probabilities: Literal["uint8", "float16"] | None = None
    validity: bool = False

    def layers(self, path: Path, tags: Mapping[str, str]) -> list[Layer]:
        """The layers of a map; the first holds class codes, others lie beside it under longer names.

        Args:
            path: of the map.
            tags: what its files shall say of themselves.
        """
        layers = [Layer(path, legend=self.legend, tags=tags)]
        if self.confidence:
            layers.append(Layer(beside(path, "confidence"), ("confidence",), scale=1 / FULL, tags=tags))
        if self.probabilities == "uint8":
            layers.append(Layer(beside(path, "probabilities"), self.legend.names, scale=1 / FULL, tags=tags))
        if self.probabilities == "float16":
            layers.append(
                Layer(beside(path, "probabilities"), self.legend.names, "float16", nodata=float("nan"), tags=tags)
            )
        if self.validity:
            layers.append(Layer(beside(path, "validity"), ("sensors",), nodata=0, tags=tags))
        return layers

    def of(self, strip: Strip) -> list[NDArray[Any]]:
        """The rows of each layer."""
        arrays = strip.arrays
        index, best = arrays.best(strip.scores)
        products: list[NDArray[Any]] = [self.legend.to_code(_known(index, strip, NODATA))]
        if self.confidence:
            products.append(_known(arrays.bytes(best, FULL), strip, NODATA))
        if self.probabilities == "uint8":
            products.append(_known(arrays.bytes(strip.scores, FULL), strip, NODATA))
        if self.probabilities == "float16":
            products.append(_known(arrays.to_numpy(strip.scores).astype(np.float16), strip, np.nan))
        if self.validity:
            products.append(strip.sensors)
        return products


def _known(values: NDArray[Any], strip: Strip, nodata: float) -> NDArray[Any]:
    """The same array, with a number for where there is no data."""
    values[..., ~strip.valid] = nodata
    return values
