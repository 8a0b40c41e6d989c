"""How fast the engines are, in turn on one machine, and what each of their results is worth.

python benchmarks/speed.py [--rounds N] [--threads N] [--only WORD ...]

Every figure is that of a process of its own, start-up included where it says seconds; the engines take turns, and the
table shows medians over the rounds and ratios to the plain loop. What a score has to come near to is the same for all:
the lowest that the plain loop in 32 bits comes to, on average over the rounds. The prototype is a plain eager loop:
16-bit convolutions in the channels-last layout, PyTorch's own padding, a polar canvas of 432 x 384 cells read by
grid_sample, 32 channels. `... products` is the time of the convolutions and matrix products of an engine's step alone,
forwards and backwards, on numbers of the same sizes and layouts: no other code round the same products is faster.
`rising` is the dearest layer of the report's network alone, upsampling and convolution onto its finest level, in the
ways that were tried, and a plain convolution with as many products. Where the processor does not compute in 16 bits all
of it is in 32. CPUs alone.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

# With an average: without one each look at the painting would be a painting more.
PAPER = {"loss": "mse", "input": "meshgrid", "average": 0.97, "channels": 128, "lr": 0.01, "iterations": 10**6}
ROWS, COLUMNS = 192, 256
PROTOTYPE_ROWS, PROTOTYPE_ANGLES = 432, 384
# Iterations that are timed together, after as many that are not.
TIMED = 4
PRODUCTS = [getattr(torch.ops.aten, name) for name in ("convolution", "convolution_backward", "mm", "addmm", "bmm")]
CPU = torch.device("cpu")
CHECK_EVERY, LAST = 10, 400
PRECISIONS = ("float32", "bfloat16")
# How near to the plain loop's lowest a score must first have come, as a multiple of it.
NEAR = (1.01, 1.005)


def paper(engine: str, precision: str) -> dict[str, float]:
    """Seconds an iteration of the report's network on 192 x 256 pixels, of an engine or of its products alone."""
    from scatterheal.dip.engines import ENGINES
    from scatterheal.dip.scene import Scene
    from scatterheal.polar.canvas import cartesian, view
    from scatterheal.settings.models import Fit

    engine, _, alone = engine.partition(" ")
    known = np.ones((ROWS, COLUMNS), bool)
    known[90:100] = False
    canvas = cartesian(known.shape, None)
    image = np.random.default_rng(0).random(known.shape, dtype=np.float32)
    scene = Scene(*view(canvas, known.shape), known, image[known][:, None])
    chosen = Fit(**PAPER, precision=precision)
    paintings = ENGINES[engine](scene, chosen, CPU, 1)
    next(paintings)
    products = Products()
    # What is noted takes memory, which is not the engine's.
    with products if alone else nullcontext():
        next(paintings)
    step = products.again if alone else lambda: next(paintings)
    step()
    start = time.perf_counter()
    for _ in range(TIMED):
        step()
    return {"s an iteration": (time.perf_counter() - start) / TIMED}


class Products(TorchDispatchMode):
    """Notes the convolutions and matrix products that are computed, to compute the like of them again."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[Callable[..., Any], list[Any]]] = []

    def __torch_dispatch__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        """Compute it, and note it."""
        # S is sparse.
        if function.overloadpacket in PRODUCTS and not any(isinstance(x, Tensor) and x.is_sparse_csr for x in given):
            self.noted.append((function, tree_map_only(Tensor, torch.rand_like, given)))
        return function(*given, **(named or {}))

    def again(self) -> None:
        """All of them, in their order."""
        with torch.no_grad():
            for function, given in self.noted:
                function(*given)


def scattering(engine: str, precision: str) -> dict[str, Any]:
    """The course of the hidden pixels' deviance on 860 x 860 pixels of HDPE_85_low: iteration, seconds, deviance."""
    from healing import real

    from scatterheal.counts.deviance import deviance
    from scatterheal.dip.engines import ENGINES
    from scatterheal.dip.scene import painted, prepare, settled
    from scatterheal.settings.reading import read_config

    found = real("HDPE_85_low")
    scan, judged = found.pattern, found.hidden[0] > 0
    asked = {"domain": "polar", "start": "radial", "iterations": LAST, "precision": precision}
    chosen = settled(read_config({"grid": {}, "fit": asked}).fit, scan, CPU)
    counts, flags = scan.image[judged], scan.flags[judged]
    if engine == "prototype":
        rates = prototype(scan.image, ~scan.missing, scan.centre, chosen)
    else:
        prepared = prepare(scan, ~scan.missing, chosen)
        paintings = ENGINES[engine](prepared.scene, chosen, CPU, CHECK_EVERY)
        rates = ((painting.iteration, lambda at=painting.cells: painted(at, prepared, scan)) for painting in paintings)
    # Importing torch is a part of it; looking at the hidden pixels is none.
    began, course, looked = psutil.Process().create_time(), [], 0.0
    for iteration, rate in rates:
        start = time.time()
        score = float(deviance(counts, flags, rate()[judged]).mean())
        course.append((iteration, start - began - looked, score))
        looked += time.time() - start
    iterations, seconds, scores = (np.array(each) for each in zip(*course, strict=True))
    an_iteration = np.diff(seconds).mean() / np.diff(iterations).mean()
    return {"lowest": scores.min(), "s an iteration": an_iteration, "course": course}


