"""The experiment's geometry from a pyFAI PONI file."""

from __future__ import annotations

import logging
from pathlib import Path

from scatterheal.errors import ScanError, one_line
from scatterheal.pattern.geometry import Geometry


def read_poni(path: Path) -> Geometry:
    r"""Read a PONI file.

    Parameters
    ----------
    path : Path
        Any version of the format.

    Returns
    -------
    Geometry
        Distance, wavelength or None, pixel size, and beam centre: where the direct beam, not the foot of the
        perpendicular, meets the detector.

    Raises
    ------
    ScanError
        The file cannot be read.

    References
    ----------
    pyFAI counts pixels from the outer edge of the first one, hence half a pixel less here.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.poni"
    ...     _ = path.write_text("PixelSize1: 1e-4\nPixelSize2: 1e-4\nDistance: 2\nPoni1: 0.05\nPoni2: 0.03\n"
    ...                         "Rot1: 0\nRot2: 0\nRot3: 0\nWavelength: 1e-10\n")
    ...     [round(value, 6) for value in read_poni(path).beam_centre]
    [299.5, 499.5]
    """
    for package in ("pyFAI", "silx"):
        logging.getLogger(package).setLevel(logging.CRITICAL)
    with one_line(path, "is it a pyFAI PONI file?"):
        import pyFAI

        integrator = pyFAI.load(str(path))
        # 3 is the usual one, seen from the sample with the origin at the lower left; 0: the file does not say.
        if int(integrator.detector.orientation) not in (0, 3):
            raise ScanError(f"{path}: detector orientation {int(integrator.detector.orientation)} is not known; use 3")
        beam = integrator.getFit2D()
        return Geometry(
            distance=float(beam["directDist"]) / 1000,
            wavelength=integrator.wavelength and float(integrator.wavelength),
            pixel_size=(float(integrator.pixel1), float(integrator.pixel2)),
            beam_centre=(float(beam["centerX"]) - 0.5, float(beam["centerY"]) - 0.5),
        )
