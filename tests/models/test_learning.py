"""Every network learns: it overfits eight tiles of a real scene, whose labels are one interpreter's reading."""

import numpy as np
import pytest
import rasterio
import torch
from torch.nn import functional as F

from rsfuse_models import create_network, network_names
from rsfuse_models.losses import gradient_balance

SIDE, TILES, CLASSES, IGNORED = 96, 8, 5, 255
STEPS, CHECK_EVERY = 400, 20
PENALTY = 0.1
OPTIONS = {
    "early-fusion": {"encoder": "tu-test_resnet"},
    "f2net": {
        "width": 16,
        "dims": (16, 24, 32, 48),
        "depths": (1, 1, 1, 1),
        "state": 16,
        "vit_layers": 2,
        "vit_dim": 48,
        "drop_path": 0.0,
        "dropout": 0.0,
    },
    "late-fusion": {"encoder": "test_resnet", "channels": 32, "aux_channels": 16, "drop_path": 0.0, "dropout": 0.0},
    "mfafnet": {"widths": (16, 32, 32, 64), "heads": (1, 2, 2, 2), "dropout": 0.0},
    "pad": {"encoder": "test_resnet", "channels": 32, "aux_channels": 16, "drop_path": 0.0, "dropout": 0.0},
    "whfnet": {
        "optical_encoder": "test_resnet",
        "sar_encoder": "test_resnet",
        "channels": 32,
        "aux_channels": 16,
        "optical_drop_path": 0.0,
        "sar_drop_path": 0.0,
        "dropout": 0.0,
    },
}


@pytest.fixture(scope="module")
def eight_tiles(shared_data):
    """Optical (8, 3, 96, 96), SAR (8, 1, 96, 96), labels (8, 96, 96) of Porto Alegre, each tile of several classes."""
    folder = shared_data("porto_alegre")
    with (
        rasterio.open(folder / "s2_rgb_preflood.tif") as optical,
        rasterio.open(folder / "s1_vv_vh_preflood.tif") as sar,
    ):
        images = np.concatenate([optical.read(), sar.read([2])]).astype(np.float32)
    with rasterio.open(folder / "labels_preflood.tif") as source:
        labels = source.read(1)
    low, high = np.percentile(images[:, ::8, ::8], [2, 98], axis=(1, 2))[..., None, None]
    images = np.clip((images - low) / (high - low) * 2 - 1, -2, 2)
    places = [(top, left) for top in range(0, 2500, SIDE) for left in range(0, 1400, SIDE)]
    known = [np.bincount(labels[t : t + SIDE, x : x + SIDE].ravel(), minlength=256)[:CLASSES] for t, x in places]
    most = sorted(range(len(places)), key=lambda number: -int((known[number] > 200).sum()))[:TILES]
    cut = [np.s_[..., top : top + SIDE, left : left + SIDE] for top, left in (places[number] for number in most)]
    stack = torch.from_numpy(np.stack([images[here] for here in cut])).float()
    return stack[:, :3], stack[:, 3:], torch.from_numpy(np.stack([labels[here] for here in cut])).long()


def cross_entropy(scores, labels):
    return F.cross_entropy(scores, labels, ignore_index=IGNORED)


def loss_of(network, optical, sar, labels):
    output = network.forward_training(optical, sar)
    loss = cross_entropy(output.scores, labels)
    if output.branches:
        loss = loss + PENALTY * gradient_balance(loss, output.branches)
    auxiliary = sum(cross_entropy(scores, labels) for scores in output.auxiliary.values())
    return loss + 0.4 * auxiliary + PENALTY * sum(output.penalties.values())


def overall_accuracy(network, optical, sar, labels):
    network.eval()
    with torch.no_grad():
        mapped = network(optical, sar).argmax(1)
    network.train()
    known = labels != IGNORED
    return (mapped == labels)[known].float().mean().item()


@pytest.mark.slow
@pytest.mark.parametrize("name", network_names())
def test_eight_tiles_are_learnt_by_heart(name, eight_tiles):
    torch.manual_seed(0)
    network = create_network(name, optical_channels=3, sar_channels=1, num_classes=CLASSES, **OPTIONS[name])
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.01)
    accuracy = 0.0
    for step in range(1, STEPS + 1):
        optimiser.zero_grad()
        loss_of(network, *eight_tiles).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if step % CHECK_EVERY == 0:
            accuracy = overall_accuracy(network, *eight_tiles)
            if accuracy > 0.95:
                break
    assert accuracy > 0.95
