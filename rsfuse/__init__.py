"""rsfuse: land cover maps of large optical + SAR scenes by networks that fuse in the frequency domain."""

__version__ = "0.1.0"
