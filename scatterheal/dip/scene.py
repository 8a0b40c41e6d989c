"""From a scan to what a network is fitted to: its canvas, what it starts from, what it is fed, and S."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from scatterheal.counts.deviance import censoring
from scatterheal.dip import radial_start
from scatterheal.methods.polar_smooth import choose_kernels, polar_smooth
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.pixels import CLIPPED_HIGH, CLIPPED_LOW
from scatterheal.pattern.units import from_unit, to_unit
from scatterheal.polar import canvas
from scatterheal.polar.canvas import Canvas, View


class Scene(NamedTuple):
    """What a network is fitted to."""

    canvas: Canvas
    """Where it paints."""
    reads: sparse.csr_array
    """S at all pixels of the scan: (height * width, cells of the canvas)."""
    spreads: sparse.csr_array
    """Its transpose, with sorted rows; scenes on one canvas share both, see `scatterheal.polar.canvas.View`."""
    known: NDArray[np.bool_]
    """(height, width): the pixels of the scan that the training sees."""
    values: NDArray[np.float32]
    """(known pixels, channels): the counts of the known pixels; or their brightness in 0..1 for the squared error."""
    at_most: NDArray[np.bool_] | None = None
    """(known pixels,): which counts are only known to be `most` or less; None: none of them."""
    at_least: NDArray[np.bool_] | None = None
    """(known pixels,): which counts are only known to be their value or more; None: none of them."""
    most: int = 0
    start: NDArray[np.float32] | None = None
    """(known pixels, 1): the logarithm of the rate that is expected of the known pixels before any training; only what
    differs from it is painted. None: with the squared error, which paints everything."""
    gain: float = 1.0
    """How much of the network's output is added to `start`: about as much as there is left to explain."""
    maps: NDArray[np.float32] | None = None
    """(maps, rows, columns): what the network is fed instead of its own input; None: its own."""


# No start is so good that less than this is added to it.
LEAST_GAIN = 0.01
# The radial profile from which a painting starts has a row for so many pixels of the scan, and so many sectors.
PROFILE_STEP, SECTORS = 0.5, 48
# The rim of the beamstop: so many rows of a canvas; of its directions the brightest is a mean with this part of a turn
# as standard deviation.
RIM, BRIGHTEST = 3, 32


class Prepared(NamedTuple):
    """A scene, and what is needed to turn its paintings into images."""

    scene: Scene
    start: NDArray[np.float32] | None
    """(height, width): the logarithm of the expected rate at all pixels."""
    azimuthal: NDArray[np.float32] | None
    """(rows,) of a canvas round the beam, the innermost, which no known pixel reads: how much they still differ between
    azimuths; None: there are none."""


def taken(
    hyperparameters: Mapping[str, Any],
    unit: Literal["counts", "values", "colours"],
    centred: bool,
    has_16_bits: bool = True,
) -> dict:
    """The hyperparameters that can be taken: without counts no likelihood of them, without a centre no rings.

    Parameters
    ----------
    hyperparameters : mapping
        The fields of `scatterheal.settings.models.Fit`.
    unit : {"counts", "values", "colours"}
        Of the scan.
    centred : bool
        Whether its beam centre is known.
    has_16_bits : bool
        Whether the processor computes in bfloat16 itself (`scatterheal.compute.devices.computes_in_16_bits`): the fast
        engine does not imitate it.

    Examples
    --------
    >>> asked = {"domain": "polar", "loss": "poisson", "start": "radial", "input": "noise"}
    >>> taken({**asked, "engine": "fast", "precision": "float32"}, "colours", centred=True)
    {'domain': 'polar', 'loss': 'mse', 'start': 'level', 'input': 'noise', 'engine': 'fast', 'precision': 'float32'}
    """
    chosen = dict(hyperparameters)
    if unit != "counts":
        chosen["loss"] = "mse"
    if not centred:
        chosen["domain"] = "cartesian"
    if not centred or chosen["loss"] == "mse":
        chosen["start"] = "level"
    if chosen["input"] == "polar" and (chosen["domain"] == "polar" or not centred):
        # Radius and azimuth are the x and y of a polar canvas.
        chosen["input"] = "meshgrid"
    if chosen["engine"] == "fast" and not has_16_bits:
        chosen["precision"] = "float32"
    return chosen


def view_of(scan: Pattern, hyperparameters: Mapping[str, Any]) -> View:
    """The canvas for a scan, and how its pixels see it: the same for every fold.

    Parameters
    ----------
    scan : Pattern
    hyperparameters : mapping
        domain, max_side, radius_step, angles, as `taken` gives them.
    """
    chosen, shape = hyperparameters, scan.missing.shape
    if chosen["domain"] == "polar":
        grid = canvas.polar(shape, scan.centre, chosen["radius_step"], chosen["angles"])
    else:
        grid = canvas.cartesian(shape, chosen["max_side"])
    return canvas.view(grid, shape)


def views_of(scan: Pattern, runs: Mapping[str, Mapping[str, Any]]) -> dict[str, View]:
    """One for each run; those on the same canvas share it.

    Parameters
    ----------
    scan : Pattern
    runs : mapping
        The hyperparameters of each.
    """
    made: dict[tuple, View] = {}
    views = {}
    for run, hyperparameters in runs.items():
        chosen = taken(hyperparameters, scan.scale.unit, scan.centre is not None)
        canvas_of = tuple(chosen[key] for key in ("domain", "max_side", "radius_step", "angles"))
        if canvas_of not in made:
            made[canvas_of] = view_of(scan, chosen)
        views[run] = made[canvas_of]
    return views


