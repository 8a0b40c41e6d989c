"""What a support question needs: versions, the machine, and whether reading and healing work here."""

from __future__ import annotations

import importlib.util
import math
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scatterheal.compute import limits
from scatterheal.version import __version__

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

# Packages by the name under which pip knows them, and the module of each that is imported: what everything needs, and
# what only an extra of scatterheal brings.
PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "h5py": "h5py",
    "hdf5plugin": "hdf5plugin",
    "fabio": "fabio",
    "pyFAI": "pyFAI",
    "silx": "silx",
    "scikit-image": "skimage",
    "pillow": "PIL",
    "tifffile": "tifffile",
    "matplotlib": "matplotlib",
    "pandas": "pandas",
    "pydantic": "pydantic",
    "pyyaml": "yaml",
    "psutil": "psutil",
    "filelock": "filelock",
    "tqdm": "tqdm",
    "shtab": "shtab",
}
EXTRAS = {
    "workflow": {"snakemake": "snakemake", "pygments": "pygments"},
    "slurm": {"snakemake-executor-plugin-slurm": "snakemake_executor_plugin_slurm"},
    "opencv": {"opencv-python-headless": "cv2"},
}
# What decides how fast convolutions are: x86's names, then ARM's.
INSTRUCTIONS = ("avx2", "avx512_f", "avx512_bf16", "amx_bf16", "bf16", "sve")
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
# bfloat16 is worth it where it is faster by more than timings scatter.
WORTH = 1.2
ITERATIONS = 20
GIB = 2**30


class Finding(NamedTuple):
    """One line of the diagnosis."""

    name: str
    value: str
    problem: str | None = None
    """What does not work and its remedy, in one line; None: all is well."""


def examine() -> Iterator[Finding]:
    """Look at everything, in about ten seconds; each finding comes as soon as it is known.

    What needs a package that is broken is left out: one cause, one problem.

    Yields
    ------
    finding : Finding
    """
    yield from installation()
    broken = set()
    for name, module in PACKAGES.items():
        finding = package(name, module)
        broken |= {name} if finding.problem else set()
        yield finding
    yield from map(extra, EXTRAS)
    if "torch" not in broken:
        yield from computing()
        import torch

        # As in the pipeline, where trainings run side by side: more wait for each other on a busy machine.
        torch.set_num_threads(1)
        yield bfloat16()
    if not broken & {"numpy", "h5py", "hdf5plugin"}:
        yield bitshuffle()
    if not broken:
        yield heal()


def installation() -> list[Finding]:
    """Where scatterheal lives, and on what machine."""
    folder = Path(__file__).parents[1]
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # What the counts above do not know.
    by = "by the container or the cluster's job"
    cores_limit = f", limited to {limits.cores():.1f} {by}" if limits.cores() < math.inf else ""
    memory_limit = f", limited to {limits.memory() / GIB:.1f} GiB {by}" if limits.memory() < math.inf else ""
    return [
        Finding("scatterheal", f"{__version__} in {folder}{_commit(folder.parent)}"),
        Finding("python", f"{platform.python_version()} in {sys.prefix}"),
        Finding("platform", platform.platform()),
        Finding("cores", f"{usable} of {os.cpu_count()}{cores_limit}"),
        _tried("memory", lambda: f"{_memory() / GIB:.1f} GiB{memory_limit}", "pip install psutil"),
    ]


def package(name: str, module: str) -> Finding:
    """The version of a package, once it is imported.

    Parameters
    ----------
    name, module : str
        What pip installs, and what Python imports.

    Examples
    --------
    >>> package("numpy", "numpy").problem is None
    True
    >>> package("no-such-package", "no_such_module").problem
    "No module named 'no_such_module'; pip install no-such-package"
    """

    def look() -> str:
        importlib.import_module(module)
        return version(name)

    missing = importlib.util.find_spec(module) is None
    return _tried(name, look, f"pip install {name}" if missing else f"pip install --force-reinstall --no-deps {name}")


def extra(name: str) -> Finding:
    """The versions of what an extra of scatterheal brings; one that is not installed is no problem.

    Examples
    --------
    >>> extra("workflow").name
    '[workflow]'
    """
    brought = EXTRAS[name]
    missing = [package for package, module in brought.items() if importlib.util.find_spec(module) is None]
    if missing:
        return Finding(f"[{name}]", f"not installed ({', '.join(missing)}); pip install 'scatterheal[{name}]'")

    def look() -> str:
        for module in brought.values():
            importlib.import_module(module)
        return ", ".join(f"{package} {version(package)}" for package in brought)

    return _tried(f"[{name}]", look, f"pip install --force-reinstall --no-deps {' '.join(brought)}")


def computing() -> list[Finding]:
    """The processor, the GPUs and the threads that torch uses."""
    import torch

    def processor() -> str:
        told = torch.cpu.get_capabilities()
        has = ", ".join(name for name in INSTRUCTIONS if told.get(name)) or f"none of {', '.join(INSTRUCTIONS)}"
        return f"{told.get('cpu_name') or platform.machine()} ({has})"

    toolkit = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    toolkit = f"ROCm {torch.version.hip}" if torch.version.hip else toolkit
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    return [
        _tried("processor", processor, "pip install --upgrade torch"),
        Finding("torch build", f"{toolkit}, its processor kernels: {torch.backends.cpu.get_cpu_capability()}"),
        _tried("GPU", _gpus, "for the processor alone write fit: {device: cpu}"),
        Finding("threads", f"torch {torch.get_num_threads()}, OMP_NUM_THREADS {threads}; a training takes 1"),
    ]


