"""Learning to sharpen: patches at reduced resolution in, the original out, judged by ERGAS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse.learn.bundles.land_cover import PatchSize
from rsfuse.learn.bundles.sharpening import SharpeningManifest, build_sharpener, save_sharpening_bundle
from rsfuse.learn.fitting.data import FitData
from rsfuse.learn.fitting.length import Length
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.module import FittingModule
from rsfuse.learn.fitting.sharpening_checks import check_sizes, settle
from rsfuse.learn.fitting.subject import Subject
from rsfuse.learn.recipes.recipe import SettledRecipe, SharpeningRecipe
from rsfuse.learn.samples import Share
from rsfuse.learn.sharpening_samples import (
    PatchSource,
    SharpeningBatch,
    SharpeningTraining,
    SharpeningValidation,
    patch_sources,
)
from rsfuse.metrics.sharpening import Fidelity
from rsfuse.raster.datasets.pancollection import SENSORS
from rsfuse.raster.sharpening.manifest import SharpeningHeader
from rsfuse.raster.sharpening.patches import SharpeningSet

_PREDICTED = 256
"""Side of the patches of a prediction, if those of training are smaller. Halos then are a quarter of the work, not
three quarters; a network that was taught on 64 pixels did a little better on 256 (benchmarks/RESULTS.md)."""


class Sharpening(Subject):
    """Sharpening, learnt from patches that have a reference.

    Args:
        recipe: how.
        sets: what from; all with the same bands, ratio and range of digital numbers.
        means: how many share the work.

    Raises:
        TileSetError: if patches are missing or do not fit the recipe or each other.
        RecipeError: if the crop, the balance or the batch cannot be.
    """

    recipe: SettledRecipe
    data: SharpeningData

    def __init__(self, recipe: SharpeningRecipe, sets: Sequence[SharpeningSet], means: FitMeans) -> None:
        settled = settle(recipe, sets)
        self.sets, self.header = sets, sets[0].header
        self.training, self.validation = patch_sources(sets, "train"), patch_sources(sets, "val")
        check_sizes(settled, self.training, self.validation)
        super().__init__(settled, SharpeningData(settled, self.training, self.validation, means))

    def network(self, *, fresh: bool = False) -> nn.Module:
        """As the recipe says, for the bands and the ratio at hand; none starts from trained weights."""
        return build_sharpener(self.recipe.network, len(self.header.bands), self.header.ratio)

    def forward(self, network: nn.Module, samples: int) -> Tensor:
        """Sharpened crops of nothing."""
        side, bands = self.recipe.training.crop, len(self.header.bands)
        coarse = side // self.header.ratio
        sharp: Tensor = network(torch.zeros(samples, 1, side, side), torch.zeros(samples, bands, coarse, coarse))
        return sharp

    def module(self) -> FittingModule:
        """The network, the mean absolute difference as its loss, and ERGAS as its judge."""
        return SharpeningModule(self.recipe, self.network(), self.data.length, self.header)

    def save(self, weights: dict[str, Tensor], scores: dict[str, float], folder: Path) -> None:
        """Write a bundle for sharpening."""
        recipe, header = self.recipe, self.header
        manifest = SharpeningManifest(
            description=recipe.description,
            network=recipe.network,
            inputs=recipe.inputs,
            ratio=header.ratio,
            maximum=header.maximum,
            patch=PatchSize(size=max(recipe.training.crop, _PREDICTED), halo=recipe.training.halo),
            sensors=tuple(dict.fromkeys(each.header.sensor for each in self.sets)),
            trained_on=tuple(_told(each) for each in self.sets if each.select("train")),
            scores=scores,
        )
        save_sharpening_bundle(folder, manifest, weights, storage=recipe.storage)

    def found(self) -> dict[str, int]:
        """How many patches there are to train on and to judge by."""
        return {"train": len(self.training), "val": len(self.validation)}


class SharpeningData(FitData):
    """Crops of training patches, and whole validation patches."""

    def __init__(
        self,
        recipe: SettledRecipe,
        training: Sequence[PatchSource],
        validation: Sequence[PatchSource],
        means: FitMeans,
    ) -> None:
        super().__init__(recipe.training, means, len(training))
        self._recipe, self._training, self._validation = recipe, training, validation

    def training_samples(self, stretch: int, share: Share) -> SharpeningTraining:
        """Crops of one stretch."""
        return SharpeningTraining(self._recipe, self._training, stretch, self.length.stretch, share=share)

    def validation_samples(self, share: Share) -> SharpeningValidation:
        """All validation patches."""
        return SharpeningValidation(self._validation, self._recipe.inputs.divisor, share=share)


class SharpeningModule(FittingModule):
    """A network that learns to sharpen, judged by the mean ERGAS of all validation patches.

    A patch that a score is not defined for, such as the ERGAS of one that is 0 throughout, is left out of its mean.

    Args:
        recipe: how it is trained.
        network: what is trained.
        length: of the run.
        header: ratio and largest digital number of the patches.
    """

    judged_by: ClassVar[str] = "ergas"
    more_is_better: ClassVar[bool] = False
    score_names: ClassVar[tuple[str, ...]] = ("ergas", "sam", "psnr")

    def __init__(self, recipe: SettledRecipe, network: nn.Module, length: Length, header: SharpeningHeader) -> None:
        super().__init__(recipe, network, length)
        self._ratio, self._maximum = header.ratio, header.maximum / recipe.inputs.divisor
        self._totals = torch.zeros(2, len(self.score_names), dtype=torch.float64)

    def training_step(self, batch: SharpeningBatch) -> Tensor:
        """The loss of one batch."""
        pan, ms, reference = batch
        return self.tell_losses({"loss": F.l1_loss(self.network(pan, ms).float(), reference)})

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self._totals = torch.zeros_like(self._totals)

    def validation_step(self, batch: SharpeningBatch) -> None:
        """Score the patches of one batch."""
        pan, ms, reference = batch
        for scores in self._scores(reference, self.network(pan, ms).float()):
            known = ~scores.isnan()
            self._totals += torch.stack([scores.where(known, 0.0), known])

    def on_validation_epoch_end(self) -> None:
        """The mean over all patches of all processes."""
        gathered = self.all_gather(self._totals.to(self.device))
        assert isinstance(gathered, Tensor)
        sums, counts = gathered.reshape(-1, *self._totals.shape).sum(0).cpu()
        self.tell_scores(dict(zip(self.score_names, (sums / counts).tolist(), strict=True)))

    def _scores(self, reference: Tensor, sharp: Tensor) -> Iterator[Tensor]:
        for wanted, found in zip(reference.cpu().numpy(), sharp.cpu().numpy(), strict=True):
            fidelity = Fidelity.of(wanted, found)
            scores = fidelity.ergas(self._ratio), fidelity.sam, fidelity.psnr(self._maximum)
            yield torch.tensor(scores, dtype=torch.float64)


def _told(patches: SharpeningSet) -> str:
    """Sensor, and scenes or training files, of a set."""
    header, training = patches.header, patches.select("train")
    named = header.scenes or dict.fromkeys(entry.file for entry in training)
    sensor = SENSORS[header.sensor].name if header.sensor in SENSORS else header.sensor
    return f"{sensor}: {', '.join(named)} ({len(training)} patches)"