def prototype(
    counts: NDArray, known: NDArray[np.bool_], centre: tuple[float, float], chosen: Any
) -> Iterator[tuple[int, Callable[[], NDArray[np.float32]]]]:
    """The plain eager loop: after every so many iterations what it paints of every pixel, when asked."""
    from scatterheal.dip import network
    from scatterheal.dip.padding import Padding

    rows, columns = np.indices(counts.shape)
    radius, azimuth = np.hypot(columns - centre[0], rows - centre[1]), np.arctan2(rows - centre[1], columns - centre[0])
    at = np.stack([azimuth / np.pi, 2 * radius / radius.max() - 1], -1)
    grid = torch.as_tensor(at, dtype=torch.float32)[None]
    seen, values = torch.as_tensor(known), torch.as_tensor(counts[known])
    torch.manual_seed(0)
    built = network.build("vase", 16, 1, chosen.channels, wraps=True)
    for parent in list(built.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, Padding):
                setattr(parent, name, Circular(layer.width))
    built = built.to(memory_format=torch.channels_last)
    size = network.padded_size("vase", PROTOTYPE_ROWS, PROTOTYPE_ANGLES)
    still = 0.1 * torch.rand(1, 16, *size).contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(built.parameters(), lr=chosen.lr)
    level, average = float(values.mean().log()), None
    for iteration in range(1, chosen.iterations + 1):
        fed = still + chosen.reg_noise_std * torch.randn_like(still)
        with torch.autocast("cpu", torch.bfloat16, enabled=chosen.precision == "bfloat16"):
            canvas = built(fed)
        canvas = canvas.float()[..., :PROTOTYPE_ROWS, :]
        # The first column again closes the circle.
        closed = torch.cat([canvas, canvas[..., :1]], -1)
        log_rate = level + functional.grid_sample(closed, grid, "bilinear", "border", align_corners=True)[0, 0]
        loss = (log_rate[seen].exp() - values * log_rate[seen]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        painted = log_rate.detach()
        average = painted if average is None else average.lerp(painted, max(1 - chosen.average, 2 / (iteration + 1)))
        if iteration % CHECK_EVERY == 0:
            yield iteration, lambda average=average: average.exp().numpy()


class Circular(nn.Module):
    """Padding as PyTorch has it: round the circle, reflected at its rims."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """One more pixel on every side."""
        x = functional.pad(x, (self.width, self.width, 0, 0), mode="circular")
        return functional.pad(x, (0, 0, self.width, self.width), mode="reflect")


def arrival(course: list[tuple[int, float, float]], target: float) -> dict[str, float]:
    """When a score first was as near to its target, in iterations and in seconds; NaN: never."""
    iterations, seconds, scores = (np.array(each) for each in zip(*course, strict=True))
    found = {}
    for near in NEAR:
        at = np.flatnonzero(scores <= near * target)
        first = (
            {"iterations": iterations[at[0]], "s": seconds[at[0]]} if at.size else {"iterations": np.nan, "s": np.nan}
        )
        found |= {f"{unit} to {near}": when for unit, when in first.items()}
    return found


def rising(how: str, precision: str) -> dict[str, float]:
    """Seconds of the dearest layer of the report's network, forwards and backwards, in several ways."""
    from scatterheal.dip.fast import _four_taps, _Rise
    from scatterheal.dip.padding import Padding

    channels, rows, columns = PAPER["channels"], ROWS // 2, COLUMNS // 2
    last, dtype = torch.channels_last, getattr(torch, precision)

    def drawn(*shape: int) -> Tensor:
        return torch.rand(shape).to(dtype).contiguous(memory_format=last)

    small, kernel = drawn(1, channels, rows, columns).requires_grad_(), drawn(channels, channels, 3, 3).requires_grad_()
    # As many multiplications as the fewest that do it, and nothing else.
    four, square = drawn(4, channels, rows + 1, columns + 1), drawn(channels, channels, 2, 2)

    def in_four() -> Tensor:
        """One convolution of 2 x 2 for each of the four pixels that a pixel becomes; not put together again."""
        wide = functional.pad(small, (1, 1, 1, 1), mode="replicate").contiguous(memory_format=last)
        kernels = [kernel]
        for axis in (2, 3):
            thirds = [part.unbind(axis) for part in kernels]
            kernels = [torch.stack(two, axis) for a, b, c in thirds for two in ((a, b + c), (a + b, c))]
        parts = []
        for (down, right), taps in zip(np.ndindex(2, 2), kernels, strict=True):
            seen = wide[..., down : down + rows + 1, right : right + columns + 1].contiguous(memory_format=last)
            parts.append(functional.conv2d(seen, taps.contiguous(memory_format=last)))
        return torch.cat(parts)

    ways: dict[str, Callable[[], Tensor]] = {
        "reference": lambda: functional.conv2d(
            Padding(1, wraps=False)(nn.UpsamplingNearest2d(scale_factor=2)(small)), kernel
        ),
        "fast": lambda: _Rise.apply(small, _four_taps(kernel), False),
        "four convolutions": in_four,
        "as many products": lambda: functional.conv2d(four.requires_grad_(), square.requires_grad_()),
    }
    gradient = torch.rand_like(ways[how]().detach())
    seconds = []
    for _ in range(2 * TIMED):
        start = time.perf_counter()
        ways[how]().backward(gradient)
        seconds.append(time.perf_counter() - start)
    return {"s an iteration": float(np.median(seconds[TIMED:]))}


PLAIN = ("reference", "float32")
BENCHMARKS = {
    "rising": (
        rising,
        [(e, p) for p in PRECISIONS for e in ("reference", "fast", "four convolutions", "as many products")],
    ),
    "paper": (paper, [PLAIN, *((e, p) for p in PRECISIONS for e in ("reference products", "fast", "fast products"))]),
    "scattering": (scattering, [(e, p) for p in PRECISIONS for e in ("prototype", "reference", "fast")]),
}


def measured(name: str, engine: str, precision: str, threads: int) -> dict[str, float]:
    """One figure, in this process."""
    from scatterheal.compute.devices import use_threads

    use_threads(threads)
    # KiB on Linux.
    return {
        **BENCHMARKS[name][0](engine, precision),
        "GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }


def main() -> None:
    """Measure in turn, and print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(BENCHMARKS), choices=list(BENCHMARKS), metavar="WORD")
    parser.add_argument("--one", nargs=3, metavar=("WORD", "ENGINE", "PRECISION"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measured(*asked.one, asked.threads)))
        return
    from scatterheal.compute.devices import computes_in_16_bits

    precisions = PRECISIONS if computes_in_16_bits(CPU) else PRECISIONS[:1]
    capabilities = torch.cpu.get_capabilities()
    has = [name for name in ("amx_bf16", "avx512_bf16") if capabilities.get(name)] or "neither AMX nor AVX512-BF16"
    print(f"{capabilities.get('cpu_name')}, {has}; {asked.threads} threads; torch {torch.__version__}\n")
    for name in asked.only:
        rows = []
        for _ in range(asked.rounds):
            for engine, precision in (pair for pair in BENCHMARKS[name][1] if pair[1] in precisions):
                command = [sys.executable, __file__, "--threads", str(asked.threads), "--one", name, engine, precision]
                told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                rows.append({"engine": engine, "precision": precision, **json.loads(told)})
        if "course" in rows[0]:
            target = np.mean([row["lowest"] for row in rows if (row["engine"], row["precision"]) == PLAIN])
            for row in rows:
                row |= arrival(row.pop("course"), target)
        table = pd.DataFrame(rows).groupby(["engine", "precision"], sort=False).median()
        time_of = table["s an iteration"]
        table["times the reference's speed"] = time_of[PLAIN] / time_of
        print(f"{name}\n\n{table.reset_index().to_markdown(index=False, floatfmt='.4g')}\n", flush=True)


if __name__ == "__main__":
    main()
