"""The boundary loss: how far outlines lie from where they should."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse.legend import NODATA
from rsfuse_models.layers.precision import at_least_float32

_TINY = 1e-7


class Boundary(nn.Module):
    """1 - F1 of soft outlines, Bokhovkin & Burnaev 2019 (arXiv 1905.07852): whole batch, mean over classes.

    The outline of a class is where a pixel belongs to it and one of its eight neighbours does not. Precision is the
    share of the outline drawn that lies within a tolerance of the true one, recall the share of the true one that
    lies within it of the one drawn. The edge of a tile is no outline, nor is the edge of what is labelled, beyond
    which nobody knows. Classes without an outline in the labels are left out. Each process takes its own batch.

    Args:
        tolerance_px: in pixels, along either axis; 1 or more.
    """

    def __init__(self, tolerance_px: int = 5) -> None:
        super().__init__()
        self._tolerance_px = tolerance_px

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """A scalar of logits (B, K, H, W) and labels (B, H, W), 255 for no label."""
        probabilities = at_least_float32(scores).softmax(1)
        truth = F.one_hot(labels.where(labels != NODATA, 0), scores.shape[1]).movedim(-1, 1).to(probabilities)
        known = 1 - _widened((labels == NODATA)[:, None].to(probabilities), 1)
        drawn, true = known * _outline(probabilities), known * _outline(truth)
        precision = _share_near(drawn, _widened(true, self._tolerance_px))
        recall = _share_near(true, _widened(drawn, self._tolerance_px))
        f1 = 2 * precision * recall / (precision + recall + _TINY)
        outlined = true.sum((0, 2, 3)) > 0
        return ((1 - f1) * outlined).sum() / outlined.sum().clamp(min=1)


def _outline(areas: Tensor) -> Tensor:
    """How much each pixel belongs to an area more than the least of its neighbours."""
    return _widened(1 - areas, 1) - (1 - areas)


def _widened(lines: Tensor, by_px: int) -> Tensor:
    """The most within so many pixels along either axis; one axis after the other, which is the same and faster."""
    size = 2 * by_px + 1
    columns = F.max_pool2d(lines, (size, 1), stride=1, padding=(by_px, 0))
    return F.max_pool2d(columns, (1, size), stride=1, padding=(0, by_px))


def _share_near(outline: Tensor, area: Tensor) -> Tensor:
    """(K,) share of each class's outline that lies in an area; 0 where there is no outline."""
    return (outline * area).sum((0, 2, 3)) / (outline.sum((0, 2, 3)) + _TINY)
