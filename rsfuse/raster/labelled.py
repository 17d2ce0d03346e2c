"""A labelled scene: the two rasters of a place and what is known of its pixels, read together."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.coding import LabelCoding
from rsfuse.legend import NODATA
from rsfuse.raster.area import Area
from rsfuse.raster.crop import Crop
from rsfuse.raster.datasets.dataset import SceneFiles
from rsfuse.raster.drawn.polygon_labels import PolygonLabels
from rsfuse.raster.labels import Labels, open_labels
from rsfuse.raster.opening import Closing
from rsfuse.raster.scene import Bands, Sample, Scene


@dataclass(frozen=True)
class LabelledSample:
    """A sample and what is known of its pixels.

    Args:
        sample: the arrays of the sensors.
        labels: (h, w) class codes, 255 where nobody said.
    """

    sample: Sample
    labels: NDArray[np.uint8]


@dataclass(frozen=True)
class SceneSource:
    """How a labelled scene is read; it travels to other processes, and each opens it for itself.

    Args:
        files: its files.
        coding: how the label file says what it means.
        bands: which bands of the rasters to read.
        field: attribute of polygons that says their class, None for the one that is obvious.
        crop: the part of the scene that counts.
        by_size: files without a CRS lie on the optical raster if they have its size.
    """

    files: SceneFiles
    coding: LabelCoding
    bands: Bands = dataclasses.field(default_factory=Bands)
    field: str | None = None
    crop: Crop = dataclasses.field(default_factory=Crop)
    by_size: bool = False

    def open(self) -> LabelledScene:
        """The scene, open for reading.

        Raises:
            SceneError: if a file is missing or cannot serve.
            GridMismatchError: if the files lie elsewhere than each other.
        """
        return LabelledScene(self)


class LabelledScene(Closing):
    """A scene and its labels on one grid, open for reading. One thread at a time."""

    def __init__(self, source: SceneSource) -> None:
        files = source.files
        with ExitStack() as opened:
            self.scene = opened.enter_context(
                Scene(files.optical, files.sar, bands=source.bands, by_size=source.by_size)
            )
            self.area: Area = source.crop.area(self.scene.grid)
            self.labels: Labels | PolygonLabels | None = None
            if files.labels is not None:
                self.labels = open_labels(
                    files.labels, self.scene.grid, coding=source.coding, field=source.field, by_size=source.by_size
                )
                opened.enter_context(self.labels)
            self._opened = opened.pop_all()

    def read(self, window: Window) -> LabelledSample:
        """The pixels of a window, as `Scene.read` gives them, and their codes; outside the area nobody said.

        Raises:
            SceneError: if a file is truncated or damaged.
            LegendMismatchError: if a label is not known.
        """
        return LabelledSample(self.scene.read(window), self.read_labels(window))

    def read_stored(self, window: Window) -> LabelledSample:
        """Like `read`, the pixels in the types of their files."""
        return LabelledSample(self.scene.read_stored(window), self.read_labels(window))

    def read_labels(self, window: Window) -> NDArray[np.uint8]:
        """The codes (h, w) of a window; 255 throughout where the scene has no labels."""
        if self.labels is None:
            return np.full((int(window.height), int(window.width)), NODATA, np.uint8)
        codes: NDArray[np.uint8] = self.labels.read(window)
        within = self.area.mask(window)
        return codes if within is None else np.where(within, codes, np.uint8(NODATA))

    def close(self) -> None:
        """Let go of all files."""
        self._opened.close()
