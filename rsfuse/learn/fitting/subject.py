"""What a run learns: the interface between the engine and land cover mapping or sharpening."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from torch import Tensor, nn

from rsfuse.learn.fitting.data import FitData
from rsfuse.learn.fitting.module import FittingModule
from rsfuse.learn.recipes.recipe import AnyRecipe


class Subject(ABC):
    """What a run learns, from which samples, and what bundle comes of it.

    Args:
        recipe: how it is learnt.
        data: what from.

    Raises:
        TileSetError: if there are fewer validation samples than processes, or they are smaller than a crop.
    """

    def __init__(self, recipe: AnyRecipe, data: FitData) -> None:
        data.check_validation()
        self.recipe, self.data = recipe, data

    @abstractmethod
    def network(self, *, fresh: bool = False) -> nn.Module:
        """The network before training; `fresh` leaves out weights that the recipe starts from."""

    @abstractmethod
    def forward(self, network: nn.Module, samples: int) -> Tensor:
        """Output of a forward pass in training, of that many samples without meaning: for what it costs."""

    @abstractmethod
    def module(self) -> FittingModule:
        """The network before training, its loss and its judge."""

    @abstractmethod
    def save(self, weights: dict[str, Tensor], scores: dict[str, float], folder: Path) -> None:
        """Write the bundle of trained weights with their scores on the validation samples."""

    @abstractmethod
    def found(self) -> dict[str, int]:
        """How many tiles each split has."""
