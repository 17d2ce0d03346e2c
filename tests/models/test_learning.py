"""Every network learns: it overfits eight tiles of a real scene.

Labels of Porto Alegre are one interpreter's reading, those of Dubai hand-drawn. What is learnt by heart proves no more
than that a network can learn.
"""

import numpy as np
import pytest
import rasterio
import torch
from PIL import Image
from torch.nn import functional as F

from rsfuse_models import create_network, network_names
from rsfuse_models.losses import gradient_balance

SIDE, TILES, CLASSES, IGNORED = 96, 8, 5, 255
STEPS, CHECK_EVERY = 400, 20
ENOUGH, PENALTY = 0.95, 0.1
DUBAI = ((60, 16, 152), (132, 41, 246), (110, 193, 228), (254, 221, 58), (226, 169, 41))  # building, land, road, ...
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
    cut = richest(labels[:2560, :1536], TILES)  # rows 0-4 and columns 0-2, as in all training
    stack = torch.from_numpy(np.stack([images[here] for here in cut])).float()
    return stack[:, :3], stack[:, 3:], torch.from_numpy(np.stack([labels[here] for here in cut])).long()


@pytest.fixture(scope="module")
def dubai_tiles(shared_data):
    """Optical (8, 3, 96, 96), SAR without bands, labels (8, 96, 96), one tile of each of eight images."""
    folder = shared_data("dubai") / "Tile 1"
    images, labels = [], []
    for mask in sorted((folder / "masks").glob("*.png"))[:TILES]:
        colours = np.asarray(Image.open(mask).convert("RGB"))
        codes = np.full(colours.shape[:2], IGNORED, np.uint8)
        for code, colour in enumerate(DUBAI):
            codes[(colours == colour).all(-1)] = code
        (here,) = richest(codes, 1)
        image = np.asarray(Image.open(folder / "images" / f"{mask.stem}.jpg").convert("RGB"), np.float32)
        images.append(np.moveaxis(image[here[1:]], -1, 0) / 127.5 - 1)
        labels.append(codes[here])
    optical = torch.from_numpy(np.stack(images))
    return optical, optical[:, :0], torch.from_numpy(np.stack(labels)).long()


def richest(labels, count):
    """Where tiles lie that show many classes: the best of a grid of them."""
    places = [
        np.s_[..., top : top + SIDE, left : left + SIDE]
        for top in range(0, labels.shape[0] - SIDE + 1, SIDE)
        for left in range(0, labels.shape[1] - SIDE + 1, SIDE)
    ]
    known = [np.bincount(labels[here].ravel(), minlength=256)[:CLASSES] for here in places]
    order = sorted(range(len(places)), key=lambda number: -int((known[number] > 200).sum()))
    return [places[number] for number in order[:count]]


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


def learnt_by_heart(network, tiles):
    """Overall accuracy on the tiles themselves after at most STEPS steps on all of them."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.01)
    accuracy = 0.0
    for step in range(1, STEPS + 1):
        optimiser.zero_grad()
        loss_of(network, *tiles).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if step % CHECK_EVERY == 0:
            accuracy = overall_accuracy(network, *tiles)
            if accuracy > ENOUGH:
                break
    return accuracy


@pytest.mark.slow
@pytest.mark.parametrize("name", network_names())
def test_eight_tiles_are_learnt_by_heart(name, eight_tiles):
    torch.manual_seed(0)
    network = create_network(name, optical_channels=3, sar_channels=1, num_classes=CLASSES, **OPTIONS[name])
    assert learnt_by_heart(network, eight_tiles) > ENOUGH


@pytest.mark.slow
@pytest.mark.parametrize("name", ["early-fusion", "f2net"])
def test_networks_that_take_optical_alone_learn_without_sar(name, dubai_tiles):
    torch.manual_seed(0)
    options = OPTIONS[name] | ({"low_scale": 1} if name == "f2net" else {})  # else 16 px a place: more than a road
    network = create_network(name, optical_channels=3, sar_channels=0, num_classes=CLASSES, **options)
    assert learnt_by_heart(network, dubai_tiles) > ENOUGH
