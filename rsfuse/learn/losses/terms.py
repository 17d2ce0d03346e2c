"""Terms of a loss by the names that recipes give them."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from rsfuse.learn.losses.boundary import Boundary
from rsfuse.learn.losses.class_weights import class_weights
from rsfuse.learn.losses.overlap import Dice, Lovasz
from rsfuse.learn.losses.pixelwise import CrossEntropy, Focal, HardPixels
from rsfuse.learn.recipes.loss import Loss, Term


def create_terms(recipe: Loss, class_pixels: Tensor) -> nn.ModuleDict:
    """The terms that a recipe names.

    Each takes logits (B, K, H, W) and labels (B, H, W), 255 for no label, and gives a scalar of at least float32,
    not weighted yet: 0 for a batch without labels, and finite for classes that the batch does not have.

    Args:
        recipe: names of the terms and their settings.
        class_pixels: (K,) labelled training pixels of each class.

    Raises:
        TileSetError: if class weights are asked for and no pixel is labelled.
    """
    weights = class_weights(recipe.class_weights, class_pixels)
    create: dict[Term, Callable[[], nn.Module]] = {
        "cross-entropy": lambda: CrossEntropy(weights, smoothing=recipe.label_smoothing),
        "ohem": lambda: HardPixels(weights, probability=recipe.ohem_probability, share=recipe.ohem_share),
        "focal": lambda: Focal(weights, gamma=recipe.focal_gamma),
        "dice": Dice,
        "lovasz": Lovasz,
        "boundary": lambda: Boundary(recipe.boundary_px),
    }
    return nn.ModuleDict({name: create[name]() for name in recipe.terms})
