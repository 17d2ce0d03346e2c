"""The `folders` layout: what is found, and which mistakes in the folders or in the layout are told."""

import pickle
from collections import Counter

import numpy as np
import pytest
import rasterio
import yaml

from rsfuse.coding import LabelCoding
from rsfuse.errors import LegendMismatchError, RsfuseError, TileSetError
from rsfuse.legend import NODATA
from rsfuse.legends import coding_named, legend_named
from rsfuse.raster.datasets.dataset import SceneFiles
from rsfuse.raster.datasets.folders import read_folders

LEGEND = {"classes": [{"code": 1, "name": "water", "color": "#0000ff", "from": [10]}]}
PLAIN = {
    "name": "ours",
    "optical": "{area}/images/{image}.jpg",
    "labels": "{area}/masks/{image}.png",
    "bands": {"optical": ["red", "green", "blue"]},
    "legend": "sentinel-5",
}
BY_AREA = {"field": "area", "train": ["Tile 1"], "val": ["Tile 2"]}
PAIRS = [f"Tile {area}/{layer}" for area in (1, 2) for layer in ("images/a.jpg", "images/b.jpg", "masks/a.png")]
FILES = (*PAIRS, "Tile 1/masks/b.png", "Tile 2/masks/b.png")
NAMES = ["Tile-1_a", "Tile-1_b", "Tile-2_a", "Tile-2_b"]


@pytest.fixture
def root(tmp_path):
    """A root with two scenes in each of two areas."""
    lay(tmp_path / "root", *FILES)
    return tmp_path / "root"


@pytest.fixture
def read(root, tmp_path):
    """A function that reads the root by a layout with other keys than `PLAIN`; None takes a key out."""

    def by_layout(**changes):
        data = {key: value for key, value in {**PLAIN, **changes}.items() if value is not None}
        path = tmp_path / "layout.yaml"
        path.write_text(yaml.safe_dump(data))
        return read_folders(root, path)

    return by_layout


