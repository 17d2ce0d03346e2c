"""A run is gone on with wherever it stopped, as the run that it was; and what is no run is left alone."""

import csv
import errno
import math
import shutil

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from rsfuse.errors import OutputError, RecipeError
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.fitting.land_cover import LandCoverModule
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.tasks.train import train

CPU = FitMeans(device="cpu")
AGAIN = FitMeans(device="cpu", resume=True)


def changed(recipe, **training):
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=training)})


@pytest.fixture
def power_cut(monkeypatch):
    """A function that lets training fail at a step, and one that lets it go on."""
    whole = LandCoverModule.training_step

    def at(stop):
        def step(self, batch):
            if self.trainer.global_step == stop:
                raise RuntimeError("power cut")
            return whole(self, batch)

        monkeypatch.setattr(LandCoverModule, "training_step", step)

    return at


def broken_off(recipe, tiles, folder, power_cut, step=7, means=CPU):
    """A run that a power cut ended in a step."""
    power_cut(step)
    with pytest.raises(RuntimeError, match="power cut"):
        train(recipe, [tiles.folder], folder, means)
    power_cut(math.inf)


def weights(folder):
    return (folder / "weights.safetensors").read_bytes()


def log(folder):
    with (folder / "logs/metrics.csv").open() as file:
        return list(csv.DictReader(file))


def last(folder):
    return torch.load(folder / "checkpoints/last.ckpt", weights_only=True)


def test_a_run_that_was_moved_ends_as_one_that_was_not_disturbed(recipe, tiles, tmp_path, power_cut):
    train(recipe, [tiles.folder], tmp_path / "whole", CPU)
    broken_off(recipe, tiles, tmp_path / "here", power_cut)
    (tmp_path / "here").rename(tmp_path / "there")
    train(recipe, [tiles.folder], tmp_path / "there", AGAIN)
    assert weights(tmp_path / "there") == weights(tmp_path / "whole")
    assert not (tmp_path / "here").exists()
    assert sorted(each.name for each in (tmp_path / "there/checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_the_log_of_a_resumed_run_is_that_of_the_whole_run(recipe, tiles, tmp_path, power_cut):
    long = changed(recipe, steps=15)
    train(long, [tiles.folder], tmp_path / "whole", CPU)
    broken_off(long, tiles, tmp_path / "cut", power_cut, 7)
    broken_off(long, tiles, tmp_path / "cut", power_cut, 12, AGAIN)
    train(long, [tiles.folder], tmp_path / "cut", AGAIN)
    logs = [[row for row in log(tmp_path / name) if row["val/miou"]] for name in ("whole", "cut")]
    assert [row["step"] for row in logs[0]] == ["5", "10", "15"]
    for one, other in zip(*logs, strict=True):
        assert {name: float(one[name]) for name in ("step", "val/miou", "val/oa")} == pytest.approx(
            {name: float(other[name]) for name in ("step", "val/miou", "val/oa")}
        )
    assert sum(bool(row["train/loss"]) for row in log(tmp_path / "cut")) == 3


def test_a_run_that_had_stopped_early_stays_stopped_until_it_is_given_more_patience(
    recipe, tiles, tmp_path, monkeypatch
):
    tell = LandCoverModule.tell_scores
    monkeypatch.setattr(LandCoverModule, "tell_scores", lambda self, scores: tell(self, dict.fromkeys(scores, 0.5)))
    impatient = changed(recipe, steps=20, validate_every=2, patience=2)
    folder = tmp_path / "run"
    train(impatient, [tiles.folder], folder, CPU)
    assert last(folder)["global_step"] == 6
    before = weights(folder)
    train(impatient, [tiles.folder], folder, AGAIN)
    assert last(folder)["global_step"] == 6
    assert weights(folder) == before
    train(changed(impatient, patience=4), [tiles.folder], folder, AGAIN)
    assert last(folder)["global_step"] == 10


@pytest.mark.parametrize(("steps", "validated"), [(7, [5, 7]), (3, [3]), (10, [5, 10])])
def test_the_last_steps_are_judged_like_all_others(recipe, tiles, tmp_path, steps, validated):
    train(changed(recipe, steps=steps), [tiles.folder], tmp_path / "run", CPU)
    assert [int(row["step"]) for row in log(tmp_path / "run") if row["val/miou"]] == validated
    assert last(tmp_path / "run")["global_step"] == steps


def test_another_recipe_is_refused_with_what_differs(recipe, tiles, tmp_path, power_cut):
    broken_off(recipe, tiles, tmp_path / "run", power_cut)
    with pytest.raises(RecipeError, match=r"training\.seed was 42, now 7") as caught:
        train(changed(recipe, seed=7), [tiles.folder], tmp_path / "run", AGAIN)
    assert "--out" in (caught.value.hint or "")
    assert last(tmp_path / "run")["global_step"] == 5
    storage = recipe.model_copy(update={"storage": "float32", "description": "Another."})
    assert train(storage, [tiles.folder], tmp_path / "run", AGAIN)


def test_a_run_without_a_checkpoint_begins_anew(recipe, tiles, tmp_path, power_cut):
    broken_off(recipe, tiles, tmp_path / "run", power_cut, step=2)
    assert not (tmp_path / "run/checkpoints").exists()
    for folder in (tmp_path / "run", tmp_path / "never-begun"):
        assert train(changed(recipe, steps=2), [tiles.folder], folder, AGAIN)


def test_a_folder_that_holds_no_run_is_not_gone_on_with(recipe, tiles, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.txt").write_text("one", encoding="utf-8")
    with pytest.raises(OutputError, match=r"last\.ckpt is not there.*chapter\.txt"):
        train(recipe, [tiles.folder], tmp_path / "thesis", AGAIN)
    assert [each.name for each in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]


@pytest.mark.parametrize("means", [CPU, AGAIN])
def test_a_file_is_no_place_for_a_bundle(recipe, tiles, tmp_path, means):
    (tmp_path / "run").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file"):
        train(recipe, [tiles.folder], tmp_path / "run", means, overwrite=True)
    assert (tmp_path / "run").read_text(encoding="utf-8") == "mine"


def test_a_full_disk_is_told_and_the_run_goes_on_afterwards(recipe, tiles, tmp_path, monkeypatch):
    train(recipe, [tiles.folder], tmp_path / "whole", CPU)
    save = ModelCheckpoint._save_checkpoint

    def full(self, trainer, path):
        if trainer.global_step == 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(self, trainer, path)

    monkeypatch.setattr(ModelCheckpoint, "_save_checkpoint", full)
    with pytest.raises(OutputError, match="disk is full"):
        train(recipe, [tiles.folder], tmp_path / "run", CPU)
    monkeypatch.setattr(ModelCheckpoint, "_save_checkpoint", save)
    train(recipe, [tiles.folder], tmp_path / "run", AGAIN)
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_a_new_bundle_that_could_not_be_finished_does_not_speak_with_the_old_one_s_manifest(
    recipe, tiles, tmp_path, monkeypatch
):
    import safetensors.torch

    folder = tmp_path / "run"
    train(recipe, [tiles.folder], folder, CPU)
    assert Bundle.open(folder)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save", full)
    with pytest.raises(OutputError):
        train(changed(recipe, seed=3), [tiles.folder], folder, CPU, overwrite=True)
    assert not (folder / "bundle.yaml").exists()
    shutil.rmtree(folder)
