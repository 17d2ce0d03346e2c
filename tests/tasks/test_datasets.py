"""Every data set in miniature, from the folder that was downloaded to a step of training."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.recipes.recipe import Recipe
from rsfuse.legends import LEGENDS
from rsfuse.raster.datasets.folders import read_folders
from rsfuse.raster.datasets.registry import open_dataset
from rsfuse.raster.legend_file import find_coding
from rsfuse.raster.tiles import TileSet
from rsfuse.tasks.tile import TileSettings, tile
from rsfuse.tasks.train import train

SHEETS = ("NH49E001013", "NH49E001014", "NH50E003001")
DIVISION = "The division of the dataset.txt"
DUBAI = Path("benchmarks/layouts/dubai.yaml")

# what stands in a label file, and the code it means; written down again, from the sources and not from the legends
WHU = {0: 255, 10: 10, 20: 20, 30: 30, 40: 40, 50: 50, 60: 60, 70: 70}
WHU_TENTHS = {0: 255, 1: 10, 2: 20, 3: 30, 4: 40, 5: 50, 6: 60, 7: 70}
DDHR = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 255: 255}
DEEPGLOBE = {
    (0, 0, 0): 255, (0, 255, 255): 1, (255, 255, 0): 2, (255, 0, 255): 3, (0, 255, 0): 4, (0, 0, 255): 5,
    (255, 255, 255): 6,
}  # fmt: skip
DUBAI_COLORS = {
    (60, 16, 152): 0, (132, 41, 246): 1, (110, 193, 228): 2, (254, 221, 58): 3, (226, 169, 41): 4,
    (155, 155, 155): 255,
}  # fmt: skip
SIX, SEVEN = {code: code for code in range(6)}, {code: code for code in range(7)}


@dataclass(frozen=True)
class Case:
    """A data set as somebody laid it out.

    Args:
        dataset: name of its reader.
        lay: writes it.
        splits: how many scenes the lists give to each split; empty where chance decides.
        tiles: of each scene.
        codes: what its label files hold, and what it means.
        legend: name of its legend.
        size: side of its tiles; None for the reader's choice.
        bands: optical and SAR.
        edge: what becomes of the right and lower edge.
    """

    dataset: str
    lay: Callable[[Any], None]
    splits: Mapping[str, int]
    tiles: int
    codes: Mapping[Any, int]
    legend: str
    size: int | None = None
    bands: tuple[int, int] = (3, 1)
    edge: str | None = None


def whu(publish):
    publish.whu(SHEETS, size=(116, 174))  # 3704 x 5556 px, a 32nd of each
    publish.text(DIVISION, ["train:", *SHEETS[:2], "test:", SHEETS[2]])


def whu_pad(publish):
    lists = {"train": ("NH49E001013_1", "NH49E001013_2"), "val": ("NH49E001014_1",), "test": ("NH50E003001_70",)}
    for split, names in lists.items():
        publish.whu_pad(names)
        publish.text(f"splited_files/whuoptsar_{split}_(512, 512)_(512, 512).txt", names)


def whu_asanet(publish):
    publish.whu_asanet(["NH49E001013_000", "NH49E001013_087", "NH50E003001_000"], "train")
    publish.whu_asanet(["NH49E001014_000"], "test")


def whu_solc(publish):
    for split, name in zip(("train", "val", "test"), SHEETS, strict=True):
        publish.whu_solc([f"{name}_1", f"{name}_70"], split)


def ddhr(subset, size):
    def lay(publish):
        publish.ddhr("1234", subset, size)
        publish.ddhr_list(f"{subset}/listtxt/trainM.txt", "123")
        publish.ddhr_list(f"{subset}/listtxt/valM.txt", "4")

    return lay


def ddhr_with_and_without_clouds(publish):
    for subset in ("korea/256", "korea/256_cloud"):
        publish.ddhr("1234", subset)


def pie(publish):
    publish.pie(("00001", "00002", "00003"))
    publish.text("train.txt", ["00001", "00003"])
    publish.text("val.txt", ["00002"])


def yyx(publish):
    for area in ("urban", "suburban", "mountain"):
        publish.yyx("12", [f"{area}/{layer}" for layer in ("optical", "sar", "label")])


def deepglobe(publish):
    publish.deepglobe(("606", "10452", "998002", "7"), "train/")
    publish.deepglobe(("1",), "valid/", masks=False)
    for split, names in {"train": ("606", "7"), "crossvali": ("10452",), "test": ("998002",)}.items():
        publish.text(f"{split}.txt", [f"{name}_sat.jpg" for name in names])


def deepglobe_prepared(publish):
    for split, name in zip(("train", "val", "test"), ("606", "10452", "998002"), strict=True):
        publish.deepglobe_prepared([name], split)


def inria(publish):
    publish.inria([f"{city}{number}" for city in ("austin", "vienna") for number in (1, 2)])


def inria_fctl(publish):
    names = ("austin1", "tyrol-w25", "vienna36")
    publish.inria_fctl(names)
    for split, name in zip(("train", "crossvali", "test"), names, strict=True):
        publish.text(f"txt_1/{split}.txt", [f"{name}_sat.tif"])


def inria_prepared(suffix):
    def lay(publish):
        for split, name in zip(("train", "val", "test"), ("austin1", "tyrol-w25", "vienna36"), strict=True):
            publish.inria_prepared([name], split, suffix)

    return lay


def dubai(publish):
    publish.dubai([f"Tile {number}" for number in (1, 2, 3, 4, 5, 7)], ["image_part_001", "image_part_002"])


ALL_THREE = {"train": 1, "val": 1, "test": 1}
CASES = {
    "whu": Case("whu-opt-sar", whu, {"train": 2, "test": 1}, 70, WHU, "whu-opt-sar", 16, (4, 1)),
    "whu, shifted": Case("whu-opt-sar", whu, {"train": 2, "test": 1}, 88, WHU, "whu-opt-sar", 16, (4, 1), "shift"),
    "whu of pad": Case("whu-opt-sar", whu_pad, {**ALL_THREE, "train": 2}, 1, WHU_TENTHS, "whu-opt-sar"),
    "whu of asanet": Case(
        "whu-opt-sar", whu_asanet, {"train": 3, "test": 1}, 1, WHU_TENTHS, "whu-opt-sar", bands=(4, 1)
    ),
    "whu of solc": Case(
        "whu-opt-sar", whu_solc, dict.fromkeys(ALL_THREE, 2), 1, WHU_TENTHS, "whu-opt-sar", bands=(4, 1)
    ),
    "ddhr xian": Case("ddhr", ddhr("Xian/128", 16), {"train": 3, "val": 1}, 1, DDHR, "ddhr"),
    "ddhr pohang": Case("ddhr", ddhr("korea/256_cloud", 32), {"train": 3, "val": 1}, 1, DDHR, "ddhr"),
    "ddhr shandong": Case("ddhr", ddhr("Shandong/256", 32), {"train": 3, "val": 1}, 1, DDHR, "ddhr"),
    "ddhr twice": Case("ddhr", ddhr_with_and_without_clouds, {}, 1, DDHR, "ddhr"),
    "pie": Case("pie-rgb-sar", pie, {"train": 2, "val": 1}, 1, SIX, "pie-rgb-sar"),
    "yyx": Case("yyx-opt-sar", yyx, {}, 1, SEVEN, "yyx-opt-sar"),
    "deepglobe": Case("deepglobe", deepglobe, {**ALL_THREE, "train": 2}, 4, DEEPGLOBE, "deepglobe", 8, (3, 0)),
    "deepglobe prepared": Case("deepglobe", deepglobe_prepared, ALL_THREE, 4, SEVEN | {0: 255}, "deepglobe", 8, (3, 0)),
    "inria": Case("inria", inria, {}, 4, {0: 0, 255: 1}, "inria", 8, (3, 0)),
    "inria of fctl": Case("inria", inria_fctl, ALL_THREE, 4, {0: 0, 255: 1}, "inria", 8, (3, 0)),
    "inria prepared": Case("inria", inria_prepared(".tif"), ALL_THREE, 4, {0: 0, 1: 1}, "inria", 8, (3, 0)),
    "inria prepared, png": Case("inria", inria_prepared(".png"), ALL_THREE, 4, {0: 0, 1: 1}, "inria", 8, (3, 0)),
    "dubai": Case("folders", dubai, {"train": 8, "val": 2, "test": 2}, 1, DUBAI_COLORS, "dubai", 16, (3, 0)),
}


def opened(case, root, repository):
    return read_folders(root, repository / DUBAI) if case.dataset == "folders" else open_dataset(case.dataset, root)


def recipe_for(case: Case, side: int) -> Recipe:
    """One step of a network as small as they come, scaled by the percentiles of the training tiles."""
    optical, sar = case.bands
    settings = (
        "network={name: early-fusion, encoder: tu-test_resnet}",
        f"inputs.optical={[f'o{band}' for band in range(optical)]}",
        f"inputs.sar={[f's{band}' for band in range(sar)]}",
        "inputs.scaling.kind=fixed-percentiles",
        f"training={{steps: 1, validate_every: 1, batch: 2, crop: {side}, halo: 0}}",
        "schedule={name: constant}",
        "loss={}",
    )
    return load_recipe("pad_sentinel-10m", settings)


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def cut(request, publisher, repository, tmp_path_factory):
    """A data set that was laid out, read, and cut as its authors split it, or by whole scenes."""
    case = request.param
    folder = tmp_path_factory.mktemp("cut")
    (folder / "root").mkdir()
    case.lay(publisher(folder / "root"))
    dataset = opened(case, folder / "root", repository)
    report = tile(dataset, folder / "tiles", TileSettings(size=case.size, edge=case.edge, workers=1))
    return SimpleNamespace(
        case=case,
        dataset=dataset,
        report=report,
        tiles=TileSet(folder / "tiles"),
        files={scene.name: scene for scene in dataset.scenes},
        folder=folder,
    )


def source(path: Path, entry) -> np.ndarray:
    """(bands, h, w) of a tile's place in a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        file = rasterio.open(path)
    with file:
        return file.read(window=Window(*entry.window))


