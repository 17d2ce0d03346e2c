"""Mean IoU as different papers count it: they differ in what a class is worth that nobody labelled nor mapped."""

from __future__ import annotations

import numpy as np

from rsfuse.metrics.confusion import Confusion
from rsfuse.metrics.ratios import mean


def mean_ious(confusion: Confusion, unknown: int | None = None) -> dict[str, float]:
    """Mean IoU by convention; all are NaN without labelled pixels.

    present: over the classes that occur in labels or map (mmsegmentation: `nanmean`). The house's `miou`.
    deepglobe: over all classes but "unknown", one that does not occur counting 0 (GLNet's code). The challenge ignores
        pixels labelled "unknown"; GLNet leaves the class out of the mean only, so that such pixels stay in the unions
        of the classes they are mapped to. Labels in which "unknown" is 255 follow the challenge, labels in which it is
        a class follow GLNet.
    all: over all classes, one that does not occur counting 0.

    Args:
        confusion: what to score.
        unknown: index of the class that means "nobody knows", where the legend has one.
    """
    ious = confusion.iou
    counted = np.nan_to_num(ious) if confusion.pixels else ious
    known = np.delete(counted, [] if unknown is None else [unknown])
    return {"present": mean(ious), "deepglobe": mean(known), "all": mean(counted)}
