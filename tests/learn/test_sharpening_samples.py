"""Patches as samples: every one in turn, cropped in step, and shared out so that all processes draw what one would."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from rsfuse.errors import TileSetError
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.samples import Share, collate, raise_broken
from rsfuse.learn.sharpening_samples import SharpeningTraining, SharpeningValidation, patch_sources, to_tensors
from rsfuse.raster.sharpening.patches import SharpeningSet, write_sharpening_set

PATCHES, SIDE = 6, 16
ALONE = Share()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Six patches to train on and three to judge by; pan counts its pixels, ms its own, over all patches."""
    root = tmp_path_factory.mktemp("gf2")
    for name, count in {"train_gf2.h5": PATCHES, "valid_gf2.h5": 3}.items():
        pan = np.arange(count * SIDE * SIDE, dtype=np.float64).reshape(count, 1, SIDE, SIDE) / 2
        ms = pan[:, :, ::4, ::4].repeat(4, 1)
        held = {"ms": ms, "pan": pan, "lms": ms.repeat(4, -1).repeat(4, -2), "gt": pan.repeat(4, 1)}
        with h5py.File(root / name, "w") as file:
            for key, values in held.items():
                file[key] = values
    write_sharpening_set(root, root / "set")
    return root


@pytest.fixture(scope="module")
def origins(root):
    return patch_sources([SharpeningSet(root / "set")], "train")


def recipe(*settings):
    return load_recipe("cf2n_gf2", ["training.batch=4", f"training.crop={SIDE}", *settings])


def patch_of(pan):
    """Number of the patch that a panchromatic image was cut from."""
    return round(float(pan[0, 0, 0]) * 1023 * 2) // SIDE**2


def test_a_sample_is_what_h5py_reads_over_the_divisor(root, origins):
    pan, ms, reference = to_tensors(origins[2].read(), 1023)
    with h5py.File(root / "train_gf2.h5") as file:
        for key, found in {"pan": pan, "ms": ms, "gt": reference}.items():
            np.testing.assert_array_equal(found, file[key][2].astype(np.float32) / np.float32(1023))


def test_every_patch_comes_once_in_each_pass_over_all_stretches(origins):
    drawn = [patch_of(pan) for n in range(3) for pan, _, _ in list(samples_of(origins, recipe(), stretch=n, steps=3))]
    passes = [drawn[first : first + PATCHES] for first in range(0, 36, PATCHES)]
    assert all(sorted(each) == list(range(PATCHES)) for each in passes)
    assert len({tuple(each) for each in passes}) > 1
    other = [patch_of(pan) for pan, _, _ in samples_of(origins, recipe("training.seed=1"), stretch=0, steps=3)]
    assert other != drawn[:12]


def samples_of(origins, chosen, *, stretch=0, steps=2, share=ALONE):
    drawn = SharpeningTraining(chosen, origins, stretch, steps, share=share)
    return [drawn[index] for index in range(len(drawn))]


def test_crops_of_all_three_images_begin_at_the_same_multispectral_pixel(origins):
    corners = set()
    for pan, ms, reference in samples_of(origins, recipe("training.crop=8"), steps=9):
        assert (pan.shape, ms.shape, reference.shape) == ((1, 8, 8), (4, 2, 2), (4, 8, 8))
        np.testing.assert_array_equal(ms, pan[:, ::4, ::4].expand(4, -1, -1))
        np.testing.assert_array_equal(reference, pan.expand(4, -1, -1))
        corners.add(divmod(round(float(pan[0, 0, 0]) * 1023 * 2) % SIDE**2, SIDE))
    assert corners == {(top, left) for top in (0, 4, 8) for left in (0, 4, 8)}


@given(st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)]), st.integers(0, 3))
def test_processes_and_parts_together_draw_the_batch_of_one(origins, shares, stretch):
    processes, parts = shares
    whole = samples_of(origins, recipe("training.crop=8"), stretch=stretch, steps=3)
    shared = [
        samples_of(origins, recipe("training.crop=8"), stretch=stretch, steps=3, share=Share(rank, processes, parts))
        for rank in range(processes)
    ]
    each = 4 // processes
    for step in range(3):
        wanted = [pan.numpy().tobytes() for pan, _, _ in whole[4 * step : 4 * step + 4]]
        found = [pan.numpy().tobytes() for drawn in shared for pan, _, _ in drawn[each * step : each * step + each]]
        assert sorted(found) == sorted(wanted)


@given(st.integers(1, 3))
def test_processes_together_judge_every_patch_once(root, processes):
    origins = patch_sources([SharpeningSet(root / "set")], "val")
    parts = [SharpeningValidation(origins, 1023, share=Share(rank, processes)) for rank in range(processes)]
    judged = [patch_of(part[index][0]) for part in parts for index in range(len(part))]
    assert sorted(judged) == [0, 1, 2]


def test_more_processes_than_patches_are_refused(root):
    origins = patch_sources([SharpeningSet(root / "set")], "val")
    with pytest.raises(TileSetError, match="4 processes cannot share 3 validation patches") as caught:
        SharpeningValidation(origins, 1023, share=Share(0, 4))
    assert "fewer --devices" in caught.value.hint


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_is_gone_is_named_whoever_reads_it(root, origins, tmp_path, workers):
    for path in root.glob("*.h5"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    write_sharpening_set(tmp_path, tmp_path / "set")
    patches = SharpeningSet(tmp_path / "set")
    (tmp_path / "train_gf2.h5").unlink()
    (tmp_path / "valid_gf2.h5").unlink()
    for samples in (
        SharpeningTraining(recipe(), patch_sources([patches], "train"), 0, 1, share=ALONE),
        SharpeningValidation(patch_sources([patches], "val"), 1023, share=ALONE),
    ):
        (batch,) = DataLoader(samples, 4, num_workers=workers, collate_fn=collate)
        with pytest.raises(TileSetError, match=r"(train|valid)_gf2\.h5, which .* is gone") as caught:
            raise_broken(batch)
        assert "put the file back" in caught.value.hint


def test_a_split_without_patches_says_which_file_is_missing(root):
    with pytest.raises(TileSetError, match="has patches for 'test'"):
        patch_sources([SharpeningSet(root / "set")], "test")


def test_patches_of_full_resolution_are_none_to_learn_from(origins):
    with pytest.raises(ValueError, match="no reference"):
        to_tensors(replace(origins[0].read(), reference=None), 1023)
