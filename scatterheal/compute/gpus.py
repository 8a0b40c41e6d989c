"""Which GPU of a workstation a job takes: one that is free, by a lock that all processes see."""

from __future__ import annotations

import itertools
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from scatterheal.compute import locks
from scatterheal.compute.devices import choose_device
from scatterheal.compute.ending import end_if_told

log = logging.getLogger(__name__)


def take_device(config: Mapping[str, Any]) -> torch.device:
    """The device for a job's trainings: where that is a GPU, one that is free, held until this process ends.

    Parameters
    ----------
    config : mapping
        The workflow's configuration; `fit: device` says what is wanted, `gpu_slots` how many jobs may share a GPU.

    Raises
    ------
    ScanError
        As `choose_device`.
    SystemExit
        The job was told to end while it waited.
    """
    device, slots = choose_device((config.get("fit") or {}).get("device", "auto")), config.get("gpu_slots", 1)
    # A cluster has given this job a GPU of its own; several are shared by what runs in the job.
    if device.type == "cpu" or ("SLURM_JOB_ID" in os.environ and torch.cuda.device_count() == 1):
        return device
    names = [str(torch.cuda.get_device_properties(number).uuid) for number in range(torch.cuda.device_count())]
    number, slot = wait_for_one(names, slots, Path(tempfile.gettempdir()))
    torch.cuda.set_device(number)
    log.info("takes GPU %d of %d, %s, as job %d of %d", number + 1, len(names), names[number], slot + 1, slots)
    return torch.device("cuda", number)


def wait_for_one(names: Sequence[str], slots: int, folder: Path) -> tuple[int, int]:
    """Wait until one of several things is free, and hold it until this process ends.

    Parameters
    ----------
    names : sequence of str
        What they are called by all processes.
    slots : int
        So many processes may have the same one; one that nobody has comes first.
    folder : Path
        Where the locks of all processes lie.

    Returns
    -------
    number, slot : int
        Which of the things, and which of its slots.

    Raises
    ------
    SystemExit
        The job was told to end.
    """
    waits = False
    while True:
        for slot, number in itertools.product(range(slots), range(len(names))):
            if locks.hold(folder / f"scatterheal-{names[number]}-{slot}.lock"):
                return number, slot
        if not waits:
            log.info("every GPU is taken: waits until one is free")
        waits = True
        end_if_told(after=1)
