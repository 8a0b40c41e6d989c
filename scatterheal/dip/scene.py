"""From a scan to what a network is fitted to: its canvas, what it starts from, what it is fed, and S."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, sparse

from scatterheal.compute.devices import computes_in_16_bits
from scatterheal.counts.deviance import censoring
from scatterheal.dip import radial_start
from scatterheal.methods.polar_smooth import polar_smooth
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.pixels import CLIPPED_HIGH, CLIPPED_LOW
from scatterheal.pattern.units import from_unit, to_unit
from scatterheal.polar import canvas
from scatterheal.polar.canvas import Canvas, View

if TYPE_CHECKING:
    from scatterheal.settings.models import Fit


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


def settled(asked: Fit, scan: Pattern, device: torch.device) -> Fit:
    """The hyperparameters that a scan and a computer can take; settled once, since all else goes by them.

    Without counts there is no likelihood of them, without a centre there are no rings; and the fast engine does not
    imitate the 16 bits that a processor lacks.

    Parameters
    ----------
    asked : Fit
    scan : Pattern
    device : torch.device
        Where it is to be trained.

    Examples
    --------
    >>> from scatterheal.pattern.units import scale_of
    >>> from scatterheal.settings.models import Fit
    >>> image = np.zeros((4, 4, 3), np.uint8)
    >>> scan = Pattern(image, image[..., 0], image[..., 0] > 0, (2, 2), scale_of(image, "colours"))
    >>> taken = settled(Fit(domain="polar", loss="poisson", start="radial"), scan, torch.device("cpu"))
    >>> taken.domain, taken.loss, taken.start
    ('polar', 'mse', 'level')
    """
    centred = scan.centre is not None
    loss = asked.loss if scan.scale.unit == "counts" else "mse"
    domain = asked.domain if centred else "cartesian"
    # Radius and azimuth are the x and y of a polar canvas.
    as_meshgrid = asked.input == "polar" and (domain == "polar" or not centred)
    in_32_bits = asked.engine == "fast" and not computes_in_16_bits(device)
    return asked.model_copy(
        update={
            "loss": loss,
            "domain": domain,
            "start": asked.start if centred and loss != "mse" else "level",
            "input": "meshgrid" if as_meshgrid else asked.input,
            "precision": "float32" if in_32_bits else asked.precision,
        }
    )


def view_of(scan: Pattern, chosen: Fit) -> View:
    """The canvas for a scan, and how its pixels see it: the same for every fold.

    Parameters
    ----------
    scan : Pattern
    chosen : Fit
        As `settled` gives it.
    """
    shape = scan.missing.shape
    if chosen.domain == "polar":
        grid = canvas.polar(shape, _centre(scan), chosen.radius_step, chosen.angles)
    else:
        grid = canvas.cartesian(shape, chosen.max_side)
    return canvas.view(grid, shape)


def views_of(scan: Pattern, runs: Mapping[str, Fit]) -> dict[str, View]:
    """One for each run; those on the same canvas share it.

    Parameters
    ----------
    scan : Pattern
    runs : mapping
        The hyperparameters of each, as `settled` gives them.
    """
    made: dict[tuple, View] = {}
    views = {}
    for run, chosen in runs.items():
        canvas_of = (chosen.domain, chosen.max_side, chosen.radius_step, chosen.angles)
        if canvas_of not in made:
            made[canvas_of] = view_of(scan, chosen)
        views[run] = made[canvas_of]
    return views


def prepare(
    scan: Pattern,
    known: NDArray[np.bool_],
    chosen: Fit,
    view: View | None = None,
) -> Prepared:
    """Make a scene of the pixels that a training may see.

    Parameters
    ----------
    scan : Pattern
    known : bool array (height, width)
        Those pixels.
    chosen : Fit
        As `settled` gives it.
    view : View, optional
        From `view_of`, where several folds share it.

    Returns
    -------
    Prepared
    """
    view = view or view_of(scan, chosen)
    grid = view.canvas
    azimuthal = _towards_the_beam(grid, view.reads, known) if grid.wraps else None
    maps = canvas.polar_features(grid, _centre(scan)) if chosen.input == "polar" else None
    if chosen.loss == "mse":
        values = to_unit(scan.image, scan.scale)[known].reshape(known.sum(), -1)
        return Prepared(Scene(*view, known, values, maps=maps), None, azimuthal)
    counts, flags = scan.image[known], scan.flags[known]
    limits = censoring(counts, flags)
    start = _start(scan, known, chosen.start)
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


def _centre(scan: Pattern) -> tuple[float, float]:
    """The beam centre: `settled` leaves nothing that is polar to a scan without one."""
    assert scan.centre is not None
    return scan.centre


def _start(scan: Pattern, known: NDArray[np.bool_], how: str) -> NDArray[np.float32]:
    """The logarithm of the rate that is expected before any training, (height, width)."""
    counts = scan.image[known]
    if how == "level":
        return np.full(known.shape, np.log(max(counts.mean(), radial_start.LEAST_RATE)), np.float32)
    if how == "smooth":
        rate = polar_smooth(scan.image, known, _centre(scan))
        return np.log(np.maximum(rate, radial_start.LEAST_RATE))
    profile = canvas.polar(known.shape, _centre(scan), PROFILE_STEP, SECTORS)
    reads = canvas.sampling(profile, np.ones(known.shape, bool))
    of_radius = radial_start.radial_start(profile, reads[np.flatnonzero(known)], counts)
    return (reads @ of_radius.ravel()).reshape(known.shape).astype(np.float32)
