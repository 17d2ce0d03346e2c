"""RationalModel: the rational polynomials that come with a satellite image (RPC00B)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.crs import CRS
from rasterio.rpc import RPC

from rsfuse.geometry.image_model import Numbers

_HEIGHT_TERMS = (3, 5, 6, 9, 10, 13, 16, 17, 18, 19)
_FARTHEST = 2.0  # in half widths of the area that the model was made for: beyond, polynomials have ghosts of the image
_CLOSE_PX = 1e-7
_LARGEST_STEP = 1.0  # of Newton's, in half widths
_STEPS = 30
_NUDGE = 1e-6  # half widths: for the slopes


@dataclass(frozen=True)
class RationalModel:
    """Ground to image by ratios of cubic polynomials, and back by Newton's way.

    Args:
        rpc: its lines and samples count from the centre of the first pixel, as RPC00B has it.
    """

    rpc: RPC

    @property
    def crs(self) -> CRS:
        """WGS 84; x is the longitude."""
        return CRS.from_epsg(4326)

    @property
    def heeds_height(self) -> bool:
        """False where no polynomial has a term of the height."""
        of_all = (self.rpc.line_num_coeff, self.rpc.line_den_coeff, self.rpc.samp_num_coeff, self.rpc.samp_den_coeff)
        return any(coefficients[term] for coefficients in of_all for term in _HEIGHT_TERMS)

    @property
    def heights(self) -> tuple[float, float]:
        """Lowest and highest for which the model was made, in metres above the ellipsoid."""
        return self.rpc.height_off - self.rpc.height_scale, self.rpc.height_off + self.rpc.height_scale

    def to_image(self, x: Numbers, y: Numbers, height: Numbers) -> tuple[Numbers, Numbers]:
        """Columns and rows of points; NaN where they lie farther off than the image is wide.

        Args:
            x: longitude in degrees; 181 is -179.
            y: latitude in degrees.
            height: above the ellipsoid, in metres.
        """
        rpc = self.rpc
        east = x - rpc.long_off
        east = np.where(east > 270, east - 360, np.where(east < -270, east + 360, east)) / rpc.long_scale
        north = (y - rpc.lat_off) / rpc.lat_scale
        held = (np.abs(east) <= _FARTHEST) & (np.abs(north) <= _FARTHEST)
        east, north = np.where(held, east, np.nan), np.where(held, north, np.nan)
        sample, line = self._ratios(east, north, self._up(height))
        return sample * rpc.samp_scale + (rpc.samp_off + 0.5), line * rpc.line_scale + (rpc.line_off + 0.5)

    def to_ground(self, column: Numbers, row: Numbers, height: Numbers) -> tuple[Numbers, Numbers]:
        """Longitudes and latitudes of points of the image, right to a millionth of a pixel; NaN where none is found.

        Longitudes run on beyond 180 degrees in an image that does.
        """
        rpc, up = self.rpc, self._up(height)
        goal_sample = (column - (rpc.samp_off + 0.5)) / rpc.samp_scale
        goal_line = (row - (rpc.line_off + 0.5)) / rpc.line_scale
        east, north = np.zeros_like(goal_sample), np.zeros_like(goal_sample)
        with np.errstate(all="ignore"):  # wherever the search runs astray
            for _ in range(_STEPS):
                sample, line = self._ratios(east, north, up)
                off_sample, off_line = goal_sample - sample, goal_line - line
                error_px = np.maximum(np.abs(off_sample * rpc.samp_scale), np.abs(off_line * rpc.line_scale))
                # points that have arrived stay, so that none depends on those it is asked with
                moving = ~(error_px <= _CLOSE_PX)
                if not moving.any():
                    break
                step = self._step((east, north, up), (sample, line), (off_sample, off_line))
                east = np.where(moving, east + step[0], east)
                north = np.where(moving, north + step[1], north)
        found = ~moving & (np.abs(east) <= _FARTHEST) & (np.abs(north) <= _FARTHEST)
        longitude = np.where(found, east * rpc.long_scale + rpc.long_off, np.nan)
        return longitude, np.where(found, north * rpc.lat_scale + rpc.lat_off, np.nan)

    def reduced(self, rows: int, columns: int) -> RationalModel:
        """The model of the image in which blocks of so many rows and columns have become pixels."""
        numbers = self.rpc.to_dict()
        numbers |= {
            "line_off": (self.rpc.line_off + 0.5) / rows - 0.5,
            "line_scale": self.rpc.line_scale / rows,
            "samp_off": (self.rpc.samp_off + 0.5) / columns - 0.5,
            "samp_scale": self.rpc.samp_scale / columns,
        }
        return RationalModel(RPC(**numbers))

    def _up(self, height: Numbers) -> Numbers:
        normalised: Numbers = (height - self.rpc.height_off) / self.rpc.height_scale
        return normalised

    def _ratios(self, east: Numbers, north: Numbers, up: Numbers) -> tuple[Numbers, Numbers]:
        """Sample and line, all normalised."""
        rpc = self.rpc
        return (
            _cubic(rpc.samp_num_coeff, east, north, up) / _cubic(rpc.samp_den_coeff, east, north, up),
            _cubic(rpc.line_num_coeff, east, north, up) / _cubic(rpc.line_den_coeff, east, north, up),
        )

    def _step(
        self, place: tuple[Numbers, Numbers, Numbers], image: tuple[Numbers, Numbers], off: tuple[Numbers, Numbers]
    ) -> tuple[Numbers, Numbers]:
        """Newton's next step east and north, from the slopes of the polynomials at a place."""
        east, north, up = place
        (sample, line), (off_sample, off_line) = image, off
        sample_east, line_east = self._ratios(east + _NUDGE, north, up)
        sample_north, line_north = self._ratios(east, north + _NUDGE, up)
        sample_east, line_east = (sample_east - sample) / _NUDGE, (line_east - line) / _NUDGE
        sample_north, line_north = (sample_north - sample) / _NUDGE, (line_north - line) / _NUDGE
        area = sample_east * line_north - sample_north * line_east
        go_east = (off_sample * line_north - off_line * sample_north) / area
        go_north = (off_line * sample_east - off_sample * line_east) / area
        return go_east.clip(-_LARGEST_STEP, _LARGEST_STEP), go_north.clip(-_LARGEST_STEP, _LARGEST_STEP)


def _cubic(c: Sequence[float], east: Numbers, north: Numbers, up: Numbers) -> Numbers:
    """The polynomial of twenty coefficients in the order of RPC00B.

    Nested, element by element: a product of matrices would round a point differently among others.
    """
    of_up = c[0] + up * (c[3] + up * (c[9] + up * c[19]))
    of_north = c[2] + up * (c[6] + up * c[16]) + north * (c[8] + up * c[18] + north * c[15])
    mixed = c[1] + up * (c[5] + up * c[13]) + north * (c[4] + up * c[10] + north * c[12])
    of_east = mixed + east * (c[7] + up * c[17] + north * c[14] + east * c[11])
    return of_up + north * of_north + east * of_east
