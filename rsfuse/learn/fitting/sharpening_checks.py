"""Whether patches fit a recipe that sharpens, and each other."""

from __future__ import annotations

from collections.abc import Sequence

from rsfuse.errors import RecipeError, TileSetError
from rsfuse.learn.recipes.recipe import SettledRecipe, SharpeningRecipe
from rsfuse.learn.sharpening_samples import PatchSource
from rsfuse.raster.sharpening.manifest import SharpeningHeader
from rsfuse.raster.sharpening.patches import SharpeningSet


def settle(recipe: SharpeningRecipe, sets: Sequence[SharpeningSet]) -> SettledRecipe:
    """The recipe for these sets; refuse sets that differ from each other or from it.

    A divisor above the sensor's largest digital number is let through: CF2N's own code has one for Gaofen-2.

    Raises:
        TileSetError: with the bands, ratios or digital numbers that differ.
        RecipeError: if the crop is no whole number of multispectral pixels, or classes are to be balanced.
    """
    for other in sets[1:]:
        _check_agreement(sets[0], other)
    header = sets[0].header
    settled = recipe.settled(header.bands, header.maximum)
    _check_inputs(settled, sets[0])
    _check_training(settled, header)
    return settled


def check_sizes(recipe: SettledRecipe, training: Sequence[PatchSource], validation: Sequence[PatchSource]) -> None:
    """Refuse training patches smaller than the crop, and validation patches of several sizes.

    Raises:
        TileSetError: with the sizes.
    """
    crop = recipe.training.crop
    small = min((source.entry for source in training), key=lambda entry: min(entry.height, entry.width))
    if min(small.height, small.width) < crop:
        raise TileSetError(
            f"patch {small.name} is {small.height} x {small.width} panchromatic pixels, smaller than the recipe's crop "
            f"of {crop}",
            hint=f"--set training.crop={min(small.height, small.width)}",
        )
    sizes = sorted({(source.entry.height, source.entry.width) for source in validation})
    if len(sizes) > 1:
        raise TileSetError(
            f"validation patches are of {len(sizes)} sizes ({', '.join(f'{h} x {w}' for h, w in sizes)}); their scores "
            "have one mean only if they are of one size",
            hint="train on sets whose validation patches are of one size",
        )


def _check_agreement(first: SharpeningSet, other: SharpeningSet) -> None:
    one, two = _described(first.header), _described(other.header)
    if one != two:
        raise TileSetError(
            f"{first.folder} has {one}; {other.folder} has {two}",
            hint="train on sets of sensors with the same bands, ratio and largest digital number",
        )


def _described(header: SharpeningHeader) -> str:
    return f"{len(header.bands)} bands ({', '.join(header.bands)}) at ratio {header.ratio}, up to {header.maximum}"


def _check_inputs(recipe: SettledRecipe, patches: SharpeningSet) -> None:
    """Bands, ratio and divisor against those of the patches."""
    header, inputs = patches.header, recipe.inputs
    if inputs.ms != header.bands:
        raise TileSetError(
            f"{patches.folder} has {len(header.bands)} bands ({', '.join(header.bands)}), "
            f"the recipe takes {len(inputs.ms)} ({', '.join(inputs.ms)})",
            hint=f"choose a recipe for {header.sensor}, or --set inputs.ms=[{', '.join(header.bands)}]",
        )
    ratio = recipe.network.get("ratio", header.ratio)
    if ratio != header.ratio:
        raise TileSetError(
            f"{patches.folder} is of ratio {header.ratio}, the network of the recipe of ratio {ratio}",
            hint=f"--set network.ratio={header.ratio}",
        )
    if inputs.divisor < header.maximum:
        raise TileSetError(
            f"{patches.folder} has digital numbers up to {header.maximum}, the recipe divides them by "
            f"{inputs.divisor:g}: inputs would end at {header.maximum / inputs.divisor:.3g}, not at 1",
            hint=f"--set inputs.divisor={header.maximum}",
        )


def _check_training(recipe: SettledRecipe, header: SharpeningHeader) -> None:
    crop, ratio = recipe.training.crop, header.ratio
    if crop % ratio:
        raise RecipeError(
            f"a crop of {crop} panchromatic pixels is {crop / ratio:g} multispectral ones at ratio {ratio}",
            hint=f"--set training.crop={-(-crop // ratio) * ratio}",
        )
    if recipe.training.balance:
        raise RecipeError(
            "training.balance draws by classes, and patches for sharpening have none",
            hint="--set training.balance=false",
        )
