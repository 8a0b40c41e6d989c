"""What trainings run on: threads of the processor, or a GPU that is free."""

from __future__ import annotations

import itertools
import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from scatterheal import locks
from scatterheal.errors import ScanError
from scatterheal.resume import end_if_told

log = logging.getLogger(__name__)


def use_threads(count: int) -> None:
    """Compute on so many threads, and take numbers below 1e-38 for zero in all of them.

    A long training makes such numbers, and they slow it down. To be called before anything is computed: a thread that
    exists already goes on as it was.

    Parameters
    ----------
    count : int
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(count)


def choose_device(wanted: str) -> torch.device:
    """The device to train on; of several GPUs the first.

    Parameters
    ----------
    wanted : {"auto", "cpu", "cuda"}

    Raises
    ------
    ScanError
        cuda was asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        build = "this torch is a CPU build" if torch.version.cuda is None else "torch sees no GPU"
        raise ScanError(
            f"fit.device: cuda was asked for, but {build}; install a CUDA build of torch or set device: auto"
        )
    if wanted == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    # Products of float32 in TF32, as convolutions have them there in any case.
    torch.set_float32_matmul_precision("high")
    return torch.device("cuda")


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
    if device.type == "cpu":
        return device
    names = [str(torch.cuda.get_device_properties(number).uuid) for number in range(torch.cuda.device_count())]
    number, slot = wait_for_one(names, slots, Path(tempfile.gettempdir()))
    torch.cuda.set_device(number)
    log.info("takes GPU %d of %d, %s, as job %d of %d", number + 1, len(names), names[number], slot + 1, slots)
    return torch.device("cuda", number)


def describe_device(device: torch.device) -> str:
    """One line that says what the training runs on."""
    if device.type == "cuda":
        return f"device: {device} ({torch.cuda.get_device_name(device)}), torch {torch.__version__}"
    return f"device: cpu ({torch.get_num_threads()} threads), torch {torch.__version__}"


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
    for waited in itertools.count():
        for slot, number in itertools.product(range(slots), range(len(names))):
            if locks.hold(folder / f"scatterheal-{names[number]}-{slot}.lock"):
                return number, slot
        if waited == 0:
            log.info("every GPU is taken: waits until one is free")
        end_if_told(after=1)
    raise AssertionError("count has no end")
