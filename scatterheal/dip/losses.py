"""What a painted image costs, given what was measured: the losses of the training."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.special import log_ndtr


class Measured(NamedTuple):
    """The pixels that a loss looks at, one row each."""

    values: Tensor
    """(pixels, channels): counts, or values and colours in 0..1."""
    at_most: Tensor | None = None
    """(pixels,) bool: the count is only known to be `most` or less (the low end of a colour bar); None: nowhere."""
    at_least: Tensor | None = None
    """(pixels,) bool: the count is the value or more (its high end); None: nowhere."""
    most: int = 0
    """The largest count that the colour bar's low end may stand for."""


def squared_error(painted: Tensor, measured: Measured) -> Tensor:
    """Mean squared error, the report's loss; both in 0..1.

    Examples
    --------
    >>> squared_error(torch.tensor([[0.5]]), Measured(torch.tensor([[1.0]]))).item()
    0.25
    """
    return ((painted - measured.values) ** 2).mean()


def poisson(log_rate: Tensor, measured: Measured) -> Tensor:
    """Mean negative log-likelihood of counts, without the terms that do not depend on the rate.

    Counts at the ends of a colour bar are censored: ``-log P(n <= most)`` and ``-log P(n >= value)``, the latter in
    Anscombe's normal approximation, since bars end at many counts: right to a fifth where the rate is not more than
    three standard deviations below them.

    Parameters
    ----------
    log_rate : float tensor (pixels, 1)
        Natural logarithm of the expected counts.
    measured : Measured

    Examples
    --------
    >>> counts = torch.tensor([[0.5]]); unknown = torch.tensor([True])
    >>> poisson(torch.zeros(1, 1), Measured(counts, at_most=unknown, most=1)).exp().item().__round__(4)  # e / 2
    1.3591
    """
    rate = log_rate.exp()
    costs = rate - measured.values * log_rate
    if measured.at_most is not None:
        terms = torch.arange(measured.most + 1, device=log_rate.device, dtype=log_rate.dtype)
        below = rate - torch.logsumexp(terms * log_rate - torch.lgamma(terms + 1), dim=1, keepdim=True)
        costs = torch.where(measured.at_most[:, None], below, costs)
    if measured.at_least is not None:
        above = -log_ndtr(2 * (rate.sqrt() - (measured.values - 0.5).clamp(min=0).sqrt()))
        costs = torch.where(measured.at_least[:, None], above, costs)
    return costs.mean()


def anscombe(log_rate: Tensor, measured: Measured) -> Tensor:
    """Half the mean squared error of 2 sqrt(n + 3/8), whose variance is 1 for any but few counts.

    Every count weighs alike then, which strong counts want; few counts are biased. Pixels at the ends of a colour bar
    cost only where the rate is beyond what they allow.

    References
    ----------
    Anscombe, Biometrika 35 (1948) 246-254.

    Examples
    --------
    >>> anscombe(torch.tensor([[400.0]]).log(), Measured(torch.tensor([[441.0]]))).item().__round__(2)
    2.0
    """
    apart = 2 * ((log_rate.exp() + 0.375).sqrt() - (_counts(measured) + 0.375).sqrt())
    if measured.at_most is not None:
        apart = torch.where(measured.at_most[:, None], apart.clamp(min=0), apart)
    if measured.at_least is not None:
        apart = torch.where(measured.at_least[:, None], apart.clamp(max=0), apart)
    return 0.5 * (apart**2).mean()


def _counts(measured: Measured) -> Tensor:
    """The counts, of the low end of a colour bar the most that it may stand for."""
    if measured.at_most is None:
        return measured.values
    return torch.where(measured.at_most[:, None], float(measured.most), measured.values)


LOSSES = {"mse": squared_error, "poisson": poisson, "anscombe": anscombe}
