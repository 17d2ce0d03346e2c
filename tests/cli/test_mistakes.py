"""A user's mistake gets two lines and exit code 2, and leaves nothing half-written behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from affine import Affine


def told(result, *words):
    """Check that a run failed as mistakes do, and that its message holds these words."""
    assert result.exit_code == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    hints = [line for line in lines if line.startswith("hint: ")]
    assert len(errors) == 1
    assert len(hints) == 1
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in errors[0] + hints[0], result.stderr


def left_behind(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def nothing_new(tmp_path):
    """After the test the folder holds what it held when `remember` was called."""
    before = []
    yield lambda: before.extend(left_behind(tmp_path))
    assert left_behind(tmp_path) == before


def test_a_missing_file(rsfuse, raster, nothing_new):
    nothing_new()
    told(rsfuse("predict", "nowhere.tif"), "nowhere.tif")


def test_a_missing_sar_file(rsfuse, raster, nothing_new):
    scene = raster("scene.tif")
    nothing_new()
    told(rsfuse("predict", scene, "--sar", "nowhere.tif"), "nowhere.tif")


def test_a_file_that_is_no_raster(rsfuse, tmp_path, nothing_new):
    (tmp_path / "scene.tif").write_text("not a raster")
    nothing_new()
    told(rsfuse("predict", "scene.tif"), "scene.tif")


def test_no_overlap(rsfuse, raster, nothing_new):
    scene = raster("scene.tif")
    sar = raster("sar.tif", bands=1, transform=Affine(10, 0, 700_000, 0, -10, 4_000_000))
    nothing_new()
    told(rsfuse("predict", scene, "--sar", sar), "sar.tif lies elsewhere", "lon")


def test_one_raster_without_a_crs(rsfuse, raster, nothing_new):
    scene = raster("scene.tif")
    sar = raster("sar.tif", bands=1, crs=None)
    nothing_new()
    told(rsfuse("predict", scene, "--sar", sar), "CRS")


def test_a_band_count_that_the_bundle_does_not_know(rsfuse, raster, nothing_new):
    scene = raster("scene.tif", values=np.ones((4, 300, 300), np.uint16))
    nothing_new()
    told(rsfuse("predict", scene), "4 bands", "3", "--optical-bands")


def test_a_band_that_is_not_there(rsfuse, raster, nothing_new):
    scene = raster("scene.tif")
    nothing_new()
    told(rsfuse("predict", scene, "--optical-bands", "1,2,9"), "9")


def test_a_truncated_tiff(rsfuse, raster, nothing_new):
    scene = raster("scene.tif", side=600)
    scene.write_bytes(scene.read_bytes()[: scene.stat().st_size // 2])
    nothing_new()
    told(rsfuse("predict", scene), "scene.tif")


def test_an_output_that_exists_is_not_touched(rsfuse, raster, tmp_path, nothing_new):
    scene = raster("scene.tif")
    (tmp_path / "scene_landcover.tif").write_text("precious")
    nothing_new()
    told(rsfuse("predict", scene), "scene_landcover.tif", "--overwrite")
    assert (tmp_path / "scene_landcover.tif").read_text() == "precious"


def test_an_output_folder_that_does_not_exist(rsfuse, raster, nothing_new):
    scene = raster("scene.tif")
    nothing_new()
    told(rsfuse("predict", scene, "-o", "nowhere/map.tif"), "nowhere")


def test_an_unknown_bundle(rsfuse, raster, nothing_new):
    scene = raster("scene.tif")
    nothing_new()
    told(rsfuse("predict", scene, "--bundle", "nonesuch"), "nonesuch", "sentinel-10m")


def test_an_unknown_device(rsfuse, raster, nothing_new):
    scene = raster("scene.tif")
    nothing_new()
    told(rsfuse("predict", scene, "--device", "abacus"), "abacus", "--device")


def test_a_label_code_outside_the_legend(rsfuse, raster, nothing_new):
    scene = raster("scene.tif")
    codes = np.zeros((1, 300, 300), np.uint8)
    codes[0, 10, 10:13] = 77
    labels = raster("labels.tif", values=codes)
    nothing_new()
    told(
        rsfuse("tile", scene, "--labels", labels, "--legend", "sentinel-5", "--size", "64", "-o", "tiles"),
        "77 (3 px)",
        "labels.tif",
    )


def test_an_unknown_legend(rsfuse, raster, nothing_new):
    scene = raster("scene.tif")
    nothing_new()
    told(rsfuse("tile", scene, "--labels", scene, "--legend", "clouds", "-o", "tiles"), "clouds", "whu-opt-sar")


def test_a_folder_that_holds_no_tiles(rsfuse, tmp_path, nothing_new):
    (tmp_path / "tiles").mkdir()
    nothing_new()
    told(rsfuse("train", "pad_demo", "--tiles", "tiles", "-o", "run"), "tiles")


def test_an_unknown_recipe(rsfuse, nothing_new):
    nothing_new()
    told(rsfuse("train", "nonesuch", "--tiles", "tiles", "-o", "run"), "nonesuch", "rsfuse recipes")


def test_eval_without_anything_to_compare(rsfuse, nothing_new):
    nothing_new()
    told(rsfuse("eval", "map.tif"), "--bundle")


def test_info_on_a_folder_of_nothing(rsfuse, tmp_path, nothing_new):
    (tmp_path / "empty").mkdir()
    nothing_new()
    told(rsfuse("info", "empty"), "empty")


def test_a_full_disk_leaves_nothing_under_the_final_name(rsfuse, raster, small_disk):
    scene = raster("scene.tif", side=1500)
    result = rsfuse("predict", scene, "-o", small_disk / "map.tif")
    told(result, "map.tif", "free")
    assert not (small_disk / "map.tif").exists()
    assert list(small_disk.iterdir()) == []


def test_an_interrupted_prediction_exits_with_130_leaving_nothing(rsfuse, raster, tmp_path, monkeypatch, nothing_new):
    from rsfuse.learn.runtimes.eager import EagerPredictor

    def interrupt(*_):
        raise KeyboardInterrupt

    scene = raster("scene.tif")
    monkeypatch.setattr(EagerPredictor, "score", interrupt)
    nothing_new()
    result = rsfuse("predict", scene)
    assert result.exit_code == 130
    assert "interrupted" in result.stderr
    assert not Path("scene_landcover.tif").exists()


def test_control_c_in_the_middle_exits_with_130_and_keeps_what_is_done(raster, tmp_path):
    raster("scene.tif", side=1200)
    command = [sys.executable, "-m", "rsfuse", "predict", "scene.tif", "--device", "cpu"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    journal = tmp_path / ".scene_landcover.tif.parts" / "done.jsonl"
    while not journal.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert "512 rows are kept in" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == [".scene_landcover.tif.parts", "scene.tif"]
