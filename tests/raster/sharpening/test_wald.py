"""Patches of a scene by Wald's protocol: what both sensors would see from afar, cut and split so that nothing leaks."""

import json
import re
import shutil

import numpy as np
import pytest
import rasterio
from affine import Affine

from rsfuse.errors import OutputError, SceneError, TileSetError
from rsfuse.geometry.sharpening.sensors import SENSORS
from rsfuse.geometry.split import Shares
from rsfuse.raster.sharpening.patches import SharpeningSet
from rsfuse.raster.sharpening.reduction import ReducedScene
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.raster.sharpening.wald import WaldSettings, write_wald_set
from rsfuse.raster.sharpening.wald_plan import WaldCover
from rsfuse.raster.tiling.scene_splits import SplitRule

ALL_TRAIN = SplitRule(by="none")
X, Y, MS_M = 500_000, 4_000_000, 4.0


def write(path, pixels, step, *, shift=(0.0, 0.0), nodata=None):
    """A raster whose first corner lies (right, down) metres off the usual one."""
    transform = Affine(step, 0, X + shift[0], 0, -step, Y - shift[1])
    profile = {"driver": "GTiff", "count": len(pixels), "dtype": pixels.dtype, "nodata": nodata}
    height, width = pixels.shape[1:]
    with rasterio.open(path, "w", crs="EPSG:32650", transform=transform, height=height, width=width, **profile) as file:
        file.write(pixels)
    return path


def pair(folder, *, ratio=4.0, side=48, bands=4, shift=(0.0, 0.0)):
    """Two rasters of noise; the panchromatic one covers the other, and lies aside by a shift in metres."""
    chance, fine = np.random.default_rng(0), int(side * ratio)
    pan = chance.integers(1, 1000, (1, fine, fine)).astype(np.uint16)
    ms = chance.integers(1, 900, (bands, side, side)).astype(np.uint16)
    folder.mkdir(exist_ok=True)
    return write(folder / "pan.tif", pan, MS_M / ratio, shift=shift), write(folder / "ms.tif", ms, MS_M)


def cut(paths, folder, size=16, *, halo=0, rule=ALL_TRAIN, sensor="qb", **options):
    settings = WaldSettings(WaldCover(size, halo, options.pop("window", None)), rule, **options)
    with PanMsScene(*paths) as scene:
        return write_wald_set(scene, sensor, folder, settings)


def place_of(entry):
    top, left = map(int, re.fullmatch(r"r(\d+)c(\d+)", entry.name).groups())
    return np.s_[top : top + entry.height], np.s_[left : left + entry.width]


def seen(image, gain, step, first, count):
    """An image as a sensor sees it whose pixels are `step` of its own wide, the first centred at `first`: by sums."""
    sigma = step * np.sqrt(-2 * np.log(gain)) / np.pi
    reach = int(np.ceil(4.5 * sigma))
    found = image.astype(np.float64)
    for axis in (0, 1):
        lines = []
        for centre in first[axis] + step * np.arange(count):
            taps = np.arange(int(centre) - reach, int(centre) + reach + 2)
            weights = np.exp(-((taps - centre) ** 2) / (2 * sigma**2)) * (abs(taps - centre) <= 4.5 * sigma)
            inside = np.take(found, taps.clip(0, image.shape[axis] - 1), axis)
            lines.append(np.tensordot(weights / weights.sum(), inside, (0, axis)))
        found = np.stack(lines, axis)
    return found


