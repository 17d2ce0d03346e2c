"""Parameters and multiply-accumulates of the networks at their published sizes, at 512 x 512 px.

Run: python -m benchmarks.network_sizes
Prints a Markdown table. Torch counts the operations of one forward pass in convolutions, matrix products and attention;
Fourier transforms, norms, interpolation and element-wise operations are not among them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rsfuse_models import create_network, create_sharpener

SIDE, CLASSES, RATIO = 512, 7, 4
TRAINING_ONLY = ("auxiliary", "structural", "alignment")  # heads and projections that predictions do not need


@dataclass(frozen=True)
class Size:
    """One row: a network, its bands, and what others say of its parameters."""

    name: str
    label: str
    bands: tuple[int, int]
    options: dict[str, Any] = field(default_factory=dict)
    published: str = ""


ROWS = (
    Size("pad", "PAD, ConvNeXt-V2-Large", (3, 3), {"encoder": "convnextv2_large"}, "440.6 / 439.7"),
    Size("pad", "PAD, ConvNeXt-V2-Tiny", (3, 3), {}, "74.1"),
    Size("whfnet", "WHFNet", (3, 3), {}, "144.5 / 142.3"),
    Size("whfnet", "WHFNet, fusion: sum", (3, 3), {"fusion": "sum"}),
    Size("mfafnet", "MFAFNet", (3, 1)),
    Size("f2net", "F2Net, optical alone", (3, 0), {}, "29.0 (branches)"),
    Size("f2net", "F2Net, optical + SAR", (3, 1)),
    Size("early-fusion", "U-Net, ResNet-34, early fusion", (3, 1)),
    Size("late-fusion", "ConvNeXt-V2-Tiny, late fusion", (3, 1)),
    Size("cf2n", "CF2N, ratio 4 (PAN 512 x 512)", (1, 4)),
    Size("cf2n", "CF2N, ratio 4 (PAN 512 x 512)", (1, 8)),
)


def build(row: Size) -> tuple[nn.Module, list[Tensor]]:
    """A network with random weights, and images for it."""
    first, second = row.bands
    if row.name == "cf2n":
        images = [torch.zeros(1, 1, SIDE, SIDE), torch.zeros(1, second, SIDE // RATIO, SIDE // RATIO)]
        return create_sharpener(row.name, bands=second, ratio=RATIO, **row.options), images
    network = create_network(row.name, optical_channels=first, sar_channels=second, num_classes=CLASSES, **row.options)
    return network, [torch.zeros(1, count, SIDE, SIDE) for count in row.bands]


def millions(network: nn.Module, *, training: bool) -> float:
    """Parameters, in millions, with or without those that only training needs."""
    return (
        sum(w.numel() for name, w in network.named_parameters() if training or not name.startswith(TRAINING_ONLY)) / 1e6
    )


def gigamacs(network: nn.Module, images: list[Tensor]) -> float:
    """Multiply-accumulates of one forward pass, in thousands of millions."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*images)
    return float(counter.get_total_flops()) / 2e9


def main() -> None:
    """Print the table."""
    print("| network | bands | training (M) | inference (M) | published or derived (M) | GMAC |")
    print("|---|---|---|---|---|---|")
    for row in ROWS:
        network, images = build(row)
        sizes = " | ".join(f"{millions(network, training=training):.1f}" for training in (True, False))
        macs = gigamacs(network.eval(), images)
        print(f"| {row.label} | {row.bands[0]} + {row.bands[1]} | {sizes} | {row.published} | {macs:.1f} |", flush=True)


if __name__ == "__main__":
    main()
