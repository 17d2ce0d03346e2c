"""Parameters and multiply-accumulates of the networks at their published sizes, at 512 x 512 px.

Run: python -m benchmarks.network_sizes
Prints a Markdown table. Torch counts the operations of one forward pass in convolutions, matrix products and attention;
Fourier transforms, norms, scans by cumulative sums and activations are not among them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rsfuse_models import create_network

SIDE, CLASSES = 512, 7
LARGE = {"encoder": "convnextv2_large"}
SIZES: tuple[tuple[str, str, int, int, dict[str, Any]], ...] = (
    ("pad", "PAD-Large", 3, 3, LARGE),
    ("pad", "PAD-Tiny", 3, 3, {}),
    ("whfnet", "WHFNet", 3, 3, {}),
    ("whfnet", "WHFNet, sum", 3, 3, {"fusion": "sum"}),
    ("mfafnet", "MFAFNet", 3, 1, {}),
    ("f2net", "F2Net, optical alone", 3, 0, {}),
    ("f2net", "F2Net, optical + SAR", 3, 1, {}),
    ("early-fusion", "UNet-ResNet34, early fusion", 3, 1, {}),
    ("late-fusion", "ConvNeXt-V2-Tiny, late fusion", 3, 1, {}),
)


def millions(network: nn.Module) -> float:
    """Parameters, in millions."""
    return sum(weight.numel() for weight in network.parameters()) / 1e6


def training_only(network: nn.Module) -> float:
    """Millions of parameters that predictions do not need: auxiliary and structural heads, projections of penalties."""
    parts = ("auxiliary", "structural", "alignment")
    return sum(w.numel() for name, w in network.named_parameters() if name.startswith(parts)) / 1e6


def gigamacs(network: nn.Module, *images: torch.Tensor) -> float:
    """Multiply-accumulates of one forward pass, in thousands of millions."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*images)
    return float(counter.get_total_flops()) / 2e9


def main() -> None:
    """Print the table."""
    print("| network | bands | parameters, training (M) | inference (M) | GMAC |\n|---|---|---|---|---|")
    for name, label, optical, sar, options in SIZES:
        network = create_network(name, optical_channels=optical, sar_channels=sar, num_classes=CLASSES, **options)
        images = torch.zeros(1, optical, SIDE, SIDE), torch.zeros(1, sar, SIDE, SIDE)
        size, extra, macs = millions(network), training_only(network), gigamacs(network.eval(), *images)
        print(f"| {label} | {optical} + {sar} | {size:.1f} | {size - extra:.1f} | {macs:.1f} |", flush=True)


if __name__ == "__main__":
    main()
