"""Many scenes in one call: checked against each other before anything is written, and split so that nothing leaks."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import shapely
from affine import Affine

from rsfuse.errors import GridMismatchError, LegendMismatchError, SceneError, TileSetError
from rsfuse.geometry.split import Shares
from rsfuse.legends import LEGENDS
from rsfuse.raster.scene import Bands, Scene
from rsfuse.raster.tiles import TileSet
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.tasks.tile import TileSettings, tile

LEGEND = LEGENDS["sentinel-5"]
SHAPE = 48, 64


def place(column, row=0, gsd=10.0):
    return Affine(gsd, 0, 500_000 + 10 * column, 0, -gsd, 4_000_000 - 10 * row)


def write(path, pixels, column=0, row=0, *, gsd=10.0, crs="EPSG:32650"):
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype}
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(path, "w", crs=crs, transform=place(column, row, gsd), **profile) as file:
        file.write(pixels)
    return path


@pytest.fixture
def make(tmp_path):
    """A function from a name, a column on the ground and layers that differ to the paths of a scene."""

    def scene(name, column, *, optical=None, sar=None, labels=None, **where):
        chance = np.random.default_rng(column)
        layers = {
            "optical": chance.integers(1, 1000, (3, *SHAPE)).astype(np.uint16) if optical is None else optical,
            "sar": chance.normal(-12, 3, (1, *SHAPE)).astype(np.float32) if sar is None else sar,
            "labels": chance.choice([*LEGEND.codes, 255], (1, *SHAPE)).astype(np.uint8) if labels is None else labels,
        }
        return [write(tmp_path / layer / f"{name}.tif", pixels, column, **where) for layer, pixels in layers.items()]

    return scene


def cut(scenes, folder, **settings):
    dataset = own_dataset(*([path for path in each if path] for each in zip(*scenes, strict=True)), LEGEND)
    return tile(dataset, folder, TileSettings(**{"size": 16, "workers": 1, "rule": SplitRule("none"), **settings}))


def test_every_scene_is_cut_and_described(make, tmp_path):
    scenes = [make(f"s{number}", 200 * number) for number in range(5)]
    report = cut(scenes, tmp_path / "tiles", rule=SplitRule(shares=Shares(0.2, 0.2)), workers=2)
    assert report.splits == {"train": 3 * 12, "val": 12, "test": 12}
    tiles = TileSet(tmp_path / "tiles")
    assert tiles.manifest.options["split_by"] == "scene"
    for number, (entry, paths) in enumerate(zip(tiles.manifest.scenes, scenes, strict=True)):
        assert (entry.name, entry.optical, entry.sar) == (f"s{number}", f"s{number}.tif", f"s{number}.tif")
        assert entry.bytes == sum(path.stat().st_size for path in paths)
        with Scene(*paths[:2]) as scene:
            expected = scene.statistics()
        assert entry.statistics.optical[0].mean == expected.optical[0].mean
        of_it = [each for each in tiles.manifest.tiles if each.scene == entry.name]
        assert len({each.split for each in of_it}) == 1
        for each in of_it:
            with rasterio.open(tiles.folder / "optical" / f"{each.name}.tif") as file:
                left, top = each.window[:2]
                assert file.transform == place(200 * number + left, top)
                assert file.read()[0, 3, 5] == rasterio.open(paths[0]).read()[0, top + 3, left + 5]
    counted = Counter()
    for paths, entry in zip(scenes, tiles.manifest.scenes, strict=True):
        split = next(each.split for each in tiles.manifest.tiles if each.scene == entry.name)
        codes = rasterio.open(paths[2]).read()
        counted.update({(split, code): int((codes == code).sum()) for code in LEGEND.codes})
    assert {(split, code): n for split, row in tiles.manifest.balance.items() for code, n in row.items()} == counted


def test_training_tiles_near_a_held_out_scene_are_left_out_and_counted(make, tmp_path):
    scenes = [make("west", 0), make("east", 56)]
    names = {"west": "train", "east": "val"}
    cut(scenes, tmp_path / "tiles", rule=SplitRule("list", names=names))
    manifest = TileSet(tmp_path / "tiles").manifest
    # west ends at column 64, and tiles that end beyond 56 - 16 are too near
    assert {entry.window[0] for entry in manifest.tiles if entry.split == "train"} == {0, 16}
    assert manifest.left_out == {"near another split": 2 * 3}
    assert "at least 16 px between training tiles and all others, for which 6 training tiles are left" in manifest.split
    assert manifest.options["list"] == names
    (note,) = manifest.notes
    assert "the most 'west' and 'east' (12.5% of the smaller); no tile that trains lies by one that judges" in note


def test_official_lists_stay_as_they_are_and_a_leak_is_told(make, tmp_path):
    scenes = [make("west", 0), make("east", 48)]
    dataset = own_dataset(*([path] for path in scenes[0]), LEGEND)
    other = own_dataset(*([path] for path in scenes[1]), LEGEND)
    both = (replace(dataset.scenes[0], split="train"), replace(other.scenes[0], split="test"))
    dataset = replace(dataset, scenes=both, split_source="the authors")
    report = tile(dataset, tmp_path / "tiles", TileSettings(size=16, workers=1))
    assert report.splits == {"train": 12, "test": 12}
    (note,) = report.manifest.notes
    assert note.startswith("1 pairs of scenes lie on each other, the most 'west' and 'east' (25.0% of the smaller)")
    assert "1 of these pairs are in different splits: pixels of the one are in the other" in note


def test_unknown_codes_are_summed_over_all_files_before_anything_is_written(make, tmp_path):
    scenes = [make(f"s{number}", 200 * number) for number in range(3)]
    for number, (rows, code) in {1: (2, 77), 2: (3, 77)}.items():
        with rasterio.open(scenes[number][2], "r+") as file:
            codes = file.read()
            codes[0, :rows] = code
            codes[0, 40, :number] = 99
            file.write(codes)
    for settings in ({}, {"copy": False}, {"workers": 2}):
        with pytest.raises(LegendMismatchError, match=r"77 \(320 px\), 99 \(3 px\)") as caught:
            cut(scenes, tmp_path / "tiles", **settings)
        assert f"{scenes[1][2]}, the first of 2 such file(s)" in str(caught.value)
        assert "--legend legend.yaml" in caught.value.hint
        assert not (tmp_path / "tiles").exists()


def squares(path, columns, names):
    """Polygons of 20 x 20 px that begin at columns of the ground."""
    shapes = [shapely.box(*(place(column) * (0, 20)), *(place(column) * (20, 0))) for column in columns]
    pyogrio.raw.write(
        path, shapely.to_wkb(np.array(shapes, object)), [np.array(names, object)], ["class"],
        geometry_type="Polygon", crs="EPSG:32650",
    )  # fmt: skip
    return path


def test_one_file_of_polygons_serves_all_scenes(make, tmp_path):
    scenes = [make("west", 0), make("east", 200)]
    drawn = squares(tmp_path / "drawn.gpkg", [4, 204], ["water", "trees"])
    dataset = own_dataset([each[0] for each in scenes], [], [drawn], LEGEND)
    tile(dataset, tmp_path / "tiles", TileSettings(size=16, workers=1, rule=SplitRule("none")))
    tiles = TileSet(tmp_path / "tiles")
    assert tiles.manifest.balance == {"train": {0: 400, 1: 0, 2: 400, 3: 0, 4: 0}}
    assert sum(tiles.count(entry).get(0, 0) for entry in tiles.manifest.tiles if entry.scene == "west") == 400


def test_unknown_polygons_are_counted_over_all_scenes(make, tmp_path):
    scenes = [make("west", 0), make("east", 200)]
    drawn = squares(tmp_path / "drawn.gpkg", [2, 30, 204], ["swamp", "swamp", "swamp"])
    dataset = own_dataset([each[0] for each in scenes], [], [drawn], LEGEND)
    with pytest.raises(LegendMismatchError, match=r"swamp \(3 polygons\)"):
        tile(dataset, tmp_path / "tiles", TileSettings(size=16, workers=1, rule=SplitRule("none")))


ONES = np.ones((3, *SHAPE), np.uint16)
UNLIKE = {
    "type": ({"optical": ONES.astype(np.uint8)}, SceneError, r"optical of uint16, 'east' .* has uint8"),
    "type of SAR": ({"sar": np.ones((1, *SHAPE), np.int16)}, SceneError, r"SAR of float32, 'east' .* has int16"),
    "bands": ({"optical": ONES[:2]}, SceneError, r"3 optical bands, 'east' \(east\.tif\) has 2"),
    "pixel": ({"gsd": 20.0}, GridMismatchError, r"10\.\d\d m a pixel, scene 'east' 20\.\d\d m"),
    "scale": (
        {"optical": ONES * 60_000},
        SceneError,
        r"optical of scene 'west' reaches 9\d\d .* 'east' 60000: another",
    ),
    "decibel": (
        {"sar": np.ones((1, *SHAPE), np.float32)},
        SceneError,
        "SAR of scene 'west' reaches -.*: another scale",
    ),
}


@pytest.mark.parametrize("what", UNLIKE)
@pytest.mark.parametrize("copy", [True, False])
def test_scenes_that_do_not_go_together_are_refused_before_anything_is_written(make, tmp_path, what, copy):
    unlike, kind, told = UNLIKE[what]
    with pytest.raises(kind, match=told):
        cut([make("west", 0), make("east", 200, **unlike)], tmp_path / "tiles", copy=copy)
    assert not (tmp_path / "tiles").exists()


def test_sar_that_only_some_scenes_have_is_refused(make, tmp_path):
    west, east = make("west", 0), make("east", 200)
    dataset = own_dataset(*([path] for path in west), LEGEND)
    bare = own_dataset([east[0]], [], [east[2]], LEGEND).scenes
    with pytest.raises(TileSetError, match="scene 'west' has sar, scene 'east' has none"):
        tile(replace(dataset, scenes=dataset.scenes + bare), tmp_path / "tiles", TileSettings(size=16, workers=1))
    assert not (tmp_path / "tiles").exists()


def test_another_crs_is_only_told(make, tmp_path):
    cut([make("west", 0), make("east", 200, crs="EPSG:32651")], tmp_path / "tiles")
    manifest = TileSet(tmp_path / "tiles").manifest
    assert manifest.notes == ("the scenes have 2 coordinate reference systems: EPSG:32650, EPSG:32651",)
    assert [scene.crs for scene in manifest.scenes] == ["EPSG:32650", "EPSG:32651"]


def test_bands_that_differ_in_number_go_together_once_they_are_chosen(make, tmp_path):
    scenes = [make("west", 0), make("east", 200, optical=np.full((4, *SHAPE), 500, np.uint16))]
    cut(scenes, tmp_path / "tiles", bands=Bands((1, 2, 3), None))
    assert len(TileSet(tmp_path / "tiles").manifest.statistics.optical) == 3