def lay(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def splits(dataset):
    return {scene.name: scene.split for scene in dataset.scenes}


def test_every_scene_is_found_with_its_files(read, root):
    dataset = read()
    assert [scene.name for scene in dataset.scenes] == NAMES
    area = root / "Tile 1"
    assert dataset.scenes[0] == SceneFiles("Tile-1_a", area / "images/a.jpg", None, area / "masks/a.png")
    assert (dataset.name, dataset.optical_bands, dataset.sar_bands) == ("ours", ("red", "green", "blue"), ())
    assert (dataset.legend, dataset.coding) == (legend_named("sentinel-5"), coding_named("sentinel-5"))
    assert (dataset.size, dataset.edge, dataset.chips, dataset.notes, dataset.split_source) == (
        512,
        "drop",
        True,
        (),
        "",
    )
    assert pickle.loads(pickle.dumps(dataset)) == dataset


def test_what_the_layout_chooses_is_in_the_data_set(read, root):
    lay(root, *(f"Tile {area}/sar/{image}.tif" for area in (1, 2) for image in "ab"))
    bands = {"optical": ["red", "green", "blue"], "sar": ["vv"]}
    dataset = read(sar="{area}/sar/{image}.tif", bands=bands, size=64, edge="shift", chips=False, notes=["Old."])
    assert dataset.scenes[3].sar == root / "Tile 2/sar/b.tif"
    assert dataset.sar_bands == ("vv",)
    assert (dataset.size, dataset.edge, dataset.chips, dataset.notes) == (64, "shift", False, ("Old.",))


def test_a_legend_may_stand_in_the_layout_or_in_a_file_beside_it(read, tmp_path):
    inline = read(legend=LEGEND)
    (tmp_path / "legend.yaml").write_text(yaml.safe_dump(LEGEND))
    beside = read(legend="legend.yaml")
    for dataset in (inline, beside):
        assert dataset.legend.names == ("water",)
        assert dataset.coding.codes == {10: 1, NODATA: NODATA}
    with pytest.raises(LegendMismatchError, match=r"layout\.yaml: legend: classes\.0\.form: no such key"):
        read(legend={"classes": [{**LEGEND["classes"][0], "form": 1}]})
    with pytest.raises(LegendMismatchError, match="'sentinel-6'"):
        read(legend="sentinel-6")


def test_signs_in_names_become_hyphens_and_two_scenes_that_they_told_apart_are_refused(read, root):
    lay(root, "Tile 1/images/c (ä)+.jpg", "Tile 1/masks/c (ä)+.png")
    assert read().scenes[2].name == "Tile-1_c--ä--"
    lay(root, "Tile-1/images/a.jpg", "Tile-1/masks/a.png")
    with pytest.raises(TileSetError, match=r"Tile 1/images/a\.jpg and .*Tile-1/images/a\.jpg both .*'Tile-1_a'"):
        read()


def test_images_and_masks_may_lie_in_one_folder(tmp_path):
    root, layout = tmp_path / "data", tmp_path / "data/layout.yaml"
    lay(root, "a.tif", "a_mask.tif", "b.tif", "b_mask.tif", "b_sar.tif", "a_sar.tif", "train.txt")
    (root / "train.txt").write_text("a\nb\n")
    patterns = {"optical": "{id}.tif", "labels": "{id}_mask.tif", "sar": "{id}_sar.tif"}
    bands = {"optical": ["pan"], "sar": ["vv"]}
    layout.write_text(yaml.safe_dump({**PLAIN, **patterns, "bands": bands, "split": {"train": "train.txt"}}))
    assert splits(read_folders(root, layout)) == {"a": "train", "b": "train"}
    lay(root, "readme.md")
    with pytest.raises(TileSetError, match=r"1 files belong to no scene: the first is .*readme\.md"):
        read_folders(root, layout)


def test_scenes_may_share_labels(tmp_path):
    lay(tmp_path, "x/2020.tif", "x/2021.tif", "x/all.gpkg", "y/2020.tif", "y/all.gpkg", "x/more.txt")
    layout = tmp_path / "layout.yaml"
    layout.write_text(yaml.safe_dump({**PLAIN, "optical": "{area}/{year}.tif", "labels": "{area}/all.gpkg"}))
    with pytest.raises(TileSetError, match=r"more\.txt"):
        read_folders(tmp_path, layout)
    (tmp_path / "x/more.txt").unlink()
    assert [scene.labels.parent.name for scene in read_folders(tmp_path, layout).scenes] == ["x", "x", "y"]


def test_what_programs_lay_beside_files_is_no_scene(read, root):
    lay(root, "Tile 1/images/a.jgw", "Tile 1/masks/a.png.aux.xml", "Tile 1/images/.DS_Store", ".cache/images/c.jpg")
    assert len(read().scenes) == 4
    lay(root, "Tile 1/images/c.jgw")
    with pytest.raises(TileSetError, match=r"c\.jgw"):
        read()


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (
            ["Tile 1/masks/c.png", "Tile 3/masks/a.png"],
            r"2 files belong to no scene: the first is .*1/masks/c\.png; lab",
        ),
        (["Tile 1/masks/a.tif"], r"1 files belong to no scene: .*a\.tif; labels is '{area}/masks"),
        (["Tile 2/images/a.jpeg"], r"1 files belong to no scene: .*a\.jpeg; optical is '{area}/images"),
        (["Tile 1/images/c.jpg", "Tile 1/images/d.jpg"], r"2 files are missing: .*masks/c\.png, labels .*'Tile-1_c'"),
        (["Tile 1/images/c.jpg", "Tile 1/masks/c.tif"], r"1 files are missing: .*; 1 belong to none, .*c\.tif"),
    ],
)
def test_a_file_too_many_or_too_few_is_named_and_counted(read, root, extra, told):
    lay(root, *extra)
    with pytest.raises(TileSetError, match=told) as caught:
        read()
    assert "layout.yaml" in caught.value.hint


def test_a_folder_that_holds_nothing_is_noted(read, root):
    lay(root, "Tile 9/imgs/a.jpg", "Tile 8/x.txt")
    assert read(notes=["Old."]).notes[1:] == (
        "2 folder(s) hold no files like {area}/images/{image}.jpg and were left out: Tile 8, Tile 9.",
    )


