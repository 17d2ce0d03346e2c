"""Scores of a map against reference labels: additive, so that a scene can be judged strip by strip."""

from rsfuse.metrics.area import StratifiedSample
from rsfuse.metrics.averaging import mean_ious
from rsfuse.metrics.boundary import BoundaryCounts
from rsfuse.metrics.calibration import Calibration
from rsfuse.metrics.confusion import Confusion, kappas, mean_kappa
from rsfuse.metrics.uncertainty import Rivals, bootstrap, bootstrap_mean

__all__ = [
    "BoundaryCounts",
    "Calibration",
    "Confusion",
    "Rivals",
    "StratifiedSample",
    "bootstrap",
    "bootstrap_mean",
    "kappas",
    "mean_ious",
    "mean_kappa",
]
