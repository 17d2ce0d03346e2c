"""`rsfuse train`: its plan, its mistakes."""

import json
import signal

import numpy as np
import pytest

from rsfuse.learn.fitting.land_cover import LandCoverModule


@pytest.fixture
def tiles(rsfuse, raster):
    """Folder of tiles of a scene in stripes, 64 px each."""
    labels = (np.add.outer(np.arange(300) // 20, np.arange(300) // 30) % 5).astype(np.uint8)
    optical = (labels * 40 + 30 + np.random.default_rng(0).normal(0, 5, (3, 300, 300))).astype(np.uint8)
    files = raster("scene.tif", values=optical), raster("sar.tif", values=optical[:1])
    options = ("--labels", raster("labels.tif", values=labels[None]), "--legend", "sentinel-5", "--size", "64")
    done = rsfuse("tile", files[0], "--sar", files[1], *options, "--val", "0.25", "--test", "0", "-o", "tiles")
    assert done.exit_code == 0, done.stderr
    return "tiles"


@pytest.fixture
def small(small_network):
    length = "training.batch=4", "training.validate_every=3", "training.steps=6"
    return [f"--set={setting}" for setting in (*small_network, *length)]


def test_a_dry_run_tells_the_plan_and_leaves_nothing(rsfuse, tiles, small, tmp_path):
    result = rsfuse("train", "pad_sentinel-10m", "--tiles", tiles, "-o", "run", *small, "--dry-run", "--json")
    assert result.exit_code == 0, result.stderr
    plan = json.loads(result.stdout)
    assert (plan["network"], plan["steps"], plan["validations"], plan["batch"]) == ("pad", 6, 2, 4)
    assert plan["tiles"]["val"] > 0
    assert plan["memory"]["activations"] > 0
    assert not (tmp_path / "run").exists()
    told = rsfuse("train", "pad_sentinel-10m", "--tiles", tiles, "-o", "run", *small, "--dry-run")
    assert f"{plan['parameters']:,} parameters" in told.stdout


def mistake(result, *told):
    """Two lines, exit 2."""
    assert result.exit_code == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert "hint:" in result.stderr
    for each in told:
        assert each in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["pad_sentinel-10"], ["did you mean", "pad_sentinel-10m"]),
        (["pad_sentinel-10m", "--set=training.stepz=3"], ["training.stepz", "'steps'"]),
        (["pad_sentinel-10m", "--set=network.encodr=resnet18"], ["encodr", "'encoder'"]),
        (["pad_sentinel-10m", "--set=network.name=pat"], ["'pat'", "'pad'"]),
        (["pad_sentinel-10m", "--set=network.encoder_weights=gone.safetensors"], ["gone.safetensors"]),
        (["pad_porto-alegre", "--devices", "3", "--device", "cpu"], ["batch of 4", "training.batch=6"]),
        (["pad_porto-alegre", "--accumulate", "3"], ["batch of 4", "3 part(s)"]),
        (["cf2n_gf2"], ["tiles"]),
    ],
)
def test_a_mistake_is_told_in_two_lines(rsfuse, tiles, tmp_path, arguments, told):
    mistake(rsfuse("train", *arguments, "--set=training.crop=64", "--tiles", tiles, "-o", "run"), *told)
    assert not (tmp_path / "run").exists()


def test_weights_that_would_have_to_be_downloaded_are_told_where_there_is_no_network(
    rsfuse, tiles, monkeypatch, tmp_path
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    settings = ["--set=network.encoder=convnextv2_atto.fcmae_ft_in1k", "--set=network.stages=null"]
    settings.append("--set=training.crop=64")
    result = rsfuse(
        *("train", "pad_sentinel-10m", "--tiles", tiles, "-o", "run"), *settings, "--set=network.pretrained=timm"
    )
    mistake(result, "convnextv2_atto", "encoder_weights")
    assert not (tmp_path / "run/bundle.yaml").exists()


@pytest.mark.parametrize(("step", "told"), [(1, "no checkpoint yet"), (4, "--resume")])
def test_control_c_says_whether_the_run_can_be_gone_on_with(rsfuse, tiles, small, monkeypatch, step, told):
    whole = LandCoverModule.training_step

    def interrupt(self, batch):
        if self.trainer.global_step == step:
            raise KeyboardInterrupt
        return whole(self, batch)

    monkeypatch.setattr(LandCoverModule, "training_step", interrupt)
    handler = signal.getsignal(signal.SIGINT)
    try:
        result = rsfuse("train", "pad_sentinel-10m", "--tiles", tiles, "-o", "run", *small, "--device", "cpu")
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning leaves it switched off
    assert result.exit_code == 130
    assert told in result.stderr
    assert "nothing was left" not in result.stderr
