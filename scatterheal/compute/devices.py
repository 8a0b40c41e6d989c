"""What trainings run on: threads of the processor, or a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from scatterheal.errors import ScanError


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


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Compute on so many threads within a block, and then on as many as before.

    Parameters
    ----------
    count : int

    Examples
    --------
    >>> before = torch.get_num_threads()
    >>> with on_threads(before + 1):
    ...     torch.get_num_threads() - before
    1
    >>> torch.get_num_threads() == before
    True
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_device(wanted: str) -> torch.device:
    """The device to train on; of several GPUs the first.

    Parameters
    ----------
    wanted : {"auto", "cpu", "cuda"}

    Raises
    ------
    ScanError
        cuda was asked for and there is none; or it is none of the three.
    """
    if wanted not in ("auto", "cpu", "cuda"):
        raise ScanError(f"device: {wanted!r} is none; choose auto, cpu or cuda")
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


def computes_in_16_bits(device: torch.device) -> bool:
    """Whether a processor computes in bfloat16 itself.

    Without AMX or AVX512-BF16 a CPU imitates it, several times slower than it computes in float32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def describe_device(device: torch.device) -> str:
    """One line that says what the training runs on."""
    if device.type == "cuda":
        return f"device: {device} ({torch.cuda.get_device_name(device)}), torch {torch.__version__}"
    return f"device: cpu ({torch.get_num_threads()} threads), torch {torch.__version__}"
