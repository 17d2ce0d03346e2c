"""Data sets by name."""

import pickle

import pytest

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.registry import DATASETS, open_dataset


@pytest.mark.parametrize(
    ("name", "near"),
    [("whu", "whu-opt-sar"), ("DDHR-SK", "ddhr"), ("deep-globe", "deepglobe"), ("qqqq", "pie-rgb-sar")],
)
def test_an_unknown_name_is_refused_with_the_nearest(tmp_path, name, near):
    with pytest.raises(TileSetError, match=f"no data set is called '{name}'") as caught:
        open_dataset(name, tmp_path)
    assert near in caught.value.hint


@pytest.mark.parametrize("name", DATASETS)
def test_an_empty_folder_is_no_data_set(tmp_path, name):
    with pytest.raises(TileSetError, match="there is nothing") as caught:
        open_dataset(name, tmp_path)
    assert caught.value.hint


@pytest.mark.parametrize("name", DATASETS)
def test_a_folder_that_is_missing_is_told(tmp_path, name):
    with pytest.raises(TileSetError, match="there is no folder"):
        open_dataset(name, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("whu-opt-sar", lambda publish: publish.whu(["NH49E001013"])),
        ("ddhr", lambda publish: publish.ddhr(["1"])),
        ("pie-rgb-sar", lambda publish: publish.pie(["1"])),
        ("yyx-opt-sar", lambda publish: publish.yyx(["1"])),
        ("deepglobe", lambda publish: publish.deepglobe(["1"])),
        ("inria", lambda publish: publish.inria(["austin1"])),
    ],
)
def test_every_data_set_travels_to_other_processes(publish, name, write):
    write(publish)
    dataset = open_dataset(name, publish.root)
    assert dataset.name == name
    assert pickle.loads(pickle.dumps(dataset)) == dataset
    assert all(note.endswith((".", ")")) for note in dataset.notes)
