"""What a user may choose about tiling, and how it is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rsfuse.coding import LabelCoding
from rsfuse.geometry.split import Split
from rsfuse.legend import format_color
from rsfuse.raster.crop import Crop
from rsfuse.raster.datasets.dataset import Dataset, Edge
from rsfuse.raster.manifest import Reading
from rsfuse.raster.scene import Bands
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.raster.tiling.tile_files import Compression
from rsfuse.raster.tiling.tile_plan import Cover


@dataclass(frozen=True)
class TileSettings:
    """Choices about tiling; the last two change nothing of what the tiles hold.

    Args:
        size: side of a tile in pixels, None for what suits the data set.
        halo: pixels that a tile shares with its neighbour on each side.
        edge: what becomes of the right and lower edge, None for what suits the data set.
        rule: how tiles are split.
        crop: the part of every scene to cut.
        bands: which bands to read, None for those of the data set.
        label_field: attribute of polygons that says their class.
        min_valid: tiles with a smaller share of pixels with data are left out.
        copy: whether tiles are files; else they are windows that training reads from the scenes.
        survey: whether every pixel is looked at where none is copied; else classes are counted when training starts.
        compression: of the files.
        workers: processes, None for what suits the machine.
        overwrite: replace a tile set that is there already.
    """

    size: int | None = None
    halo: int = 0
    edge: Edge | None = None
    rule: SplitRule = field(default_factory=SplitRule)
    crop: Crop = field(default_factory=Crop)
    bands: Bands = field(default_factory=Bands)
    label_field: str | None = None
    min_valid: float = 0.1
    copy: bool = True
    survey: bool = True
    compression: Compression = "scene"
    workers: int | None = None
    overwrite: bool = False

    @property
    def surveys(self) -> bool:
        """Whether every pixel is looked at."""
        return self.copy or self.survey

    def cover(self, dataset: Dataset) -> Cover:
        """How tiles cover the scenes of a data set."""
        return Cover(self.size or dataset.size, self.halo, self.edge or dataset.edge)

    def bands_of(self, dataset: Dataset) -> Bands:
        """The bands to read; a data set that names its bands has them in this order in its files."""
        optical = self.bands.optical or tuple(range(1, len(dataset.optical_bands) + 1)) or None
        sar = self.bands.sar or tuple(range(1, len(dataset.sar_bands) + 1)) or None
        return Bands(optical, sar)

    def options(self, dataset: Dataset, rule: SplitRule) -> dict[str, Any]:
        """Every choice that decides what the tiles hold, under the names of the command line.

        Args:
            dataset: what is cut.
            rule: of the split, with nothing left open.
        """
        cover = self.cover(dataset)
        return {
            "dataset": dataset.name,
            "size": cover.size,
            "halo": cover.halo,
            "edge": cover.edge,
            "split_by": rule.by,
            "val": rule.shares.val,
            "test": rule.shares.test,
            "split": rule.everything if rule.by == "none" else None,
            "list": _listed(dataset, rule),
            "seed": rule.seed,
            "block": rule.block,
            "guard": rule.gap,
            "crop": self.crop.told,
            "optical_bands": self.bands.optical and list(self.bands.optical),
            "sar_bands": self.bands.sar and list(self.bands.sar),
            "label_field": self.label_field,
            "label_values": _told(dataset.coding),
            "min_valid": self.min_valid,
            "manifest_only": not self.copy,
            "survey": self.surveys,
            "compress": self.compression if self.copy else None,
        }

    def reading(self, dataset: Dataset) -> Reading | None:
        """How windows of the scenes are to be read where no pixel is copied."""
        if self.copy:
            return None
        bands = self.bands_of(dataset)
        return Reading(
            optical_bands=bands.optical,
            sar_bands=bands.sar,
            **_told(dataset.coding),
            field=self.label_field,
            area=str(self.crop.polygons.resolve()) if self.crop.polygons else None,
            by_size=dataset.by_size,
        )


def _listed(dataset: Dataset, rule: SplitRule) -> dict[str, Split | None]:
    """Scene to split, where lists say so: the user's, or those of the data set."""
    if rule.by != "list":
        return {}
    return dict(sorted(rule.names.items())) or {scene.name: scene.split for scene in dataset.scenes}


def _told(coding: LabelCoding) -> dict[str, Any]:
    """A coding as plain data; keys are text, as JSON has them."""
    return {
        "codes": {str(number): code for number, code in coding.codes.items()},
        "colors": {format_color(color): code for color, code in coding.colors.items()},
        "names": dict(coding.names),
        "binarised_at": coding.binarised_at,
    }