def meant(path: Path, entry, codes: Mapping[Any, int]) -> np.ndarray:
    """(h, w) codes of a label file, number by number or colour by colour."""
    left, top, width, height = entry.window
    colored = isinstance(next(iter(codes)), tuple)
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB") if colored else picture)[top : top + height, left : left + width]
    flat = pixels.reshape(-1, 3) if colored else pixels.reshape(-1, 1)
    told = [codes[tuple(value) if colored else value[0]] for value in flat.tolist()]
    return np.array(told).reshape(pixels.shape[:2])


def test_every_scene_gives_as_many_tiles_as_were_published_each_in_the_split_of_the_lists(cut):
    case, tiles = cut.case, cut.tiles
    assert set(Counter(entry.scene for entry in tiles.manifest.tiles).values()) == {case.tiles}
    assert len(tiles.manifest.tiles) == len(cut.dataset.scenes) * case.tiles
    assert bool(case.splits) == bool(cut.dataset.split_source) == (cut.report.manifest.options["split_by"] == "list")
    if case.splits:
        published = Counter(cut.files[entry.scene].split for entry in tiles.manifest.tiles)
        assert published == {split: count * case.tiles for split, count in case.splits.items()}
        moved = {(cut.files[entry.scene].split, entry.split) for entry in tiles.manifest.tiles}
        lent = set() if "val" in case.splits else {("train", "val")}
        assert moved == {(split, split) for split in case.splits} | lent
    else:
        assert set(cut.report.splits) == {"train", "val", "test"}


