"""The training loop: fit a network to the known pixels of one image, in the report's seven steps."""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn
from tqdm import tqdm

from scatterheal.dip import network as networks
from scatterheal.dip.losses import LOSSES, Measured

if TYPE_CHECKING:
    from scatterheal.compute.checkpoint import State
    from scatterheal.dip.scene import Scene
    from scatterheal.settings.models import Fit

log = logging.getLogger(__name__)

# How often the log receives a line, as a share of all iterations.
LOG_LINES = 20
# Warnings are kept quiet by filters that all threads share.
FILTERS = threading.Lock()


class Painting(NamedTuple):
    """What a training has painted so far."""

    iteration: int
    loss: NDArray[np.float32]
    """The loss of every iteration since the last painting."""
    cells: NDArray[np.float32]
    """(cells, channels): on the canvas, what to add to the logarithm of the expected rate; or brightness in 0..1."""
    latest: NDArray[np.float32]
    """The same of this iteration alone, from the noisy input."""
    state: Callable[[], State]
    """All that a training needs to go on from here to the same bytes; to be asked for before it goes on."""


class Begun(NamedTuple):
    """A scene on its device, and a network that has not been trained yet."""

    measured: Measured
    start: Tensor | None
    read: Callable[[Tensor], Tensor]
    """S: what the known pixels read from a painting."""
    still: Tensor
    network: nn.Sequential
    random: torch.Generator
    """The source of all further noise."""


def fit(
    scene: Scene,
    chosen: Fit,
    device: torch.device,
    every: int,
    state: State | None = None,
    wanted: Callable[[], bool] | None = None,
) -> Iterator[Painting]:
    """Fit a network to the known pixels of a scan; what it paints elsewhere is the healing.

    Parameters
    ----------
    scene : Scene
        What is known.
    chosen : Fit
        network, input, channels, loss, average, lr, param_noise, reg_noise_std, iterations, seed, precision.
    device : torch.device
        Where to train.
    every : int
        The painting is handed over after every so many iterations, after the last, and before the first.
    state : State, optional
        From a painting of the same training, which goes on from there; that painting is the first again, unless it was
        handed over because it was wanted.
    wanted : callable, optional
        Asked after every iteration: whether a painting is handed over then as well.

    Yields
    ------
    Painting
        The same bytes for the same arguments on the same CPU with the same number of threads. Whoever has seen
        enough just stops asking.

    References
    ----------
    Ulyanov, Vedaldi, Lempitsky, Deep Image Prior, CVPR 2018, arXiv 1711.10925; the seven steps are
    those of the Chalmers report (MVE385, 2021).

    Examples
    --------
    >>> from scatterheal.dip.scene import Scene
    >>> from scatterheal.polar.canvas import cartesian, view
    >>> image = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    >>> valid = np.ones((16, 16), bool); valid[6:9] = False
    >>> scene = Scene(*view(cartesian((16, 16), None), (16, 16)), valid, image[valid][:, None])
    >>> from scatterheal.settings.models import Fit
    >>> chosen = Fit(channels=4, param_noise=True, iterations=4)
    >>> [(painting.iteration, painting.cells.shape) for painting in fit(scene, chosen, torch.device("cpu"), every=2)]
    [(0, (256, 1)), (2, (256, 1)), (4, (256, 1))]
    """
    # 1. Initialise the weights and the input.
    measured, start, read, still, network, random = begin(scene, chosen, device)
    optimiser = torch.optim.Adam(network.parameters(), lr=chosen.lr)
    loss_of = LOSSES[chosen.loss]

    def paint(fed: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=chosen.precision == "bfloat16"):
            output = network(fed)
        return cells_of(output.to(still.dtype), scene)

    first = iteration = state["iteration"] if state else 0
    average: Tensor | None = None
    losses = torch.zeros(every, device=device)
    with torch.no_grad():
        painted = paint(still)
    if state is not None:
        network.load_state_dict(state["network"])
        # Its own numbers, which it would otherwise change in the state.
        optimiser.load_state_dict(copied(state["optimiser"]))
        random.set_state(state["random"])
        losses.copy_(state["losses"])
        average = None if state["average"] is None else state["average"].to(device)
        painted = state["latest"].to(device)

    def handed_over() -> Painting:
        cells = _still_painting(paint, still) if average is None or not chosen.average else average.cpu().numpy()
        since = losses[: (iteration - 1) % every + 1 if iteration else 0].cpu().numpy().copy()
        return Painting(iteration, since, cells, painted.detach().cpu().numpy(), state_now)

    def state_now() -> State:
        parts = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "random": random.get_state()}
        made = {"iteration": iteration, "average": average, "latest": painted.detach(), "losses": losses}
        return copied(parts | made)

    if due(iteration, every, chosen):
        yield handed_over()
    for iteration in announced(chosen, losses, first):
        # 2. Optional normal noise on the input and on the weights.
        fed = still
        if chosen.reg_noise_std > 0:
            fed = still + chosen.reg_noise_std * torch.randn(still.shape, generator=random, device=device)
        if chosen.param_noise:
            shake(network, random)
        # 3. Forward.
        painted = paint(fed)
        # 4. Mask: only the known pixels look at the canvas. 5. The loss.
        seen = read(painted)
        loss = loss_of(seen if start is None else start + seen, measured)
        # 6. One step of Adam.
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        # 7. Repeat; paintings are averaged, and every so often one is handed over.
        losses[(iteration - 1) % every] = loss.detach()
        if chosen.average:
            # The first paintings count less than they would in an average from the start.
            average = painted.detach() if average is None else average
            average = average.lerp(painted.detach(), max(1 - chosen.average, 2 / (iteration + 1)))
        if due(iteration, every, chosen) or (wanted and wanted()):
            yield handed_over()