def prepare(
    scan: Pattern,
    known: NDArray[np.bool_],
    hyperparameters: Mapping[str, Any],
    view: View | None = None,
) -> Prepared:
    """Make a scene of the pixels that a training may see.

    Parameters
    ----------
    scan : Pattern
    known : bool array (height, width)
        Those pixels.
    hyperparameters : mapping
        domain, loss, start, input, max_side, radius_step, angles, as `taken` gives them.
    view : View, optional
        From `view_of`, where several folds share it.

    Returns
    -------
    Prepared
    """
    chosen = hyperparameters
    view = view or view_of(scan, chosen)
    grid = view.canvas
    azimuthal = _towards_the_beam(grid, view.reads, known) if grid.wraps else None
    maps = canvas.polar_features(grid, scan.centre) if chosen["input"] == "polar" else None
    if chosen["loss"] == "mse":
        values = to_unit(scan.image, scan.scale)[known].reshape(known.sum(), -1)
        return Prepared(Scene(*view, known, values, maps=maps), None, azimuthal)
    counts, flags = scan.image[known], scan.flags[known]
    limits = censoring(counts, flags)
    start = _start(scan, known, chosen["start"])
    expected = np.exp(start[known], dtype=np.float64)
    scene = Scene(
        *view,
        known,
        counts[:, None],
        at_most=flags & CLIPPED_LOW > 0 if limits.low >= 0 else None,
        at_least=flags & CLIPPED_HIGH > 0 if np.isfinite(limits.high) else None,
        most=int(limits.low),
        start=start[known][:, None],
        gain=_gain(counts, expected),
        maps=maps,
    )
    return Prepared(scene, start, azimuthal)


def painted(cells: NDArray[np.float32], prepared: Prepared, scan: Pattern) -> NDArray[np.float32]:
    """What a painting on the canvas says of every pixel of the scan, in the scan's own numbers.

    Parameters
    ----------
    cells : float32 array (cells, channels)
        From `scatterheal.dip.loop.fit`.
    prepared : Prepared
    scan : Pattern

    Returns
    -------
    image : float32 array (height, width) or (height, width, 3)
    """
    if prepared.azimuthal is not None:
        cells = _continued(cells.reshape(prepared.scene.canvas.rows, -1, cells.shape[1]), prepared.azimuthal)
    values = prepared.scene.reads @ cells
    if prepared.start is not None:
        return np.exp(values.reshape(scan.missing.shape) + prepared.start)
    return from_unit(values.reshape(scan.image.shape), scan.scale)


def _continued(rows: NDArray[np.float32], azimuthal: NDArray[np.float32]) -> NDArray[np.float32]:
    """The painting (cells, channels), continued from the beamstop's rim to the beam, where nothing was measured.

    What a network paints there is its own invention. In each direction the pattern goes on as at the rim, and meets at
    the beam at the level of the brightest one: a streak runs through it, and no direction grows darker towards it.
    """
    inner = len(azimuthal)
    rim = rows[inner : inner + RIM].mean(axis=0)
    # The brightest of each channel would be a colour that no direction has.
    level = rim.mean(axis=0)
    if rim.shape[1] == 1:
        level = ndimage.gaussian_filter1d(rim, rim.shape[0] / BRIGHTEST, axis=0, mode="wrap").max(axis=0)
    towards = level + azimuthal[:, None, None] * (rim - level)
    return np.concatenate([towards, rows[inner:]]).reshape(-1, rows.shape[2])


def _towards_the_beam(grid: Canvas, reads: sparse.csr_array, known: NDArray[np.bool_]) -> NDArray[np.float32] | None:
    """0 at the beam, where there is no azimuth, up to nearly 1 in the last row that no known pixel reads."""
    # The first cell that each pixel reads is its innermost.
    inner = int(reads.indices[reads.indptr[:-1][known.ravel()]].min() // grid.columns)
    return (np.arange(inner) / inner).astype(np.float32) if inner else None


def _gain(counts: NDArray[np.floating], expected: NDArray[np.float64]) -> float:
    """How far, in the logarithm, the rate is from what is expected of it, times three; at most 1.

    Adam's first steps are as large as its learning rate, whatever there is to learn: without this a start that is right
    to one per cent is lost at once, and not found again.
    """
    # The counts' variance beyond Poisson's, as a share of the squared rate.
    beyond = ((counts - expected) ** 2 - expected).sum() / (expected**2).sum()
    return float(np.clip(3 * np.sqrt(max(beyond, 0.0)), LEAST_GAIN, 1.0))


def _start(scan: Pattern, known: NDArray[np.bool_], how: str) -> NDArray[np.float32]:
    """The logarithm of the rate that is expected before any training, (height, width)."""
    counts = scan.image[known]
    if how == "level":
        return np.full(known.shape, np.log(max(counts.mean(), radial_start.LEAST_RATE)), np.float32)
    if how == "smooth":
        rate = polar_smooth(scan.image, known, scan.centre, *choose_kernels(scan.image, known, scan.centre))
        return np.log(np.maximum(rate, radial_start.LEAST_RATE))
    profile = canvas.polar(known.shape, scan.centre, PROFILE_STEP, SECTORS)
    reads = canvas.sampling(profile, np.ones(known.shape, bool))
    of_radius = radial_start.radial_start(profile, reads[np.flatnonzero(known)], counts)
    return (reads @ of_radius.ravel()).reshape(known.shape).astype(np.float32)