def test_no_group_of_scenes_is_torn_apart_by_chance(cut):
    used: dict[str, set[str]] = {}
    for entry in cut.tiles.manifest.tiles:
        used.setdefault(cut.files[entry.scene].group or entry.scene, set()).add(entry.split)
    assert {len(splits) for splits in used.values()} == {1}


def test_the_pixels_of_tiles_are_those_of_the_files(cut):
    for entry in cut.tiles.manifest.tiles[:: max(len(cut.tiles.manifest.tiles) // 9, 1)]:
        files = cut.files[entry.scene]
        sample = cut.tiles.read(entry).sample
        assert (sample.optical == source(files.optical, entry)).all()
        assert sample.valid.all()
        if files.sar:
            assert (sample.sar == source(files.sar, entry)).all()
        assert len(sample.sar) == cut.case.bands[1]


def test_the_codes_of_tiles_are_what_the_files_mean(cut):
    seen: Counter[int] = Counter()
    for entry in cut.tiles.manifest.tiles[:: max(len(cut.tiles.manifest.tiles) // 20, 1)]:
        expected = meant(cut.files[entry.scene].labels, entry, cut.case.codes)
        assert (cut.tiles.read(entry).labels == expected).all()
        counts = Counter(expected.ravel().tolist())
        assert entry.classes == {code: counts[code] for code in sorted(counts) if code != 255}
        seen.update(counts)
    assert set(seen) == set(cut.case.codes.values())  # all of them were looked at


def test_statistics_are_those_of_the_training_pixels_alone_under_the_bands_names(cut):
    training = cut.tiles.select("train")
    statistics = cut.tiles.manifest.statistics
    assert (len(statistics.optical), len(statistics.sar)) == cut.case.bands
    assert tuple(band.name for band in statistics.optical) == cut.dataset.optical_bands
    assert tuple(band.name for band in statistics.sar) == cut.dataset.sar_bands
    for layer, bands in (("optical", statistics.optical), ("sar", statistics.sar)):
        if not bands:
            continue
        parts = [source(getattr(cut.files[entry.scene], layer), entry) for entry in training]
        values = np.concatenate([part.reshape(len(part), -1) for part in parts], 1)
        assert [band.mean for band in bands] == pytest.approx(values.mean(1))
        assert [band.std for band in bands] == pytest.approx(values.std(1))
        assert [(band.minimum, band.maximum) for band in bands] == [(row.min(), row.max()) for row in values]
        assert [band.percentiles[98] for band in bands] == pytest.approx(np.percentile(values, 98, axis=1))
        assert {band.unit for band in bands} == {"DN"}


def test_a_step_of_training_leaves_a_bundle_of_the_data_set(cut, tmp_path):
    tiles = cut.tiles
    recipe = recipe_for(cut.case, tiles.manifest.size)
    report = train(recipe, [tiles.folder], tmp_path / "run", FitMeans(device="cpu"))
    assert report.step == 1
    bundle = Bundle.open(tmp_path / "run")
    assert bundle.legend == LEGENDS[cut.case.legend]
    assert bundle.manifest.statistics == tiles.manifest.statistics
    assert bundle.manifest.trained_on == (cut.dataset.name,)
    network = bundle.network()
    sample = tiles.read(tiles.select("val")[0]).sample
    scores = network(torch.from_numpy(sample.optical)[None], torch.from_numpy(sample.sar)[None])
    assert scores.shape[1] == len(set(cut.case.codes.values()) - {255})


def test_with_the_legend_of_whfnet_greenery_and_farmland_change_names_and_no_code_changes(publish, tmp_path):
    ddhr("Xian/128", 16)(publish)
    ours = open_dataset("ddhr", publish.root)
    theirs = replace(ours, legend=LEGENDS["ddhr-whfnet"], coding=find_coding("ddhr-whfnet"))
    sets = []
    for name, dataset in (("ours", ours), ("theirs", theirs)):
        tile(dataset, tmp_path / name, TileSettings(workers=1))
        sets.append(TileSet(tmp_path / name))
    for one, other in zip(*(each.manifest.tiles for each in sets), strict=True):
        assert (sets[0].read(one).labels == sets[1].read(other).labels).all()
    names = [dict(zip(each.legend.codes, each.legend.names, strict=True)) for each in sets]
    assert (names[0][2], names[0][4]) == ("greenery", "farmland") == (names[1][4], names[1][2])
    recipe = recipe_for(CASES["ddhr xian"], 16)
    for each, told in zip(sets, names, strict=True):
        train(recipe, [each.folder], tmp_path / f"{each.folder.name} run", FitMeans(device="cpu"))
        bundle = Bundle.open(tmp_path / f"{each.folder.name} run")
        assert dict(zip(bundle.legend.codes, bundle.legend.names, strict=True)) == told
