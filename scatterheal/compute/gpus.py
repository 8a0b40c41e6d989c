"""Which GPU of a workstation a job takes: one that is free, by a lock that all processes see."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from scatterheal.compute import locks
from scatterheal.compute.devices import choose_device

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
    number, slot = locks.wait_for_one(names, slots, Path(tempfile.gettempdir()), "GPU")
    torch.cuda.set_device(number)
    log.info("takes GPU %d of %d, %s, as job %d of %d", number + 1, len(names), names[number], slot + 1, slots)
    return torch.device("cuda", number)
