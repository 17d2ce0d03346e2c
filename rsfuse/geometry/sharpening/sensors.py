"""Sensors with a panchromatic band: how much detail their bands still show at the Nyquist frequency.

Gains are those of the usual toolboxes (Vivone et al., "A critical comparison among pansharpening algorithms", IEEE TGRS
53, 2015, and its successor of 2021). A sensor that is not there, as Gaofen-1 and Gaofen-2, has what they give to any
other: .30, and .15 of the panchromatic band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rsfuse.errors import SceneError, did_you_mean


@dataclass(frozen=True)
class SensorGains:
    """Response of a sensor at the Nyquist frequency of its multispectral pixels.

    Args:
        ms: of each multispectral band; of one number, all bands have it.
        pan: of the panchromatic band, at the same frequency.
    """

    ms: tuple[float, ...]
    pan: float

    def of(self, bands: int) -> tuple[float, ...]:
        """The gain of each of so many bands.

        Raises:
            SceneError: if the sensor has another number of bands.
        """
        if len(self.ms) == 1:
            return self.ms * bands
        if len(self.ms) != bands:
            raise SceneError(
                f"the sensor has {len(self.ms)} multispectral bands, the raster {bands}",
                hint="choose the bands with --ms-bands, or --sensor other",
            )
        return self.ms


SENSORS = {
    "gf1": SensorGains((0.30,), 0.15),
    "gf2": SensorGains((0.30,), 0.15),
    "qb": SensorGains((0.34, 0.32, 0.30, 0.22), 0.15),
    "ikonos": SensorGains((0.26, 0.28, 0.29, 0.28), 0.17),
    "geoeye1": SensorGains((0.23,), 0.16),
    "wv2": SensorGains((0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.27), 0.11),
    "wv2-4": SensorGains((0.35,), 0.11),
    "wv3": SensorGains((0.325, 0.355, 0.360, 0.350, 0.365, 0.360, 0.335, 0.315), 0.14),
    "wv4": SensorGains((0.23,), 0.16),
    "other": SensorGains((0.30,), 0.15),
}
"""By the code that `--sensor` takes; "wv2-4" is WorldView-2 in its four classical bands."""


def find_sensor(code: str) -> SensorGains:
    """Gains of a sensor.

    Raises:
        SceneError: if nobody knows it.
    """
    if code not in SENSORS:
        known: Sequence[str] = tuple(SENSORS)
        hint = f"{did_you_mean(code, known)} choose one of: {', '.join(known)}".lstrip()
        raise SceneError(f"no sensor is called {code!r}", hint=hint)
    return SENSORS[code]
