"""From probabilities to what a map holds, on the device where the probabilities are."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsfuse.learn.inference.conveyor import Strip
from rsfuse.legend import NODATA, Legend


def best_class(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Index (h, W) uint8 of the best of scores (K, h, W), the first of equals, and that score (h, W) float32."""
    best, index = scores[0].clone(), torch.zeros(scores.shape[1:], dtype=torch.uint8, device=scores.device)
    for number, each in enumerate(scores[1:], 1):  # many times as fast as argmax over the first axis
        index.masked_fill_(each > best, number)
        torch.maximum(best, each, out=best)
    return index, best


def decide(strip: Strip, legend: Legend) -> NDArray[np.uint8]:
    """The class code of the best score of each pixel of a strip, (h, W); 255 where there is no data."""
    index: NDArray[np.uint8] = best_class(strip.scores)[0].cpu().numpy()
    index[~strip.valid] = NODATA
    return legend.to_code(index)
