"""From PanCollection's files to a step of training, without a copy of any pixel."""

import json
import os
import pickle
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from rsfuse.errors import OutputError, TileSetError
from rsfuse.raster.sharpening.patches import SharpeningSet, write_sharpening_set
from rsfuse_models import create_sharpener

COUNTS = {"train_gf2.h5": 5, "valid_gf2.h5": 2, "test_gf2_multiExm1.h5": 3, "test_gf2_OrigScale_multiExm1.h5": 3}
SPLITS = dict(zip(COUNTS, ("train", "val", "test", "full"), strict=True))


@pytest.fixture
def root(tmp_path):
    """PanCollection in miniature: smooth images in float64 as filters leave them, 1023 the largest number."""
    generator = np.random.default_rng(0)
    root = tmp_path / "gf2"
    root.mkdir()
    for name, count in COUNTS.items():
        gt = 1023 * generator.random((count, 4, 16, 16)).cumsum(-1) / 16
        ms = gt.reshape(count, 4, 4, 4, 4, 4).mean((3, 5))
        held = {"ms": ms, "lms": ms.repeat(4, -1).repeat(4, -2), "pan": gt.mean(1, keepdims=True)}
        with h5py.File(root / name, "w") as file:
            for key, values in (held if "OrigScale" in name else held | {"gt": gt}).items():
                file[key] = values
    return root


@pytest.fixture
def folder(root, tmp_path):
    """The set of it."""
    write_sharpening_set(root, tmp_path / "set")
    return tmp_path / "set"


def test_one_step_of_training_moves_cf2n(folder):
    patches = SharpeningSet(folder)
    maximum = patches.header.maximum
    samples = [patches.read(entry) for entry in patches.select("train")]
    pan, ms, reference = (
        torch.from_numpy(np.stack([getattr(sample, name) for sample in samples]) / np.float32(maximum))
        for name in ("pan", "ms", "reference")
    )
    assert max(pan.max(), ms.max(), reference.max()) <= 1
    torch.manual_seed(0)
    network = create_sharpener("cf2n", bands=len(patches.header.bands), ratio=patches.header.ratio, channels=6)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    before = torch.nn.utils.parameters_to_vector(network.parameters()).detach().clone()
    loss = F.l1_loss(network(pan, ms), reference)
    loss.backward()
    optimiser.step()
    after = torch.nn.utils.parameters_to_vector(network.parameters()).detach()
    assert loss.isfinite()
    assert loss > 0
    assert after.isfinite().all()
    assert not torch.equal(after, before)


def test_a_patch_is_what_h5py_reads(root, folder):
    with SharpeningSet(folder) as patches:
        assert len(patches.entries) == sum(COUNTS.values())
        for entry in patches.entries:
            sample = patches.read(entry)
            with h5py.File(root / entry.file) as file:
                np.testing.assert_array_equal(sample.ms, file["ms"][entry.index].astype(np.float32))
                np.testing.assert_array_equal(sample.pan, file["pan"][entry.index].astype(np.float32))
                if entry.split == "full":
                    assert sample.reference is None
                else:
                    np.testing.assert_array_equal(sample.reference, file["gt"][entry.index].astype(np.float32))
            assert (entry.height, entry.width) == sample.pan.shape[1:]
            assert {sample.ms.dtype, sample.pan.dtype} == {np.dtype(np.float32)}


def test_splits_are_those_of_the_files(folder):
    patches = SharpeningSet(folder)
    for name, split in SPLITS.items():
        chosen = patches.select(split)
        assert [(entry.file, entry.index) for entry in chosen] == [(name, index) for index in range(COUNTS[name])]
    assert len({entry.name for entry in patches.entries}) == len(patches.entries)


def test_pandas_opens_the_manifest_with_one_row_a_patch(folder):
    table = pd.read_json(folder / "tiles.json", orient="table")
    assert list(table.columns) == ["name", "split", "file", "index", "height", "width"]
    assert table.groupby("file").size().to_dict() == COUNTS
    assert table.groupby("split").size().to_dict() == {SPLITS[name]: count for name, count in COUNTS.items()}
    assert set(table["height"]) == set(table["width"]) == {16}


def test_the_manifest_knows_the_sensor(root, folder):
    header = SharpeningSet(folder).header
    assert (header.sensor, header.maximum, header.ratio) == ("gf2", 1023, 4)
    assert header.bands == tuple(band.name for band in header.statistics.ms) == ("blue", "green", "red", "nir")
    with h5py.File(root / "train_gf2.h5") as file:
        means = file["ms"][:].mean((0, 2, 3))
        assert header.statistics.pan.mean == pytest.approx(file["pan"][:].mean(), rel=1e-6)
    assert [band.mean for band in header.statistics.ms] == pytest.approx(means, rel=1e-6)


def test_the_folder_holds_nothing_but_the_manifest(folder):
    assert [path.name for path in folder.iterdir()] == ["tiles.json"]


def test_the_report_tells_how_many_patches_there_are(root, tmp_path):
    report = write_sharpening_set(root, tmp_path / "set")
    assert report.written
    assert report.patches == {SPLITS[name]: count for name, count in COUNTS.items()}
    assert (report.folder, report.sensor, report.notes) == (tmp_path / "set", "gf2", ())


