"""F2Net: high and low frequencies of very large images, each read by branches of their own (arXiv 2506.07847)."""

from rsfuse_models.f2net.network import F2Net

__all__ = ["F2Net"]
