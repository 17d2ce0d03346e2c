"""The contact sheet shows tiles as they are, comparably, and says what cannot be seen."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from rsfuse.errors import OutputError
from rsfuse.legends import LEGENDS
from rsfuse.raster.sharpening.patches import SharpeningSet, write_sharpening_set
from rsfuse.raster.statistics import BandStatistics
from rsfuse.raster.tiles import TileSet
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.tile_plan import SplitRule
from rsfuse.reports import thumbnails
from rsfuse.reports.contact_sheet import draw_contact_sheet
from rsfuse.reports.patch_sheet import draw_patch_sheet
from rsfuse.reports.sheet import Sheet, SheetBlock, SheetRow, counted, evenly, write_sheet
from rsfuse.reports.shown_bands import shown_bands
from rsfuse.reports.thumbnails import SIDE, Reducer, dotted, hatched, look_at_tile, measured, picture
from rsfuse.tasks.tile import TileSettings, tile

LEGEND = LEGENDS["sentinel-5"]
HEIGHT, WIDTH, TILE = 288, 384, 96


def write(path, pixels, **profile):
    profile |= {"driver": "GTiff", "count": len(pixels), "height": pixels.shape[1], "width": pixels.shape[2]}
    transform = Affine(10, 0, 500_000, 0, -10, 4_000_000)
    with rasterio.open(path, "w", crs="EPSG:32650", transform=transform, dtype=pixels.dtype, **profile) as file:
        file.write(pixels)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A scene that grows brighter from left to right, without optical data in the first 40 columns."""
    folder, chance = tmp_path_factory.mktemp("scene"), np.random.default_rng(0)
    optical = np.linspace(100, 3000, WIDTH)[None, None] + chance.uniform(0, 50, (4, HEIGHT, WIDTH))
    optical[:, :, :40] = 0
    sar = chance.normal(-12, 3, (2, HEIGHT, WIDTH))
    labels = chance.choice([0, 1, 2, 3, 255], (1, HEIGHT // 24, WIDTH // 24)).repeat(24, 1).repeat(24, 2)
    return {
        "optical": write(folder / "scene.tif", optical.astype(np.uint16), nodata=0),
        "sar": write(folder / "sar.tif", sar.astype(np.float32)),
        "labels": write(folder / "labels.tif", labels.astype(np.uint8)),
    }


def cut(files, folder, layers=("sar", "labels"), **settings):
    """A set of 12 tiles; with a quarter each for validation and testing."""
    sar, labels = ([files[layer]] if layer in layers else [] for layer in ("sar", "labels"))
    dataset = own_dataset([files["optical"]], sar, [files["labels"]], LEGEND)
    if not labels:
        dataset = replace(dataset, scenes=tuple(replace(scene, labels=None) for scene in dataset.scenes))
    rule = settings.pop("rule", SplitRule(by="random"))
    tile(dataset, folder, TileSettings(**{"size": TILE, "rule": rule, "workers": 1, **settings}))
    return TileSet(folder)


@pytest.fixture(scope="module")
def tiles(files, tmp_path_factory):
    return cut(files, tmp_path_factory.mktemp("cut") / "tiles")


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def shows(sheet, picture):
    """Whether a picture lies in a sheet, pixel for pixel."""
    height, width = picture.shape[:2]
    data, first, at = sheet.tobytes(), picture[0].tobytes(), -1
    while (at := data.find(first, at + 1)) >= 0:
        top, left = divmod(at // 3, sheet.shape[1])
        if at % 3 == 0 and np.array_equal(sheet[top : top + height, left : left + width], picture):
            return True
    return False


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (("blue", "green", "red", "nir"), (2, 1, 0)),
        (("Blue ", "GREEN", "Vegetation Red Edge", "Near Infra-Red", "band_red"), (4, 1, 0)),
        (("b", "g", "r"), (2, 1, 0)),
        (tuple(f"B{number:02d}" for number in range(1, 9)), (3, 2, 1)),
        (("B2 blue", "B3 green", "B4 red", "B5 red edge"), (2, 1, 0)),
        (("band 1", "band 2", "band 3", "band 4"), (0, 1, 2)),
        (("red", "red edge", "nir"), (0, 1, 2)),
        (("one", "two"), (0,)),
        (("gray",), (0,)),
    ],
)
def test_true_colour_is_found_by_name_in_any_spelling(names, places):
    assert shown_bands(names) == places


def covered(values, cells):
    """Mean over each cell along the first axis, from the integral of a function that is constant in every pixel."""
    edges = np.linspace(0, len(values), cells + 1)
    integral = np.concatenate([np.zeros((1, values.shape[1])), values.cumsum(0, dtype=np.float64)])
    at = [np.interp(edges, np.arange(len(integral)), column) for column in integral.T]
    return np.diff(at, axis=1).T * (cells / len(values))


@pytest.mark.parametrize("shape", [(384, 192), (500, 333), (40, 64), (700, 1)])
def test_a_cell_is_the_mean_of_what_it_covers(shape):
    values = np.random.default_rng(1).uniform(0, 100, shape).astype(np.float32)
    reducer = Reducer(*shape)
    for top in range(0, shape[0], 37):
        reducer.add(top, values[None, top : top + 37])
    rows, columns = (max(round(side * SIDE / max(shape)), 1) for side in shape)
    assert max(rows, columns) == SIDE
    expected = covered(covered(values, rows).T, columns).T
    np.testing.assert_allclose(reducer.means[0], expected, rtol=1e-4, atol=1e-4)


def test_a_small_tile_is_enlarged_pixel_by_pixel():
    values = np.random.default_rng(2).uniform(0, 100, (48, 96)).astype(np.float32)
    reducer = Reducer(48, 96)
    reducer.add(0, values[None])
    np.testing.assert_allclose(reducer.means[0], values.repeat(2, 0).repeat(2, 1), rtol=1e-5)


def test_a_tile_of_any_size_is_read_in_parts_that_come_to_the_same(tiles, monkeypatch):
    entry = tiles.manifest.tiles[0]
    whole = look_at_tile(tiles, entry)
    monkeypatch.setattr(thumbnails, "_READ", 7 * TILE)
    parts = look_at_tile(tiles, entry)
    for name in ("optical", "sar", "labels"):
        difference = np.abs(getattr(whole, name).astype(int) - getattr(parts, name))
        assert difference.max() <= 1
    assert (whole.pixels, whole.empty) == (parts.pixels, parts.empty)


def test_labels_have_the_colours_of_the_legend_and_say_where_nobody_did(tiles):
    colors = {each.code: each.color for each in LEGEND}
    for entry in tiles.manifest.tiles[:4]:
        labelled, look = tiles.read(entry), look_at_tile(tiles, entry)
        dots, stripes = dotted(SIDE, SIDE), hatched(SIDE, SIDE)
        for row in range(0, SIDE, 5):
            for column in range(0, SIDE, 5):
                code = int(labelled.labels[row // 2, column // 2])
                expected = colors.get(code, dots[row, column])
                if not labelled.sample.valid[row // 2, column // 2]:
                    expected = stripes[row, column]
                assert tuple(look.labels[row, column]) == tuple(expected)
    assert (dots == 255).mean() > 0.9


def test_the_commonest_class_of_a_cell_is_shown(files, tmp_path):
    codes = np.zeros((1, HEIGHT, WIDTH), np.uint8)
    codes[0, ::2, ::2] = 3  # a quarter of each cell of 2 x 2
    scene = cut(
        files | {"labels": write(tmp_path / "labels.tif", codes)},
        tmp_path / "tiles",
        size=288,
        rule=SplitRule(by="none"),
    )
    look = look_at_tile(scene, scene.manifest.tiles[0])
    assert {tuple(color) for color in look.labels[:, 60:].reshape(-1, 3)} == {LEGEND.classes[0].color}


def test_pixels_are_counted_as_the_manifest_has_them(tiles):
    for entry in tiles.manifest.tiles:
        look = look_at_tile(tiles, entry)
        assert {code: count for code, count in look.pixels.items() if code != 255} == entry.classes
        assert look.empty == round((1 - entry.valid) * TILE * TILE)


def test_tiles_of_a_scene_can_be_compared(tiles):
    """One stretch for all of them: what is brighter in the scene is brighter on the sheet."""
    row = sorted((tile for tile in tiles.manifest.tiles if tile.window[1] == 0), key=lambda tile: tile.window[0])
    looks = [look_at_tile(tiles, entry) for entry in row]
    columns = np.concatenate([look.optical[..., 0].mean(0) for look in looks])
    seen = columns[90:]  # beyond what has no data
    assert len(looks) == 4
    assert seen[0] < 90
    assert seen[-1] == 255
    assert np.abs(np.diff(seen)).max() < 12  # with a stretch of its own, every tile would begin in the dark


def test_values_are_stretched_from_the_second_to_the_98th_percentile():
    values = np.arange(0, 1000, dtype=np.float32).repeat(1000).reshape(1, 1000, 1000)
    band = BandStatistics.of("grey", "float32", values.ravel())
    planes = np.concatenate([values[:, ::10, ::10], np.ones((1, 100, 100), np.float32)])
    grey = picture(planes, [band])[:, 0, 0]
    expected = [int(min(max((each - 20) / 960, 0), 1) * 255) for each in range(0, 1000, 10)]
    np.testing.assert_allclose(grey, expected, atol=1.5)
    bent = picture(np.concatenate([planes[:1]] * 3 + [planes[1:]]), [band] * 3)[:, 0, 0]
    np.testing.assert_allclose(bent, [255 * (each / 255) ** 0.5 for each in expected], atol=9)


def test_equal_steps_of_radar_power_in_decibels_are_equal_steps_of_grey():
    power = (10.0 ** np.linspace(-3, 0, 61)).astype(np.float32)
    band = BandStatistics.of("vv", "float32", power, "linear")
    planes = np.stack([power[:, None], np.ones((61, 1), np.float32)])
    steps = np.diff(picture(planes, [band])[4:-4, 0, 0].astype(int))
    assert steps.min() >= 3
    assert steps.max() - steps.min() <= 1


def test_a_sensor_is_hatched_where_it_alone_has_no_data():
    pixels, valid = np.full((1, 10, 10), 7, np.float32), np.zeros((10, 10), bool)
    pixels[:, :4] = 0
    planes = measured(pixels, valid, (0,))
    np.testing.assert_array_equal(planes[-1], (np.arange(10) >= 4)[:, None].repeat(10, 1))
    shown = picture(planes, [BandStatistics.of("grey", "uint8", np.array([0, 7]))])
    np.testing.assert_array_equal(shown[:4], hatched(10, 10)[:4])
    assert len(np.unique(shown[4:])) == 1


def test_every_picture_of_the_chosen_tiles_is_on_the_sheet_with_the_legend(tiles, tmp_path):
    draw_contact_sheet(tiles, tmp_path / "sheet.png")
    sheet = pixels_of(tmp_path / "sheet.png")
    chosen = [entry for split in ("train", "val", "test") for entry in evenly(tiles.select(split), 4)]
    assert 6 <= len(chosen) <= 12
    for entry in chosen:
        look = look_at_tile(tiles, entry)
        assert shows(sheet, look.optical)
        assert shows(sheet, look.sar)
        assert shows(sheet, look.labels)
    for each in LEGEND:  # class 4 is in no tile
        assert shows(sheet, np.full((19, 19, 3), each.color, np.uint8))
    assert shows(sheet, dotted(19, 19))
    assert shows(sheet, hatched(19, 19))


def test_the_same_sheet_is_drawn_every_time(tiles, tmp_path):
    for name in ("one.png", "two.png"):
        draw_contact_sheet(tiles, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "two.png"]


def test_windows_of_scenes_look_like_files(files, tiles, tmp_path):
    windows = cut(files, tmp_path / "tiles", copy=False)
    assert windows.manifest.reading is not None
    for one, other in zip(tiles.manifest.tiles, windows.manifest.tiles, strict=True):
        looks = look_at_tile(tiles, one), look_at_tile(windows, other)
        has = ~(looks[0].labels == hatched(SIDE, SIDE)).all(-1)  # where one sensor has no data, files have none at all
        for name in ("optical", "sar", "labels"):
            np.testing.assert_array_equal(getattr(looks[0], name)[has], getattr(looks[1], name)[has])
        assert (looks[0].pixels, looks[0].empty) == (looks[1].pixels, looks[1].empty)
        assert has.mean() > 0.5
    draw_contact_sheet(windows, tmp_path / "sheet.png")
    assert shows(pixels_of(tmp_path / "sheet.png"), look_at_tile(windows, evenly(windows.select("val"), 4)[0]).optical)


@pytest.mark.parametrize("layers", [(), ("sar",), ("labels",)])
def test_what_a_set_does_not_have_is_not_drawn(files, tmp_path, layers):
    tiles = cut(files, tmp_path / "tiles", layers, rule=SplitRule(by="none"), min_valid=0.0)
    look = look_at_tile(tiles, tiles.manifest.tiles[0])
    assert (look.sar is None, look.labels is None) == ("sar" not in layers, "labels" not in layers)
    draw_contact_sheet(tiles, tmp_path / "sheet.png")
    sheet = pixels_of(tmp_path / "sheet.png")
    assert sheet.shape[1] < 2 * (SIDE + 8) + 100
    named = [shows(sheet, np.full((19, 19, 3), each.color, np.uint8)) for each in LEGEND]
    assert named == ["labels" in layers] * 5


def test_items_are_spread_evenly():
    assert evenly(list(range(12)), 4) == [1, 4, 7, 10]
    assert evenly(list(range(3)), 4) == [0, 1, 2]
    assert evenly([], 4) == []
    assert [counted(*each, "tile", "tiles") for each in ((1, 1), (3, 3), (4, 1200))] == [
        "1 tile",
        "3 tiles",
        "4 of 1,200 tiles",
    ]


def test_long_names_and_many_remarks_stay_in_their_block(tmp_path):
    dark = np.zeros((20, 20, 3), np.uint8)
    row = SheetRow("a" * 300, tuple((f"class {number} 10%", (1, 2, 3)) for number in range(40)), (dark,))
    blocks = SheetBlock("b" * 300, (row,)), SheetBlock("", (SheetRow("", (), ()),))
    write_sheet(Sheet("", ("c" * 300,), blocks, (), "", 20), tmp_path / "sheet.png")
    sheet = pixels_of(tmp_path / "sheet.png")
    assert shows(sheet, dark)
    assert (sheet[:, 24 + 400 : 24 + 400 + 40] == 255).all()


def test_a_sheet_that_cannot_be_written_leaves_nothing(tiles, tmp_path):
    with pytest.raises(OutputError, match=r"sheet\.png cannot be written"):
        draw_contact_sheet(tiles, tmp_path / "nowhere/sheet.png")
    assert list(tmp_path.iterdir()) == []


def test_patches_for_sharpening_stand_beside_pan_and_reference(tmp_path):
    root, chance = tmp_path / "gf2", np.random.default_rng(0)
    root.mkdir()
    for name, count in {"train_gf2.h5": 6, "valid_gf2.h5": 1, "test_gf2_OrigScale_multiExm1.h5": 2}.items():
        held = {"ms": (count, 4, 4, 4), "lms": (count, 4, 16, 16), "pan": (count, 1, 16, 16)}
        with h5py.File(root / name, "w") as file:
            for key, shape in (held if "Orig" in name else held | {"gt": (count, 4, 16, 16)}).items():
                file[key] = chance.uniform(1, 1000, shape)
    write_sharpening_set(root, tmp_path / "set")
    with SharpeningSet(tmp_path / "set") as patches:
        draw_patch_sheet(patches, tmp_path / "sheet.png")
        sheet = pixels_of(tmp_path / "sheet.png")
        statistics = patches.header.statistics
        for entry in [*evenly(patches.select("train"), 4), *patches.select("val"), *patches.select("full")]:
            sample = patches.read(entry)
            assert shows(sheet, enlarged(sample.ms[[2, 1, 0]], [statistics.ms[band] for band in (2, 1, 0)]))
            assert shows(sheet, enlarged(sample.pan.repeat(3, 0), [statistics.pan] * 3))
            if sample.reference is not None:
                assert shows(sheet, enlarged(sample.reference[[2, 1, 0]], [statistics.ms[band] for band in (2, 1, 0)]))


def enlarged(pixels, bands):
    """Each pixel as a square, by the statistics' own numbers."""
    low, high = (np.array([band.percentiles[at] for band in bands], np.float32) for at in (2, 98))
    unit = np.clip((pixels.transpose(1, 2, 0) - low) / (high - low), 0, 1)
    times = SIDE // pixels.shape[1]
    return (unit**0.5 * 255).astype(np.uint8).repeat(times, 0).repeat(times, 1)
