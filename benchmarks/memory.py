"""How much memory a training takes, beside what `scatterheal.dip.memory.needed` says before it starts.

python benchmarks/memory.py

Trains each network for two iterations by each engine, by the fast one also sparing of memory, on Cartesian canvases of
several sizes by the squared error and on polar ones by the likelihood of censored counts and of others, each in a
process of its own, and prints a Markdown table. Where a processor has no 16 bits the fast engine takes 32, and only the
plain loop is measured in 16. The last row is the report's network on all pixels of a Pilatus 2M. What does not fit into
the memory that is free is not tried.
"""

import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch

from scatterheal.compute.devices import computes_in_16_bits, use_threads
from scatterheal.compute.memory import free
from scatterheal.dip.engines import train
from scatterheal.dip.memory import needed
from scatterheal.dip.scene import Scene
from scatterheal.polar.canvas import Canvas, cartesian, polar, view
from scatterheal.settings.models import Fit


class Case(NamedTuple):
    """A training."""

    network: str
    height: int
    width: int
    channels: int
    precision: str
    domain: str = "cartesian"
    censored: bool = False


CASES = [
    Case("vase", 448, 576, 128, "float32"),
    Case("vase", 448, 576, 128, "bfloat16"),
    Case("vase", 768, 896, 128, "float32"),
    Case("vase", 768, 896, 128, "bfloat16"),
    Case("vase", 1679, 1475, 16, "float32"),
    Case("vase", 896, 1152, 32, "float32"),
    Case("vase", 896, 1152, 32, "bfloat16"),
    Case("kate", 896, 1152, 32, "float32"),
    Case("kate", 896, 1152, 32, "bfloat16"),
    Case("library", 896, 1152, 64, "float32"),
    Case("vase", 1679, 1475, 32, "float32", "polar"),
    Case("vase", 2167, 2070, 32, "float32", "polar"),
    Case("vase", 2167, 2070, 32, "float32", "polar", censored=True),
    Case("vase", 1679, 1475, 128, "float32"),
]
# Each engine, and whether it is sparing.
ENGINES = {"plain loop": ("reference", False), "fast": ("fast", False), "sparing": ("fast", True)}
# Counts up to the first limit, and from the second on, where they are censored.
LIMITS = (1, 9)


def hyperparameters(case: Case, engine: str) -> Fit:
    """Two iterations."""
    how = (
        {"input": "meshgrid"} if case.domain == "cartesian" else {"input": "noise", "loss": "poisson", "average": 0.97}
    )
    sizes = {"network": case.network, "channels": case.channels, "precision": case.precision, "engine": engine}
    return Fit(**sizes, iterations=2, **how)


def canvas_of(case: Case, shape: tuple[int, int]) -> Canvas:
    """All pixels, or rings round the middle as the scattering preset has them."""
    return (
        cartesian(shape, None) if case.domain == "cartesian" else polar(shape, (shape[1] / 2, shape[0] / 2), 1.41, 192)
    )


def taken(case: Case, engine: str, sparing: bool) -> int:
    """Bytes by which a training raises what its process holds."""
    use_threads(1)
    # The libraries' own memory comes with the first training, whatever its size.
    for shape in ((96, 96), (case.height, case.width)):
        counts = np.random.default_rng(0).poisson(3, (shape[0] * shape[1], 1)).astype(np.float32)
        of_counts: dict[str, Any] = {}
        if case.domain == "polar":
            of_counts["start"] = np.ones_like(counts)
        if case.censored:
            of_counts |= {
                "at_most": counts[:, 0] <= LIMITS[0],
                "at_least": counts[:, 0] >= LIMITS[1],
                "most": LIMITS[0],
            }
        scene = Scene(*view(canvas_of(case, shape), shape), np.ones(shape, bool), counts, **of_counts)
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        chosen = hyperparameters(case, engine)
        for _ in train(scene, chosen, torch.device("cpu"), 2, None, None, sparing):
            pass
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) * 1024


def main() -> None:
    """Train, and print the table."""
    columns = [f"{name}, GB | told |" for name in ENGINES]
    print(f"| network | pixels | canvas | channels | precision | {' '.join(columns)}")
    print(f"|{'---|' * 11}")
    cpu = torch.device("cpu")
    for case in CASES:
        canvas = canvas_of(case, (case.height, case.width))
        inputs = 2 if case.domain == "cartesian" else 16
        pixels = f"{case.height} x {case.width}{', censored' if case.censored else ''}"
        print(f"| {case.network} | {pixels} | {case.domain}, {canvas.rows} x {canvas.columns} ", end="")
        print(f"| {case.channels} | {case.precision} |", end="")
        for engine, sparing in ENGINES.values():
            chosen = hyperparameters(case, engine)
            told = needed(canvas, inputs, 1, chosen, case.height * case.width, case.censored, sparing)
            if engine == "fast" and case.precision == "bfloat16" and not computes_in_16_bits(cpu):
                print("  |  |", end="", flush=True)
            elif told > free(cpu):
                print(f"  | {told / 1e9:.2f} |", end="", flush=True)
            else:
                took = _in_a_process(case, engine, sparing)
                print(f" {took / 1e9:.2f} | {told / 1e9:.2f} ({told / took - 1:+.0%}) |", end="", flush=True)
        print()


def _in_a_process(case: Case, engine: str, sparing: bool) -> int:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(taken, case, engine, sparing).result()


if __name__ == "__main__":
    main()
