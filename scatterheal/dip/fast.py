"""The fast engine: the training loop of `scatterheal.dip.loop` in fewer, larger and cheaper steps, to the same result.

Every change is exact but for rounding: an upsampling and the convolution after it are one transposed convolution with
fewer multiplications; batch normalisation comes before the upsampling, where there are four times fewer pixels; 1 x 1
convolutions are matrix products; biases that the next normalisation removes are not added; all parameters take their
step of Adam at once. On a GPU a step is recorded once, as a graph, and replayed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, conv_transpose2d, leaky_relu_, linear
from torch.optim.adam import adam
from torch.utils.checkpoint import checkpoint

from scatterheal.dip.loop import Painting, announced, begin, cells_of, copied, due, shake
from scatterheal.dip.losses import LOSSES

if TYPE_CHECKING:
    from scatterheal.compute.checkpoint import State
    from scatterheal.dip.scene import Scene
    from scatterheal.settings.models import Fit

# As torch.optim.Adam has them, whose class spends a second on importing what this never needs.
ADAM: dict[str, Any] = {
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0,
    "amsgrad": False,
    "maximize": False,
}
# A process may record one graph at a time.
RECORDING = threading.Lock()


def fit(
    scene: Scene,
    chosen: Fit,
    device: torch.device,
    every: int,
    state: State | None = None,
    wanted: Callable[[], bool] | None = None,
    sparing: bool = False,
    pool: tuple[int, int] | None = None,
) -> Iterator[Painting]:
    """Fit a network to the known pixels of a scan, as `scatterheal.dip.loop.fit` does.

    Parameters
    ----------
    scene, chosen, device, every, state, wanted
        As there.
    sparing : bool
        Whether to keep less in memory and to compute it again, to the same bytes.
    pool : optional
        From `torch.cuda.graph_pool_handle`: the memory in which trainings that take turns on one stream do their steps.

    Yields
    ------
    Painting
        That of the plain loop, but for rounding.

    Examples
    --------
    >>> from scatterheal.dip import loop as plain
    >>> from scatterheal.dip.scene import Scene
    >>> from scatterheal.polar.canvas import cartesian, view
    >>> image = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    >>> canvas = cartesian((16, 16), None)
    >>> scene = Scene(*view(canvas, image.shape), image >= 0, image.reshape(-1, 1))
    >>> from scatterheal.settings.models import Fit
    >>> chosen = Fit(channels=4, param_noise=True, iterations=1)
    >>> last = [list(engine(scene, chosen, torch.device("cpu"), 1))[-1].latest for engine in (plain.fit, fit)]
    >>> bool(abs(last[0] - last[1]).max() < 1e-4)
    True
    """
    measured, start, read, still, network, random = begin(scene, chosen, device)
    loss_of = LOSSES[chosen.loss]
    # In doubles where a test wants to see the course of a training without rounding.
    dtype = torch.bfloat16 if chosen.precision == "bfloat16" else torch.get_default_dtype()
    # A convolution's bias before a normalisation changes nothing.
    idle = {layer.bias for layer in network[0].modules() if isinstance(layer, nn.Conv2d)}
    weights: list[Tensor] = [weight for weight in network.parameters() if weight not in idle]
    steps = [torch.zeros((), device=device) for _ in weights]
    means, squares = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))

    def painted(fed: Tensor) -> Tensor:
        return cells_of(paint(network, fed.to(dtype), sparing).to(still.dtype), scene)

    # What a step leaves behind stays in one place, so that it can be recorded.
    done = torch.zeros((), dtype=torch.int64, device=device)
    losses = torch.zeros(every, device=device)
    with torch.no_grad():
        latest = painted(still)
    average = torch.zeros_like(latest)
    left = [*means, *squares, *steps, done, losses, latest, average]
    first = iteration = state["iteration"] if state else 0
    if state is not None:
        network.load_state_dict(state["network"])
        random.set_state(state["random"])
        with torch.no_grad():
            for tensor, before in zip(left, state["left"], strict=True):
                tensor.copy_(before)

    def step() -> None:
        fed = still
        if chosen.reg_noise_std > 0:
            noise = torch.randn(still.shape, generator=random, device=device)
            fed = torch.add(still, noise, alpha=chosen.reg_noise_std)
        if chosen.param_noise:
            shake(network, random)
        cells = painted(fed)
        seen = read(cells)
        loss = loss_of(seen if start is None else start + seen, measured)
        network.zero_grad()
        loss.backward()
        with torch.no_grad():
            # Backwards, each of them got one.
            gradients = cast(list[Tensor], [weight.grad for weight in weights])
            adam(weights, gradients, means, squares, [], steps, fused=True, lr=chosen.lr, **ADAM)
            losses.index_copy_(0, (done % every)[None], loss.detach()[None])
            done.add_(1)
            latest.copy_(cells)
            if chosen.average:
                average.lerp_(cells, (2 / (done + 1)).clamp(min=1 - chosen.average))

    def handed_over() -> Painting:
        shown = average
        if iteration == 0 or not chosen.average:
            with torch.no_grad():
                shown = painted(still)
        since = losses[: (iteration - 1) % every + 1 if iteration else 0]
        return Painting(iteration, _array(since), _array(shown), _array(latest), state_now)

    def state_now() -> State:
        parts = {"network": network.state_dict(), "random": random.get_state()}
        return copied({**parts, "iteration": iteration, "left": left})

    if due(iteration, every, chosen):
        yield handed_over()
    advance: Callable[[], None] = step
    for iteration in announced(chosen, losses, first):
        advance()
        if due(iteration, every, chosen) or (wanted and wanted()):
            if device.type == "cuda" and advance is step:
                advance = _recorded(step, random, pool)
            yield handed_over()


def paint(network: nn.Sequential, fed: Tensor, sparing: bool = False) -> Tensor:
    """What the network of `scatterheal.dip.network.build` says, to rounding, at less cost.

    Parameters
    ----------
    network : nn.Sequential
    fed : tensor (1, inputs, height, width)
        Its type is that of the convolutions.
    sparing : bool
        Whether to keep for the way back only what goes from layer to layer, and to compute the rest again there.

    References
    ----------
    T. Chen, B. Xu, C. Zhang, C. Guestrin, Training Deep Nets with Sublinear Memory Cost (2016), arXiv:1604.06174.

    Examples
    --------
    >>> from scatterheal.dip.network import build
    >>> network, fed = build("kate", 2, 1, channels=8), torch.rand(1, 2, 64, 64)
    >>> torch.allclose(network(fed), paint(network, fed), atol=1e-4)
    True
    """
    level: Any
    head: Any
    level, head = network
    # No layer draws random numbers.
    again = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)
    return _mixed(_through(level, fed, again if sparing else _at_once), head.weight, head.bias.to(fed.dtype))


def _at_once(layer: Callable[..., Tensor], *given: Any) -> Tensor:
    return layer(*given)


def _through(level: Any, x: Tensor, computed: Callable[..., Tensor]) -> Tensor:
    """One level of the network, and those below it."""
    below = x
    for layer in level.down:
        below = computed(_layer, layer, below)
    if not isinstance(level.below, nn.Identity):
        below = _through(level.below, below, computed)
    x = computed(_risen, level, below, x)
    mixing = level.up[2]
    return computed(_layer, mixing, x) if isinstance(mixing, nn.Sequential) else x


def _risen(level: Any, below: Tensor, x: Tensor) -> Tensor:
    """What the levels below say at twice the size, with the shortcut past them, through a convolution."""
    norm, rising, _ = level.up
    padding, convolution, after, activation = rising
    kernel = convolution.weight.to(x.dtype)
    skip = kernel.shape[1] - below.shape[1]
    below = _normed(below, norm, slice(skip, None))
    # torch's `apply` has no types.
    risen = _Rise.apply(below, _four_taps(kernel[:, skip:]), padding.wraps)  # type: ignore[no-untyped-call]
    if level.shortcut is not None:
        beside = _normed(_layer(level.shortcut, x), norm, slice(skip))
        risen = risen + conv2d(padding(beside), kernel[:, :skip])
    return leaky_relu_(_normed(risen, after), activation.negative_slope)


def _layer(layer: nn.Sequential, x: Tensor) -> Tensor:
    """Padding, convolution, normalisation and LeakyReLU."""
    padding: list[nn.Module]
    convolution: Any
    norm: Any
    activation: Any
    *padding, convolution, norm, activation = layer
    if padding:
        x = conv2d(padding[0](x), convolution.weight.to(x.dtype), stride=convolution.stride)
    else:
        x = _mixed(x, convolution.weight)
    return leaky_relu_(_normed(x, norm), activation.negative_slope)


def _normed(x: Tensor, norm: nn.BatchNorm2d, part: slice = slice(None)) -> Tensor:
    """By the statistics of this one image; a part of the channels alone where the others come from elsewhere."""
    return batch_norm(x, None, None, norm.weight[part], norm.bias[part], training=True, eps=norm.eps)


def _mixed(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A convolution of 1 x 1 pixels."""
    return linear(x.permute(0, 2, 3, 1), weight[:, :, 0, 0].to(x.dtype), bias).permute(0, 3, 1, 2)


