"""Where a healed image comes from: enough to repeat it, and to know what in it is an estimate."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scatterheal import __version__
from scatterheal.masks import REASONS

# The packages that decide what is read, masked and painted.
PACKAGES = ("torch", "numpy", "scipy", "scikit-image", "pillow", "fabio", "pyFAI", "snakemake")


def record(
    source: Path,
    scan: Mapping[str, Any],
    reasons: NDArray[np.uint8],
    run: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> dict[str, Any]:
    """Collect the provenance of one healed scan.

    Parameters
    ----------
    source : Path
        The scan's image; its SHA-256 goes into the record.
    scan : mapping
        The scan's validated YAML.
    reasons : uint8 array (height, width)
        Why each pixel is missing.
    run : mapping
        Hyperparameters of the run that healed it.
    metrics : mapping
        Its scores.

    Returns
    -------
    record : dict
        Plain values, ready for JSON.
    """
    return {
        "note": "Pixels with reasons > 0 are estimates of the network, not measurements.",
        "source": {"file": source.name, "sha256": hashlib.sha256(source.read_bytes()).hexdigest()},
        "scan": dict(scan),
        "mask_sha256": hashlib.sha256(reasons.tobytes()).hexdigest(),
        "missing_share": {
            "all": float((reasons > 0).mean()),
            **{name: float((reasons & bit > 0).mean()) for name, bit in REASONS.items()},
        },
        "hyperparameters": dict(run),
        "metrics": dict(metrics),
        "versions": {
            "scatterheal": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
        },
    }
