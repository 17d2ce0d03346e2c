"""A sharpened raster beside what it is judged by: the same pixels, or a mistake that is told with its numbers."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.sharpening.placement import Placement
from rsfuse.geometry.sharpening.sensors import SensorGains
from rsfuse.raster.sharpening.judged import WithoutReference, WithReference

PLACE = Affine(2, 0, 480_000, 0, -2, 6_680_000)
COARSE = PLACE * Affine.scale(4)
SENSOR = SensorGains((0.22, 0.35, 0.30), 0.15)
SHAPE = 64, 96


@pytest.fixture
def pair(write_raster, noise):
    """Paths of a sharpened, a panchromatic and a multispectral raster."""
    return (
        write_raster("sharp.tif", noise((3, *SHAPE), "uint16"), transform=PLACE),
        write_raster("pan.tif", noise((1, *SHAPE), "uint16", 1), transform=PLACE),
        write_raster("ms.tif", noise((3, 16, 24), "uint16", 2), transform=COARSE),
    )


def test_a_window_is_that_of_both_files_in_their_own_types(write_raster, noise):
    sharp, reference = noise((2, *SHAPE), "uint16"), noise((3, *SHAPE), "uint8", 1).astype("float64") + 1e-9
    paths = write_raster("s.tif", sharp), write_raster("r.tif", reference, descriptions=("a", "b", "c"))
    with WithReference(*paths, bands=(3, 1)) as judged, judged.again() as again:
        assert judged.bands == ("c", "a")
        for each in (judged, again):
            found = each.read((5, 20), (7, 90))
            assert (found.sharp == sharp[:, 5:20, 7:90]).all()
            assert (found.reference == reference[[2, 0], 5:20, 7:90]).all()
            assert found.valid.all()


def test_a_pixel_counts_where_both_have_data(write_raster, noise):
    sharp, reference = noise((2, *SHAPE), "uint16"), noise((2, *SHAPE), "float32", 1)
    sharp[:, 3, 4], reference[1, 5, 6] = 0, np.nan
    paths = write_raster("s.tif", sharp, nodata=0), write_raster("r.tif", reference)
    with WithReference(*paths) as judged:
        valid = judged.read((0, SHAPE[0]), (0, SHAPE[1])).valid
    assert np.argwhere(~valid).tolist() == [[3, 4], [5, 6]]


def test_windows_without_a_reference_are_those_of_the_whole_images(pair):
    with WithoutReference(*pair, sensor=SENSOR) as judged:
        whole, _ = judged.read((0, 64), (0, 96))
        part, valid = judged.read((30, 45), (20, 83))
    assert valid.all()
    for name, image in vars(part).items():
        assert image == pytest.approx(getattr(whole, name)[:, 30:45, 20:83], rel=1e-5), name


def test_images_without_a_reference_are_what_their_filters_say(pair, noise):
    with WithoutReference(*pair, sensor=SENSOR) as judged:
        found, _ = judged.read((0, 64), (0, 96))
    sharp, pan, ms = (
        noise(shape, "uint16", seed).astype(np.float32)
        for seed, shape in enumerate([(3, *SHAPE), (1, *SHAPE), (3, 16, 24)])
    )
    placed = Placement.by_area(4, (16, 24))
    enlarging, reducing = placed.enlarging(), placed.resizing()
    assert (found.sharp == sharp).all()
    assert (found.pan == pan).all()
    assert found.ms == pytest.approx(enlarging.whole(ms, SHAPE), rel=1e-5)
    assert found.pan_low == pytest.approx(enlarging.whole(reducing.whole(pan, (16, 24)), SHAPE), rel=1e-4)
    for band, gain in enumerate(SENSOR.ms):
        assert found.sharp_low[band] == pytest.approx(
            placed.smoothing(gain).whole(sharp[band, None], SHAPE)[0], rel=1e-5
        )


def test_pixels_count_where_all_three_have_data(write_raster, pair, noise):
    holes = noise((3, *SHAPE), "uint16"), noise((1, *SHAPE), "uint16"), noise((3, 16, 24), "uint16")
    holes[0][:] = 100
    holes[0][:, 1, 2], holes[1][:, 40, 50], holes[2][:, 15, 23] = 0, 0, 0
    paths = [
        write_raster(f"holes{number}.tif", image, transform=COARSE if number == 2 else PLACE, nodata=0)
        for number, image in enumerate(holes)
    ]
    with WithoutReference(*paths, sensor=SENSOR) as judged:
        images, valid = judged.read((0, 64), (0, 96))
    expected = np.ones(SHAPE, np.bool_)
    expected[1, 2] = expected[40, 50] = expected[60:, 92:] = False
    assert np.argwhere(valid != expected).tolist() == []
    assert images.sharp_low == pytest.approx(100)  # what has no data is no dark spot


@pytest.mark.parametrize(
    ("shape", "profile", "told"),
    [
        ((64, 95), {}, r"sharp.tif has 96 x 64 px, other.tif has 95 x 64 px"),
        (SHAPE, {"transform": PLACE * Affine.translation(0.5, 0)}, r"0.5 px aside"),
        (SHAPE, {"crs": "EPSG:32721"}, r"EPSG:32722, .*other.tif has EPSG:32721"),
        (SHAPE, {"crs": None}, r"has none"),
    ],
)
def test_rasters_of_other_pixels_are_refused(write_raster, noise, pair, shape, profile, told, tmp_path, monkeypatch):
    other = write_raster("other.tif", noise((3, *shape)), **{"transform": PLACE, **profile}).relative_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GridMismatchError, match=told) as mistake:
        WithReference(pair[0].relative_to(tmp_path), other)
    assert mistake.value.hint == "give a raster of the very pixels of other.tif"


def test_a_sharpened_raster_of_other_pixels_than_the_panchromatic_one_is_refused(pair):
    sharp, pan, ms = pair
    with pytest.raises(GridMismatchError, match=r"ms.tif has 24 x 16 px, .*pan.tif has 96 x 64 px"):
        WithoutReference(ms, pan, ms, sensor=SENSOR)
    with pytest.raises(SceneError, match=r"sharp.tif has 3 bands, 2 of .*ms.tif") as mistake:
        WithoutReference(sharp, pan, ms, sensor=SensorGains((0.3,), 0.15), bands=(1, 2))
    assert "--ms-bands" in str(mistake.value.hint)


def test_the_numbers_of_bands_must_agree(write_raster, noise, pair):
    other = write_raster("other.tif", noise((4, *SHAPE)), transform=PLACE)
    with pytest.raises(SceneError, match=r"has 3 bands, 4 of .*other.tif"):
        WithReference(pair[0], other)
