"""Least peaks and margins, derived anew from tiles that show different places."""

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from rsfuse.geometry.methods import METHODS
from rsfuse.geometry.registration import TileState
from rsfuse.raster.registration.measure import Search, measure
from rsfuse.raster.registration.overlay import Overlay
from rsfuse.simulate import SimulatedScene, write_scene

pytestmark = pytest.mark.slow
TOLD = METHODS["orientation"].peak, METHODS["orientation"].margin


@pytest.fixture(scope="module")
def two_places(tmp_path_factory):
    """The optical of one simulated place and the SAR of another."""
    folder = tmp_path_factory.mktemp("places")
    one, other = (write_scene(SimulatedScene(height=3000, width=3000, seed=at), folder / str(at)) for at in (1, 2))
    return one.optical, other.sar


def unrelated(optical, sar, search):
    """Peaks and margins of tiles, (n, 2), times their side; and how many tiles were accepted."""
    with Overlay(optical, sar) as overlay:
        found = measure(overlay, search, lambda done, total: None)
    textured = found.states <= TileState.REJECTED
    return search.side * np.stack([found.peaks, found.margins], 1)[textured], found.count(TileState.ACCEPTED)


def check(figures, accepted):
    """One tile in a thousand is accepted at most, and neither threshold could be much lower."""
    assert len(figures) >= 2000
    assert accepted <= len(figures) // 1000
    # the factor of both thresholds at which one in a thousand would be accepted: 0.86 and 0.82 when they were chosen
    assert 0.7 < np.quantile((figures / TOLD).min(1), 0.999) <= 1
    # either alone stops 98 of 100, and not many more than one in a thousand passes it alone
    assert (np.quantile(figures, 0.98, 0) <= TOLD).all()
    assert (np.quantile(figures, 0.999, 0) > 0.7 * np.array(TOLD)).all()


def test_thresholds_of_orientations_are_those_of_two_simulated_places(two_places):
    check(*unrelated(*two_places, Search(tiles=2200)))


def test_thresholds_of_orientations_are_those_of_two_cities(shared_data, write_raster):
    figures, accepted = [], 0
    for left in (0, 3584):
        images = []
        for city, image, start in (("san_antonio", "optical", left), ("los_angeles", "sar", 0)):
            with rasterio.open(shared_data(city) / f"{image}.tif") as file:
                images.append(write_raster(f"{image}.tif", file.read(window=Window(start, 0, 3072, 2048))))
        found, more = unrelated(*images, Search(tiles=1500))
        figures.append(found)
        accepted += more
    check(np.concatenate(figures), accepted)


@pytest.mark.parametrize(("method", "tiles"), [("phase", 2200), ("mutual-information", 1000)])
def test_thresholds_of_other_methods_let_one_in_a_thousand_through(two_places, method, tiles):
    figures, accepted = unrelated(*two_places, Search(tiles=tiles, method=method))
    assert accepted <= len(figures) // 1000 + 1
    peaks, margins = figures.T
    standing_out = np.where(peaks >= METHODS[method].peak, margins, 0)
    assert 0.55 < np.quantile(standing_out, 0.999) / METHODS[method].margin < 1.1
