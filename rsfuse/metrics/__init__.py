"""Scores of a map against reference labels: additive, so that a scene can be judged strip by strip."""

from rsfuse.metrics.confusion import Confusion, mean_kappa

__all__ = ["Confusion", "mean_kappa"]
