"""Bands of an image, each through a filter of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsfuse.geometry.sharpening.filters import Filter, Image, Span, within


@dataclass(frozen=True)
class BandFilters:
    """Filters that differ in their kernels alone.

    Args:
        filters: one for each band.
    """

    filters: tuple[Filter, ...]

    def needed(self, rows: Span, columns: Span) -> tuple[Span, Span]:
        """Rows and columns of the input that some of the output of any band depend on."""
        return max(self.filters, key=lambda each: each.rows.kernel.reach).needed(rows, columns)

    def __call__(self, image: Image, rows: Span, columns: Span) -> Image:
        """Some of the output.

        Args:
            image: (B, h, w), the input at the rows and columns that are needed for it, and no others.
            rows: of the output.
            columns: of the output.

        Returns:
            (B, rows, columns).
        """
        wide = self.needed(rows, columns)
        own = (within(each.needed(rows, columns), wide) for each in self.filters)
        bands = zip(image, self.filters, own, strict=True)
        return np.concatenate([each(band[None, *part], rows, columns) for band, each, part in bands])
