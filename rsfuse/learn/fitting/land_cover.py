"""Learning to map land cover: tiles of scenes in, class scores out, judged by mIoU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from rsfuse.errors import RecipeError, TileSetError
from rsfuse.learn.bundles.card import bundle_card
from rsfuse.learn.bundles.land_cover import BundleManifest, PatchSize, build_network, save_bundle
from rsfuse.learn.fitting.data import FitData
from rsfuse.learn.fitting.length import Length
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.module import FittingModule
from rsfuse.learn.fitting.subject import Subject
from rsfuse.learn.losses.training_loss import TrainingLoss, check_names
from rsfuse.learn.recipes.inputs import MomentScaling
from rsfuse.learn.recipes.recipe import Recipe
from rsfuse.learn.samples import Batch, Share, TrainingSamples, ValidationSamples, class_pixels
from rsfuse.learn.sources import Source, check_sar, check_tiles, sources
from rsfuse.metrics import Confusion
from rsfuse.raster.manifest import Manifest
from rsfuse.raster.statistics import SceneStatistics, merge_statistics
from rsfuse.raster.tiles import TileSet
from rsfuse_models import TrainingOutput
from rsfuse_models.layers.pretrained import without_pretrained


class LandCover(Subject):
    """Land cover, learnt from tiles.

    Args:
        recipe: how.
        tile_sets: what from; all with one legend.
        means: how many share the work.

    Raises:
        TileSetError: if tiles are missing, too few or too small, or do not fit the recipe or each other.
        RecipeError: if the batch cannot be shared out.
    """

    recipe: Recipe
    data: LandCoverData

    def __init__(self, recipe: Recipe, tile_sets: Sequence[TileSet], means: FitMeans) -> None:
        check_legends(tile_sets)
        self.tile_sets, self.legend = tile_sets, tile_sets[0].legend
        check_tiles(recipe, tile_sets, "train")
        check_sar(recipe, tile_sets)
        statistics = fixed_statistics(recipe, tile_sets)
        self.training = sources(recipe, tile_sets, "train", statistics)
        self.validation = sources(recipe, tile_sets, "val", statistics)
        self.statistics = statistics
        super().__init__(recipe, LandCoverData(recipe, self.training, self.validation, means))

    def network(self, *, fresh: bool = False) -> nn.Module:
        """As the recipe says, for the bands and classes at hand."""
        options = without_pretrained(self.recipe.network) if fresh else self.recipe.network
        return build_network(options, self.recipe.inputs, len(self.legend))

    def forward(self, network: nn.Module, samples: int) -> Tensor:
        """Scores of crops of nothing.

        Raises:
            RecipeError: if the loss cannot be of what the network returns, or the samples are too small.
        """
        side, inputs = self.recipe.training.crop, self.recipe.inputs
        optical, sar = (torch.zeros(samples, len(bands), side, side) for bands in (inputs.optical, inputs.sar))
        together = self.recipe.training.sync_batchnorm  # other devices may have more values to normalise by
        run = network.forward_training if together else partial(forward_training, network)
        output: TrainingOutput = run(optical, sar)  # type: ignore[operator]
        check_names(self.recipe.loss, output)
        return output.scores

    def module(self) -> FittingModule:
        """The network, the loss of the recipe, and mIoU as its judge."""
        loss = TrainingLoss(self.recipe.loss, torch.from_numpy(class_pixels(self.training, self.legend).sum(0)))
        return LandCoverModule(self.recipe, self.network(), self.data.length, loss, len(self.legend))

    def save(self, weights: dict[str, Tensor], scores: dict[str, float], folder: Path) -> None:
        """Write a bundle for `rsfuse predict`."""
        manifests = [each.manifest for each in self.tile_sets]
        manifest = BundleManifest(
            description=self.recipe.description,
            network=self.recipe.network,
            inputs=self.recipe.inputs,
            statistics=self.statistics,
            without=_dispensable(self.recipe),
            anchor=self.recipe.augmentation.anchor,
            legend=self.legend.to_dict(),
            patch=PatchSize(size=self.recipe.training.crop, halo=self.recipe.training.halo),
            gsd_m=round(_mean_gsd(manifests), 3),
            trained_on=tuple(dict.fromkeys(name for each in manifests for name in each.told_scenes)),
            scores=scores,
        )
        save_bundle(folder, manifest, weights, storage=self.recipe.storage, card=bundle_card(folder.name, manifest))

    def found(self) -> dict[str, int]:
        """How many tiles there are to train on and to judge by."""
        return {"train": len(self.training), "val": len(self.validation)}


class LandCoverData(FitData):
    """Crops of training tiles, and whole validation tiles."""

    def __init__(
        self, recipe: Recipe, training: Sequence[Source], validation: Sequence[Source], means: FitMeans
    ) -> None:
        super().__init__(recipe.training, means, len(training))
        self._recipe, self._training, self._validation = recipe, training, validation

    def training_samples(self, stretch: int, share: Share) -> TrainingSamples:
        """Crops of one stretch."""
        return TrainingSamples(self._recipe, self._training, stretch, self.length.stretch, share=share)

    def validation_samples(self, share: Share) -> ValidationSamples:
        """Squares of all validation tiles."""
        return ValidationSamples(self._validation, self._recipe.training.crop, share=share)


class LandCoverModule(FittingModule):
    """A network that learns to map, judged by the mIoU over all validation tiles together."""

    judged_by: ClassVar[str] = "miou"
    more_is_better: ClassVar[bool] = True

    def __init__(self, recipe: Recipe, network: nn.Module, length: Length, loss: TrainingLoss, classes: int) -> None:
        super().__init__(recipe, network, length)
        self.loss, self._classes = loss, classes
        self._confusion = Confusion.empty(classes)

    def training_step(self, batch: Batch) -> Tensor:
        """The loss of one batch.

        Raises:
            RecipeError: as `forward_training`, or if the loss cannot be of what the network returns.
        """
        optical, sar, labels = batch
        return self.tell_losses(self.loss(forward_training(self.network, optical, sar), labels))

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self._confusion = Confusion.empty(self._classes)

    def validation_step(self, batch: Batch) -> None:
        """Count one batch."""
        optical, sar, labels = batch
        mapped = self.network(optical, sar).argmax(1).byte()
        self._confusion += Confusion.of(labels.byte().cpu().numpy(), mapped.cpu().numpy(), self._classes)

    def on_validation_epoch_end(self) -> None:
        """Score all batches of all processes together."""
        own = torch.from_numpy(np.column_stack([self._confusion.counts, self._confusion.unmapped])).to(self.device)
        gathered = self.all_gather(own)
        assert isinstance(gathered, Tensor)
        every = gathered.reshape(-1, *own.shape).sum(0).cpu().numpy()  # of one process there is no axis of them
        confusion = Confusion(every[:, :-1], every[:, -1])
        self.tell_scores({"miou": confusion.miou, "oa": confusion.oa})


def forward_training(network: nn.Module, optical: Tensor, sar: Tensor) -> TrainingOutput:
    """What a network returns in training, of optical (B, C, H, W) and SAR (B, S, H, W).

    Raises:
        RecipeError: if a batch normalisation has one value to normalise: of one sample, a map of one pixel.
    """
    try:
        output: TrainingOutput = network.forward_training(optical, sar)  # type: ignore[operator]
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise RecipeError(
            f"{len(optical)} sample of {optical.shape[-2]} x {optical.shape[-1]} px at once is too little for the "
            "batch normalisation of this network: it comes down to a single pixel",
            hint="raise training.batch or training.crop, or take fewer --devices or parts (--accumulate)",
        ) from error
    return output


def fixed_statistics(recipe: Recipe, tile_sets: Sequence[TileSet]) -> SceneStatistics | None:
    """Statistics of all training tiles, where a recipe scales every scene by the same; None where by its own."""
    scaling = recipe.inputs.scaling
    if not isinstance(scaling, MomentScaling) and scaling.kind == "scene-percentiles":
        return None
    return merge_statistics([each.manifest.statistics for each in tile_sets if each.select("train")])


def check_legends(tile_sets: Sequence[TileSet]) -> None:
    """Refuse tile sets that do not mean the same by their codes.

    Raises:
        TileSetError: naming the two that differ.
    """
    first = tile_sets[0]
    for other in tile_sets[1:]:
        if other.legend.to_dict() != first.legend.to_dict():
            raise TileSetError(
                f"{first.folder} and {other.folder} have different legends ({first.legend}; {other.legend})",
                hint="cut both with the same --legend",
            )


def _dispensable(recipe: Recipe) -> tuple[Literal["optical", "sar"], ...]:
    """Sensors that a network has learnt to do without, or has never seen."""
    dropped = {"optical": recipe.augmentation.drop_optical, "sar": recipe.augmentation.drop_sar}
    seen = {"both": ("optical", "sar")}.get(recipe.inputs.sensors, (recipe.inputs.sensors,))
    names: tuple[Literal["optical", "sar"], ...] = ("optical", "sar")
    return tuple(name for name in names if dropped[name] > 0 or name not in seen)


def _mean_gsd(manifests: Sequence[Manifest]) -> float:
    """Of the sets that know theirs; NaN where none does."""
    known = [each.gsd_m for each in manifests if not math.isnan(each.gsd_m)]
    return sum(known) / len(known) if known else math.nan
