"""What a run has to work with: devices, processes, memory. The batch stays what the recipe says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback

from rsfuse.errors import RecipeError
from rsfuse.raster.cores import usable_cores


@dataclass(frozen=True)
class FitMeans:
    """What a run has to work with.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:1".
        devices: how many of that kind on this machine; None for one, or as many as torchrun or SLURM started.
        nodes: machines; None for one, or as torchrun or SLURM say.
        workers: processes that read and vary samples beside each training process.
        accumulate: into how many parts each process takes its share of a batch, to need less memory. Parts are
            averaged, whatever number of labelled pixels each has; processes weigh by theirs where a loss is a mean
            over labelled pixels.
        resume: go on from the last checkpoint in the output folder.
        callbacks: Lightning callbacks, such as a progress bar.
    """

    device: str = "auto"
    devices: int | None = None
    nodes: int | None = None
    workers: int = 0
    accumulate: int = 1
    resume: bool = False
    callbacks: Sequence[Callback] = ()

    @property
    def processes(self) -> tuple[int, int]:
        """Training processes of each machine, and machines."""
        devices, nodes = _launched()
        return self.devices or devices, self.nodes or nodes

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks for all; launchers number those that they start."""
        if TorchElasticEnvironment.detect():
            return os.environ["RANK"] == "0"
        if SLURMEnvironment.detect():
            return os.environ.get("SLURM_PROCID", "0") == "0"
        names = ("LOCAL_RANK", "NODE_RANK") if self.processes[1] > 1 else ("LOCAL_RANK",)
        return all(os.environ.get(name, "0") == "0" for name in names)

    def samples_at_once(self, batch: int) -> int:
        """How many samples each process takes through the network at once.

        Raises:
            RecipeError: if the batch cannot be shared out evenly.
        """
        devices, nodes = self.processes
        shares = devices * nodes * self.accumulate
        if batch % shares:
            raise RecipeError(
                f"a batch of {batch} cannot be shared out over {devices} device(s) x {nodes} node(s) x "
                f"{self.accumulate} part(s)",
                hint=f"choose a batch that divides by {shares}: --set training.batch={-(-batch // shares) * shares}",
            )
        return batch // shares


def spare_workers(processes: int) -> int:
    """How many workers each of the training processes of this machine can have beside it: 1 to 4."""
    cores = usable_cores()
    return max(1, min(4, cores // processes - 1))


def _launched() -> tuple[int, int]:
    """Processes on this machine and machines, as whoever started this process has set them up."""
    if TorchElasticEnvironment.detect():
        return int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ.get("GROUP_WORLD_SIZE", "1"))
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return int(os.environ["SLURM_NTASKS"]) // nodes, nodes
    return 1, 1
