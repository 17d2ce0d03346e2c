"""Samples where there is no image to look at: smooth random fields in the range of scaled pixels."""

from __future__ import annotations

import math

import numpy as np

from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.export.samples import NOISE, SAMPLES, Floats, PatchSample, PatchSamples
from rsfuse.learn.recipes.inputs import PercentileScaling

_EMPTY = 8  # one column in so many, at the right, is without data
_COMMON = 0.8  # of the standard deviation of a band; bands of an image are alike
_LIMIT = 3.0  # standard deviations, where scaling sets no limit


def noise_samples(bundle: Bundle | SharpeningBundle, side: int) -> PatchSamples:
    """The same patches in every run."""
    chance = np.random.default_rng(0)
    return PatchSamples(NOISE, tuple(_patch(bundle, side, chance) for _ in range(SAMPLES)))


def _patch(bundle: Bundle | SharpeningBundle, side: int, chance: np.random.Generator) -> PatchSample:
    if isinstance(bundle, SharpeningBundle):
        return _pair(bundle, side, chance)
    return _scene(bundle, side, chance)


def _scene(bundle: Bundle, side: int, chance: np.random.Generator) -> PatchSample:
    inputs = bundle.manifest.inputs
    scaling = inputs.scaling
    limit = scaling.limit if isinstance(scaling, PercentileScaling) else _LIMIT
    valid = np.ones((side, side), np.bool_)
    valid[:, side - side // _EMPTY :] = False
    bands = np.clip(_image(len(inputs.optical) + len(inputs.sar), side, chance), -limit, limit) * valid
    optical, sar = bands[: len(inputs.optical)], bands[len(inputs.optical) :]
    unseen = {"optical": sar, "sar": optical}.get(inputs.sensors)
    if unseen is not None:
        unseen[:] = 0
    return PatchSample((optical, sar), valid)


def _pair(bundle: SharpeningBundle, side: int, chance: np.random.Generator) -> PatchSample:
    """What a sensor would see of a random ground: the mean of its bands, and each as the mean over larger pixels."""
    manifest = bundle.manifest
    bands, coarse = len(manifest.inputs.ms), side // manifest.ratio
    brightest = manifest.maximum / manifest.inputs.divisor
    ground = np.clip(0.3 + 0.1 * _image(bands, side, chance), 0.01, 1) * np.float32(brightest)
    ms = ground.reshape(bands, coarse, manifest.ratio, coarse, manifest.ratio).mean((2, 4))
    return PatchSample((ground.mean(0, keepdims=True), ms), np.ones((side, side), np.bool_))


def _image(bands: int, side: int, chance: np.random.Generator) -> Floats:
    """Bands (C, h, w) of mean 0 and standard deviation 1 that have most in common, as an image has."""
    common, own = _smooth(1, side, chance), _smooth(bands, side, chance)
    return np.float32(_COMMON) * common + np.float32(math.sqrt(1 - _COMMON**2)) * own


def _smooth(count: int, side: int, chance: np.random.Generator) -> Floats:
    """Fields (C, h, w) whose amplitudes fall as one over the frequency, as those of natural images do."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(np.fft.rfft2(chance.normal(size=(count, side, side))) / frequency, s=(side, side))
    return np.asarray(field / field.std((1, 2), keepdims=True), np.float32)
