"""The front door: heal a pattern from Python, arrays in, a result with all that tells how far to trust it out."""

from __future__ import annotations

import base64
import html
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from scatterheal import storage
from scatterheal.errors import ScanError
from scatterheal.mask.reasons import Reasons, check_share, find_beam, given_beam
from scatterheal.pattern.geometry import Geometry
from scatterheal.pattern.healed import Healed as HealedPattern
from scatterheal.pattern.healed import in_grey
from scatterheal.pattern.meaning import Meaning
from scatterheal.pattern.pattern import overlay
from scatterheal.pattern.pixels import HOT_OR_DEAD, REASONS, USER
from scatterheal.pipeline import export, provenance
from scatterheal.pipeline.prepare import Prepared, geometry_of, intensity_of, prepare, reasons_of
from scatterheal.reading.crop import Crop, Cropped, crop_scan
from scatterheal.reading.detectors import find_detector
from scatterheal.reading.frames import signed
from scatterheal.reading.hdf5 import linked_files
from scatterheal.reading.plot_area import Box
from scatterheal.settings.models import MOST_DECADES, Colour, Config, Mask, Scan
from scatterheal.settings.reading import read_config
from scatterheal.validation.rank import remarks

if TYPE_CHECKING:
    import torch

# What is tried where nobody names methods: the networks, and what heals well without any further package.
METHODS = ("dip", "polar_smooth", "radial_mean", "pyfai", "liu2017", "biharmonic_smooth")


class Frame(NamedTuple):
    """A detector frame as it was read, with what its file says; `heal` and `find_mask` take it like an array."""

    counts: NDArray[np.float32]
    """(height, width); negative: the detector's code for no measurement, NaN: masked in the file."""
    crop: Crop
    """What its file says: header, detector, where it was cut out."""
    path: Path


