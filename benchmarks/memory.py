"""How much memory a training takes, beside what `scatterheal.memory.needed` says before it starts.

python benchmarks/memory.py

Trains each network for two iterations on Cartesian canvases of several sizes, each in a process of its own, and prints
a Markdown table. The last two rows are what the report's network would take on all pixels of a Pilatus 2M, not tried.
"""

import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import torch

from scatterheal.canvas import cartesian, view
from scatterheal.config import Fit
from scatterheal.fit import Scene, fit, use_threads
from scatterheal.memory import needed

CASES = [
    ("vase", 448, 576, 128, "float32"),
    ("vase", 448, 576, 128, "bfloat16"),
    ("vase", 768, 896, 128, "float32"),
    ("vase", 768, 896, 128, "bfloat16"),
    ("vase", 1679, 1475, 16, "float32"),
    ("vase", 896, 1152, 32, "float32"),
    ("vase", 896, 1152, 32, "bfloat16"),
    ("kate", 896, 1152, 32, "float32"),
    ("kate", 896, 1152, 32, "bfloat16"),
    ("library", 896, 1152, 64, "float32"),
]
FULL = [("vase", 1679, 1475, 128, "float32"), ("vase", 1679, 1475, 128, "bfloat16")]


def hyperparameters(network: str, channels: int, precision: str) -> dict[str, Any]:
    """Two iterations with a meshgrid as the input."""
    asked = Fit(network=network, channels=channels, precision=precision, input="meshgrid", iterations=2)
    return asked.model_dump(exclude={"device"})


def taken(network: str, height: int, width: int, channels: int, precision: str) -> int:
    """Bytes by which a training raises what its process holds."""
    use_threads(1)
    # The libraries' own memory comes with the first training, whatever its size.
    for shape in ((96, 96), (height, width)):
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        values = np.random.default_rng(0).random((shape[0] * shape[1], 1), dtype=np.float32)
        scene = Scene(*view(cartesian(shape, None), shape), np.ones(shape, bool), values)
        for _ in fit(scene, hyperparameters(network, channels, precision), torch.device("cpu"), every=2):
            pass
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) * 1024


def main() -> None:
    """Train, and print the table."""
    print("| network | canvas | channels | precision | measured, GB | told before, GB | |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES + FULL:
        network, height, width, channels, precision = case
        told = needed(cartesian((height, width), None), 2, 1, hyperparameters(network, channels, precision))
        row = f"| {network} | {height} x {width} | {channels} | {precision} |"
        if case in FULL:
            print(f"{row} | {told / 1e9:.1f} | |")
            continue
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            held = process.submit(taken, *case).result()
        print(f"{row} {held / 1e9:.2f} | {told / 1e9:.2f} | {told / held - 1:+.0%} |", flush=True)


if __name__ == "__main__":
    main()
