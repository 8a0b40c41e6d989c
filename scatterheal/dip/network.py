"""The encoder-decoder networks that paint an image, and the still input that they are fed.

All are the "hourglass" of the Deep Image Prior (Ulyanov, Vedaldi and Lempitsky, CVPR 2018): five
levels, each a strided and a plain convolution on the way down, a nearest-neighbour upsampling and a
convolution on the way up, with padding (`scatterheal.dip.padding`), biases, batch normalisation and LeakyReLU.
What comes out has no bounds; the training turns it into brightness or into counts.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from scatterheal.dip.padding import Padding
from scatterheal.polar.canvas import Canvas

LEVELS = 5
# Weights are drawn from a generator that all threads share.
DRAWING = threading.Lock()
WIDEST = 128


class Plan(NamedTuple):
    """What tells one network from another."""

    widths: tuple[int, ...]
    """Channels of each level, the finest first."""
    skip: int
    """Channels of the shortcut past each level; 0: none."""
    kernel_down: int
    """Side of the convolutions on the way down, pixels; 3 on the way up."""
    one_by_one: bool
    """Whether a 1x1 convolution follows each convolution on the way up."""
    input: str
    """What it is fed unless the run says otherwise: meshgrid or noise."""
    noise_channels: int
    """Channels of a noise input."""


# The three networks that the report's code compared: vase is its Table 1, the other two are those of
# Ulyanov et al. for their images of the same names.
PLANS = {
    "vase": Plan((128,) * LEVELS, 0, 3, True, "meshgrid", 16),
    "kate": Plan((128,) * LEVELS, 128, 3, True, "noise", 32),
    "library": Plan((16, 32, 64, 128, 128), 0, 5, False, "noise", 1),
}


def build(
    name: str, inputs: int, outputs: int, channels: int = WIDEST, wraps: bool = False, seed: int = 0
) -> nn.Sequential:
    """Build a network with freshly drawn weights: the seed's, whatever ran before or is built beside it.

    Parameters
    ----------
    name : {"vase", "kate", "library"}
        Which plan.
    inputs, outputs : int
        Channels of the input and of the painted image.
    channels : int
        Width of the widest level; the others keep their ratio to it.
    wraps : bool
        Whether the last column is followed by the first: a circle of azimuths.
    seed : int
        Of the weights.

    Returns
    -------
    network : nn.Sequential
        Maps (1, inputs, height, width) to (1, outputs, height, width); both sides must be as `padded_size` gives
        them.

    Examples
    --------
    >>> network = build("vase", inputs=2, outputs=3)
    >>> sum(weights.numel() for weights in network.parameters())
    2157955
    """
    plan = PLANS[name]
    widths = [max(round(width * channels / WIDEST), 1) for width in plan.widths]
    skip = round(plan.skip * channels / WIDEST)
    inner: nn.Module = nn.Identity()
    with DRAWING, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for level in reversed(range(LEVELS)):
            fed = inputs if level == 0 else widths[level - 1]
            risen = widths[min(level + 1, LEVELS - 1)]
            inner = _Level(fed, widths[level], risen, skip, plan, wraps, inner)
        return nn.Sequential(inner, nn.Conv2d(widths[0], outputs, 1))


class _Level(nn.Module):
    """One level: down to half the size, through the levels below, and up again."""

    def __init__(self, fed: int, width: int, risen: int, skip: int, plan: Plan, wraps: bool, below: nn.Module) -> None:
        super().__init__()
        self.shortcut = _convolution(fed, skip, 1, wraps) if skip else None
        self.down = nn.Sequential(
            _convolution(fed, width, plan.kernel_down, wraps, stride=2),
            _convolution(width, width, plan.kernel_down, wraps),
        )
        self.below = below
        self.rise = nn.Upsample(scale_factor=2, mode="nearest")
        self.up = nn.Sequential(
            _norm(skip + risen),
            _convolution(skip + risen, width, 3, wraps),
            _convolution(width, width, 1, wraps) if plan.one_by_one else nn.Identity(),
        )

    def forward(self, x: Tensor) -> Tensor:
        risen = self.rise(self.below(self.down(x)))
        if self.shortcut is not None:
            risen = torch.cat([self.shortcut(x), risen], dim=1)
        return self.up(risen)


def _convolution(fed: int, width: int, kernel: int, wraps: bool, stride: int = 1) -> nn.Sequential:
    padding = [Padding(kernel // 2, wraps)] if kernel > 1 else []
    return nn.Sequential(*padding, nn.Conv2d(fed, width, kernel, stride), _norm(width), nn.LeakyReLU(0.2))


def _norm(width: int) -> nn.BatchNorm2d:
    # One image is all there is: its own statistics are used always, and none are kept.
    return nn.BatchNorm2d(width, track_running_stats=False)


def padded_size(name: str, height: int, width: int) -> tuple[int, int]:
    """The size at which a network paints an image of this size: the image is padded, never cropped.

    Both sides become multiples of 32 (five halvings), and large enough for reflection at the bottom.

    Examples
    --------
    >>> padded_size("vase", 226, 282), padded_size("vase", 20, 30)
    ((256, 288), (64, 64))
    """
    block = 2**LEVELS
    smallest = PLANS[name].kernel_down // 2 + 1
    return block * max(-(-height // block), smallest), block * max(-(-width // block), smallest)


def still_input(name: str, kind: str | None, canvas: Canvas, generator: torch.Generator) -> Tensor:
    """The input that stays the same through the training.

    Parameters
    ----------
    name : str
        The network.
    kind : {"meshgrid", "noise"} or None
        meshgrid: x and y, each from 0 to 1 over the canvas (and on over the padding), on a polar one radius and
        azimuth, the latter as cosine and sine where it closes on itself; noise: uniform in 0..0.1; None: the network's
        own.
    canvas : Canvas
        The input has its padded size.
    generator : torch.Generator
        Source of the noise; its device is where the input is made.

    Returns
    -------
    still : float32 tensor (1, channels, padded rows, padded columns)
    """
    plan = PLANS[name]
    rows, columns = padded_size(name, canvas.rows, canvas.columns)
    if (kind or plan.input) != "meshgrid":
        shape = (1, plan.noise_channels, rows, columns)
        return 0.1 * torch.rand(shape, generator=generator, device=generator.device)
    x = torch.arange(columns, device=generator.device) / max(canvas.columns - 1, 1)
    y = torch.arange(rows, device=generator.device) / max(canvas.rows - 1, 1)
    if canvas.wraps:
        turn = 2 * torch.pi * torch.arange(columns, device=generator.device) / columns
        x, across = (1 + torch.cos(turn)) / 2, (1 + torch.sin(turn)) / 2
        maps = (x.expand(rows, -1), across.expand(rows, -1), y[:, None].expand(-1, columns))
        return torch.stack(maps).unsqueeze(0)
    return torch.stack(torch.meshgrid(x, y, indexing="xy")).unsqueeze(0)


def padded(maps: Tensor, name: str) -> Tensor:
    """Maps (1, channels, rows, columns) on a canvas, repeated at the rim to the size at which a network paints."""
    rows, columns = maps.shape[2:]
    below, right = (wanted - has for wanted, has in zip(padded_size(name, rows, columns), (rows, columns), strict=True))
    return pad(maps, (0, right, 0, below), mode="replicate")