def bfloat16() -> Finding:
    """Time one layer of a network, forward and backward, in both precisions; about two seconds."""

    def look() -> str:
        from scatterheal.compute.devices import computes_in_16_bits

        device = _device()
        single, half = _layer_time(device, bfloat16=False), _layer_time(device, bfloat16=True)
        advice = f"fit: {{precision: {'bfloat16' if single / half > WORTH else 'float32'}}}"
        if not computes_in_16_bits(device):
            advice = "this processor imitates it, and the fast engine takes float32 by itself"
        return (
            f"{single / half:.1f} times as fast as float32 on {device.type} "
            f"({1000 * half:.1f} and {1000 * single:.1f} ms a layer): {advice}"
        )

    return _tried("bfloat16", look, "write fit: {precision: float32}")


def bitshuffle() -> Finding:
    """Write a compressed dataset as Eiger detectors do, and read it back, both in memory."""

    def look() -> str:
        import h5py
        import hdf5plugin
        import numpy as np

        counts = np.arange(4096, dtype=np.uint32).reshape(64, 64)
        with h5py.File("memory", "w", driver="core", backing_store=False) as file:
            file.create_dataset("data", data=counts, **hdf5plugin.Bitshuffle())
            if not np.array_equal(file["data"][()], counts):
                raise ValueError("a dataset comes back with other values than were written")
        return f"can be read (HDF5 {h5py.version.hdf5_version})"

    return _tried("bitshuffle-LZ4", look, "pip install --force-reinstall h5py hdf5plugin")


def heal() -> Finding:
    """Heal the simulated frame for a few iterations, to see whether the network learns."""

    def look() -> str:
        device = _device()
        start = time.perf_counter()
        losses = _demo_losses(device)
        seconds = time.perf_counter() - start
        course = f"loss {losses[0]:.4g} to {losses[-1]:.4g}"
        # A loss that is not a number is not smaller either.
        if not losses[-1] < losses[0]:
            raise ArithmeticError(f"the network does not learn on {device.type}: {course}")
        return f"{len(losses)} iterations in {seconds:.1f} s on {device.type}, {course}"

    return _tried("heal", look, "try fit: {device: cpu, precision: float32}, and report this output")


def _demo_losses(device: torch.device) -> NDArray[np.float32]:
    """The training loss of every iteration on the simulated frame, whose holes are known."""
    import numpy as np

    from scatterheal.app.simulate import FRAME_CENTRE, FRAME_SHAPE, demo_frame, radius_and_azimuth
    from scatterheal.dip.fast import fit
    from scatterheal.dip.scene import prepare
    from scatterheal.pattern.pattern import Pattern
    from scatterheal.pattern.units import scale_of
    from scatterheal.settings.models import Fit

    counts, _ = demo_frame()
    radius, _ = radius_and_azimuth(FRAME_SHAPE, FRAME_CENTRE)
    missing = (counts < 0) | (counts > 1e6) | (radius < 9)
    missing[90:97, :84] = True
    image = counts.astype(np.float32)
    scan = Pattern(image, np.zeros(image.shape, np.uint8), missing, None, scale_of(image, "counts", valid=~missing))
    chosen = Fit(channels=16, iterations=ITERATIONS)
    paintings = fit(prepare(scan, ~missing, chosen).scene, chosen, device, every=ITERATIONS)
    return np.concatenate([painting.loss for painting in paintings])


def _tried(name: str, look: Callable[[], str], remedy: str) -> Finding:
    """What a look finds, or why it failed: broken installations raise anything from ImportError to RuntimeError."""
    try:
        return Finding(name, look())
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return Finding(name, "does not work", f"{reason}; {remedy}")


def _commit(root: Path) -> str:
    """The checkout's commit, with -dirty where files differ from it."""
    if not (root / ".git").exists():
        return ""
    try:
        told = subprocess.run(
            ["git", "--no-optional-locks", "-C", root, "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f" (git does not answer: {error})"
    return f" (git {told.stdout.strip() or told.stderr.strip()})"


def _memory() -> int:
    """Bytes of memory that this machine has."""
    import psutil

    return psutil.virtual_memory().total


def _gpus() -> str:
    import torch

    with warnings.catch_warnings(record=True) as told:
        # torch only warns of a driver that is too old.
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if available:
        devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
        return ", ".join(f"{device.name} ({device.total_memory / GIB:.0f} GiB)" for device in devices)
    if torch.version.cuda is None:
        driver = "; there is an NVIDIA driver, so a CUDA build would see the GPU (https://pytorch.org/get-started)"
        return f"none: this torch is a CPU build{driver if NVIDIA_DRIVER.exists() else ''}"
    if not NVIDIA_DRIVER.exists():
        return "none: there is no NVIDIA driver"
    reasons = [" ".join(str(warning.message).split()) for warning in told]
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "; ".join(["none that torch sees", *([] if shown is None else [f"CUDA_VISIBLE_DEVICES={shown}"]), *reasons])


def _device() -> torch.device:
    """The device that a run with `device: auto` trains on."""
    from scatterheal.compute.devices import choose_device

    return choose_device("auto")


def _layer_time(device: torch.device, bfloat16: bool) -> float:
    """The fastest of the forward and backward passes that fit into 0.8 seconds, in seconds."""
    import torch
    from torch import nn

    layer = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.LeakyReLU(0.2))
    # torch's types do not know that a module takes a memory format.
    layer = layer.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.rand(1, 32, 192, 160, device=device).contiguous(memory_format=torch.channels_last).requires_grad_()
    times: list[float] = []
    end = time.perf_counter() + 0.8
    # At least one: without hardware for it, 16 bits can take a second.
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            painted = layer(image)
        painted.float().mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times)