def _four_taps(kernel: Tensor) -> Tensor:
    """From a kernel (outputs, inputs, 3, 3) on pixels that all stand twice to one on these pixels once.

    It is that of a transposed convolution by two, (inputs, outputs, 4, 4): two of four taps meet each output.
    """
    for axis in (2, 3):
        first, second, third = kernel.unbind(axis)
        kernel = torch.stack([third, second + third, first + second, first], axis)
    return kernel.transpose(0, 1).contiguous(memory_format=torch.channels_last)


class _Rise(torch.autograd.Function):
    """Twice the size by nearest neighbours, padding by one pixel, and a convolution, at once: a transposed convolution.

    The pixels that padding puts beyond the rim of the large image are, of the small one, the outermost again, or those
    of the other side where the columns wrap. What they add to the outermost outputs comes from strips of one row or
    column.
    """

    @staticmethod
    def forward(context: Any, x: Tensor, kernel: Tensor, wraps: bool) -> Tensor:
        context.save_for_backward(x, kernel)
        context.wraps = wraps
        risen = conv_transpose2d(x, kernel, stride=2, padding=1)
        for strip, beyond in zip(STRIPS, _beyond(x, wraps), strict=True):
            risen[strip.outputs] += conv_transpose2d(beyond, kernel[strip.taps], None, strip.stride, strip.padding)
        return risen

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, kernel = context.saved_tensors
        of_x, of_kernel = _backwards(gradient, x, kernel, (2, 2), (1, 1))
        of_beyond = []
        for strip, beyond in zip(STRIPS, _beyond(x, context.wraps), strict=True):
            parts = gradient[strip.outputs], beyond, kernel[strip.taps]
            of_strip, of_taps = _backwards(*parts, strip.stride, strip.padding)
            of_beyond.append(of_strip)
            of_kernel[strip.taps] += of_taps
        left, right, above, below = of_beyond
        first, last = (-1, 0) if context.wraps else (0, -1)
        of_x[..., first] += left[..., 0]
        of_x[..., last] += right[..., 0]
        for row, side in ((0, above), (-1, below)):
            of_x[..., row, :] += side[..., 0, 1:-1]
            of_x[..., row, first] += side[..., 0, 0]
            of_x[..., row, last] += side[..., 0, -1]
        return of_x, of_kernel, None


