"""Rasters are paired by where they lie, and what cannot be paired is named."""

import logging
import math
import pickle
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.control import GroundControlPoint
from rasterio.transform import from_bounds
from rasterio.warp import transform

from rsfuse.errors import SceneError
from rsfuse.raster.opening import quiet
from rsfuse.raster.pairs import Pair, pairs_by_overlap, unique_names

UTM, NEXT_UTM, LONLAT = "EPSG:32722", "EPSG:32721", "EPSG:4326"
WEST, SOUTH = 480_000, 6_680_000
LOCAL = 'LOCAL_CS["workshop floor",UNIT["metre",1]]'


@pytest.fixture
def put(tmp_path):
    """A function from a name, bounds and a CRS to the path of a raster; a CRS of None leaves it without a place."""

    def write(name, bounds=(WEST, SOUTH, WEST + 1000, SOUTH + 1000), crs=UTM, *, driver="GTiff", gcps=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        place = {} if crs is None else {"transform": from_bounds(*bounds, 8, 6), "crs": crs}
        with (
            quiet(),
            rasterio.open(path, "w", driver=driver, dtype="uint8", count=1, width=8, height=6, **place) as file,
        ):
            file.write(np.ones((1, 6, 8), np.uint8))
            if gcps:
                file.gcps = gcps
        return path

    return write


@pytest.fixture
def touch(tmp_path):
    """A function from names to paths of files that are no rasters."""

    def write(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("no raster")
        return [tmp_path / name for name in names]

    return write


def outline(bounds, crs, to, points=400):
    """The outline of bounds as a polygon in another CRS, each edge as many points."""
    left, bottom, right, top = bounds
    corners = np.array([(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)], float)
    edges = [np.linspace(start, end, points, endpoint=False) for start, end in pairwise(corners)]
    return shapely.Polygon(np.stack(transform(crs, to, *np.concatenate(edges).T), 1))


def share(optical, sar):
    """Share of the first (bounds, crs) that the second covers, in the CRS of the first."""
    whole = shapely.box(*optical[0])
    return whole.intersection(outline(*sar, optical[1])).area / whole.area


def told(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def east(metres, width=1000):
    """Bounds so far to the east of those of a raster by default."""
    return (WEST + metres, SOUTH, WEST + metres + width, SOUTH + 1000)


# by overlap


def test_every_optical_raster_is_paired_with_the_sar_that_covers_most_of_it(put, tmp_path, caplog):
    optical = [put("o/b.tif", east(0)), put("o/a.tif", east(800))]
    put("s/left.tif", east(-600))
    put("s/middle.tif", east(300))
    put("s/right.tif", east(700))
    put("s/far.tif", east(50_000))
    found = pairs_by_overlap(optical, tmp_path / "s")
    assert [(pair.optical, pair.sar, pair.name) for pair in found] == [
        (optical[0], tmp_path / "s/middle.tif", "b"), (optical[1], tmp_path / "s/right.tif", "a")
    ]  # fmt: skip
    assert [pair.overlap for pair in found] == pytest.approx([0.7, 0.9], abs=1e-9)
    assert told(caplog) == []
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize(
    "bounds", [(-51.3, -30.1, -51.19, -29.9), (-51.25, -30.02, -51.2, -30.0), (-52, -31, -50, -29)]
)
def test_the_overlap_across_two_crs_is_that_of_the_polygons(put, tmp_path, bounds):
    extent = (WEST, SOUTH, WEST + 10_000, SOUTH + 8_000)
    optical = put("o.tif", extent)
    put("s/sar.tif", bounds, LONLAT)
    expected = share((extent, UTM), (bounds, LONLAT))
    assert 0 < expected <= 1
    (found,) = pairs_by_overlap([optical], tmp_path / "s")
    assert found.overlap == pytest.approx(expected, abs=1e-4)


def test_many_rasters_in_three_crs_are_paired_as_if_all_were_compared_with_all(put, tmp_path, caplog):
    random = np.random.default_rng(3)
    corners = {UTM: (230_000, SOUTH), NEXT_UTM: (800_000, SOUTH), LONLAT: (-53.9, -30.1)}
    metre = {UTM: 1.0, NEXT_UTM: 1.0, LONLAT: 1e-5}

    def scatter(folder, count, crss):
        for number, crs in zip(range(count), crss * count, strict=False):
            left, bottom = np.array(corners[crs]) + random.uniform(-20_000, 20_000, 2) * metre[crs]
            width, height = random.uniform(5_000, 20_000, 2) * metre[crs]
            bounds = (left, bottom, left + width, bottom + height)
            yield put(f"{folder}/{number}.tif", bounds, crs), (bounds, crs)

    optical, radar = dict(scatter("o", 12, [UTM, NEXT_UTM])), dict(scatter("s", 10, [LONLAT, UTM, NEXT_UTM]))
    shares = {(one, other): share(optical[one], radar[other]) for one, other in product(optical, radar)}
    paired = alone = 0
    for pair in pairs_by_overlap(list(optical), tmp_path / "s"):
        best = max(radar, key=lambda other, one=pair.optical: shares[one, other])
        most = shares[pair.optical, best]
        if most == 0:
            alone += 1
            assert pair.sar is None
            assert math.isnan(pair.overlap)
        else:
            paired += 1
            assert pair.sar == best
            assert pair.overlap == pytest.approx(most, abs=1e-4)
    assert paired > 5
    assert alone > 0
    assert len(told(caplog)) == alone


def test_of_sar_rasters_that_cover_the_same_the_nearest_name_is_taken(put, tmp_path, caplog):
    caplog.set_level(logging.INFO, "rsfuse")
    optical = [put("o/S2_porto_2021.tif"), put("o/s2_PELOTAS_2021.tif")]
    put("s/S1_a.tif", east(-1, 1002))
    put("s/S1_pelotas_2021.tif")
    put("s/S1_Porto_2021.tif", east(0.0005))  # covers less by 5e-7
    put("s/S2_porto_2021_cut.tif", east(2))  # covers less by 2e-3
    found = pairs_by_overlap(optical, tmp_path / "s")
    assert [pair.sar.name for pair in found] == ["S1_Porto_2021.tif", "S1_pelotas_2021.tif"]
    assert "3 SAR rasters cover" in caplog.text


def test_of_names_that_are_as_near_the_first_is_taken(put, tmp_path):
    optical = put("o/x.tif")
    for name in ("x2", "x1", "x3"):
        put(f"s/{name}.tif")
    assert pairs_by_overlap([optical], tmp_path / "s")[0].sar.name == "x1.tif"


def test_an_optical_raster_that_only_touches_a_sar_has_none(put, tmp_path, caplog):
    optical = put("o.tif")
    put("s/beside.tif", east(1000))
    (found,) = pairs_by_overlap([optical], tmp_path / "s")
    assert found.sar is None
    assert math.isnan(found.overlap)
    assert "the nearest, beside.tif, is about 0.0 km away" in told(caplog)[0]


@pytest.mark.parametrize("crs", [UTM, LONLAT])
def test_where_nothing_overlaps_the_nearest_is_named_with_its_distance(put, tmp_path, caplog, crs):
    optical = put("o.tif")
    for name, metres in (("near", 30_000), ("far", -90_000)):
        bounds = east(metres)
        put(f"s/{name}.tif", bounds if crs == UTM else outline(bounds, UTM, crs).bounds, crs)
    (found,) = pairs_by_overlap([optical], tmp_path / "s")
    assert found.sar is None
    assert found.name == "o"
    (message,) = told(caplog)
    assert str(optical) in message
    assert "none of the 2 in" in message
    # 29 km on the map, whose scale here is 0.9996; half a percent for the sphere
    distance = float(message.split("about ")[1].split(" km")[0])
    assert "nearest, near.tif," in message
    assert distance == pytest.approx(29 / 0.9996, rel=0.006)


def test_rasters_of_a_local_crs_are_paired_among_themselves(put, tmp_path, caplog):
    optical = [put("o/floor.tif", (0, 0, 10, 10), LOCAL), put("o/roof.tif", (100, 0, 110, 10), LOCAL)]
    put("s/floor.tif", (4, 0, 14, 10), LOCAL)
    put("s/porto.tif")
    first, second = pairs_by_overlap(optical, tmp_path / "s")
    assert first.sar == tmp_path / "s/floor.tif"
    assert first.overlap == pytest.approx(0.6)
    assert second.sar is None
    (message,) = told(caplog)
    assert "none of the 2 in" in message
    assert "km" not in message


@pytest.mark.parametrize("left", [179.99, -180.01])
def test_rasters_across_the_180th_meridian_are_paired(put, tmp_path, left):
    extent = (820_000, 8_200_000, 824_000, 8_204_000)  # UTM 60 S: this is about 180 degrees
    (west, *_), _ = transform("EPSG:32760", LONLAT, [822_000], [8_202_000])
    assert abs(abs(west) - 180) < 0.1
    optical = put("o.tif", extent, "EPSG:32760")
    put("s/sar.tif", (left, -17, left + 1, -16), LONLAT)
    put("s/there.tif", (170, -17, 171, -16), LONLAT)
    (found,) = pairs_by_overlap([optical], tmp_path / "s")
    assert found.sar == tmp_path / "s/sar.tif"


def test_no_pixel_is_read(put, tmp_path):
    optical, sar = put("o.tif"), put("s/sar.tif")
    for path in (optical, sar):
        path.write_bytes(path.read_bytes()[:-40])
        with rasterio.open(path) as file, pytest.raises(rasterio.errors.RasterioIOError):
            file.read()
    assert pairs_by_overlap([optical], tmp_path / "s")[0].sar == sar


def test_a_sar_file_that_cannot_be_opened_is_named_once_and_the_others_are_used(put, touch, tmp_path, caplog):
    optical = [put("o/a.tif"), put("o/b.tif")]
    put("s/good.TIF")
    broken, *_ = touch(
        "s/broken.tif", "s/readme.txt", "s/good.tif.aux.xml", "s/good.tif.ovr", "s/a.json", "s/._good.tif"
    )
    put("s/quicklook.png", crs=None, driver="PNG")
    (tmp_path / "s/folder.tif").mkdir()
    put("s/below/nearer.tif")
    found = pairs_by_overlap(optical, tmp_path / "s")
    assert [pair.sar.name for pair in found] == ["good.TIF", "good.TIF"]
    (message,) = told(caplog)
    assert str(broken) in message


def test_an_optical_raster_that_cannot_be_opened_stays_and_fails_on_its_own(put, touch, tmp_path, caplog):
    optical = [*touch("o/broken.tif"), put("o/good.tif"), tmp_path / "o/lost.tif"]
    sar = put("s/sar.tif")
    found = pairs_by_overlap(optical, tmp_path / "s")
    assert [(pair.optical, pair.sar) for pair in found] == list(zip(optical, (None, sar, None), strict=True))
    assert [math.isnan(pair.overlap) for pair in found] == [True, False, True]
    first, second = told(caplog)
    assert str(optical[0]) in first
    assert f"{optical[2]} does not exist" in second


@pytest.mark.parametrize("which", ["o/x.tif", "s/x.tif"])
def test_a_raster_without_crs_is_refused_by_name(put, tmp_path, which):
    optical, _ = put("o/x.tif"), put("s/x.tif")
    put(which, crs=None)
    with pytest.raises(SceneError, match=f"{which} has no CRS:") as caught:
        pairs_by_overlap([optical], tmp_path / "s")
    assert "list" in caught.value.hint
    assert "gdal_edit" in caught.value.hint


def test_a_raster_with_ground_control_points_alone_is_refused_with_its_remedy(put, tmp_path):
    points = [GroundControlPoint(row, col, col, row) for row, col in ((0, 0), (0, 8), (6, 0), (6, 8))]
    put("s/slant.tif", crs=None, gcps=(points, rasterio.CRS.from_string(LONLAT)))
    with pytest.raises(SceneError, match=r"slant\.tif has no CRS, only ground control points") as caught:
        pairs_by_overlap([put("o.tif")], tmp_path / "s")
    assert "gdalwarp" in caught.value.hint


def test_an_optical_raster_in_the_folder_of_the_sar_is_not_its_own_partner(put, tmp_path):
    optical, sar = put("a_optical.tif"), put("a_sar.tif", east(400))
    (found,) = pairs_by_overlap([optical], tmp_path)
    assert found.sar == sar
    assert found.overlap == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("lost", "is not a folder"),
        ("o/o.tif", "is not a folder"),
        ("empty", "holds no SAR raster$"),
        ("broken", "holds no SAR raster that can be opened, of 2"),
        ("o", "holds no SAR raster$"),
    ],
)
def test_a_folder_without_sar_rasters_is_refused(put, touch, tmp_path, folder, message):
    optical = put("o/o.tif")
    touch("empty/readme.txt", "broken/1.tif", "broken/2.vrt")
    with pytest.raises(SceneError, match=f"{folder} {message}"):
        pairs_by_overlap([optical], tmp_path / folder)


def test_names_of_files_may_hold_spaces_and_any_letter(put, tmp_path):
    optical, sar = put("São José/cena nº 1, über.tif"), put("radar daten/合成孔径.tif")
    (found,) = pairs_by_overlap([optical], tmp_path / "radar daten")
    assert (found.sar, found.name) == (sar, "cena nº 1, über")


# names of outputs


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.tif", "b/y.tif"], ["x", "y"]),
        (["a/x.tif", "b/x.tif", "b/y.tif"], ["a_x", "b_x", "y"]),
        (["a/c/x.tif", "b/c/x.tif", "d/x.tif"], ["a_c_x", "b_c_x", "d_x"]),
        (["a/x.tif", "b/x.tif", "q/a_x.tif"], ["top_a_x", "b_x", "q_a_x"]),
        (["x.tif", "a/x.tif"], ["top_x", "a_x"]),
        (["a/x.v1.tif", "a/x.v2.tif"], ["x.v1", "x.v2"]),
    ],
)
def test_outputs_are_called_by_stems_and_by_folders_where_stems_repeat(tmp_path, monkeypatch, paths, names):
    (tmp_path / "top").mkdir()
    monkeypatch.chdir(tmp_path / "top")
    assert unique_names([Path(path) for path in paths]) == names
    assert unique_names([tmp_path / "top" / path for path in paths]) == names


@pytest.mark.parametrize("paths", [["a/x.tif", "a/x.vrt"], ["a/x.tif", "b.tif", "b/../a/x.tif"]])
def test_rasters_that_no_folder_tells_apart_are_refused(tmp_path, paths):
    paths = [tmp_path / path for path in paths]
    with pytest.raises(SceneError) as caught:
        unique_names(paths)
    assert str(caught.value).startswith(f"{paths[0]} and {paths[-1]} ")


def test_rasters_whose_folders_read_alike_are_refused(tmp_path):
    root = Path("/")
    with pytest.raises(SceneError, match=r"/a/b/x\.tif and /a_b/x\.tif"):
        unique_names([root / "a/b/x.tif", root / "a_b/x.tif", root / "b/x.tif", root / "c/b_x.tif"])


def test_a_pair_is_plain_data():
    pair = Pair(None, None, 1.0, "x")
    assert pickle.loads(pickle.dumps(pair)) == pair
    with pytest.raises(AttributeError):
        pair.name = "y"
