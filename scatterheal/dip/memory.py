"""How much memory a training takes, told before it starts."""

from __future__ import annotations

import logging
import math

import torch
from torch import Tensor, nn

from scatterheal.compute.devices import computes_in_16_bits
from scatterheal.compute.memory import free
from scatterheal.dip import network as networks
from scatterheal.dip.scene import Scene
from scatterheal.errors import ScanError
from scatterheal.polar.canvas import Canvas
from scatterheal.settings.models import Fit

log = logging.getLogger(__name__)

# Beside what a network keeps from its way forward for the way back: gradients and what its layers need for a moment, as
# a share of that; the painting and its average, bytes a cell; what the pixels read of it, their loss and its gradients,
# bytes a pixel, with censored counts more. benchmarks/memory.py measures all of them.
BESIDE, EACH_CELL, EACH_PIXEL, IF_CENSORED = 0.3, 100, 65, 65
# Shares of what the network takes in the plain loop: at most so much in the fast engine, of which a sparing training
# takes at most so much. Both were measured in 32 bits on a CPU; in 16 bits the first is not taken for granted.
FAST, SPARED = 0.7, 0.8


def needed(
    canvas: Canvas,
    inputs: int,
    outputs: int,
    chosen: Fit,
    pixels: int,
    censored: bool = False,
    sparing: bool = False,
) -> float:
    """The memory that a step of a training takes at most, from the sizes of all that its network keeps.

    Parameters
    ----------
    canvas : Canvas
    inputs, outputs : int
        Channels of what the network is fed and of what it paints.
    chosen : Fit
        Of which network, channels, precision and engine are looked at.
    pixels : int
        Of the scan.
    censored : bool
        Whether some counts are only known to lie beyond a limit.
    sparing : bool
        Whether the fast engine is to be.

    Returns
    -------
    needed : float
        Bytes: of the plain loop to a fifth, of the fast engine at most.

    Examples
    --------
    >>> from scatterheal.polar.canvas import cartesian
    >>> from scatterheal.settings.models import Fit
    >>> plain, fast = Fit(engine="reference"), Fit(engine="fast")
    >>> round(needed(cartesian((1679, 1475), None), 2, 1, plain, 1679 * 1475) / 1e9, 1)
    21.4
    >>> round(needed(cartesian((1679, 1475), None), 2, 1, fast, 1679 * 1475) / 1e9, 1)
    15.1
    """
    rows, columns = networks.padded_size(chosen.network, canvas.rows, canvas.columns)
    network = networks.build(chosen.network, inputs, outputs, chosen.channels, canvas.wraps)
    # So much a network keeps in all, for each row, for each column and for each cell: told by four small paintings.
    # (Tensors without contents would tell it at once, but torch then imports its compiler, which takes seconds.)
    block = 2**networks.LEVELS
    small, _ = networks.padded_size(chosen.network, 1, 1)
    down, across = (rows - small) / block, (columns - small) / block
    kept = sum(
        of_high * of_wide * _kept(network, torch.zeros(1, inputs, high, wide))
        for of_high, high in ((1 - down, small), (down, small + block))
        for of_wide, wide in ((1 - across, small), (across, small + block))
    )
    share = 0.5 if chosen.precision == "bfloat16" else FAST if chosen.engine == "fast" else 1.0
    if sparing:
        share *= SPARED
    of_network = (1 + BESIDE) * share * kept + EACH_CELL * rows * columns
    return of_network + (EACH_PIXEL + IF_CENSORED * censored) * pixels


def _kept(network: nn.Module, fed: Tensor) -> int:
    """Bytes of all that a network keeps from a way forward for the way back."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[id(tensor)] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(fed)
    return sum(tensor.nbytes for tensor in kept.values())


def check(scene: Scene, chosen: Fit, device: torch.device, folds: int = 1) -> bool:
    """Say how much memory a training will take, and refuse one for which there is not enough.

    What other jobs take that start at the same time is not known here.

    Parameters
    ----------
    scene : Scene
    chosen : Fit
        As `scatterheal.dip.scene.settled` gives it.
    device : torch.device
        Where it is to be trained.
    folds : int
        Networks that take turns.

    Returns
    -------
    sparing : bool
        Whether it fits only if what a step has computed once is computed again, rather than kept.

    Raises
    ------
    ScanError
        One line: the key, what it would need, what is free, the remedy.
    """
    canvas, channels = scene.canvas, chosen.channels
    if scene.maps is None:
        small = canvas._replace(rows=1, columns=1)
        still = networks.still_input(chosen.network, chosen.input, small, torch.Generator())
        inputs = still.shape[1]
    else:
        inputs = len(scene.maps)
    censored = scene.at_most is not None or scene.at_least is not None
    outputs, pixels = scene.values.shape[1], scene.known.size
    asked = (canvas, inputs, outputs, chosen, pixels, censored)
    left, there = free(device), "the GPU has" if device.type == "cuda" else "are free"
    kept = folds * _kept_by_each(scene, chosen, device)
    wanted = needed(*asked) + kept
    log.info("the training takes about %.2f GB of memory of %.1f GB that %s", wanted / 1e9, left / 1e9, there)
    if wanted <= left:
        return False
    if chosen.engine == "fast":
        wanted = needed(*asked, sparing=True) + kept
        if wanted <= left:
            log.info("keeps less and computes it again, in %.1f GB, which takes longer", wanted / 1e9)
            return True
    if canvas.centre is None:
        side = int(max(canvas.rows, canvas.columns) * math.sqrt(left / wanted)) // 32 * 32
        key, remedy = "max_side", f"{max(side, 32)} or less"
    else:
        key, remedy = "radius_step", f"{math.ceil(10 * canvas.step[0] * wanted / left) / 10:g} or more"
    in_32_bits = chosen.precision == "float32"
    halved = ", or precision: bfloat16" if in_32_bits and computes_in_16_bits(device) else ""
    raise ScanError(
        f"fit.{key}: a network of {channels} channels on a canvas of {canvas.rows} x {canvas.columns} cells takes "
        f"about {wanted / 1e9:.1f} GB of memory, and {left / 1e9:.1f} GB {there}; set {key}: {remedy}, "
        f"fewer channels{halved}"
    )


def _kept_by_each(scene: Scene, chosen: Fit, device: torch.device) -> int:
    """Bytes that each of some trainings keeps while the others have their turn: paintings; on a GPU a copy of S."""
    if device.type == "cuda":
        parts = (
            part for matrix in (scene.reads, scene.spreads) for part in (matrix.data, matrix.indices, matrix.indptr)
        )
        return sum(part.nbytes for part in parts)
    checks = chosen.iterations // chosen.check_every + 2
    return 4 * checks * scene.canvas.rows * scene.canvas.columns * scene.values.shape[1]
