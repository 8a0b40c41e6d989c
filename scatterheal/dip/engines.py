"""The two engines that train: the plain loop, and the same in less time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from scatterheal.compute.checkpoint import State
from scatterheal.compute.memory import SPARING
from scatterheal.dip import fast
from scatterheal.dip.loop import Painting, fit
from scatterheal.dip.scene import Scene
from scatterheal.settings.models import Fit

ENGINES = {"reference": fit, "fast": fast.fit}


def train(
    scene: Scene,
    chosen: Fit,
    device: torch.device,
    every: int,
    state: State | None,
    wanted: Callable[[], bool] | None,
    sparing: bool,
    pool: tuple[int, int] | None = None,
) -> Iterator[Painting]:
    """Train by the engine that is asked for; where memory is short sparing of it, as the fast one alone can be."""
    of_engine = {"sparing": sparing or SPARING.get(), "pool": pool} if chosen.engine == "fast" else {}
    return ENGINES[chosen.engine](scene, chosen, device, every, state, wanted, **of_engine)
