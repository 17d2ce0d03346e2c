"""How long a network is trained, on what, and how its weights are moved."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from rsfuse.learn.recipes.bounds import Fraction, NotNegative, Positive
from rsfuse.strict import Strict

Count = Annotated[int, Field(ge=0)]


class Training(Strict):
    """How long, on what."""

    steps: PositiveInt | None = None
    """Steps of the optimizer; or give `epochs`."""
    epochs: PositiveInt | None = None
    """Passes over the training tiles: so many times as many steps as there are full batches of tiles. What does not
    fill a batch opens the next pass, in its new order. Or give `steps`."""
    validate_every: PositiveInt
    """Steps (or epochs, where these are given) between two validations; checkpoints are written then."""
    batch: PositiveInt
    """Samples of one step, over all processes and devices together."""
    crop: PositiveInt
    """Side of a training sample in pixels; also the patch size in prediction, where networks that sharpen take 256 at
    least."""
    halo: Count = 0
    """Context in prediction, in pixels on each side of a patch."""
    balance: bool = False
    """Draw a scene, a class in it and a tile that shows it, so that rare classes are seen as often as common ones.
    Otherwise every tile once, in random order, before any comes again."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay per step of a moving average of the weights (EMA), which is what is validated and kept; 0 for none."""
    patience: Count = 0
    """Stop after so many validations without a better score; 0 for never."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of convolutions and products (AMP); spectra and weights stay in float32. float16 is bfloat16 on a CPU."""
    sync_batchnorm: bool = False
    """Normalise over the samples of all devices together, where there are several."""
    seed: Count = 42

    @model_validator(mode="after")
    def _one_length(self) -> Training:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        return self


class Optimizer(Strict):
    """How gradients move weights."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: Positive
    """Learning rate at the top of the schedule."""
    encoder_lr: Positive = 1.0
    """Factor on the learning rate of encoders."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor on the learning rate of encoders from each stage to the one before it: the stem moves least."""
    weight_decay: NotNegative = 0.0
    decay_norms: bool = True
    """Whether weight decay is for biases and normalisation (all that has one dimension), too."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    """Of Adam and AdamW."""
    momentum: Fraction = 0.9
    """Of SGD."""
    clip: NotNegative = 0.0
    """Largest norm of the gradient; 0 for no clipping."""


class Schedule(Strict):
    """How the learning rate goes, step by step."""

    name: Literal["cosine", "poly", "multistep", "constant"] = "cosine"
    warmup: Count = 0
    """Steps of a linear rise before it."""
    warmup_from: Annotated[float, Field(gt=0, le=1)] = 1e-3
    """Where the rise begins, as a share of the learning rate."""
    lowest: NotNegative = 0.0
    """Learning rate at the end of "cosine" and "poly"."""
    power: Positive = 1.0
    """Of "poly": (1 - step / steps) ** power."""
    milestones: tuple[PositiveInt, ...] = ()
    """Of "multistep": steps (or epochs, where training is counted in them) at which the rate falls."""
    gamma: Positive = 0.1
    """Of "multistep": factor at each milestone."""