def test_where_nothing_matches_the_pattern_and_a_few_files_are_shown(read, root, tmp_path):
    with pytest.raises(
        TileSetError, match=r"like optical 'images/{image}\.jpg'; there is Tile 1/images/a\.jpg, "
    ) as told:
        read(optical="images/{image}.jpg", labels="{image}.png")
    shown = sorted(FILES)[:5]
    assert str(told.value).endswith(f"; there is {', '.join(shown)}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TileSetError, match="there is no file"):
        read_folders(tmp_path / "empty", tmp_path / "layout.yaml")
    with pytest.raises(TileSetError, match=r"there is no folder .*nowhere"):
        read_folders(tmp_path / "nowhere", tmp_path / "layout.yaml")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"optcal": "x"}, "optcal: no such key; did you mean 'optical'"),
        ({"optical": None}, "optical is missing"),
        ({"labels": None}, "labels is missing"),
        ({"bands": {"optical": ["r"], "saar": []}}, r"bands\.saar: no such key; did you mean 'sar'"),
        ({"bands": {"optical": []}}, r"bands\.optical: .*at least 1"),
        ({"bands": {"optical": ["r"], "sar": ["vv"]}}, "bands.sar names the bands of sar"),
        ({"sar": "{area}/sar/{image}.tif"}, "bands.sar names the bands of sar"),
        ({"split": {"filed": "area"}}, r"split\.filed: no such key; did you mean 'field'"),
        ({"split": {"field": "area"}}, "split: a split says what is for train"),
        (
            {"split": {"field": "place", "train": ["x"]}},
            "split.field is 'place', the fields of optical are area, image",
        ),
        ({"split": {**BY_AREA, "val": ["Tile 1"]}}, "'Tile 1' is in train and in val"),
        ({"split": {"train": ["a.txt", "b.txt"]}}, "train is the name of one list file"),
        ({"split": {"train": "a.txt", "val": "a.txt"}}, "'a.txt' is in train and in val"),
        ({"group": "place"}, "group is 'place', the fields of optical are area, image"),
        ({"labels": "{area}/masks/{mask}.png"}, "labels uses {mask}, which optical"),
        ({"labels": PLAIN["optical"]}, "optical and labels are the same files"),
        ({"optical": "scene.tif", "labels": "labels.tif"}, "has no field"),
        ({"optical": "/data/{image}.tif"}, "optical: a pattern is names joined by '/'"),
        ({"optical": "../{image}.tif"}, "optical: a pattern is names joined by '/'"),
        ({"optical": "images/*.tif"}, "optical: a pattern has fields like"),
        ({"optical": "images/{im age}.tif"}, "optical: a pattern has fields like"),
        ({"optical": ["{image}.tif"]}, "optical: a pattern is text in quotes"),
        ({"size": 0}, "size: .*greater than 0"),
        ({"edge": "pad"}, "edge: .*'drop' or 'shift'"),
        ({"legend": 5}, "legend"),
    ],
)
def test_a_mistake_in_the_layout_is_told_with_the_file_and_the_key(read, changes, told):
    with pytest.raises(TileSetError, match=told) as caught:
        read(**changes)
    assert "layout.yaml" in str(caught.value)
    assert caught.value.hint


