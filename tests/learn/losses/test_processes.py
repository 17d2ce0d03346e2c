"""Processes that train together have the gradient of one that has the whole batch."""

import subprocess
import sys

import pytest
import torch

from rsfuse.learn.losses.pixelwise import CrossEntropy, Focal

WEIGHTS = torch.tensor([0.4, 1.0, 1.6])
RANK = """
import sys
from datetime import timedelta
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from rsfuse.learn.losses.pixelwise import CrossEntropy, Focal

folder, rank = sys.argv[1], int(sys.argv[2])
distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2, timeout=timedelta(seconds=60)
)
batches, weights = torch.load(f"{folder}/batches.pt"), torch.load(f"{folder}/weights.pt")
terms, gradients = {"cross-entropy": CrossEntropy(weights, smoothing=0.1), "focal": Focal(weights)}, {}
for case, (images, labels) in batches.items():
    for name, term in terms.items():
        network = torch.nn.Conv2d(2, 3, 1)
        network.load_state_dict(torch.load(f"{folder}/network.pt"))
        together = DistributedDataParallel(network)
        term(together(images[rank::2]), labels[rank::2]).backward()
        gradients[case, name] = [weight.grad for weight in network.parameters()]
if rank == 0:  # alone: it would wait for the other in vain
    with torch.no_grad():
        for name, term in terms.items():
            gradients["alone", name] = term(network(batches["uneven"][0]), batches["uneven"][1])
torch.save(gradients, f"{folder}/gradients{rank}.pt")
distributed.destroy_process_group()
"""


def batches():
    chance = torch.Generator().manual_seed(0)
    images = torch.randn(4, 2, 5, 5, generator=chance)
    labels = torch.randint(0, 3, (4, 5, 5), generator=chance)
    uneven = labels.clone()
    uneven[0, :4], uneven[1, 4:], uneven[2] = 255, 255, 255
    idle, one_pixel = labels.clone(), torch.full_like(labels, 255)
    idle[1::2] = 255
    one_pixel[0, 2, 2] = 1
    return {name: (images, each) for name, each in (("uneven", uneven), ("idle", idle), ("one pixel", one_pixel))}


@pytest.fixture(scope="module")
def trained_together(tmp_path_factory):
    """Gradients of each of two processes, and the network that they began with."""
    folder = tmp_path_factory.mktemp("processes")
    torch.manual_seed(0)
    network = torch.nn.Conv2d(2, 3, 1)
    for name, each in (("batches", batches()), ("weights", WEIGHTS), ("network", network.state_dict())):
        torch.save(each, folder / f"{name}.pt")
    ranks = [subprocess.Popen([sys.executable, "-c", RANK, str(folder), str(rank)]) for rank in range(2)]
    try:
        assert [rank.wait(timeout=90) for rank in ranks] == [0, 0]
    finally:
        for rank in ranks:
            rank.kill()
    return [torch.load(folder / f"gradients{rank}.pt") for rank in range(2)], network


@pytest.mark.parametrize("case", ["uneven", "idle", "one pixel"])
@pytest.mark.parametrize(
    ("name", "term"), [("cross-entropy", CrossEntropy(WEIGHTS, smoothing=0.1)), ("focal", Focal(WEIGHTS))]
)
def test_two_processes_have_the_gradient_of_one_with_both_their_batches(trained_together, case, name, term):
    gradients, network = trained_together
    images, labels = batches()[case]
    whole = torch.autograd.grad(term(network(images), labels), list(network.parameters()))
    for rank in gradients:
        torch.testing.assert_close(rank[case, name], list(whole))
    assert all(gradient.any() for gradient in whole)


def test_a_process_that_validates_waits_for_no_other(trained_together):
    gradients, network = trained_together
    images, labels = batches()["uneven"]
    with torch.no_grad():
        alone = Focal(WEIGHTS)(network(images), labels)
    torch.testing.assert_close(gradients[0]["alone", "focal"], alone)
