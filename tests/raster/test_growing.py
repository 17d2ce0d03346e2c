from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from rsfuse.errors import OutputError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.draft import Band, Content
from rsfuse.raster.growing import GrowingRaster

GRID = Grid(CRS.from_epsg(32650), Affine(10, 0, 400_000, 0, -10, 4_400_000), (1300, 700))
CONTENT = Content(2, "float32", np.nan, bands=(Band("HH", "dB"), Band("HV", "dB")))
ASKED = {"product": "a", "looks": [1, 2]}


def pixels() -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(2, *GRID.shape)).astype("float32")
    values[:, 300:600, 100:300] = np.nan
    return values


def blocks(raster: GrowingRaster, stop_after: int = 10**9):
    for number, (rows, columns) in enumerate(raster.missing()):
        if number == stop_after:
            raise KeyboardInterrupt
        yield pixels()[:, slice(*rows), slice(*columns)]


def unheard(done: int, total: int) -> None:
    """Nobody listens."""


def written(path, *, packed: bool = True) -> bytes:
    content = CONTENT if packed else Content(2, "float32", np.nan, bands=CONTENT.bands, packed=False)
    with GrowingRaster(path, GRID, content, ASKED) as raster:
        raster.take(blocks(raster), unheard)
    return path.read_bytes()


def listing(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("packed", [True, False])
def test_a_raster_has_all_blocks_names_units_and_nothing_beside_it(tmp_path, packed):
    written(tmp_path / "a.tif", packed=packed)
    assert listing(tmp_path) == ["a.tif"]
    with rasterio.open(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.read(), pixels())
        assert file.descriptions == ("HH", "HV")
        assert file.units == ("dB", "dB")
        assert np.isnan(file.nodata)
        assert bool(file.overviews(1)) == packed


def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_bytes(tmp_path):
    told = []
    whole = written(tmp_path / "a.tif")
    (tmp_path / "a.tif").unlink()
    with pytest.raises(KeyboardInterrupt), GrowingRaster(tmp_path / "a.tif", GRID, CONTENT, ASKED) as raster:
        raster.take(blocks(raster, 5), unheard)
    assert listing(tmp_path) == [".a.tif.parts"]
    with GrowingRaster(tmp_path / "a.tif", GRID, CONTENT, ASKED) as raster:
        assert raster.rows in (512, 1024)  # the second row may have been on its way
        raster.take(blocks(raster), lambda done, total: told.append((done, total)))
    assert told[-1] == (6, 6)
    assert len(told) < 6
    assert (tmp_path / "a.tif").read_bytes() == whole
    assert listing(tmp_path) == ["a.tif"]


def test_a_run_that_asks_for_something_else_is_refused_unless_it_may_overwrite(tmp_path):
    with pytest.raises(KeyboardInterrupt), GrowingRaster(tmp_path / "a.tif", GRID, CONTENT, ASKED) as raster:
        raster.take(blocks(raster, 3), unheard)
    other = {**ASKED, "looks": [2, 2]}
    with pytest.raises(OutputError, match=r"looks was 1, now it is 2"):
        GrowingRaster(tmp_path / "a.tif", GRID, CONTENT, other)
    with GrowingRaster(tmp_path / "a.tif", GRID, CONTENT, other, overwrite=True) as raster:
        assert raster.rows == 0
        raster.take(blocks(raster), unheard)
    assert listing(tmp_path) == ["a.tif"]


def test_of_a_source_that_turns_out_to_be_damaged_nothing_is_left(tmp_path):
    def damaged(raster):
        yield from list(blocks(raster))[:4]
        raise SceneError("truncated")

    with pytest.raises(SceneError), GrowingRaster(tmp_path / "a.tif", GRID, CONTENT, ASKED) as raster:
        raster.take(damaged(raster), unheard)
    assert listing(tmp_path) == []


def test_blocks_that_are_missing_at_the_end_are_no_success(tmp_path):
    with (
        pytest.raises(ValueError, match="shorter"),
        GrowingRaster(tmp_path / "a.tif", GRID, CONTENT, ASKED) as raster,
    ):
        raster.take(list(blocks(raster))[:4], unheard)


def test_what_a_process_left_that_was_killed_while_it_sealed_goes_with_the_rest(tmp_path):
    with pytest.raises(KeyboardInterrupt), GrowingRaster(tmp_path / "a.tif", GRID, CONTENT, ASKED) as raster:
        raster.take(blocks(raster, 5), unheard)
    left = tmp_path / ".a.tif.parts" / ".a.tif.abc"
    left.mkdir()
    (left / "0.tif").write_text("half")
    written(tmp_path / "a.tif")
    assert listing(tmp_path) == ["a.tif"]


def test_what_the_disk_cannot_hold_is_not_begun(tmp_path):
    endless = Grid(GRID.crs, GRID.transform, (1_500_000, 1_500_000))
    with pytest.raises(OutputError, match=r"MB left, up to 66000000\.0 MB more needed"):
        GrowingRaster(tmp_path / "a.tif", endless, CONTENT, ASKED)
    assert listing(tmp_path) == []


def test_what_is_there_stays_until_the_new_one_is_finished(tmp_path):
    (tmp_path / "a.tif").write_text("old")
    with pytest.raises(KeyboardInterrupt), GrowingRaster(tmp_path / "a.tif", GRID, CONTENT, ASKED) as raster:
        raster.take(blocks(raster, 1), unheard)
    assert (tmp_path / "a.tif").read_text() == "old"


def test_overviews_in_db_are_means_of_power(tmp_path):
    decibels = np.full((2, *GRID.shape), -10, "float32")
    decibels[:, ::2] = 0  # power 1 and .1, by rows
    decibels[:, :, 512:] = np.nan
    with GrowingRaster(tmp_path / "a.tif", GRID, CONTENT, ASKED) as raster:
        raster.take([decibels[:, slice(*rows), slice(*columns)] for rows, columns in raster.missing()], unheard)
    with rasterio.open(tmp_path / "a.tif", OVERVIEW_LEVEL=0) as half:
        shown = half.read()
    np.testing.assert_allclose(shown[:, :, :256], 10 * np.log10(0.55), atol=1e-4)
    assert np.isnan(shown[:, :, 257:]).all()
