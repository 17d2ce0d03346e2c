"""What goes into a network: bands, and how their values become numbers around 0."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from rsfuse.learn.recipes.bounds import Fraction, NotNegative, Positive
from rsfuse.strict import Strict

Sensors = Literal["both", "optical", "sar"]


class PercentileScaling(Strict):
    """Two percentiles of each band become -1 and +1."""

    kind: Literal["scene-percentiles", "fixed-percentiles"] = "scene-percentiles"
    """Whose percentiles: those of the scene at hand (sampled from the whole of it, once), or of the training tiles."""
    low: Literal[1, 2] = 2
    """Percentile that becomes -1."""
    toward_median: Fraction = 0.0
    """How far from there towards the median what becomes -1 lies instead. The darkest of a scene may be water or
    ploughed fields, and its median trees or roofs: neither says what a value is. Half way, and with an
    `augmentation.anchor` of 0.5, the network has seen both. It wants a higher `limit`."""
    high: Literal[98, 99] = 98
    """Percentile that becomes +1."""
    optical_curve: NotNegative = 0.0
    """k of log(1 + k u) / log(1 + k), which bends optical values u between the percentiles; 0 leaves them straight.
    Most of a scene is dark, and trees and grass differ by a few counts of it."""
    limit: Annotated[float, Field(ge=1)] = 2.0
    """Scaled values are clipped to plus and minus this."""


class Moments(Strict):
    """Mean and standard deviation of each band, in the order of the bands and the unit of their files."""

    mean: Annotated[tuple[float, ...], Field(min_length=1)]
    std: Annotated[tuple[Positive, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _agree(self) -> Moments:
        if len(self.mean) != len(self.std):
            raise ValueError(f"{len(self.mean)} means and {len(self.std)} standard deviations; give one of each a band")
        return self


class MomentScaling(Strict):
    """The mean of each band becomes 0 and its standard deviation 1, as published recipes have it."""

    kind: Literal["fixed-moments"]
    optical: Moments | None = None
    """Published numbers; None for those of the training tiles."""
    sar: Moments | None = None
    """Likewise for SAR."""


Scaling = Annotated[PercentileScaling | MomentScaling, Field(discriminator="kind")]


class Inputs(Strict):
    """What goes into a network that maps land cover."""

    optical: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of the optical bands, in the order of the channels."""
    sar: tuple[str, ...] = ()
    """Names of the SAR bands, in the order of the channels; none for a network that takes optical alone."""
    sensors: Sensors = "both"
    """Which sensors the network sees; the other is zero in training and prediction alike."""
    scaling: Scaling = PercentileScaling()

    @model_validator(mode="after")
    def _fit_moments(self) -> Inputs:
        if isinstance(self.scaling, MomentScaling):
            for sensor, bands in (("optical", self.optical), ("sar", self.sar)):
                moments: Moments | None = getattr(self.scaling, sensor)
                if moments and len(moments.mean) != len(bands):
                    raise ValueError(
                        f"scaling.{sensor} is of {len(moments.mean)} bands, inputs.{sensor} names {len(bands)}"
                    )
        return self


class SharpeningInputs(Strict):
    """What goes into a network that sharpens: digital numbers over the largest that the sensor gives."""

    ms: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Names of the multispectral bands, in the order of the channels; None for those of the patches."""
    divisor: Positive | None = None
    """What digital numbers are divided by: 2047 for 11 bits, 1023 for the 10 bits of GF-2; None for the maximum of the
    patches."""


class SettledInputs(SharpeningInputs):
    """The same with nothing left to the patches."""

    ms: Annotated[tuple[str, ...], Field(min_length=1)]
    divisor: Positive
