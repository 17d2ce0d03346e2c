"""How long a run is, in steps, whatever the recipe counts in."""

from __future__ import annotations

from dataclasses import dataclass

from rsfuse.errors import TileSetError
from rsfuse.learn.recipes.training import Training


@dataclass(frozen=True)
class Length:
    """How long a run is.

    Args:
        steps: of the optimizer, in all.
        stretch: steps from one validation to the next.
        unit: steps of what the recipe counts in: 1, or those of an epoch.
    """

    steps: int
    stretch: int
    unit: int = 1

    @classmethod
    def of(cls, training: Training, tiles: int) -> Length:
        """The length of a run on a number of training tiles.

        Raises:
            TileSetError: if the recipe counts in epochs and the tiles do not fill a batch.
        """
        if training.steps is not None:
            return cls(training.steps, min(training.validate_every, training.steps))
        unit = tiles // training.batch
        if unit == 0:
            raise TileSetError(
                f"{tiles} training tiles do not fill one batch of {training.batch}, so there is no epoch",
                hint="cut more tiles, or --set training.batch to fewer",
            )
        assert training.epochs is not None
        return cls(training.epochs * unit, min(training.validate_every, training.epochs) * unit, unit)
