"""Simulate: a synthetic scene with exact truth, for the demo, tests and benchmarks.

It has the look of Gaofen images of a river plain (four optical bands of ten bits, one SAR band) in the legend of
WHU-OPT-SAR. Every pixel is a function of the seed and its place, so a scene of any size is made window by window.
"""

from rsfuse.simulate.files import ScenePaths, write_scene
from rsfuse.simulate.scene import SimulatedScene, render

__all__ = ["ScenePaths", "SimulatedScene", "render", "write_scene"]
