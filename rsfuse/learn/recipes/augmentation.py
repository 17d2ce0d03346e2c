"""What is varied at random in training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from rsfuse.learn.recipes.bounds import Fraction, NotNegative, Positive
from rsfuse.strict import Strict


class Augmentation(Strict):
    """What is varied at random, jointly over optical, SAR and labels where it moves pixels."""

    scale: tuple[Positive, Positive] = (1.0, 1.0)
    """Show things smaller or larger by a factor drawn evenly between these; what lies outside the tile is no data."""
    category_limit: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Draw the crop again, up to ten times, while one class has more than this share of its labels."""
    flips: bool = True
    """Mirror left-right half the time, and up-down half the time."""
    quarter_turns: bool = True
    """Turn by multiples of 90 degrees."""
    anchor: Fraction = 0.0
    """Move what becomes -1, for all bands of both sensors together, by up to this share of the way from the low
    percentile to the median: as in a scene with more or less of what is dark. Percentile scaling alone has it."""
    optical_gain: NotNegative = 0.0
    """Standard deviation of the logarithm of each optical band's gain."""
    optical_offset: NotNegative = 0.0
    """Standard deviation of the value added to each optical band; the scene's percentiles lie at -1 and +1."""
    optical_gamma: NotNegative = 0.0
    """Raise optical values to a power between 1 / (1 + gamma) and 1 + gamma."""
    optical_saturation: Fraction = 0.0
    """Stretch or shrink the difference of the bands from their mean by a factor within this of 1."""
    optical_detail: NotNegative = 0.0
    """Multiply what is finer than a few pixels by 1 / (1 + detail) to 1 + detail: blurred to crisp."""
    clouds: Fraction = 0.0
    """Share of samples with clouds on optical: soft white patches and their shadows."""
    sar_gain: NotNegative = 0.0
    """As `optical_gain`, for SAR."""
    sar_offset: NotNegative = 0.0
    """As `optical_offset`, for SAR."""
    sar_gamma: NotNegative = 0.0
    """As `optical_gamma`, for SAR: from power-like to decibel-like values."""
    speckle: NotNegative = 0.0
    """Largest relative standard deviation of multiplicative gamma noise on SAR values."""
    shift_px: Annotated[int, Field(ge=0)] = 0
    """Move SAR against optical by up to this many pixels along each axis."""
    drop_optical: Fraction = 0.0
    """Share of samples without optical."""
    drop_sar: Fraction = 0.0
    """Share of samples without SAR."""
    mix: Fraction = 0.0
    """Share of samples with a rectangle from another sample in them (CutMix, arXiv 1905.04899)."""

    @model_validator(mode="after")
    def _possible(self) -> Augmentation:
        if self.scale[0] > self.scale[1]:
            raise ValueError(
                f"scale goes from {self.scale[0]:g} down to {self.scale[1]:g}; give the smaller factor first"
            )
        if self.drop_optical + self.drop_sar > 1:
            raise ValueError(
                f"drop_optical {self.drop_optical:g} and drop_sar {self.drop_sar:g} are more than all samples"
            )
        return self


class SharpeningAugmentation(Strict):
    """What is varied at random where a network learns to sharpen: panchromatic, multispectral and reference alike.

    It wants pixels that are areas, as patches of `rsfuse tile --wald` have. Those of PanCollection lie half a pixel
    off the middle of what they cover, and a mirror puts them on the other side.
    """

    flips: bool = False
    """Mirror left-right half the time, and up-down half the time."""
    quarter_turns: bool = False
    """Turn by multiples of 90 degrees."""


NO_AUGMENTATION = Augmentation(flips=False, quarter_turns=False)
