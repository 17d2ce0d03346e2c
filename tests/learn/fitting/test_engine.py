"""What a recipe says of the engine is what happens: precision, stopping early, parts of a batch, memory of a run."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from rsfuse.errors import RsfuseError
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.fitting.fit import fit
from rsfuse.learn.fitting.land_cover import LandCover, LandCoverModule
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.recipes.augmentation import NO_AUGMENTATION

CPU = FitMeans(device="cpu")


def changed(recipe, **sections):
    """A recipe with some keys of its sections replaced."""
    parts = {name: getattr(recipe, name).model_copy(update=keys) for name, keys in sections.items()}
    return recipe.model_copy(update=parts)


def trained(recipe, tiles, folder, means=CPU):
    return fit(LandCover(recipe, [tiles], means), folder, means)


def test_a_run_that_does_not_improve_stops_early(recipe, tiles, tmp_path, monkeypatch):
    tell = LandCoverModule.tell_scores
    monkeypatch.setattr(LandCoverModule, "tell_scores", lambda self, scores: tell(self, dict.fromkeys(scores, 0.5)))
    report = trained(
        changed(recipe, training={"steps": 40, "validate_every": 2, "patience": 2}), tiles, tmp_path / "run"
    )
    last = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert report.step == 2
    assert last["global_step"] == 6  # two validations without a better score


def test_epochs_go_through_every_tile(recipe, tiles, tmp_path):
    counted = changed(recipe, training={"steps": None, "epochs": 2, "validate_every": 1, "balance": False})
    report = trained(counted, tiles, tmp_path / "run")
    kept = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert kept["global_step"] == 2 * 12 // 4
    assert report.step in (3, 6)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains(recipe, tiles, tmp_path, precision):
    report = trained(changed(recipe, training={"precision": precision, "steps": 5}), tiles, tmp_path / "run")
    weights = Bundle.open(report.folder).network().state_dict()
    assert all(weight.isfinite().all() for weight in weights.values())


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_other_optimizers_learn(recipe, tiles, tmp_path, name):
    lr = {"adam": 5e-3, "sgd": 5e-2}[name]
    quick = changed(
        recipe, training={"steps": 80, "validate_every": 40, "average": 0.0}, optimizer={"name": name, "lr": lr}
    )
    report = trained(quick.model_copy(update={"augmentation": NO_AUGMENTATION}), tiles, tmp_path / "run")
    assert report.scores["oa"] > 0.5  # chance is 0.2


def test_averaged_weights_are_not_the_last_ones(recipe, tiles, tmp_path):
    plain = trained(changed(recipe, training={"average": 0.0, "steps": 5}), tiles, tmp_path / "plain")
    averaged = trained(changed(recipe, training={"average": 0.9, "steps": 5}), tiles, tmp_path / "averaged")
    weights = [load_file(each.folder / "weights.safetensors") for each in (plain, averaged)]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_tile_that_breaks_stops_the_run_and_is_named(recipe, labelled_scene, tmp_path):
    from rsfuse.raster.tiles import TileSet
    from rsfuse.tasks.tile import TileSettings, tile
    from tests.learn.conftest import A_QUARTER, TILE, as_dataset

    tile(as_dataset(labelled_scene), tmp_path / "tiles", TileSettings(size=TILE, rule=A_QUARTER))
    tiles = TileSet(tmp_path / "tiles")
    broken = sorted((tmp_path / "tiles").rglob("*optical*/*.tif"))
    assert broken
    for path in broken:
        path.write_bytes(path.read_bytes()[:300])
    for workers in (0, 1):
        with pytest.raises(RsfuseError, match=r"\.tif") as caught:
            trained(recipe, tiles, tmp_path / "run", FitMeans(device="cpu", workers=workers))
        assert "Traceback" not in str(caught.value)
        assert caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.5, 2.5])
def test_a_run_killed_and_resumed_ends_with_the_bytes_of_an_undisturbed_one(tiles, small_network, tmp_path, seconds):
    settings = [*small_network, "training.batch=2", "training.steps=60", "training.validate_every=6"]
    command = [sys.executable, "-m", "rsfuse", "train", "pad_sentinel-10m", "--tiles", str(tiles.folder)]
    command += ["--device", "cpu", *(part for each in settings for part in ("--set", each))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "-o", tmp_path / "whole", "-q"], check=True, env=environment)
    with subprocess.Popen(
        [*command, "-o", tmp_path / "cut"], env=environment, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        while not re.search("step 6 of", running.stderr.readline()):
            assert running.poll() is None
        time.sleep(seconds)
        running.send_signal(signal.SIGKILL)
    assert not (tmp_path / "cut/bundle.yaml").exists()
    subprocess.run([*command, "-o", tmp_path / "cut", "-q", "--resume"], check=True, env=environment)
    whole, cut = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "cut"))
    assert whole == cut
