"""What metrics.json says of a run; each type is the JSON object of that name, with the keys that apply to it."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Region(TypedDict, total=False):
    """How well the pixels of one region are painted; None where it has no pixel, or no block."""

    pixels: int
    mse: float | None
    """Of colours, and of values of an unknown kind: mean squared error in the image's range; of counts what follows."""
    deviance: float | None
    """Mean over the pixels."""
    floor: float | None
    """The deviance that shot noise alone makes at this rate; a wrong rate has a wrong floor."""
    excess: float | None
    """deviance - floor."""
    ratio: float | None
    """deviance / floor."""
    block_z: float | None
    """Of the blocks with more than 60 such pixels the root mean square of summed residual over its standard deviation;
    1 is perfect."""
    block_z_error: float | None
    """Its standard error."""
    block_z_robust: float | None
    """The same from the median."""
    blocks: int
    """How many, on average over nine grids."""


class Ring(Region):
    """The same between two radii."""

    inner: float
    """Radius, pixels."""
    outer: float


class FoldMetrics(TypedDict):
    """Of one fold."""

    score: float
    """Mean deviance (of counts) or squared error of the hidden pixels; lower is better."""
    collapsed: bool
    """Whether the hidden pixels are no nearer to what was painted than to their own mean, within noise."""
    hidden: Region
    """The pixels that the method did not see,"""
    known: Region
    """those that it saw,"""
    kinds: dict[str, Region]
    """the hidden ones by the kind of hole of which they are copies,"""
    rings: NotRequired[list[Ring]]
    """by their radius,"""
    strongest_ring: NotRequired[Ring | None]
    """and those in the ring that stands out most; None where no ring does."""
    relative: NotRequired[float | None]
    """The hidden pixels' ratio to their floor, divided by the known pixels' ratio to theirs. Of a fit that follows its
    known pixels 1 is perfect, also where counts scatter less, or more, than Poisson's. One that does not (a radial
    mean, a constant) has high ratios on both: rank by score alone. None where a method repeats its known pixels."""


class Metrics(FoldMetrics):
    """Of one run over all folds: score is the mean of theirs, collapsed says whether any did, regions are pooled."""

    scores: list[float]
    """Each fold's."""
    score_error: float | None
    """The standard error of score, None for one fold. Most of it is what the folds' pixels differ by and is the same
    for all runs: compare two runs by the differences of their folds."""
    truth_mse: NotRequired[float]
    """Where the truth is known: the mean squared error of the missing pixels in the image's range,"""
    truth_error: NotRequired[float]
    """and of counts the median relative error of the hidden ones."""
    iterations: NotRequired[int]
    """Of a network: the iteration that is taken,"""
    still_falling: NotRequired[bool]
    """whether its score still fell at the last one,"""
    cost: NotRequired[float]
    """what it cost, as iterations x cells x channels squared,"""
    score_after: NotRequired[dict[int, float]]
    """of each of its snapshots the mean score, by iteration."""
    pruned: NotRequired[bool]
    """Of successive halving: whether it was let go,"""
    trained: NotRequired[int]
    """and after how many iterations it ended."""