class _Strip(NamedTuple):
    """One side of an image: which outputs a strip of pixels beyond it reaches, by which taps of the kernel."""

    outputs: tuple[Any, ...]
    taps: tuple[Any, ...]
    stride: tuple[int, int]
    padding: tuple[int, int]


STRIPS = (
    _Strip(np.s_[..., :1], np.s_[..., 3:], (2, 1), (1, 0)),
    _Strip(np.s_[..., -1:], np.s_[..., :1], (2, 1), (1, 0)),
    _Strip(np.s_[..., :1, :], np.s_[..., 3:, :], (1, 2), (0, 3)),
    _Strip(np.s_[..., -1:, :], np.s_[..., :1, :], (1, 2), (0, 3)),
)


def _beyond(x: Tensor, wraps: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The pixels beyond the left, right, upper and lower rim; the last two reach round the corners."""
    left, right = (x[..., -1:], x[..., :1]) if wraps else (x[..., :1], x[..., -1:])
    above, below = (
        torch.cat([side[..., row, :] for side in (left, x, right)], -1) for row in (slice(1), slice(-1, None))
    )
    return left, right, above, below


def _backwards(
    gradient: Tensor, x: Tensor, kernel: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The gradients of what went into a transposed convolution, and of its kernel."""
    of_x, of_kernel, _ = torch.ops.aten.convolution_backward(
        gradient, x, kernel, None, stride, padding, (1, 1), True, (0, 0), 1, (True, True, False)
    )
    return of_x, of_kernel


def _recorded(step: Callable[[], None], random: torch.Generator, pool: tuple[int, int] | None) -> Callable[[], None]:
    """A step as one graph for the GPU; its noise goes on as it would have."""
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(random)
    # On the thread's own stream: graphs that are recorded on one stream share cuBLAS's workspace, also while they are
    # replayed side by side. Nothing can be recorded on the default stream. What other threads do is no part of it.
    own = torch.cuda.current_stream()
    stream = None if own == torch.cuda.default_stream() else own
    # torch's name for the type of a pool is private.
    with RECORDING, torch.cuda.graph(graph, pool, stream, capture_error_mode="thread_local"):  # type: ignore[arg-type]
        step()
    return graph.replay


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.cpu().numpy().copy()