@pytest.mark.parametrize(
    ("ratio", "shift"),
    [(4.0, (0.0, 0.0)), (2.0, (0.0, 0.0)), (4.0, (-1.3, -0.7)), (2.0001, (0.0, 0.0)), (3.0, (0.0, 0.0))],
)
def test_patches_are_parts_of_the_whole_scene_as_both_sensors_see_it_from_afar(tmp_path, ratio, shift):
    paths, size = pair(tmp_path / "scene", ratio=ratio, shift=shift), 12
    cut(paths, tmp_path / "set", size, halo=2)
    pan, ms = (rasterio.open(path).read() for path in paths)
    whole, sensor = round(ratio), SENSORS["qb"]
    # the centre of the first multispectral pixel, in panchromatic ones from the centre of the first
    first = [(MS_M / 2 - shift[axis]) / (MS_M / ratio) - 0.5 for axis in (1, 0)]
    far_pan = seen(pan[0], sensor.pan, ratio, first, 48)
    far_ms = [
        seen(band, gain, whole, [(whole - 1) / 2] * 2, 48 // whole) for band, gain in zip(ms, sensor.ms, strict=True)
    ]
    with SharpeningSet(tmp_path / "set") as patches:
        assert patches.header.ratio == whole
        for entry in patches.entries:
            rows, columns = place_of(entry)
            coarse = [slice(each.start // whole, each.stop // whole) for each in (rows, columns)]
            sample = patches.read(entry)
            np.testing.assert_array_equal(sample.reference, ms[:, rows, columns])
            np.testing.assert_allclose(sample.pan[0], far_pan[rows, columns], rtol=1e-4)
            np.testing.assert_allclose(sample.ms, np.array(far_ms)[:, *coarse], rtol=1e-4)
        step = (size - 4) // whole * whole
        assert len(patches.entries) == len(range(0, 48 - size + 1, step)) ** 2


@pytest.mark.parametrize(("ratio", "shift"), [(4.0, (0.0, 0.0)), (2.0, (0.0, 0.0)), (4.0, (-2.6, -1.4))])
def test_a_slope_of_the_ground_lies_where_it_was_in_all_three_images(tmp_path, ratio, shift):
    def slope(side, step, aside):
        places = (np.arange(side) + 0.5) * step
        return (100 + 2 * (places + aside[1])[:, None] + 3 * (places + aside[0]))[None].astype(np.float32)

    side = 64
    paths = (
        write(tmp_path / "pan.tif", slope(int(side * ratio), MS_M / ratio, shift), MS_M / ratio, shift=shift),
        write(tmp_path / "ms.tif", slope(side, MS_M, (0, 0)), MS_M),
    )
    cut(paths, tmp_path / "set", sensor="other", window=(24, 24, 16, 16))  # far from the edges, where slopes end
    with SharpeningSet(tmp_path / "set") as patches:
        (entry,) = patches.entries
        sample, whole = patches.read(entry), int(ratio)
        np.testing.assert_allclose(sample.pan, sample.reference, rtol=1e-5)
        areas = sample.reference.reshape(1, 16 // whole, whole, 16 // whole, whole).mean((2, 4))
        np.testing.assert_allclose(sample.ms, areas, rtol=1e-5)


def test_no_training_patch_lies_near_another_split_and_every_file_is_of_one(tmp_path):
    paths = pair(tmp_path / "scene", side=160, bands=1)
    report = cut(paths, tmp_path / "set", rule=SplitRule(by="blocks", shares=Shares(0.15, 0.15)), sensor="other")
    with SharpeningSet(tmp_path / "set") as patches, PanMsScene(*paths) as scene:
        reach = ReducedScene(scene, SENSORS["other"]).reach
        boxes = {split: [place_of(each) for each in patches.select(split)] for split in ("train", "val", "test")}
        assert {each.file for each in patches.select("val")} == {"val.h5"}
    assert report.patches == {split: len(found) for split, found in boxes.items()}
    assert min(report.patches.values()) > 5
    for one in boxes["train"]:
        for other in boxes["val"] + boxes["test"]:
            between = max(max(b.start - a.stop, a.start - b.stop) for a, b in zip(one, other, strict=True))
            assert between >= max(2 * reach, 16)  # nor does any filter see ground of both
    assert report.left_out["near those of other splits"] > 0
    assert sum(report.patches.values()) + sum(report.left_out.values()) == 100


def test_the_same_seed_splits_alike_and_another_one_otherwise(tmp_path):
    paths, found = pair(tmp_path / "scene", side=160, bands=1), []
    for number, seed in enumerate((0, 0, 1, 2, 3)):
        cut(paths, tmp_path / str(number), rule=SplitRule(by="blocks", seed=seed), sensor="other")
        found.append((tmp_path / str(number) / "tiles.json").read_text())
    assert found[0] == found[1]
    assert len({str(json.loads(each)["data"]) for each in found}) > 1


def test_patches_with_a_pixel_without_data_are_left_out_and_told(tmp_path):
    pan, ms = pair(tmp_path / "scene")
    for path, at in ((ms, np.s_[:, 5, 40]), (pan, np.s_[:, 4 * 47, 3])):  # upper right patch, lower left one
        with rasterio.open(path, "r+") as file:
            file.nodata, pixels = 0, file.read()
            pixels[at] = 0
            file.write(pixels)
    report = cut((pan, ms), tmp_path / "set")
    with SharpeningSet(tmp_path / "set") as patches:
        names = {entry.name for entry in patches.entries}
        assert all(patches.read(entry).reference.min() > 0 for entry in patches.entries)
    assert {f"r{top:05d}c{left:05d}" for top in (0, 16, 32) for left in (0, 16, 32)} - names == {
        "r00000c00032",
        "r00032c00000",
    }
    assert report.left_out["with pixels without data"] == 2
    assert "2 patches with pixels without data were left out." in report.notes


def test_only_what_the_panchromatic_raster_covers_is_cut(tmp_path):
    scene = pair(tmp_path / "scene", side=48)
    smaller = write(tmp_path / "part.tif", rasterio.open(scene[0]).read()[:, 40:, :140], MS_M / 4, shift=(0, 40.0))
    cut((smaller, scene[1]), tmp_path / "set", 8)
    with SharpeningSet(tmp_path / "set") as patches:
        corners = {(rows.start, columns.start) for rows, columns in map(place_of, patches.entries)}
    assert corners == {(top, left) for top in (12, 20, 28, 36) for left in (0, 8, 16, 24)}


def test_the_manifest_tells_what_the_patches_are(tmp_path):
    paths = pair(tmp_path / "scene")
    report = cut(paths, tmp_path / "set")
    with SharpeningSet(tmp_path / "set") as patches:
        header = patches.header
        assert (header.dataset, header.sensor, header.ratio) == ("wald", "qb", 4)
        assert (header.scenes, header.maximum) == (("pan.tif + ms.tif",), 1023)  # values up to 999
        assert header.bands == ("band 1", "band 2", "band 3", "band 4")
        ms = np.concatenate([patches.read(entry).ms.reshape(4, -1) for entry in patches.entries], 1)
        assert [band.mean for band in header.statistics.ms] == pytest.approx(ms.mean(1), rel=1e-5)
        assert header.notes == report.notes
    assert "0.34, 0.32, 0.3, 0.22; panchromatic 0.15" in " ".join(header.notes)


def test_the_largest_number_can_be_said_and_is_told_where_there_are_larger_ones(tmp_path):
    paths = pair(tmp_path / "scene")
    report = cut(paths, tmp_path / "set", maximum=511)
    assert SharpeningSet(tmp_path / "set").header.maximum == 511
    assert any(re.search(r"up to 99\d, above 511", note) for note in report.notes)


def test_a_set_may_be_moved_with_its_files(tmp_path):
    cut(pair(tmp_path / "scene"), tmp_path / "set")
    shutil.move(tmp_path / "set", tmp_path / "elsewhere")
    with SharpeningSet(tmp_path / "elsewhere") as patches:
        assert patches.read(patches.entries[0]).ms.shape == (4, 4, 4)


def test_a_folder_is_replaced_on_request_only_and_as_a_whole(tmp_path):
    paths, folder = pair(tmp_path / "scene", side=80), tmp_path / "set"
    cut(paths, folder, rule=SplitRule(by="blocks", shares=Shares(0.1, 0)))
    assert sorted(path.name for path in folder.iterdir()) == ["tiles.json", "train.h5", "val.h5"]
    with pytest.raises(OutputError, match=r"it holds tiles\.json, train\.h5, val\.h5") as caught:
        cut(paths, folder)
    assert "--overwrite" in caught.value.hint
    cut(paths, folder, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == ["tiles.json", "train.h5"]
    assert len(SharpeningSet(folder).entries) == 25
    (folder / "mine.txt").touch()
    with pytest.raises(OutputError, match=r"it holds mine\.txt") as caught:
        cut(paths, folder, overwrite=True)
    assert "--overwrite" not in caught.value.hint


@pytest.mark.parametrize("there", [False, True])
def test_what_fails_midway_leaves_the_folder_as_it_was(tmp_path, monkeypatch, there):
    paths, folder = pair(tmp_path / "scene"), tmp_path / "set"
    if there:
        cut(paths, folder, maximum=1234)
    read, parts = ReducedScene.read, []

    def fail_at_the_third(self, rows, columns):
        parts.append(rows)
        if len(parts) == 3:
            raise SceneError("the disk was pulled out", hint="put it back")
        return read(self, rows, columns)

    monkeypatch.setattr(ReducedScene, "read", fail_at_the_third)
    with pytest.raises(SceneError, match="pulled out"):
        cut(paths, folder, overwrite=True)
    assert folder.exists() == there
    if there:
        assert sorted(path.name for path in folder.iterdir()) == ["tiles.json", "train.h5"]
        assert SharpeningSet(folder).header.maximum == 1234


def test_what_a_killed_run_left_is_in_nobodys_way(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/.val.h5.part").write_text("half of it")
    cut(pair(tmp_path / "scene"), tmp_path / "set")
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["tiles.json", "train.h5"]


BLOCKS = SplitRule(by="blocks")
MISTAKES = {
    "a size that is no multiple": ({"size": 18}, "18 multispectral px is 4.5 px", "--size 20"),
    "a size beyond the scene": ({"size": 64}, "no patch of 64 px fits into the 48 x 48", "smaller --size"),
    "a halo that leaves nothing": ({"halo": 7}, "leave 2 px between the halos", "between 0 and 6"),
    "a window beyond": ({"window": (40, 0, 16, 16)}, "column 40, row 0, 16 x 16 .* 48 x 48", "--window"),
    "a guard too small": ({"rule": SplitRule(by="blocks", gap=3)}, "guard of 3 .* 1[0-9] px that filters", "--guard"),
    "too few blocks": ({"rule": SplitRule(by="blocks", block=48)}, "1 blocks of 48 px", "smaller"),
    "no training patch": ({"rule": SplitRule(by="blocks", block=16)}, "training patches lie within 2", "--val"),
    "no such sensor": ({"sensor": "wv5"}, "'wv5'", "wv"),
    "a sensor of other bands": ({"sensor": "wv3"}, "8 multispectral bands, the raster 4", "--ms-bands"),
}


@pytest.mark.parametrize(("options", "told", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_numbers_before_anything_is_written(tmp_path, options, told, hint):
    paths = pair(tmp_path / "scene")
    with pytest.raises((TileSetError, SceneError), match=told) as caught:
        cut(paths, tmp_path / "set", **options)
    assert hint in caught.value.hint
    assert not (tmp_path / "set").exists()


def test_a_scene_without_data_or_values_is_told(tmp_path):
    pan, _ = pair(tmp_path / "scene")
    empty = write(tmp_path / "empty.tif", np.zeros((4, 48, 48), np.uint16), MS_M, nodata=0)
    with pytest.raises(TileSetError, match="none of 9 patches has data"):
        cut((pan, empty), tmp_path / "set")
    dark = write(tmp_path / "dark.tif", np.zeros((4, 48, 48), np.uint16), MS_M)
    black = write(tmp_path / "black.tif", np.zeros((1, 192, 192), np.uint16), MS_M / 4)
    with pytest.raises(TileSetError, match="no value above 0"):
        cut((black, dark), tmp_path / "set")