@dataclass(frozen=True, eq=False, repr=False)
class Healed:
    """A healed pattern; arrays are (height, width). A notebook shows it as a picture."""

    image: NDArray
    """float32: measured where a pixel is valid, bit for bit; estimated elsewhere. Of a figure without intensities uint8
    colours, (height, width, 3)."""
    model: NDArray[np.float32]
    """What the method that heals says of all pixels, without shot noise."""
    sd: NDArray[np.float32]
    """Standard deviation of each healed pixel's expected count, of a valid pixel that of its count; NaN where nothing
    tells."""
    beyond: NDArray[np.bool_]
    """Behind the beamstop, or farther from a valid pixel than any hidden one was: nothing tells how well these are
    healed."""
    reasons: NDArray[np.unsignedinteger]
    """Why each pixel is missing, bits of `scatterheal.pattern.pixels`: 0 where it is valid, above 0 where it is
    healed."""
    scores: pd.DataFrame
    """All runs and methods by their score on hidden pixels, the best first, as in ranking.csv."""
    method: str
    """The run or method that heals."""
    centre: tuple[float, float] | None
    """x, y of the beam, pixels; None where it is not known."""
    remarks: tuple[str, ...]
    """What to know before this is used, a line each; empty where all is well."""
    provenance: dict[str, Any]
    """Plain values: where it comes from, what was found, hyperparameters, scores, versions."""
    flags: NDArray[np.uint8]
    """Which values of a figure are censored; 0 where a value is what was measured."""
    geometry: Geometry
    """What is known of the measurement, the beam centre in pixels of the image."""
    meaning: Meaning
    """What the numbers are, and how that is known."""
    scan: NDArray
    """The pattern before it was healed."""

    def __repr__(self) -> str:
        """The method, its score, and what to know."""
        height, width = self.reasons.shape
        says = f"{height} x {width} pixels, {np.mean(self.reasons > 0):.1%} healed by {self.method}"
        score = self.scores.score[self.scores.run == self.method].item()
        return "\n  ".join([f"<Healed: {says}, score {score:.4f}>", *self.remarks])

    def _repr_html_(self) -> str:
        """The picture of a notebook: the scan, what is missing, what is healed."""
        with tempfile.TemporaryDirectory() as folder:
            self.draw(Path(folder) / "healed.png")
            encoded = base64.b64encode((Path(folder) / "healed.png").read_bytes()).decode()
        lines = "".join(f"<br>{html.escape(line)}" for line in repr(self).splitlines())
        return f'<img src="data:image/png;base64,{encoded}" style="max-width:100%">{lines}'

    def draw(self, path: str | Path, title: str = "") -> None:
        """Draw the scan, its mask and its healing side by side.

        Parameters
        ----------
        path : path
            The PNG to write.
        title : str
            Above the picture.

        Raises
        ------
        ScanError
            Another ending.
        """
        if Path(path).suffix.lower() != ".png":
            raise ScanError(f"{path}: a picture is written as .png; name it so")
        # matplotlib is slow to import, and who only wants numbers needs none.
        from scatterheal.pictures.look import as_counted, look_of, render
        from scatterheal.pictures.panels import before_after

        look = look_of(self.scan if self.scan.ndim == 2 else in_grey(self._bundle()).image, self.meaning)
        missing = self.reasons > 0
        keep = np.repeat(np.where(missing, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
        healed = render(self.image, look)
        panels = [("scan", render(self.scan, look)), ("mask (white = keep)", keep)]
        if self.meaning.unit == "counts":
            panels.append(("healed\nexpected counts, no noise", healed))
            panels.append(("healed\nshot noise drawn in holes", as_counted(healed, self.image, missing, look)))
        else:
            panels.append(("healed", healed))
        before_after(Path(path), panels, title, None if self.meaning.unit == "colours" else look)

    def write(self, path: str | Path) -> None:
        """Write the healed pattern: TIFF (.tif), EDF (.edf), or NeXus (.h5, .nxs) with mask, sd and provenance inside.

        Beside a TIFF or an EDF, which have no room for them, lie ``<name>_reasons.tif``, ``<name>_sd.tif``,
        ``<name>_beyond.tif`` and ``<name>_provenance.json``.

        Parameters
        ----------
        path : path
            Its folder is made where there is none.

        Raises
        ------
        ScanError
            Another ending; or it cannot be written there.
        """
        path, grey = Path(path), in_grey(self._bundle())
        ending = path.suffix.lower()
        if ending not in (".h5", ".hdf5", ".nxs", ".tif", ".tiff", ".edf"):
            raise ScanError(f"{path}: no format is known by this ending; use .tif, .edf, .h5 or .nxs")
        storage.make_folder(path.parent)
        if ending in (".h5", ".hdf5", ".nxs"):
            export.write_hdf5(path, grey, self.provenance, self.geometry)
            return
        if ending == ".edf":
            export.write_edf(path, grey.image, self.provenance, self.geometry)
        else:
            export.write_tiff(path, self.image, self.provenance)
        self._write_beside(str(path.with_name(f"{path.stem}_")))

    def save(self, folder: str | Path) -> None:
        """Write healed.tif, .edf and .h5, model, sd, beyond, reasons, provenance, ranking and a picture into a folder.

        Parameters
        ----------
        folder : path
            Made where there is none; what lies there under these names is replaced.
        """
        folder, grey = Path(folder), in_grey(self._bundle())
        storage.make_folder(folder)
        export.write_tiff(folder / "healed.tif", self.image, self.provenance)
        export.write_edf(folder / "healed.edf", grey.image, self.provenance, self.geometry)
        export.write_hdf5(folder / "healed.h5", grey, self.provenance, self.geometry)
        storage.write_tiff(folder / "model.tif", self.model)
        self._write_beside(f"{folder}/")
        storage.write_csv(folder / "ranking.csv", self.scores)
        self.draw(folder / "before_after.png", folder.name)

    def _write_beside(self, before: str) -> None:
        """What tells how far to trust it, in files whose names begin with this."""
        storage.write_tiff(Path(f"{before}reasons.tif"), self.reasons)
        storage.write_tiff(Path(f"{before}sd.tif"), self.sd)
        storage.write_tiff(Path(f"{before}beyond.tif"), self.beyond.astype(np.uint8), compress=True)
        storage.write_json(Path(f"{before}provenance.json"), self.provenance)

    def _bundle(self) -> HealedPattern:
        return HealedPattern(self.image, self.model, self.sd, self.beyond, self.reasons, self.flags)


def read_frame(path: str | Path, data: str | None = None, frame: int | Literal["sum"] | None = None) -> Frame:
    """Read a detector frame: CBF, EDF, TIFF, HDF5 (NeXus, Eiger), NPY, MATLAB .fig and others that fabio knows.

    Parameters
    ----------
    path : path
    data : str, optional
        The path inside an HDF5 file.
    frame : int or "sum", optional
        Which frame of several, from 0, or the sum of all.

    Returns
    -------
    Frame

    Raises
    ------
    ScanError
        One line: the file cannot be read, holds no counts, or holds several frames and none is named.

    Examples
    --------
    >>> read_frame("scans/demo_waxs.tif").counts.shape
    (180, 164)
    """
    if not (frame is None or frame == "sum" or (isinstance(frame, int | np.integer) and not isinstance(frame, bool))):
        raise ScanError(f"{path}: frame: {frame!r} is none; give its number, from 0, or 'sum'")
    image, crop = crop_scan(Path(path), "frame", "auto", data, frame)
    return Frame(image.astype(np.float32, copy=False), crop, Path(path))


def find_mask(
    counts: ArrayLike | Frame, *, centre: tuple[float, float] | None = None, poni: str | Path | None = None
) -> Reasons:
    """Find what is missing in a frame, and the beam centre.

    Parameters
    ----------
    counts : array (height, width) or Frame
        Negative: a code for no measurement; NaN: masked.
    centre : (x, y), optional
        The beam centre, pixels, pixel centres at integers; found where it is not given.
    poni : path, optional
        A pyFAI geometry file, which tells it too.

    Returns
    -------
    Reasons
        ``reasons``: (height, width), 0 where a pixel is valid, else bits of `scatterheal.pattern.pixels`;
        ``found``: beam centre, parts, detector, and how sure they are.

    Raises
    ------
    ScanError
        The array is no frame of counts, or the PONI file cannot be read.

    Examples
    --------
    >>> y, x = np.indices((120, 120))
    >>> counts = np.random.default_rng(0).poisson(1000 / (1 + np.hypot(x - 60, y - 60))).astype(float)
    >>> counts[50:55] = -1
    >>> int((find_mask(counts, centre=(60, 60)).reasons[50:55] > 0).sum())
    600
    """
    (image, crop), centre = _cropped(counts), _point(centre, poni)
    return reasons_of(intensity_of(image, crop, Colour()), crop, Mask(), "auto", centre, _path(poni))


def heal(
    counts: ArrayLike | Frame,
    missing: ArrayLike | Reasons | None = None,
    *,
    centre: tuple[float, float] | None = None,
    poni: str | Path | None = None,
    settings: str | Mapping[str, Any] = "scattering",
    methods: Sequence[str] | None = None,
    device: str = "auto",
    budget: float | str | None = None,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
) -> Healed:
    """Heal a scattering pattern: fill what a beamstop, its holder and the gaps between modules took away.

    The same stages as in the workflow, by the same functions: on the same frame, with the same settings, the healed
    image is the same to the byte.

    Parameters
    ----------
    counts : array (height, width) or Frame
        Photon counts; anything in missing pixels. Without `missing`, negative is a code for no measurement, NaN masked.
    missing : array (height, width) or Reasons, optional
        True, or above 0, where a pixel is missing; or what `find_mask` gives, whole or its uint16 reasons alone. Pixels
        that are no number, or hold a detector's code, are missing too. None: found.
    centre : (x, y), optional
        The beam centre, pixels, x to the right, y down, pixel centres at integers. None: found.
    poni : path, optional
        A pyFAI geometry file: centre, distance, wavelength, pixel size.
    settings : {"scattering", "paper"} or mapping
        A preset, or keys of config.yaml (preset, grid, fit, folds, refits, ...; docs/configuration.md).
    methods : sequence of str, optional
        What is tried; dip stands for the networks. None: `METHODS`, or what `settings` says.
    device : {"auto", "cpu", "cuda"}
        Where networks are trained; auto: where `settings` says, else on a GPU where there is one.
    budget : float or str, optional
        Seconds, or "30s", "2min": the best that was reached by about then. None: everything to its end, which takes
        minutes on a CPU.
    seed : int
        Of the weights, the input and every noise; 0: what `settings` says.
    progress : callable, optional
        Told the share of the work that is done, and what is done now; networks that are trained at the same time call
        it from their threads. What it raises ends the healing, once the trainings that have begun have ended.

    Returns
    -------
    Healed

    Raises
    ------
    ScanError
        One line: the array is no frame of counts, the mask hides nothing or all of it, or was found and hides more than
        half, a setting or a method is unknown, or there is too little memory.

    Examples
    --------
    >>> y, x = np.indices((96, 96))
    >>> counts = np.random.default_rng(0).poisson(20 + 100 * np.exp(-((np.hypot(x - 47, y - 50) - 30) / 4) ** 2))
    >>> healed = heal(counts, (y > 40) & (y < 46), centre=(47, 50), methods=["polar_smooth"])
    >>> healed.method, bool((healed.image[:40] == counts[:40]).all()), bool((healed.reasons > 0).sum() == 5 * 96)
    ('polar_smooth', True, True)
    """
    # torch is slow to import, and who reads frames or looks for masks needs none.
    from scatterheal.compute.devices import choose_device

    began, allowed = time.monotonic(), seconds(budget)
    config, (image, crop) = configuration(settings, methods, seed), _cropped(counts)
    centre = _point(centre, poni)
    intensity, geometry = intensity_of(image, crop, Colour()), geometry_of(crop, _path(poni))
    if missing is None:
        mask = reasons_of(intensity, crop, Mask(), "auto", centre, _path(poni))
        share = float((mask.reasons > 0).mean())
        if 0.5 < share < 1:
            raise ScanError(f"mask: {share:.0%} of the pixels were found to be missing; give missing, if that is right")
        check_share(mask.reasons, allow_large_mask=True)
    else:
        mask = _given(missing, intensity.values, geometry.beam_centre if poni else centre, geometry.beam_centre)
    whole = Prepared(Cropped(image, crop), intensity, mask)
    source = provenance.of_array(image)
    if isinstance(counts, Frame):
        source = provenance.of_files(counts.path, linked_files(counts.path))
    asked = {"kind": "frame", "centre": "auto" if centre is None else list(centre), "poni": str(poni) if poni else None}
    return _heal(
        whole, config, source, asked, geometry, choose_device(_wanted(device, config)), allowed, began, progress
    )


def heal_scan(
    scan: Scan,
    config: Config,
    device: str = "auto",
    budget: float | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Healed:
    """Heal what a scan's YAML describes, a frame or a figure, without the workflow.

    Parameters
    ----------
    scan : Scan
        Validated, its paths relative to the working folder.
    config : Config
        From `configuration`.
    device, budget, progress
        As for `heal`; the budget in seconds.

    Raises
    ------
    ScanError
        As for `heal`; and what the rules that read a scan refuse.
    """
    from scatterheal.compute.devices import choose_device

    began, whole = time.monotonic(), prepare(scan)
    check_share(whole.reasons.reasons, scan.mask.allow_large_mask)
    source = provenance.of_files(scan.image, linked_files(scan.image))
    geometry, asked = geometry_of(whole.cropped.crop, scan.poni), scan.model_dump(mode="json")
    return _heal(
        whole, config, source, asked, geometry, choose_device(_wanted(device, config)), budget, began, progress
    )


def configuration(settings: str | Mapping[str, Any], methods: Sequence[str] | None = None, seed: int = 0) -> Config:
    """The validated configuration of what is asked for in Python or on the command line.

    Raises
    ------
    ScanError
        One line with the key and the remedy.

    Examples
    --------
    >>> configuration({"fit": {"iterations": 50}}, ["dip", "pyfai"], seed=3).fit.seed
    3
    """
    if not isinstance(settings, str | Mapping):
        raise ScanError(f"settings: {settings!r}; name a preset, or give keys of config.yaml")
    raw: dict[str, Any] = {"preset": settings} if isinstance(settings, str) else dict(settings)
    if methods is not None or "methods" not in raw:
        raw["methods"] = [methods] if isinstance(methods, str) else list(METHODS if methods is None else methods)
    fit = raw.get("fit") or {}
    if seed and isinstance(fit, Mapping):
        raw["fit"] = {**fit, "seed": seed}
    return read_config(raw, "settings")


def seconds(budget: float | str | None) -> float | None:
    """A budget as seconds.

    Raises
    ------
    ScanError
        It is no time, or not above 0.

    Examples
    --------
    >>> seconds("30s"), seconds("1.5min"), seconds(20), seconds(None)
    (30.0, 90.0, 20.0, None)
    """
    if budget is None:
        return None
    told = re.fullmatch(r"\s*([0-9.]+)\s*(s|min|h)?\s*", str(budget))
    try:
        allowed = float(told[1]) * {"s": 1, "min": 60, "h": 3600}[told[2] or "s"] if told else 0.0
    except ValueError:
        allowed = 0.0
    if not allowed > 0:
        raise ScanError(f"budget: {budget!r} is no time; write seconds, or 30s, 2min, 1h")
    return allowed


def _wanted(device: str, config: Config) -> str:
    """Where to train: what the call says goes before what the settings say."""
    return config.fit.device if device == "auto" else device


def _path(poni: str | Path | None) -> Path | None:
    return Path(poni) if poni else None


def _point(centre: Sequence[float] | None, poni: str | Path | None) -> tuple[float, float] | None:
    """A beam centre as two plain numbers; None where a PONI file, or nobody, tells it."""
    if centre is None:
        return None
    if poni:
        raise ScanError("centre and poni both say where the beam is; leave one of them out")
    try:
        x, y = (float(value) for value in centre)
    except (TypeError, ValueError):
        x = y = np.nan
    if isinstance(centre, str) or not np.isfinite([x, y]).all():
        raise ScanError(f"centre: {centre!r} is no point; give (x, y), pixels")
    return x, y


def _cropped(counts: ArrayLike | Frame) -> Cropped:
    """An array as if it had been read from a file that says nothing."""
    if isinstance(counts, Frame):
        return Cropped(counts.counts, counts.crop)
    try:
        values = np.ma.asanyarray(counts) if isinstance(counts, np.ma.MaskedArray) else np.asarray(counts)
        numbers = values.astype(np.float64) if values.dtype.kind == "O" else values
    except (TypeError, ValueError) as error:
        raise ScanError("counts: no array of numbers; give photon counts, (height, width)") from error
    if numbers.dtype.kind not in "biuf":
        raise ScanError(f"counts: values of type {numbers.dtype}; give photon counts, read_frame reads files")
    if numbers.ndim != 2 or not numbers.size:
        raise ScanError(f"counts: an array of shape {numbers.shape}; give one frame, (height, width)")
    # A copy, so that nobody changes what the result shows; what float32 cannot hold is no number then.
    with np.errstate(over="ignore"):
        image = np.array(signed(np.ma.getdata(numbers)), np.float32, order="C")
    image[np.ma.getmaskarray(numbers)] = np.nan
    if not (image > 0).any():
        raise ScanError("counts: no pixel is above 0; give photon counts")
    whole = Box(0, 0, image.shape[1], image.shape[0])
    return Cropped(image, Crop(image.shape, whole, header=Geometry(), detector=find_detector(image, None)))


def _given(
    missing: ArrayLike | Reasons,
    values: NDArray[np.float32],
    centre: tuple[float, float] | None,
    header_centre: tuple[float, float] | None,
) -> Reasons:
    """The mask that somebody brings: nothing else is looked for but, where it is not given, the centre."""
    try:
        given = np.asarray(missing.reasons if isinstance(missing, Reasons) else missing)
    except ValueError as error:
        raise ScanError("missing: no array; give true, or above 0, where a pixel is missing") from error
    if given.dtype.kind not in "biuf" or np.isnan(given).any():
        raise ScanError(f"missing: {given.dtype} values, or NaN; give true, or above 0, where a pixel is missing")
    if given.shape != values.shape:
        remedy = "transpose it" if given.shape == values.shape[::-1] else "give one value for each pixel"
        raise ScanError(
            f"missing: its shape {given.shape} (rows, columns) is not that of counts {values.shape}; {remedy}"
        )
    # Masks of other programs say 1 or 255, which are no reasons; no pixel is missing for all reasons at once.
    says_why = (
        given.dtype.kind == "u" and given.itemsize == 2 and given.max() < sum(int(reason.bit) for reason in REASONS)
    )
    reasons = given.astype(np.uint16) if says_why else np.where(given > 0, USER, np.uint16(0))
    # NaN, and codes where nothing was measured.
    reasons[~(np.isfinite(values) & (values >= 0)) & (reasons == 0)] |= HOT_OR_DEAD
    check_share(reasons, allow_large_mask=True)
    if centre is not None:
        return Reasons(reasons, given_beam(centre, values.shape)._replace(kind="frame"))
    if isinstance(missing, Reasons):
        return Reasons(reasons, missing.found)
    return Reasons(reasons, find_beam(values, reasons > 0, header_centre)._replace(kind="frame"))


def _heal(
    whole: Prepared,
    config: Config,
    source: Mapping[str, Any],
    asked: Mapping[str, Any],
    geometry: Geometry,
    device: torch.device,
    budget: float | None,
    began: float,
    progress: Callable[[float, str], None] | None,
) -> Healed:
    """The stages after the mask, and what is told of them; the budget counts from the moment when all began."""
    from scatterheal.pipeline.in_memory import heal_in_memory

    if whole.intensity.meaning.unit == "counts":
        top = float(whole.intensity.values[whole.reasons.reasons == 0].max())
        if top > 10**MOST_DECADES:
            raise ScanError(f"counts: up to {top:.3g} in valid pixels, more than is ever counted; mask those pixels")
    left = None if budget is None else max(budget - (time.monotonic() - began), 0.1)
    done, (reasons, found) = heal_in_memory(whole, config, device, left, progress), whole.reasons
    model, sure = done.refitted.model.astype(np.float32), done.sure
    image = overlay(done.scan.image, done.scan.missing, model)
    healed = HealedPattern(image, model, sure.sd, sure.beyond, reasons, done.scan.flags)
    geometry = geometry._replace(beam_centre=found.sure_beam_centre)
    run = {"hyperparameters": done.asked, "metrics": done.metrics}
    coverage = sure.coverage.table.to_dict("records")
    told = provenance.record(source, asked, whole.intensity.meaning, found, geometry, healed, run, coverage)
    untrained = []
    if budget is not None and "iterations" in done.ranking and (done.ranking.iterations == 0).any():
        untrained.append("when the budget ended the network was no better than at its start; give it more time")
    return Healed(
        image=image,
        model=model,
        sd=sure.sd,
        beyond=sure.beyond,
        reasons=reasons,
        scores=done.ranking,
        method=done.run,
        centre=found.beam_centre,
        remarks=tuple([*_doubts(whole), *remarks(done.ranking, config.heal_with), *untrained]),
        provenance=told if budget is None else {**told, "budget_seconds": budget},
        flags=done.scan.flags,
        geometry=geometry,
        meaning=whole.intensity.meaning,
        scan=done.scan.image,
    )


def _doubts(whole: Prepared) -> list[str]:
    """What is unsure of a scan before anything heals it, a line each."""
    found, meaning, lines = whole.reasons.found, whole.intensity.meaning, []
    if found.problem:
        lines.append(found.problem)
    elif found.centre and found.centre.is_unsure:
        lines.append(
            f"the beam centre [{found.centre.x:.1f}, {found.centre.y:.1f}] is no more than a hint (by "
            f"{found.centre.how}, sd {found.centre.sd:.0f} pixels); give centre: [x, y]"
        )
    if meaning.not_whole_share:
        lines.append(meaning.how)
    if meaning.unit == "counts":
        values, valid = whole.intensity.values, whole.reasons.reasons == 0
        if values[valid].max() > 2**24:
            lines.append("counts above 16777216 are kept as float32 numbers, to about 7 digits")
        below = float(np.mean((values < 0) & (values != np.round(values))))
        if below:
            lines.append(
                f"{below:.1%} of the pixels are below 0 and not whole, and are taken as missing; subtract no background"
            )
    return lines
