"""Where a healed image comes from: enough to repeat it, and to know what in it is an estimate."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scatterheal.pattern.found import Found
from scatterheal.pattern.geometry import Geometry
from scatterheal.pattern.healed import Healed
from scatterheal.pattern.meaning import Meaning
from scatterheal.pattern.pixels import REASONS, Bits
from scatterheal.version import __version__

# The packages that decide what is read, masked and painted.
PACKAGES = (
    *("torch", "numpy", "scipy", "scikit-image", "pillow", "fabio", "h5py", "hdf5plugin", "tifffile", "pyFAI"),
    *("matplotlib", "opencv-python-headless", "snakemake"),
)


def record(
    source: Mapping[str, Any],
    scan: Mapping[str, Any],
    meaning: Meaning,
    found: Found,
    geometry: Geometry,
    healed: Healed,
    run: Mapping[str, Any],
    coverage: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Collect the provenance of one healed scan.

    Parameters
    ----------
    source : mapping
        Where the scan comes from, from `of_files`, or `of_array`.
    scan : mapping
        The scan's validated YAML.
    found : Found
        What was found by itself: beam centre, beamstop, holder, detector; where, and how sure.
    meaning : Meaning
        What the numbers of the image are; its colour table is left out.
    geometry : Geometry
        What is known of the measurement; of a figure's the beam centre alone is told.
    healed : Healed
    run : mapping
        The run that healed it: its hyperparameters, and its metrics, the scores on the hidden pixels.
    coverage : sequence of mappings
        How many hidden counts lay within their intervals, from `scatterheal.validation.coverage.coverage`.

    Returns
    -------
    record : dict
        Plain values, ready for JSON.
    """
    reasons = healed.reasons
    return {
        "note": "Pixels with reasons > 0 are estimates, not measurements.",
        "source": dict(source),
        "scan": dict(scan),
        "intensity": {key: value for key, value in meaning.to_json().items() if key != "table"},
        "geometry": geometry.to_json() if scan["kind"] == "frame" else {"beam_centre": geometry.beam_centre},
        "found": found.to_json(),
        "mask_sha256": mask_sha256(reasons),
        "missing_share": {
            "all": float((reasons > 0).mean()),
            **{reason.name: float((reasons & reason.bit > 0).mean()) for reason in REASONS},
        },
        "hyperparameters": dict(run["hyperparameters"]),
        "metrics": dict(run["metrics"]),
        "coverage": [dict(row) for row in coverage],
        "not_validated_share": float(healed.beyond.mean()),
        "pixels": {
            "healed": int((reasons > 0).sum()),
            "not_validated": int(healed.beyond.sum()),
            "censored": int((healed.flags[reasons == 0] > 0).sum()),
        },
        "versions": {
            "scatterheal": __version__,
            "python": platform.python_version(),
            **{package: _version(package) for package in PACKAGES},
        },
    }


def of_files(image: Path, linked: Sequence[Path] = ()) -> dict[str, Any]:
    """The files that a scan comes from, by name and SHA-256.

    Parameters
    ----------
    image : Path
        The scan's image.
    linked : sequence of Path
        The files in which an HDF5 image really keeps its frames.
    """
    return {"file": image.name, "sha256": _sha256(image), "linked": {file.name: _sha256(file) for file in linked}}


def of_array(counts: NDArray) -> dict[str, Any]:
    """The same of an array: the SHA-256 of its values.

    Examples
    --------
    >>> of_array(np.zeros((2, 3), np.float32))["file"]
    'an array of 2 x 3 pixels'
    """
    height, width = counts.shape
    values = np.ascontiguousarray(counts)
    sha256 = hashlib.sha256(values.tobytes()).hexdigest()
    return {"file": f"an array of {height} x {width} pixels", "sha256": sha256, "linked": {}}


def mask_sha256(reasons: Bits) -> str:
    """What tells one mask from another: the SHA-256 of its reasons, row by row.

    They are hashed as the narrowest whole numbers that hold all of them: one byte a pixel up to 255, else two, the
    lower one first. So the same mask has the same hash, however many bits its file gives a pixel.

    Examples
    --------
    >>> mask_sha256(np.uint16([[0, 128]])) == hashlib.sha256(bytes([0, 128])).hexdigest()
    True
    >>> mask_sha256(np.uint16([[0, 256]])) == hashlib.sha256(bytes([0, 0, 0, 1])).hexdigest()
    True
    """
    narrowest = np.min_scalar_type(reasons.max()).newbyteorder("<")
    return hashlib.sha256(reasons.astype(narrowest).tobytes()).hexdigest()


def _version(package: str) -> str | None:
    """Of an installed package; some are optional."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
