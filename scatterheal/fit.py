"""The training loop: fit a network to the known pixels of one image, in the report's seven steps."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from tqdm import tqdm

from scatterheal import network as networks
from scatterheal.errors import ScanError

log = logging.getLogger(__name__)

Image = NDArray[np.float32]
# How often the log receives a line, as a share of all iterations.
LOG_LINES = 20


class Fitted(NamedTuple):
    """What a training leaves behind."""

    losses: NDArray[np.float32]
    """The loss of every iteration."""
    snapshots: dict[int, Image]
    """The network's own image after 0, k, 2k, ... and the last iteration, shape of the fitted image, 0..1."""


def choose_device(wanted: str) -> torch.device:
    """The device to train on.

    Parameters
    ----------
    wanted : {"auto", "cpu", "cuda"}

    Raises
    ------
    ScanError
        cuda was asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        build = "this torch is a CPU build" if torch.version.cuda is None else "torch sees no GPU"
        raise ScanError(
            f"fit.device: cuda was asked for, but {build}; install a CUDA build of torch or set device: auto"
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def describe_device(device: torch.device) -> str:
    """One line that says what the training runs on."""
    if device.type == "cuda":
        return f"device: cuda ({torch.cuda.get_device_name(device)}), torch {torch.__version__}"
    return f"device: cpu ({torch.get_num_threads()} threads), torch {torch.__version__}"


def fit(image: Image, valid: NDArray[np.bool_], hyperparameters: Mapping[str, Any], device: torch.device) -> Fitted:
    """Fit a network to the valid pixels of an image; what it paints elsewhere is the healing.

    Parameters
    ----------
    image : float32 array (height, width) or (height, width, channels)
        In 0..1. Values at invalid pixels have no influence.
    valid : bool array (height, width)
        True where the pixel counts.
    hyperparameters : mapping
        network, input, channels, lr, param_noise, reg_noise_std, iterations, snapshot_every, seed,
        precision: the fields of `scatterheal.config.Fit`.
    device : torch.device
        Where to train.

    Returns
    -------
    Fitted
        The same bytes for the same arguments on the same CPU with the same number of threads.

    References
    ----------
    Ulyanov, Vedaldi, Lempitsky, Deep Image Prior, CVPR 2018, arXiv 1711.10925; the seven steps are
    those of the Chalmers report (MVE385, 2021).

    Examples
    --------
    >>> image = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    >>> valid = np.ones((16, 16), bool); valid[6:9] = False
    >>> chosen = dict(network="vase", input=None, channels=4, lr=0.01, param_noise=True, seed=0)
    >>> chosen |= dict(reg_noise_std=0.03, iterations=4, snapshot_every=2, precision="float32")
    >>> fitted = fit(image, valid, chosen, torch.device("cpu"))
    >>> fitted.losses.shape, {iteration: image.shape for iteration, image in fitted.snapshots.items()}
    ((4,), {0: (16, 16), 2: (16, 16), 4: (16, 16)})
    """
    chosen = hyperparameters
    height, width = image.shape[:2]
    known = np.where(valid[..., None], np.atleast_3d(image), 0).astype(np.float32)
    target = torch.as_tensor(known, device=device).permute(2, 0, 1).unsqueeze(0)
    mask = torch.as_tensor(valid, device=device).float()

    # 1. Initialise the weights and the input.
    network = _seeded_network(chosen, outputs=target.shape[1], device=device)
    random = torch.Generator(device).manual_seed(chosen["seed"])
    still = networks.still_input(chosen["network"], chosen["input"], height, width, random)
    still = still.contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=chosen["lr"])

    losses = torch.zeros(chosen["iterations"], device=device)
    snapshots = {0: _paint(network, still, image)}
    for iteration in _announced(chosen["iterations"], losses):
        # 2. Optional normal noise on the input and on the weights.
        fed = still
        if chosen["reg_noise_std"] > 0:
            fed = still + chosen["reg_noise_std"] * torch.randn(still.shape, generator=random, device=device)
        if chosen["param_noise"]:
            _shake(network, random)
        # 3. Forward.
        with torch.autocast(device.type, torch.bfloat16, enabled=chosen["precision"] == "bfloat16"):
            output = network(fed)
        output = output[..., :height, :width].float()
        # 4. Mask. 5. The loss: mean squared error of the masked images.
        loss = mse_loss(output * mask, target * mask)
        # 6. One step of Adam.
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        # 7. Repeat; every k-th image is kept.
        losses[iteration - 1] = loss.detach()
        if iteration % chosen["snapshot_every"] == 0 or iteration == chosen["iterations"]:
            snapshots[iteration] = _paint(network, still, image)
    return Fitted(losses.cpu().numpy(), snapshots)


def _seeded_network(chosen: Mapping[str, Any], outputs: int, device: torch.device) -> nn.Sequential:
    """A network whose weights depend on the seed alone, and on nothing that ran before."""
    plan = networks.PLANS[chosen["network"]]
    inputs = plan.noise_channels if (chosen["input"] or plan.input) == "noise" else 2
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(chosen["seed"])
        network = networks.build(chosen["network"], inputs, outputs, chosen["channels"])
    # Channels last is the layout in which convolutions run fastest; the result is the same to rounding.
    return network.to(device, memory_format=torch.channels_last)


def _shake(network: nn.Module, random: torch.Generator) -> None:
    """Add normal noise to the weights of every convolution, in place: std = their own std / 50."""
    with torch.no_grad():
        for weights in network.parameters():
            if weights.ndim == 4:
                noise = torch.randn(weights.shape, generator=random, device=weights.device)
                weights += noise * weights.std() / 50


def _paint(network: nn.Module, still: Tensor, image: Image) -> Image:
    """What the network paints from the still input, without noise, in the image's shape."""
    with torch.no_grad():
        painted = network(still)[0, :, : image.shape[0], : image.shape[1]]
    return painted.permute(1, 2, 0).cpu().numpy().reshape(image.shape).copy()


def _announced(iterations: int, losses: Tensor) -> Iterator[int]:
    """Count 1, 2, ..., with a progress bar in a terminal and plain lines in the log."""
    every = max(iterations // LOG_LINES, 1)
    start = time.monotonic()
    # disable=None: a bar in a terminal alone.
    with tqdm(total=iterations, disable=None, unit="it", dynamic_ncols=True) as bar:
        for iteration in range(1, iterations + 1):
            yield iteration
            bar.update()
            if iteration % every == 0 or iteration == iterations:
                loss = float(losses[iteration - 1])
                left = (time.monotonic() - start) / iteration * (iterations - iteration)
                bar.set_postfix(loss=f"{loss:.5f}")
                log.info("iteration %d of %d, loss %.6f, %.0f s left", iteration, iterations, loss, left)
