"""How good a sharpened image is: scores that add up, so that a scene can be judged strip by strip."""

from rsfuse.metrics.sharpening.agreement import Agreement
from rsfuse.metrics.sharpening.blocks import BLOCK, block_strips
from rsfuse.metrics.sharpening.edges import EdgeAgreement
from rsfuse.metrics.sharpening.fidelity import Fidelity
from rsfuse.metrics.sharpening.full_resolution import Distortion, FullResolution
from rsfuse.metrics.sharpening.q2n import Q2n
from rsfuse.metrics.sharpening.uiqi import BandFidelity, BandLikeness

__all__ = [
    "BLOCK",
    "Agreement",
    "BandFidelity",
    "BandLikeness",
    "Distortion",
    "EdgeAgreement",
    "Fidelity",
    "FullResolution",
    "Q2n",
    "block_strips",
]