def test_a_layout_that_cannot_be_read_is_named(root, tmp_path):
    for text in (None, "- 1\n", "name: ["):
        if text is not None:
            (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(TileSetError, match=r"bad\.yaml"):
            read_folders(root, tmp_path / "bad.yaml")


def test_a_field_says_what_scenes_are_for(read):
    dataset = read(split=BY_AREA, group="area")
    assert splits(dataset) == dict(zip(NAMES, ["train", "train", "val", "val"], strict=True))
    assert [scene.group for scene in dataset.scenes] == ["Tile 1", "Tile 1", "Tile 2", "Tile 2"]
    assert dataset.split_source == "by area, as layout.yaml says"


def test_values_of_a_field_may_be_numbers(read):
    numbered = {"optical": "Tile {area}/images/{image}.jpg", "labels": "Tile {area}/masks/{image}.png"}
    dataset = read(**numbered, split={"field": "area", "test": 1, "train": [2]})
    assert splits(dataset) == {"1_a": "test", "1_b": "test", "2_a": "train", "2_b": "train"}


@pytest.mark.parametrize(
    ("split", "told"),
    [
        (
            {**BY_AREA, "test": ["Tile 3", "tile 1"]},
            r"split\.test names area 'Tile 3', 'tile 1', which .*'Tile 1', 'Til",
        ),
        ({"field": "area", "train": ["Tile 1"]}, "split leaves out 2 scenes, the first is 'Tile-2_a'"),
        (
            {"field": "image", "train": ["a"], "val": ["b"]},
            "tears area 'Tile 1' apart: 'Tile-1_a' is for train, 'Tile-1_b'",
        ),
    ],
)
def test_a_split_by_field_that_does_not_fit_is_told(read, split, told):
    with pytest.raises(TileSetError, match=told):
        read(split=split, group="area")


def test_lists_name_scenes_by_name_by_path_or_by_a_stem_of_their_own(read, root, tmp_path):
    lay(root, "Tile 3/images/c.jpg", "Tile 3/masks/c.png")
    (root / "train.txt").write_text("\ufeffTile-1_a\n\nTile 1/images/b.jpg\r\n Tile 2/masks/a.png \n")
    (tmp_path / "val.txt").write_text("c\nTile-2_b")  # beside the layout
    dataset = read(split={"train": "train.txt", "val": "val.txt"})
    assert splits(dataset) == {**dict.fromkeys(NAMES[:3], "train"), "Tile-2_b": "val", "Tile-3_c": "val"}
    assert dataset.split_source == "by the lists train.txt, val.txt"


@pytest.mark.parametrize(
    ("train", "val", "told"),
    [
        (NAMES, ["x", "y", NAMES[0]], r"2 of 3 lines of .*val\.txt .*line 1, 'x', which is no scene"),
        (NAMES, ["a"], r"1 of 1 lines of .*val\.txt .*'a', which stands for 2 scenes, such as 'Tile-1_a'"),
        (NAMES, NAMES[1:2], r"scene 'Tile-1_b' is in .*val\.txt, and also in .*train\.txt"),
        (NAMES[:2], NAMES[2:3], r"train\.txt, .*val\.txt leaves out 1 scenes, the first is 'Tile-2_b' \(.*b\.jpg\)"),
        (NAMES, None, r"val\.txt cannot be read"),
    ],
)
def test_lists_that_do_not_fit_are_told(read, root, train, val, told):
    (root / "train.txt").write_text("\n".join(train))
    if val is not None:
        (root / "val.txt").write_text("\n".join(val))
    with pytest.raises(TileSetError, match=told):
        read(split={"train": "train.txt", "val": "val.txt"})


def values_of(path, coding):
    """Counts of codes and unknown values in a real mask; a colour table is laid out as colours."""
    with rasterio.open(path) as file:
        values = file.read()
        palette = file.colormap(1) if file.colorinterp[0].name == "palette" else {}
    if coding.reads_colors(palette):
        table = np.zeros((256, 3), np.uint8)
        for number, color in palette.items():
            table[number] = color[:3]
        values = table[values[0]].transpose(2, 0, 1)
    codes, unknown = coding.translate(values)
    return Counter(dict(enumerate(np.bincount(codes.ravel()).tolist()))), unknown, bool(palette)


def shapes(*paths):
    found = set()
    for path in paths:
        with rasterio.open(path) as file:
            found.add((file.shape, file.transform))
    return found


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_folders_of_dubai_are_read_and_every_colour_in_them_is_known(shared_data, repository):
    dataset = read_folders(shared_data("dubai"), repository / "benchmarks/layouts/dubai.yaml")
    groups = {(scene.group, scene.split) for scene in dataset.scenes}
    assert groups == {*((f"Tile {area}", "train") for area in (1, 2, 3, 4)), ("Tile 5", "val"), ("Tile 7", "test")}
    assert set(Counter(scene.group for scene in dataset.scenes).values()) == {9}
    with_table = 0
    for scene in dataset.scenes[::5]:
        assert len(shapes(scene.optical, scene.labels)) == 1
        counts, unknown, has_table = values_of(scene.labels, dataset.coding)
        with_table += has_table
        assert unknown == {}
        assert sum(counts.values()) > counts[NODATA]
    assert with_table


def test_the_numbers_of_a_dubai_mask_are_refused_by_a_legend_that_numbers_otherwise(shared_data, repository):
    dataset = read_folders(shared_data("dubai"), repository / "benchmarks/layouts/dubai.yaml")
    mask = next(scene.labels for scene in dataset.scenes if scene.name == "Tile-2_image_part_001")
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), pytest.raises(RsfuseError, match="stands for class"):
        values_of(mask, LabelCoding.of(dataset.legend))


def test_the_chips_of_terramesh_are_read_and_every_code_in_them_is_known(shared_data, repository):
    dataset = read_folders(shared_data("terramesh_chips"), repository / "benchmarks/layouts/terramesh.yaml")
    assert len(dataset.scenes) == 5
    for scene in dataset.scenes:
        assert len(shapes(scene.optical, scene.sar, scene.labels)) == 1
        with rasterio.open(scene.optical) as optical, rasterio.open(scene.sar) as sar:
            assert (optical.count, sar.count) == (len(dataset.optical_bands), len(dataset.sar_bands))
        counts, unknown, _ = values_of(scene.labels, dataset.coding)
        assert (sum(counts.values()), counts[NODATA], unknown) == (224 * 224, 0, {})
