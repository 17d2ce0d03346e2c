"""How much memory this process has taken at most."""

from __future__ import annotations

import resource
import sys


def peak_memory_mb() -> int:
    """Largest resident set so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6)
