"""Freed memory is kept: what is taken again is not taken from the system again."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from rsfuse.learn.allocation import keep_freed_memory
keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(48 * 2**20)  # 192 MiB: 49 152 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(min(faults() for _ in range(16)))  # the first few times, blocks are still cut to size
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_memory_that_was_freed_is_taken_again_without_a_page_fault():
    told = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(told.stdout) < 49
