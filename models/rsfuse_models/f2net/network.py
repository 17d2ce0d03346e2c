"""F2Net: a network for ultra-high resolution (Chen et al., CVPR 2026, arXiv 2506.07847).

The image is taken apart into high and low frequencies (AFD). The high ones keep their full size and go to a VMamba
branch; the low ones are shrunk and go to a short-range branch (DeepLabV3) and a long-range one (ViT). HFF fuses the two
low branches, then these with the high one. Deviations are listed in models/README.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from rsfuse_models.contract import FusionNetwork, TrainingOutput
from rsfuse_models.f2net.branches import Alignment, BranchEnd
from rsfuse_models.f2net.deeplab import DeepLabBranch
from rsfuse_models.f2net.vit import ViTBranch
from rsfuse_models.f2net.vss import PatchEmbedding, VSSBranch
from rsfuse_models.f2net.whole import Inputs, decompose, decompose_by_strips
from rsfuse_models.layers.afd import AdaptiveDecomposition, LaplacianDecomposition
from rsfuse_models.layers.heads import FCNHead, resize
from rsfuse_models.layers.hff import Fusion, build_fusion

Branch = Literal["high", "short", "long"]
Decomposition = Literal["afd", "laplacian"]


class F2Net(FusionNetwork):
    """Frequency-fused network (arXiv 2506.07847); head and assembly are ours, the paper publishes components.

    SAR is our extension: its bands join the optical ones before the projection of the decomposition, so that without
    SAR it is the paper's network.

    Args:
        optical_channels: C.
        sar_channels: S.
        num_classes: K.
        width: D, channels of the decomposed maps.
        groups: of channels that share the filters of AFD.
        kernel: side of the filters of AFD.
        low_scale: the low frequencies are read at 1 / low_scale of the size.
        branches: which of "high", "short" and "long" there are; with one alone nothing is fused, aligned or balanced.
        decomposition: "afd" or "laplacian", a pyramid.
        fusion: "hff", or "concat" or "add" to compare.
        alignment: whether training has the penalty CFAL; it needs the high and a low branch.
        balance: whether training names the branches for CFBL, `rsfuse_models.losses.gradient_balance`.
        depths: blocks of each stage of the high branch.
        dims: channels of each stage of the high branch.
        state: size of the state of its scans.
        chunk: tokens that meet in one matrix of its scans.
        short_width: channels of the first residual layer of the short-range branch.
        vit_layers: blocks of the long-range branch.
        vit_dim: its channels.
        vit_heads: of its attention.
        vit_keys: the most tokens of a side (of 8 low_scale pixels each) that its attention looks at; more are averaged
            to as many. The default changes nothing up to 1024 px at low_scale 2; None is the published attention, whose
            time grows with the square of the area.
        fused: channels of the fused maps, of the short-range branch and of the head.
        drop_path: stochastic depth of the high branch.
        dropout: before the last layer of the head.

    Raises:
        ValueError: if `branches`, a size or a name cannot be.
    """

    def __init__(
        self,
        *,
        optical_channels: int,
        sar_channels: int,
        num_classes: int,
        width: int = 32,
        groups: int = 8,
        kernel: int = 3,
        low_scale: int = 2,
        branches: tuple[Branch, ...] = ("high", "short", "long"),
        decomposition: Decomposition = "afd",
        fusion: Fusion = "hff",
        alignment: bool = True,
        balance: bool = True,
        depths: tuple[int, ...] = (2, 2, 4, 2),
        dims: tuple[int, ...] = (64, 128, 256, 512),
        state: int = 64,
        chunk: int = 64,
        short_width: int = 64,
        vit_layers: int = 6,
        vit_dim: int = 192,
        vit_heads: int = 3,
        vit_keys: int | None = 64,
        fused: int = 128,
        drop_path: float = 0.2,
        dropout: float = 0.1,
    ) -> None:
        branches = _check_branches(branches)
        if low_scale < 1:
            raise ValueError(f"low_scale is {low_scale}; the low frequencies cannot be read larger than they are")
        trunks: dict[str, VSSBranch | DeepLabBranch | ViTBranch] = {}
        if "high" in branches:
            trunks["high"] = VSSBranch(width, depths=depths, dims=dims, state=state, chunk=chunk, drop_path=drop_path)
        if "short" in branches:
            trunks["short"] = DeepLabBranch(width, channels=fused, width=short_width)
        if "long" in branches:
            trunks["long"] = ViTBranch(width, layers=vit_layers, dim=vit_dim, heads=vit_heads, keys=vit_keys)
        strides = [trunk.stride * (1 if name == "high" else low_scale) for name, trunk in trunks.items()]

        super().__init__(
            optical_channels=optical_channels, sar_channels=sar_channels, multiple=math.lcm(32, low_scale, *strides)
        )
        self.low_scale = None if branches == ("high",) else low_scale
        self.balanced = balance and len(branches) > 1
        bands = optical_channels + sar_channels
        self.decomposition = _build_decomposition(decomposition, bands, width, groups=groups, kernel=kernel)
        self.trunks = nn.ModuleDict(trunks)
        self.ends = nn.ModuleDict({name: BranchEnd(trunk.channels) for name, trunk in trunks.items()})
        self.fusions = nn.ModuleDict()
        self.alignment: Alignment | None = None
        channels = self._build_fusions(
            {name: trunk.channels for name, trunk in trunks.items()}, fused, fusion, alignment
        )
        self.head = FCNHead(channels, num_classes, channels=fused, dropout=dropout)

    def _build_fusions(self, widths: dict[str, int], fused: int, fusion: Fusion, alignment: bool) -> int:
        """Whatever brings the branches of these channels together; the channels of what comes out."""
        lows = [channels for name, channels in widths.items() if name != "high"]
        if not lows:
            return widths["high"]
        channels = lows[0]
        if len(lows) > 1:
            self.fusions["low"] = build_fusion(fusion, lows[0], lows[1], fused)
            channels = fused
        if "high" not in widths:
            return channels
        self.fusions["high"] = build_fusion(fusion, channels, widths["high"], fused)
        if alignment:
            self.alignment = Alignment(channels, widths["high"], fused)
        return fused

    def score(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Scores (B, K, H, W) of optical (B, C, H, W) and SAR (B, S, H, W)."""
        maps = self._read(self._decompose(optical, sar))
        return self._classify(maps, self._fuse_low(maps), optical.shape[-2:])

    def score_training(self, optical: Tensor, sar: Tensor) -> TrainingOutput:
        """`score`, with penalties {"alignment"} and branches {"high", "short", "long"}.

        Published weights are 0.1 for the alignment and 0.1 for the balance of the branches. A training step that
        `torch.compile` is to take needs `balance=False`: the balance is learnt from by second derivatives, which a
        compiled graph does not have.
        """
        maps = self._read(self._decompose(optical, sar))
        low = self._fuse_low(maps)
        penalties = {}
        if self.alignment is not None and low is not None:
            penalties["alignment"] = self.alignment(low, resize(maps["high"], low.shape[-2:]))
        ends = {name: tuple(end.parameters()) for name, end in self.ends.items()} if self.balanced else {}
        return TrainingOutput(self._classify(maps, low, optical.shape[-2:]), penalties=penalties, branches=ends)

    def score_whole(self, optical: Tensor, sar: Tensor, *, rows: int = 64) -> Tensor:
        """`forward` of an image too large for it, for inference: no map of D channels is held at full size.

        Agrees with `forward` but for rounding. The time is linear in the area, unless `vit_keys` is None: then that of
        the long-range branch grows with its square, and a larger `low_scale` makes it cheaper.

        Args:
            optical: (B, C, H, W), scaled as the bundle says.
            sar: (B, S, H, W) on the same grid, scaled as the bundle says.
            rows: of the image that are taken apart at a time.

        Returns:
            (B, K, H, W) logits.

        Raises:
            ValueError: if the network is in training mode, the channels do not fit, the two differ in size or `rows` is
                below 1.
        """
        if self.training:
            raise ValueError("the network is in training mode, where it changes as it looks; call eval() first")
        with torch.inference_mode():
            images = self._admit(optical, sar)
            inputs = decompose_by_strips(
                images, self.decomposition, embedding=self._embedding, scale=self.low_scale, rows=rows
            )
            maps = self._read(inputs)
            scores = self._classify(maps, self._fuse_low(maps), images[0].shape[-2:])
            return scores[..., : optical.shape[-2], : optical.shape[-1]]

    def _decompose(self, optical: Tensor, sar: Tensor) -> Inputs:
        return decompose([optical, sar], self.decomposition, embedding=self._embedding, scale=self.low_scale)

    @property
    def _embedding(self) -> PatchEmbedding | None:
        high = cast(VSSBranch, self.trunks["high"]) if "high" in self.trunks else None
        return None if high is None else high.embedding

    def _read(self, inputs: Inputs) -> dict[str, Tensor]:
        """The map of each branch, (B, C_b, h_b, w_b)."""
        maps = {}
        for name, trunk in self.trunks.items():
            maps[name] = self.ends[name](trunk(inputs.embedded if name == "high" else inputs.low))
        return maps

    def _fuse_low(self, maps: dict[str, Tensor]) -> Tensor | None:
        """F_sl, or the only low map there is."""
        if "low" in self.fusions:
            fused: Tensor = self.fusions["low"](maps["short"], maps["long"])
            return fused
        return maps.get("short", maps.get("long"))

    def _classify(self, maps: dict[str, Tensor], low: Tensor | None, size: Sequence[int]) -> Tensor:
        """Scores at full size, of all maps and the low one among them."""
        if "high" in self.fusions:
            return resize(self.head(self.fusions["high"](low, maps["high"])), size)
        return resize(self.head(maps["high"] if low is None else low), size)


def _check_branches(branches: Sequence[str]) -> tuple[Branch, ...]:
    """The branches in the order high, short, long."""
    known: tuple[Branch, ...] = get_args(Branch)
    if not branches or len(set(branches)) < len(branches) or not set(branches) <= set(known):
        raise ValueError(f"branches {list(branches)} must be some of {', '.join(known)}, each once")
    return tuple(name for name in known if name in branches)


def _build_decomposition(
    name: str, bands: int, width: int, *, groups: int, kernel: int
) -> AdaptiveDecomposition | LaplacianDecomposition:
    if name == "afd":
        return AdaptiveDecomposition(bands, width, groups=groups, kernel=kernel)
    if name == "laplacian":
        return LaplacianDecomposition(bands, width)
    raise ValueError(f"no decomposition is called {name!r}; choose one of afd, laplacian")
