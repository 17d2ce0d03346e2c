"""What a network is trained to make small."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rsfuse.learn.recipes.bounds import Fraction, NotNegative
from rsfuse.strict import Strict

Term = Literal["cross-entropy", "ohem", "focal", "dice", "lovasz", "boundary"]
Weighting = Literal["none", "inverse", "inverse-root", "median-frequency"]


class Loss(Strict):
    """The loss of every head is a weighted sum of terms; networks add penalties of their own."""

    terms: Annotated[dict[Term, NotNegative], Field(min_length=1)] = Field(default={"cross-entropy": 1.0})
    """Weight of each term."""
    label_smoothing: Fraction = 0.0
    """Of cross-entropy: share of each label that is spread over all classes."""
    class_weights: Weighting = "none"
    """Of cross-entropy, OHEM and focal loss, by each class's share of the training pixels: "inverse" 1 / share,
    "inverse-root" 1 / sqrt(share), both brought to mean 1; "median-frequency" median share / share, 1 for the median
    class. A class without a training pixel gets 0."""
    focal_gamma: NotNegative = 2.0
    """Of the focal loss: how much less pixels count that are right already."""
    ohem_probability: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Of OHEM: pixels whose own class has less than this probability are hard."""
    ohem_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Of OHEM: at least this share of the labelled pixels counts, the hardest first."""
    boundary_px: Annotated[int, Field(ge=1)] = 5
    """Of the boundary loss: how far an outline may lie from its true place, in pixels."""
    auxiliary: NotNegative | dict[str, NotNegative] = 0.4
    """Weight of the loss of each auxiliary head, or of each by its name; a head left out is refused."""
    penalties: dict[str, NotNegative] = Field(default={})
    """Weight of each penalty that the network returns, by name; a penalty without a weight is refused."""