def test_tests_alone_make_a_set_without_statistics(root, tmp_path):
    (root / "train_gf2.h5").unlink()
    report = write_sharpening_set(root, tmp_path / "set")
    assert report.notes == ("There is no training file.",)
    patches = SharpeningSet(tmp_path / "set")
    assert patches.header.statistics is None
    assert patches.header.notes == report.notes
    assert patches.select("train") == []


def test_a_second_run_does_nothing_and_says_so(root, folder):
    path = folder / "tiles.json"
    before = path.read_bytes(), path.stat().st_mtime_ns
    report = write_sharpening_set(root, folder)
    assert not report.written
    assert report.patches["train"] == 5
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_two_runs_write_the_same_bytes(root, folder, tmp_path):
    write_sharpening_set(root, tmp_path / "again")
    assert (tmp_path / "again/tiles.json").read_bytes() == (folder / "tiles.json").read_bytes()


def test_what_a_killed_run_left_is_in_nobodys_way(root, tmp_path):
    part = tmp_path / "set/.tiles.json.part"
    part.parent.mkdir()
    part.write_text('{"schema"')
    assert write_sharpening_set(root, tmp_path / "set").written
    assert not part.exists()


def test_a_set_of_other_files_is_replaced_on_request_only(root, folder):
    (root / "valid_gf2.h5").unlink()
    with pytest.raises(OutputError, match=r"is not empty: it holds tiles\.json") as caught:
        write_sharpening_set(root, folder)
    assert "--overwrite" in caught.value.hint
    assert write_sharpening_set(root, folder, overwrite=True).written
    assert SharpeningSet(folder).select("val") == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_tiles_of_another_kind_are_never_replaced(root, tmp_path, overwrite):
    folder = tmp_path / "tiles"
    (folder / "optical").mkdir(parents=True)
    (folder / "tiles.json").write_text("{}")
    with pytest.raises(OutputError, match=r"is not empty: it holds optical, tiles\.json") as caught:
        write_sharpening_set(root, folder, overwrite=overwrite)
    assert "--overwrite" not in caught.value.hint
    assert (folder / "tiles.json").read_text() == "{}"
    with pytest.raises(OutputError, match="is a file"):
        write_sharpening_set(root, folder / "tiles.json", overwrite=overwrite)


def test_nothing_is_written_where_a_value_is_wrong(root, tmp_path):
    with h5py.File(root / "valid_gf2.h5", "r+") as file:
        file["gt"][1, 0, 0, 0] = 2047
    with pytest.raises(TileSetError, match=r"valid_gf2\.h5: patch 1 of 'gt'"):
        write_sharpening_set(root, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_file_that_is_gone_or_has_changed_is_told(root, folder):
    patches = SharpeningSet(folder)
    path = root / "train_gf2.h5"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b" ")
    told = rf"train_gf2\.h5 has {size + 1} bytes; it had {size} when .*tiles\.json was written"
    with pytest.raises(TileSetError, match=told):
        SharpeningSet(folder)
    with pytest.raises(TileSetError, match=told) as caught:
        patches.read(patches.select("train")[0])
    assert "--overwrite" in caught.value.hint
    path.unlink()
    with pytest.raises(TileSetError, match=r"train_gf2\.h5, which .*tiles\.json names, is gone"):
        SharpeningSet(folder)
    patches.read(patches.select("val")[0])


def damage(folder, change):
    document = json.loads((folder / "tiles.json").read_text())
    change(document)
    (folder / "tiles.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda document: document["rsfuse"].update(kind="tiles"), "is of tiles, not of patches"),
        (lambda document: document["rsfuse"].pop("kind"), "is of another kind"),
        (lambda document: document["rsfuse"].update(version=2), "version: Input should be 1"),
        (lambda document: document["data"][0].update(split="training"), r"0\.split: Input should be"),
        (lambda document: document["rsfuse"]["files"].pop("valid_gf2.h5"), r"has patches of valid_gf2\.h5"),
        (lambda document: document.pop("data"), "has no 'data'"),
    ],
)
def test_a_manifest_that_is_none_of_ours_is_told(folder, change, told):
    damage(folder, change)
    with pytest.raises(TileSetError, match=told):
        SharpeningSet(folder)


def test_a_folder_without_a_manifest_is_told(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(TileSetError, match=r"has no tiles\.json") as caught:
            SharpeningSet(folder)
        assert f"rsfuse tile --dataset pancollection ROOT --out {folder}" in caught.value.hint
        assert "again" not in caught.value.hint
        assert "--overwrite" not in caught.value.hint


def test_a_set_that_was_read_from_travels_to_another_process(folder):
    patches = SharpeningSet(folder)
    entry = patches.select("test")[2]
    expected = patches.read(entry)
    travelled = pickle.loads(pickle.dumps(patches))
    patches.close()
    np.testing.assert_array_equal(travelled.read(entry).reference, expected.reference)
    np.testing.assert_array_equal(patches.read(entry).pan, expected.pan)  # a closed set opens again


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_reads_from_files_of_its_own(folder):
    code = f"""
import os, sys
from pathlib import Path
import numpy as np
from rsfuse.raster.sharpening.patches import SharpeningSet
patches = SharpeningSet(Path({str(folder)!r}))
expected = [patches.read(entry).pan for entry in patches.entries]
before = dict(patches._handles)
child = os.fork()
for _ in range(20):
    for entry, pan in zip(patches.entries, expected):
        if not np.array_equal(patches.read(entry).pan, pan):
            os._exit(3)
if child == 0:
    os._exit(4 if any(patches._handles[name] is opened for name, opened in before.items()) else 0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