def copied(state: Any) -> Any:
    """A state as it is now, in the memory of the computer: a GPU's has none to spare for what waits."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, Mapping):
        return {name: copied(value) for name, value in state.items()}
    return [copied(value) for value in state] if isinstance(state, (list, tuple)) else state


def due(iteration: int, every: int, chosen: Fit) -> bool:
    """Whether a painting is handed over after an iteration whoever wants it."""
    return iteration % every == 0 or iteration == chosen.iterations


def cells_of(output: Tensor, scene: Scene) -> Tensor:
    """The painting (cells, channels) on the scene's canvas, of what a network says (1, channels, rows, columns)."""
    output = output[0, :, : scene.canvas.rows, : scene.canvas.columns]
    cells = output.permute(1, 2, 0).reshape(-1, len(output))
    return torch.sigmoid(cells) if scene.start is None else scene.gain * cells


class _Read(torch.autograd.Function):
    """S at the known pixels and, backwards, its transpose: as matrices with sorted rows fast, always in the same order.

    All pixels read, so that no training needs matrices of its own; what the others would say to the cells is 0.
    """

    @staticmethod
    def forward(context: Any, cells: Tensor, reads: Tensor, spreads: Tensor, known: Tensor) -> Tensor:
        context.spreads, context.known = spreads, known
        return (reads @ cells)[known]

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        of_all = gradient.new_zeros(context.spreads.shape[1], gradient.shape[1])
        return context.spreads @ of_all.index_copy_(0, context.known, gradient), None, None, None


def _matrix(matrix: sparse.csr_array, device: torch.device) -> Tensor:
    """The matrix on a device; on the CPU it is the same memory."""
    starts, columns = torch.as_tensor(matrix.indptr), torch.as_tensor(matrix.indices)
    with FILTERS, warnings.catch_warnings():
        # That its interface may still change is nothing to tell every user.
        warnings.filterwarnings("ignore", "Sparse CSR", UserWarning)
        values = torch.as_tensor(matrix.data)
        return torch.sparse_csr_tensor(starts, columns, values, matrix.shape, check_invariants=True).to(device)


def _on(device: torch.device, values: NDArray | None) -> Tensor | None:
    return None if values is None else torch.as_tensor(values, device=device)


def begin(scene: Scene, chosen: Fit, device: torch.device) -> Begun:
    """Bring a scene to the device, and draw the input and the weights: the seed's, whatever ran before."""
    values = torch.as_tensor(scene.values, device=device)
    shared = [_matrix(part, device) for part in (scene.reads, scene.spreads)]
    known = _on(device, np.flatnonzero(scene.known))
    random = torch.Generator(device).manual_seed(chosen.seed)
    if scene.maps is None:
        still = networks.still_input(chosen.network, chosen.input, scene.canvas, random)
    else:
        still = networks.padded(torch.as_tensor(scene.maps, device=device)[None], chosen.network)
    inputs, outputs = still.shape[1], scene.values.shape[1]
    network = networks.build(chosen.network, inputs, outputs, chosen.channels, scene.canvas.wraps, chosen.seed)
    if scene.start is not None:
        # Before the first step nothing is added to what is expected.
        for of_head in network[-1].parameters():
            nn.init.zeros_(of_head)
    return Begun(
        Measured(values, _on(device, scene.at_most), _on(device, scene.at_least), scene.most),
        _on(device, scene.start),
        # torch's `apply` has no types.
        lambda cells: _Read.apply(cells, *shared, known),  # type: ignore[no-untyped-call]
        # Channels last is the layout in which convolutions run fastest; the result is the same to rounding.
        still.contiguous(memory_format=torch.channels_last),
        # torch's types do not know that a module takes a memory format.
        network.to(device, memory_format=torch.channels_last),  # type: ignore[call-overload]
        random,
    )


def shake(network: nn.Module, random: torch.Generator) -> None:
    """Add normal noise to the weights of every convolution, in place: std = their own std / 50."""
    with torch.no_grad():
        for weights in network.parameters():
            if weights.ndim == 4:
                noise = torch.randn(weights.shape, generator=random, device=weights.device)
                weights.add_(noise * weights.std() / 50)


def _still_painting(paint: Any, still: Tensor) -> NDArray[np.float32]:
    """What the network paints from the still input, without noise."""
    with torch.no_grad():
        return paint(still).cpu().numpy().copy()


def announced(chosen: Fit, losses: Tensor, done: int) -> Iterator[int]:
    """Count on from what is done, with a progress bar in a terminal and plain lines in the log."""
    # Several networks are trained in turn; each has a seed of its own.
    iterations, seed = chosen.iterations, chosen.seed
    every = max(iterations // LOG_LINES, 1)
    start = time.monotonic()
    if done:
        log.info("seed %d: goes on after iteration %d of %d", seed, done, iterations)
    # None: a bar in a terminal alone; and none where nobody wants to hear of each of many trainings.
    with tqdm(
        total=iterations, initial=done, disable=log.level > logging.INFO or None, unit="it", dynamic_ncols=True
    ) as bar:
        for iteration in range(done + 1, iterations + 1):
            yield iteration
            bar.update()
            if iteration % every == 0 or iteration == iterations:
                loss = float(losses[(iteration - 1) % len(losses)])
                left = (time.monotonic() - start) / (iteration - done) * (iterations - iteration)
                bar.set_postfix(loss=f"{loss:.5f}")
                log.info("seed %d: iteration %d of %d, loss %.6f, %.0f s left", seed, iteration, iterations, loss, left)
