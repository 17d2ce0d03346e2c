"""The manifest comes back as it was written, is a table that pandas opens, and says when it is not one of ours."""

import json
import math

import pandas as pd
import pytest

from rsfuse.errors import TileSetError
from rsfuse.legends import LEGENDS
from rsfuse.raster.manifest import TILES, Manifest, Reading, SceneEntry, TileEntry, read_manifest, write_manifest
from rsfuse.raster.statistics import BandStatistics, SceneStatistics

LEGEND = LEGENDS["sentinel-5"]
PERCENTILES = {1: 1, 2: 1, 50: 4, 98: 9, 99: 9}
BAND = BandStatistics(
    name="red", dtype="uint8", minimum=1, maximum=9, mean=4.5, std=2, percentiles=PERCENTILES, unit="DN"
)
STATISTICS = SceneStatistics(optical=(BAND,), sar=())
READING = Reading(
    optical_bands=(3, 1), sar_bands=None, codes={10: 0, 255: 255}, colors={"#00ff7f": 2}, names={"lake": 0},
    binarised_at=128, field="class", area="/data/part.gpkg", by_size=True,
)  # fmt: skip


def scene(name="a", gsd_m=10.0):
    return SceneEntry(
        name=name, optical=f"/data/{name}.tif", sar=None, labels=None, bytes=1234, crs="EPSG:32650", gsd_m=gsd_m,
        statistics=STATISTICS,
    )  # fmt: skip


def entry(name, split="train", valid=1.0, classes=None):
    return TileEntry(name=name, scene="a", split=split, window=(32, 64, 16, 16), valid=valid, classes=classes)


def manifest(**changes):
    tiles = (
        entry("a_r0", classes={0: 200, 4: 50}),
        entry("a_r1", "val", 0.75, {}),
        entry("a_r2", "val", 0.5, {2: 7}),
        entry("a_r3", classes={4: 6}),
    )
    known = {
        "software": "rsfuse 0", "dataset": "", "layers": ("optical", "labels"), "scenes": (scene(), scene("b", 12.0)),
        "reading": None, "size": 16, "options": {"seed": 3, "crop": None}, "split": "by chance", "notes": ("mind it",),
        "left_out": {"too few valid pixels": 2}, "statistics": STATISTICS, "statistics_of": "all",
        "legend": LEGEND.to_dict(), "tiles": tiles,
    }  # fmt: skip
    return Manifest(**(known | changes))


def test_what_is_written_is_read(tmp_path):
    for kind in (manifest(), manifest(reading=READING, tiles=(entry("a", valid=None),))):
        write_manifest(tmp_path, kind)
        assert read_manifest(tmp_path) == kind


def test_a_gsd_that_nobody_knows_comes_back(tmp_path):
    write_manifest(tmp_path, manifest(scenes=(scene(gsd_m=math.nan),)))
    assert math.isnan(read_manifest(tmp_path).scenes[0].gsd_m)


def test_pandas_opens_it_with_one_row_for_each_tile(tmp_path):
    write_manifest(tmp_path, manifest())
    table = pd.read_json(tmp_path / TILES, orient="table")
    pixels = [f"pixels_{code}" for code in LEGEND.codes]
    assert list(table.columns) == ["name", "scene", "split", "column", "row", "width", "height", "valid", *pixels]
    assert list(table["name"]) == ["a_r0", "a_r1", "a_r2", "a_r3"]
    assert table.groupby("split")["valid"].mean().to_dict() == {"train": 1.0, "val": 0.625}
    assert table.loc[0, ["column", "row", "width", "height"]].tolist() == [32, 64, 16, 16]
    assert table[pixels].sum().to_dict() == {
        "pixels_0": 200,
        "pixels_1": 0,
        "pixels_2": 7,
        "pixels_3": 0,
        "pixels_4": 56,
    }


def test_pandas_opens_one_of_tiles_that_nobody_has_counted(tmp_path):
    write_manifest(tmp_path, manifest(reading=READING, tiles=(entry("a", valid=None), entry("b", valid=None))))
    table = pd.read_json(tmp_path / TILES, orient="table")
    assert table["pixels_0"].isna().all()
    assert table["valid"].isna().all()


def test_the_balance_adds_up_the_tiles_of_each_split():
    assert manifest().balance == {
        "train": {0: 200, 1: 0, 2: 0, 3: 0, 4: 56},
        "val": {0: 0, 1: 0, 2: 7, 3: 0, 4: 0},
    }


def test_the_gsd_is_the_mean_of_those_that_are_known():
    assert manifest().gsd_m == 11
    assert manifest(scenes=(scene(), scene("b", math.nan))).gsd_m == 10
    assert math.isnan(manifest(scenes=(scene(gsd_m=math.nan),)).gsd_m)


def test_it_says_what_the_tiles_come_from():
    assert manifest().told_scenes == ("a.tif", "b.tif")
    assert manifest(dataset="ddhr").told_scenes == ("ddhr",)


def test_reading_gives_the_coding_back():
    coding = READING.coding
    assert (coding.codes, coding.colors, coding.names) == ({10: 0, 255: 255}, {(0, 255, 127): 2}, {"lake": 0})
    assert coding.binarised_at == 128


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 1}, "is of version 1, this rsfuse reads 2"),
        ({"version": None}, "is of version None, this rsfuse reads 2"),
        ({"colour": "red"}, "colour: no such key"),
        ({"size": "large"}, "size: "),
        ({"legend": {"classes": []}}, "legend: .*distinct codes"),
    ],
)
def test_a_header_that_is_not_ours_is_told(tmp_path, change, told):
    write_manifest(tmp_path, manifest())
    document = json.loads((tmp_path / TILES).read_text())
    document["rsfuse"] |= change
    (tmp_path / TILES).write_text(json.dumps(document))
    with pytest.raises(TileSetError, match=rf"tiles\.json.* {told}") as caught:
        read_manifest(tmp_path)
    assert "--overwrite" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "told"), [({"split": "holdout"}, r"tiles\.1\.split: "), ({"width": None}, r"tiles\.1\.window")]
)
def test_a_row_that_cannot_be_is_told(tmp_path, change, told):
    write_manifest(tmp_path, manifest())
    document = json.loads((tmp_path / TILES).read_text())
    document["data"][1] |= change
    (tmp_path / TILES).write_text(json.dumps(document))
    with pytest.raises(TileSetError, match=told):
        read_manifest(tmp_path)


def test_a_damaged_one_and_none_at_all_are_told(tmp_path):
    with pytest.raises(TileSetError, match=r"is not a tile set: it has no tiles\.json") as caught:
        read_manifest(tmp_path)
    assert "rsfuse tile" in caught.value.hint
    write_manifest(tmp_path, manifest())
    whole = (tmp_path / TILES).read_text()
    for damaged in ("{", whole[: len(whole) // 2], "[]"):
        (tmp_path / TILES).write_text(damaged)
        with pytest.raises(TileSetError, match=r"tiles\.json is"):
            read_manifest(tmp_path)
