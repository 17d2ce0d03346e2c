"""CF2N: pan-sharpening by cross fusion with fine-grained detail (Liu et al., Geo-spatial Information Science 2024).

doi 10.1080/10095020.2024.2416899. Detail is put together in the Haar domain (FD2R), then filtered again and again by
kernels that are made for the image (FSCFM), with the high-pass of both inputs injected before each time (MDI). The
network's code was never published: the order of the steps is read off the framework figure, widths, depths and the
inside of the steps are our reconstruction. Deviations are listed in models/README.md.
"""

from __future__ import annotations

from torch import Tensor, nn

from rsfuse_models.layers.cross_spectral import CrossSpectralFusion, DetailInjection, high_pass
from rsfuse_models.layers.detail import DetailReconstruction, ResidualBlock
from rsfuse_models.layers.interpolation import interpolate_continued
from rsfuse_models.sharpening import SharpeningNetwork


class CF2N(SharpeningNetwork):
    """Cross fusion network for pan-sharpening.

    What it adds to the interpolated multispectral image ("lms") starts at 0: an untrained network interpolates, and the
    interpolator, `interpolate_continued`, places samples half a fine pixel off the centres of their areas, which
    training data by areas teach it to undo. The kernels depend on the image as a whole: tiles of a scene want overlap
    and blending.

    Args:
        bands: B, of the multispectral image.
        ratio: 1, 2, 4, 8 ...; 1 takes a multispectral image that is interpolated already.
        channels: C of all features; ours.
        kernel: k, side of the dynamic filters, odd, 3 or more; ours.
        stages: n, of injection and cross fusion; ours.

    Raises:
        ValueError: if an argument is below 1, the kernel below 3 or even, or the ratio no power of two.
    """

    def __init__(self, *, bands: int, ratio: int = 4, channels: int = 32, kernel: int = 3, stages: int = 3) -> None:
        if min(channels, stages) < 1:
            raise ValueError(f"channels {channels} and stages {stages} must be at least 1")
        if kernel < 3 or kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}; a filter needs a centre and neighbours: an odd side, 3 or more")
        if ratio & (ratio - 1):
            raise ValueError(f"ratio is {ratio}; the interpolator inside takes powers of two")
        super().__init__(bands=bands, ratio=ratio, multiple=2)
        self.pan_head = ResidualBlock(1, channels)
        self.ms_head = ResidualBlock(bands, channels)
        self.detail = DetailReconstruction(channels, bands)
        self.injections = nn.ModuleList(DetailInjection(bands, channels) for _ in range(stages))
        self.fusions = nn.ModuleList(CrossSpectralFusion(channels, kernel=kernel) for _ in range(stages))
        self.project = nn.Conv2d(channels, bands, 3, padding=1)
        self.apply(_initialise)
        nn.init.zeros_(self.project.weight)
        # LL holds the level of the image: shared out at random it would be a chequerboard in the details
        nn.init.zeros_(self.detail.reconstruct.share.weight)

    def sharpen(self, pan: Tensor, ms: Tensor) -> Tensor:
        """Sharpened (B, bands, H, W) of pan (B, 1, H, W) and ms (B, bands, H / ratio, W / ratio)."""
        lms = interpolate_continued(ms, self.ratio)
        spectral = self.ms_head(lms)  # F_s, the same in all stages
        features = self.detail(self.pan_head(pan), spectral)  # F_c
        edges = high_pass(pan), high_pass(lms)
        for inject, fuse in zip(self.injections, self.fusions, strict=True):
            features = fuse(features + inject(*edges), spectral)
        sharp: Tensor = lms + self.project(features)
        return sharp


def _initialise(module: nn.Module) -> None:
    """Keep the variance, without biases: detail is a few percent of the full scale and would drown in torch's."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
