"""How much memory a device has left, and whether it ran out."""

from __future__ import annotations

from contextvars import ContextVar

import psutil
import torch

from scatterheal.compute import limits

# What errors say: the allocator, cuBLAS, and PyTorch where cuDNN found room for none of its ways to convolve.
OUT_OF_MEMORY = ("out of memory", "ALLOC_FAILED", "unable to find an engine")
# Whether a training is to be sparing although it seemed to fit: the GPU said that it does not.
SPARING: ContextVar[bool] = ContextVar("sparing", default=False)


def free(device: torch.device) -> int:
    """Bytes that a device has left, and a container or a cluster's job allows; of a GPU all that it has.

    What does not fit beside others on a GPU is tried: see `scatterheal.compute.side_by_side`.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    return int(min(psutil.virtual_memory().available, limits.memory_left()))


def ran_out(error: BaseException | None) -> bool:
    """Whether it says that a GPU's memory is too small.

    Examples
    --------
    >>> ran_out(torch.OutOfMemoryError()), ran_out(RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"))
    (True, True)
    >>> ran_out(RuntimeError("GET was unable to find an engine to execute this computation"))
    True
    >>> ran_out(RuntimeError("shapes differ"))
    False
    """
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in OUT_OF_MEMORY)
