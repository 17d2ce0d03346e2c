"""Sensors: what an optical and a radar satellite record of the ground."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rsfuse.simulate.ground import Ground
from rsfuse.simulate.noise import Floats, Frame, generator, key
from rsfuse.simulate.palette import palette_of

FULL_SCALE = 1023
"""Largest optical DN: ten bits."""
_TONES = 65536
_CLOUD_DN = np.array([880, 905, 915, 945], np.float32)
_HAZE_DN = np.array([95, 62, 40, 18], np.float32)  # path radiance falls with the wavelength
_DN_OF_AMPLITUDE = 2200.0


class Optical:
    """A 10-bit camera of four bands: blue, green, red, near infrared.

    Args:
        seed: the date, with its light, its haze and its gains.
    """

    def __init__(self, seed: int) -> None:
        rng = generator(seed, "optical")
        self._gain = (1500 * rng.uniform(0.85, 1.15) * rng.uniform(0.94, 1.06, 4)).astype(np.float32)
        self._haze = (_HAZE_DN * rng.uniform(0.6, 1.5)).astype(np.float32)
        self._sun = np.float32(rng.choice((-1, 1)) * rng.uniform(0.8, 1.4))
        self._noise = (_normal_quantiles() * np.float32(rng.uniform(3.5, 6.5))).astype(np.float32)

    def record(self, ground: Ground, block: tuple[int, int]) -> Floats:
        """DN (4, h - 2, w - 2) before clouds and rounding: the outermost pixels only blur into the others.

        Args:
            ground: what lies there, (h, w).
            block: row and column number of the block, which its noise belongs to.
        """
        frame, index = ground.frame, ground.index
        colors = palette_of(frame.seed)
        light = colors.texture.take(index)
        light *= np.float32(0.8) * frame.grain()
        light += colors.relief.take(index) * (ground.slope * self._sun)
        light += 1
        np.clip(light, 0.3, 2, out=light)
        air = 1 + np.float32(0.10) * frame.inside(1).noise("haze", 900)

        recorded = np.empty((4, *air.shape), np.float32)
        bits = random_bits(frame.seed, "camera", block, recorded.shape)
        for band, plane in enumerate(recorded):
            plane[:] = _blur(colors.reflectance[band].take(index) * light)
            plane *= self._gain[band]
            plane += air * self._haze[band]
            plane += self._noise.take(bits[band])
        return recorded


class Radar:
    """An imaging radar of one polarisation.

    Args:
        seed: the date, with its gain.
        looks: how many looks the speckle averages over; need not be whole.
    """

    def __init__(self, seed: int, looks: float) -> None:
        self._scale = np.float32((_DN_OF_AMPLITUDE * 10 ** (generator(seed, "radar").uniform(-1.5, 1.5) / 20)) ** 2)
        self._speckle = _gamma_quantiles(looks)

    def scatter(self, ground: Ground) -> Floats:
        """Mean intensity (h, w) that the ground sends back, in squared DN, free of speckle."""
        frame, index = ground.frame, ground.index
        colors = palette_of(frame.seed)
        intensity = colors.sigma.take(index)
        intensity *= np.clip(1 + colors.relief.take(index) * ground.slope * np.float32(-1.2), 0.3, 3)
        bright = frame.sparks() < colors.glint.take(index)
        intensity[bright] *= 12  # a corner, 11 dB above the roof that it stands on
        intensity *= self._scale
        return intensity

    def record(self, intensity: Floats, seed: int, block: tuple[int, int]) -> Floats:
        """Amplitude (h, w) in DN of a mean intensity, with speckle."""
        bits = random_bits(seed, "speckle", block, intensity.shape)
        speckled: Floats = intensity * self._speckle.take(bits)
        return np.sqrt(speckled, out=speckled)


class Clouds:
    """Clouds over the optical image, and their shadows.

    Args:
        seed: the date.
        shape: (height, width) of the scene, over which the share is counted.
        share: share of the scene that lies more under cloud than beside it.
    """

    def __init__(self, seed: int, shape: tuple[int, int], share: float) -> None:
        step = max(max(shape) // 400, 1)
        whole = Frame(seed, 0, 0, -(-shape[0] // step), -(-shape[1] // step), step)
        self._edge = np.float32(np.quantile(_billows(whole), 1 - share))
        rng = generator(seed, "clouds")
        self._shadow = tuple(int(each) for each in rng.integers(18, 46, 2))

    def cover(self, frame: Frame, recorded: Floats) -> None:
        """Lay clouds and shadows over DN (4, h, w), in place."""
        down, right = self._shadow
        wider = replace(frame, height=frame.height + down, width=frame.width + right)
        opacity = self.opacity(wider)
        shadow, cloud = opacity[down:, right:], opacity[: frame.height, : frame.width]
        if not (shadow.any() or cloud.any()):
            return
        recorded *= 1 - np.float32(0.55) * shadow
        tops = 1 + np.float32(0.05) * frame.noise("cloud tops", 40)
        for plane, bright in zip(recorded, _CLOUD_DN, strict=True):
            plane += cloud * (bright * tops - plane)

    def opacity(self, frame: Frame) -> Floats:
        """How much of the ground (h, w) is hidden: 0 in the clear, 1 under the thick core, a soft edge between."""
        depth = np.clip((_billows(frame) - self._edge) * np.float32(2.5) + np.float32(0.5), 0, 1)
        opacity: Floats = depth * depth * (3 - 2 * depth)
        return opacity


def _billows(frame: Frame) -> Floats:
    billows = np.float32(0.8) * frame.noise("cloud", 620)
    for period, weight in ((210, 0.5), (70, 0.3), (26, 0.17)):
        billows += np.float32(weight) * frame.noise("cloud", period)
    return billows


def _blur(plane: Floats) -> Floats:
    """Each pixel mixed with its neighbours (weights 1 4 1 along both axes); a ring of one pixel falls away."""
    rows: Floats = (plane[:-2] + plane[2:] + 4 * plane[1:-1]) * np.float32(1 / 6)
    mixed: Floats = (rows[:, :-2] + rows[:, 2:] + 4 * rows[:, 1:-1]) * np.float32(1 / 6)
    return mixed


def random_bits(seed: int, name: str, block: tuple[int, int], shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Sixteen random bits per pixel of a block; they belong to the seed, the name and the block alone."""
    words = -(-int(np.prod(shape)) // 4)
    stream = np.random.Philox(key=key(seed, f"{name}/{block[0]}/{block[1]}"))
    bits = stream.random_raw(words).astype("<u8", copy=False).view("<u2")
    return bits[: int(np.prod(shape))].reshape(shape)


@lru_cache(maxsize=8)
def _gamma_quantiles(looks: float) -> Floats:
    """Speckle of mean 1 for each of 65536 equally likely draws: a look-up is ten times as fast as sampling."""
    from scipy.special import gammaincinv

    values = gammaincinv(looks, (np.arange(_TONES) + 0.5) / _TONES)
    return np.asarray(values / values.mean(), np.float32)


@lru_cache(maxsize=1)
def _normal_quantiles() -> Floats:
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(_TONES) + 0.5) / _TONES), np.float32)
