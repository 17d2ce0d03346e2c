"""Several processes share each batch, and learn what one would."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from rsfuse.errors import RecipeError
from rsfuse.learn.fitting.means import FitMeans

WITHOUT_CHANCE = """
import torch
torch.nn.Dropout2d.forward = lambda self, image: image  # it is drawn by each process for itself
from rsfuse.cli import main
if __name__ == "__main__":  # workers import this file, too
    main()
"""
# no batch normalisation, which would see half of the batch in each of two processes on a CPU
NETWORK = "network={name: early-fusion, architecture: fpn, encoder: tu-test_convnext}"
SETTINGS = (
    *(NETWORK, "loss={class_weights: inverse-root}", "optimizer={name: sgd, lr: 0.05}", "schedule={name: constant}"),
    "training={steps: 4, validate_every: 2, batch: 4, crop: 32, balance: true, average: 0.9}",
    "augmentation={flips: true, speckle: 0.3}",  # nothing that leaves one share fewer labelled pixels than another
)
LAUNCHERS = {
    "one process": ([], []),
    "one process in two parts": ([], ["--accumulate", "2"]),
    "two processes": ([], ["--devices", "2"]),
    "torchrun": (["-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"], []),
}


@pytest.fixture(scope="module")
def train(tiles, tmp_path_factory):
    """A function that trains on the command line under a launcher; it returns the weights and what was told."""
    folder = tmp_path_factory.mktemp("processes")
    script = folder / "rsfuse_without_chance.py"
    script.write_text(WITHOUT_CHANCE, encoding="utf-8")

    def run(launcher):
        python, options = LAUNCHERS[launcher]
        out = folder / launcher.replace(" ", "-")
        settings = [part for each in SETTINGS for part in ("--set", each)]
        command = [sys.executable, *python, str(script), "train", "pad_sentinel-10m", "--tiles", str(tiles.folder)]
        done = subprocess.run(
            [*command, "-o", str(out), "--device", "cpu", "--json", *settings, *options],
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        return load_file(out / "weights.safetensors"), json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def alone(train):
    return train("one process")


@pytest.mark.parametrize("launcher", [each for each in LAUNCHERS if each != "one process"])
def test_however_a_batch_is_shared_out_the_weights_are_the_same(train, alone, launcher):
    weights, told = train(launcher)
    assert weights.keys() == alone[0].keys()
    for name, weight in alone[0].items():
        torch.testing.assert_close(weights[name], weight, rtol=2e-3, atol=1e-3)  # stored as float16
    assert told["best"] == pytest.approx(alone[1]["best"], abs=2e-3)


def test_a_batch_that_cannot_be_shared_out_is_refused_with_one_that_can():
    with pytest.raises(RecipeError, match=r"batch of 6 .* 2 device\(s\) x 2 node\(s\)") as caught:
        FitMeans(devices=2, nodes=2).samples_at_once(6)
    assert "training.batch=8" in (caught.value.hint or "")


def test_slurm_says_how_many_processes_there_are(monkeypatch):
    for name, value in {"SLURM_NTASKS": "8", "SLURM_NNODES": "2", "SLURM_JOB_NAME": "train"}.items():
        monkeypatch.setenv(name, value)
    assert FitMeans().processes == (4, 2)
    assert FitMeans(devices=1, nodes=1).processes == (1, 1)


def test_torchrun_says_how_many_processes_there_are(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "3", "GROUP_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert FitMeans().processes == (3, 2)


@pytest.mark.parametrize(
    ("environment", "nodes", "first"),
    [
        ({}, None, True),
        ({"LOCAL_RANK": "1"}, None, False),
        ({"NODE_RANK": "1"}, None, True),  # a cluster's own number for a machine on which one process runs alone
        ({"NODE_RANK": "1"}, 2, False),
        ({"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "2", "RANK": "2", "LOCAL_RANK": "0"}, None, False),
        ({"SLURM_NTASKS": "2", "SLURM_PROCID": "1"}, None, False),
        ({"SLURM_NTASKS": "2", "SLURM_PROCID": "0"}, None, True),
    ],
)
def test_one_process_speaks_for_all(monkeypatch, environment, nodes, first):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert FitMeans(nodes=nodes).first is first
