"""Real scenes as somebody else published them: Dubai's folders of pictures, and chips of TerraMesh."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.windows import Window

from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.recipes.recipe import Recipe
from rsfuse.raster.datasets.folders import read_folders
from rsfuse.raster.labels import Labels
from rsfuse.raster.tiles import TileSet
from rsfuse.tasks.tile import TileSettings, tile
from rsfuse.tasks.train import train

# colours as PIL shows them, and the classes that SOURCE.txt gives them
DUBAI = {(60, 16, 152): 0, (132, 41, 246): 1, (110, 193, 228): 2, (254, 221, 58): 3, (226, 169, 41): 4}
UNLABELLED = {(155, 155, 155), (0, 0, 0)}
AREAS = {"train": {"Tile-1", "Tile-2", "Tile-3", "Tile-4"}, "val": {"Tile-5"}, "test": {"Tile-7"}}


def one_step(optical: int, sar: int) -> Recipe:
    settings = (
        "network={name: early-fusion, encoder: tu-test_resnet}",
        f"inputs.optical={[f'o{band}' for band in range(optical)]}",
        f"inputs.sar={[f's{band}' for band in range(sar)]}",
        "inputs.scaling.kind=fixed-percentiles",
        "training={steps: 1, validate_every: 1, batch: 2, crop: 64, halo: 0}",
        "schedule={name: constant}",
        "loss={}",
    )
    return load_recipe("pad_sentinel-10m", settings)


def colors_in(path) -> dict[tuple[int, ...], int]:
    """Pixels of each colour, as PIL shows the picture."""
    red, green, blue = np.moveaxis(np.asarray(Image.open(path).convert("RGB"), np.int64), -1, 0)
    packed, counts = np.unique(red << 16 | green << 8 | blue, return_counts=True)
    found = zip(packed.tolist(), counts.tolist(), strict=True)
    return {(value >> 16, value >> 8 & 255, value & 255): count for value, count in found}


@pytest.fixture(scope="module")
def dubai(shared_data, repository):
    """The whole folder."""
    return read_folders(shared_data("dubai"), repository / "benchmarks/layouts/dubai.yaml")


@pytest.fixture(scope="module")
def terramesh(shared_data, repository, tmp_path_factory):
    """The five chips, cut."""
    dataset = read_folders(shared_data("terramesh_chips"), repository / "benchmarks/layouts/terramesh.yaml")
    folder = tmp_path_factory.mktemp("terramesh") / "tiles"
    return dataset, tile(dataset, folder, TileSettings(workers=1)), TileSet(folder)


def test_dubai_is_found_whole_and_split_by_area(dubai):
    assert len(dubai.scenes) == 54
    assert {scene.group for scene in dubai.scenes} == {f"Tile {area}" for area in (1, 2, 3, 4, 5, 7)}
    for scene in dubai.scenes:
        assert scene.name.split("_")[0] in AREAS[scene.split]


def test_every_mask_of_dubai_means_what_its_colours_say(dubai):
    modes = Counter()
    for scene in dubai.scenes:
        with Image.open(scene.labels) as mask:
            modes[mask.mode] += 1
        with Labels(scene.labels, coding=dubai.coding) as labels:
            codes, unknown = labels.look(Window(0, 0, labels.grid.width, labels.grid.height))
        assert unknown == {}
        painted = colors_in(scene.labels)
        assert {color for color in painted if color not in DUBAI} <= UNLABELLED
        expected = {DUBAI[color]: count for color, count in painted.items() if color in DUBAI}
        nobody = sum(count for color, count in painted.items() if color in UNLABELLED)
        assert dict(Counter(codes.ravel().tolist())) == expected | ({255: nobody} if nobody else {})
    assert modes == {"RGB": 36, "P": 18}


def test_a_picture_of_each_area_of_dubai_is_cut_and_trained_on(dubai, tmp_path):
    few = tuple(scene for scene in dubai.scenes if scene.name.endswith("001") and scene.split != "test")
    report = tile(replace(dubai, scenes=few), tmp_path / "tiles", TileSettings(size=256, workers=1))
    expected = Counter()
    for scene in few:
        with Image.open(scene.optical) as picture:
            expected[scene.split] += (picture.width // 256) * (picture.height // 256)
    assert report.splits == dict(expected)
    assert report.manifest.options["split_by"] == "list"
    assert not any("on each other" in note for note in report.manifest.notes)
    tiles = TileSet(tmp_path / "tiles")
    for entry in tiles.manifest.tiles[::9]:
        scene = next(each for each in few if each.name == entry.scene)
        left, top, width, height = entry.window
        mask = np.asarray(Image.open(scene.labels).convert("RGB"))[top : top + height, left : left + width]
        told = [DUBAI.get(tuple(color), 255) for color in mask.reshape(-1, 3).tolist()]
        assert (tiles.read(entry).labels.ravel() == told).all()
    for band, name in zip(tiles.manifest.statistics.optical, ("red", "green", "blue"), strict=True):
        assert (band.name, band.dtype, band.unit) == (name, "uint8", "DN")
        assert 60 < band.mean < 200
    train(one_step(3, 0), [tiles.folder], tmp_path / "run", FitMeans(device="cpu"))
    assert Bundle.open(tmp_path / "run").legend.names == ("building", "land", "road", "vegetation", "water")


def test_the_layout_of_dubai_can_be_cut_as_it_stands(dubai, tmp_path):
    few = tuple(scene for scene in dubai.scenes if scene.name.endswith("001"))
    assert tile(replace(dubai, scenes=few), tmp_path / "tiles", TileSettings(workers=1)).splits["train"] > 0


@pytest.mark.slow
def test_all_of_dubai_is_cut_with_the_class_totals_of_its_masks(dubai, tmp_path):
    report = tile(dubai, tmp_path / "tiles", TileSettings(size=256, workers=2))
    painted: Counter[int] = Counter()
    for scene in dubai.scenes:
        mask = np.asarray(Image.open(scene.labels).convert("RGB"))
        height, width = (side // 256 * 256 for side in mask.shape[:2])
        for color, code in DUBAI.items():
            painted[code] += int((mask[:height, :width] == color).all(-1).sum())
    counted: Counter[int] = sum((Counter(row) for row in report.manifest.balance.values()), Counter())
    assert counted == painted
    assert len(TileSet(tmp_path / "tiles").manifest.tiles) == 864


def test_chips_of_terramesh_are_cut_pixel_by_pixel(terramesh):
    dataset, report, tiles = terramesh
    assert sum(report.splits.values()) == len(tiles.manifest.tiles) == len(dataset.scenes) == 5
    assert set(report.splits) == {"train", "val", "test"}
    assert {tile.window for tile in tiles.manifest.tiles} == {(0, 0, 224, 224)}
    translated = {**dict.fromkeys((0, 8), 255), **{code: code for code in (1, 2, 3, 4, 5, 6, 7, 9)}}
    files = {scene.name: scene for scene in dataset.scenes}
    for entry in tiles.manifest.tiles:
        labelled = tiles.read(entry)
        with rasterio.open(files[entry.scene].optical) as optical, rasterio.open(files[entry.scene].sar) as sar:
            assert (labelled.sample.optical == optical.read()).all()
            assert np.allclose(labelled.sample.sar, sar.read(), rtol=0, atol=1e-5)
            with rasterio.open(tiles.folder / "optical" / f"{entry.name}.tif") as part:
                assert (part.crs, part.transform) == (optical.crs, optical.transform)
        with rasterio.open(files[entry.scene].labels) as labels:
            told = [translated[int(code)] for code in labels.read(1).ravel()]
        assert (labelled.labels.ravel() == told).all()


def test_statistics_of_terramesh_are_of_reflectance_in_numbers_and_backscatter_in_decibel(terramesh):
    dataset, report, tiles = terramesh
    statistics = tiles.manifest.statistics
    assert tuple(band.name for band in statistics.optical) == dataset.optical_bands
    assert {(band.dtype, band.unit) for band in statistics.optical} == {("int16", "DN")}
    assert [(band.name, band.unit) for band in statistics.sar] == [("vv", "dB"), ("vh", "dB")]
    training = [scene for scene in dataset.scenes if scene.name in {tile.scene for tile in tiles.select("train")}]
    for layer, bands in (("optical", statistics.optical), ("sar", statistics.sar)):
        parts = []
        for each in training:
            with rasterio.open(getattr(each, layer)) as file:
                parts.append(file.read().reshape(len(bands), -1))
        values = np.concatenate(parts, 1)
        assert [band.mean for band in bands] == pytest.approx(values.mean(1), rel=1e-5)
        assert [band.std for band in bands] == pytest.approx(values.std(1), rel=1e-5)
    assert all(-30 < band.percentiles[1] < band.percentiles[50] < 0 for band in statistics.sar)
    assert statistics.sar[1].mean < statistics.sar[0].mean  # cross-polarised echoes are weaker
    assert tiles.manifest.gsd_m == pytest.approx(10, rel=0.01)
    assert any("5 coordinate reference systems" in note for note in report.manifest.notes)


def test_a_step_of_training_on_terramesh_takes_twelve_bands_and_two(terramesh, tmp_path):
    _, _, tiles = terramesh
    train(one_step(12, 2), [tiles.folder], tmp_path / "run", FitMeans(device="cpu"))
    bundle = Bundle.open(tmp_path / "run")
    assert bundle.manifest.gsd_m == pytest.approx(10, rel=0.01)
    assert [band.unit for band in bundle.manifest.statistics.sar] == ["dB", "dB"]
    assert bundle.legend.codes == (1, 2, 3, 4, 5, 6, 7, 9)
