"""Healed counts for other programs: EDF, and HDF5 as NeXus, with the mask that tells which pixels are estimates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scatterheal import storage
from scatterheal.errors import ScanError
from scatterheal.pattern.geometry import Geometry
from scatterheal.pattern.healed import Healed
from scatterheal.pattern.pixels import CLIPPED_HIGH, CLIPPED_LOW, REASONS, Bits
from scatterheal.storage import as_json, replacing

if TYPE_CHECKING:
    import h5py

# NXdetector's "virtual pixel with interpolated value". No reason to reject a pixel: those are in the lower 16 bits.
INTERPOLATED = 31

UNITS = {
    "x_pixel_size": "m",
    "y_pixel_size": "m",
    "distance": "m",
    "beam_center_x": "pixel",
    "beam_center_y": "pixel",
    "count_time": "s",
    "saturation_value": "counts",
    "incident_wavelength": "m",
}
# The ESRF's keywords for scattering; 1 is the fast axis, x.
EDF_KEYS = {
    "x_pixel_size": "PSize_1",
    "y_pixel_size": "PSize_2",
    "distance": "SampleDistance",
    "beam_center_x": "Center_1",
    "beam_center_y": "Center_2",
    "count_time": "ExposureTime",
    "incident_wavelength": "WaveLength",
}

# What the bits of flags.tif say of a value.
FLAGS = {"that_or_less": CLIPPED_LOW, "that_or_more": CLIPPED_HIGH}


def note(provenance: Mapping[str, Any]) -> str:
    """What a reader of healed counts has to know of them.

    Parameters
    ----------
    provenance : mapping
        From `scatterheal.pipeline.provenance.record`.

    Examples
    --------
    >>> pixels = {"healed": 40, "not_validated": 3, "censored": 500}
    >>> note({"hyperparameters": {"method": "pyfai"}, "pixels": pixels}).split(": ")[0]
    '40 pixels are estimates by the method pyfai, not measurements'
    """
    pixels, method = provenance["pixels"], provenance["hyperparameters"]["method"]
    return (
        f"{pixels['healed']} pixels are estimates by the method {method}, not measurements: leave them out of "
        f"quantitative analysis. Nothing tells how well {pixels['not_validated']} of them are healed. "
        f"Of the others {pixels['censored']} are censored: that value or less, or that or more. "
        "Which ones: reasons, beyond and flags in healed.h5, or reasons.tif, beyond.tif and flags.tif."
    )


def pixel_mask(reasons: Bits) -> NDArray[np.uint32]:
    """Why each pixel is missing, as the bits that NeXus defines.

    Parameters
    ----------
    reasons : uint16 array (height, width)
        Sums of the bits of `scatterheal.pattern.pixels.REASONS`, 0 where the pixel is valid.

    Returns
    -------
    mask : uint32 array (height, width)
        0 where the pixel is valid; else bit 31 (an interpolated value) and one or more of bit 0 (gap,
        stripe), bit 1 (hot or dead) and bit 8 (all else). Programs reject a pixel where
        ``mask & 0xFFFF`` is not 0, so every healed pixel.

    References
    ----------
    NXdetector, field pixel_mask: https://manual.nexusformat.org/classes/base_classes/NXdetector.html

    Examples
    --------
    >>> [hex(bits) for bits in pixel_mask(np.array([0, 1, 2, 8, 1 | 2], np.uint16))]
    ['0x0', '0x80000001', '0x80000100', '0x80000002', '0x80000101']
    """
    mask = np.zeros(reasons.shape, np.uint32)
    for reason in REASONS:
        mask[reasons & reason.bit > 0] |= np.uint32(1 << reason.nexus_bit | 1 << INTERPOLATED)
    return mask


def write_tiff(path: Path, image: NDArray, provenance: Mapping[str, Any]) -> None:
    """Write a healed image as TIFF, bit for bit: float32 counts, or 8-bit colours; a description says what it is.

    Parameters
    ----------
    path : Path
        The file to write, ending in .tif.
    image : float32 array (height, width) or uint8 array (height, width, 3)
    provenance : mapping
        From `scatterheal.pipeline.provenance.record`.
    """
    method = provenance["hyperparameters"]["method"]
    says = f"healed by scatterheal, method {method}; pixels where reasons.tif > 0 are estimates"
    storage.write_tiff(path, image, description=says)


def write_edf(path: Path, healed: NDArray[np.float32], provenance: Mapping[str, Any], geometry: Geometry) -> None:
    """Write healed counts as float32 EDF, bit for bit, with the ESRF's keywords.

    There is no mask in it, and no Dummy: every pixel holds a value. Characters that an EDF header cannot
    hold (other than ASCII, and its own ``{};``) become ``?``.

    Parameters
    ----------
    path : Path
        The file to write, ending in .edf.
    healed : float32 array (height, width)
        Counts: measured where the pixel is valid, estimated elsewhere.
    provenance : mapping
        From `scatterheal.pipeline.provenance.record`.
    geometry : Geometry
        What is known of the measurement, the beam centre in pixels of the image.

    Raises
    ------
    ScanError
        `healed` is a picture, or holds a value that is not finite.

    References
    ----------
    Keywords: P. Boesecke, J. Appl. Cryst. 40 (2007) s423. Center_1 (x) and Center_2 (y) count from the outer edge
    of the first pixel, whose centre is at 0.5: pyFAI's ``setSPD`` multiplies them by the pixel size.
    """
    import fabio

    _check_counts(path, healed)
    known = _quantities(geometry)
    keywords = {
        "Title": f"{provenance['source']['file']}, healed",
        **({} if geometry.detector is None else {"DetectorName": geometry.detector}),
        **{key: known[name] for name, key in EDF_KEYS.items() if name in known},
        "Program": f"scatterheal {provenance['versions']['scatterheal']}",
        "Method": ", ".join(f"{key}={value}" for key, value in provenance["hyperparameters"].items()),
        "SourceSHA256": provenance["source"]["sha256"],
        "MaskSHA256": provenance["mask_sha256"],
        "Note": note(provenance),
    }
    printable = {key: re.sub(r"[^ -~]|[{};]", "?", str(value)) for key, value in keywords.items()}
    with replacing(path) as part:
        fabio.edfimage.EdfImage(data=healed, header=printable).write(str(part))


def write_hdf5(path: Path, healed: Healed, provenance: Mapping[str, Any], geometry: Geometry) -> None:
    """Write healed counts, bit for bit, and all that belongs to them as one NeXus file.

    The same content gives the same bytes: there is no date in it. Arrays are compressed with gzip, which
    every HDF5 library reads without a plugin.

    Parameters
    ----------
    path : Path
        The file to write.
    healed : Healed
        Its image in counts, or values.
    provenance : mapping
        From `scatterheal.pipeline.provenance.record`: plain values, ready for JSON.
    geometry : Geometry
        What is known of the measurement, the beam centre in pixels of the image.

    Raises
    ------
    ScanError
        `healed` is a picture, or holds a value that is not finite.

    References
    ----------
    NXdata, NXdetector, NXbeam, NXprocess: https://manual.nexusformat.org/classes/base_classes/
    """
    import h5py

    _check_counts(path, healed.image)
    known = _quantities(geometry)
    # In memory first: on a full disk the HDF5 library ends the whole process.
    written = BytesIO()
    with h5py.File(written, "w") as file:
        file.attrs.update(NX_class="NXroot", default="entry")
        entry = _group(file, "entry", "NXentry")
        entry.attrs["default"] = "data"
        entry["title"] = f"{provenance['source']['file']}, healed"

        data = _group(entry, "data", "NXdata")
        data.attrs.update(signal="healed", auxiliary_signals=["model"], axes=["y", "x"], y_indices=0, x_indices=1)
        _image(data, "healed", healed.image, "healed: estimates where pixel_mask is not 0")
        _image(data, "model", healed.model, "what the method that healed says of all pixels")
        of_errors = "standard deviation: of estimates, and of the count itself where it is valid"
        _image(data, "healed_errors", healed.sd, of_errors)
        of_beyond = "1: farther from a valid pixel than any estimate was checked"
        _image(data, "beyond", healed.beyond.astype(np.uint8), of_beyond)
        for name in ("healed", "model", "healed_errors"):
            data[name].attrs["units"] = provenance["intensity"]["unit"]
        _image(data, "reasons", healed.reasons, "why a pixel is missing, 0: valid")
        # The CF conventions' way to name bits.
        bits, names = np.array([reason.bit for reason in REASONS]), " ".join(reason.name for reason in REASONS)
        data["reasons"].attrs.update(flag_masks=bits, flag_meanings=names)
        _image(data, "flags", healed.flags, "values that are censored, 0: as measured")
        data["flags"].attrs.update(flag_masks=np.array(list(FLAGS.values())), flag_meanings=" ".join(FLAGS))
        data["pixel_mask"] = h5py.SoftLink("/entry/instrument/detector/pixel_mask")
        for axis, length in zip(("y", "x"), healed.image.shape, strict=True):
            data[axis] = np.arange(length, dtype=np.float32)
            data[axis].attrs["units"] = "pixel"

        instrument = _group(entry, "instrument", "NXinstrument")
        detector = _group(instrument, "detector", "NXdetector")
        detector["data"] = h5py.SoftLink("/entry/data/healed")
        _image(detector, "pixel_mask", pixel_mask(healed.reasons), "0: valid; bits as NXdetector defines them")
        if geometry.detector is not None:
            detector["description"] = geometry.detector
        if "incident_wavelength" in known:
            _group(instrument, "beam", "NXbeam")
        for name, value in known.items():
            group = instrument["beam"] if name == "incident_wavelength" else detector
            group[name] = value
            group[name].attrs["units"] = UNITS[name]
            if name in ("beam_center_x", "beam_center_y"):
                group[name].attrs["long_name"] = "from the outer edge of the first pixel, whose centre is at 0.5"

        healing = _group(entry, "healing", "NXprocess")
        healing["program"] = "scatterheal"
        healing["version"] = provenance["versions"]["scatterheal"]
        healing["sequence_index"] = 1
        record = _group(healing, "provenance", "NXnote")
        record["type"] = "application/json"
        record["description"] = note(provenance)
        record["data"] = as_json(provenance)
    with replacing(path) as part:
        part.write_bytes(written.getbuffer())


def _check_counts(path: Path, healed: NDArray) -> None:
    if healed.ndim != 2 or healed.dtype != np.float32:
        raise ScanError(
            f"{path}: holds counts (height, width), not {healed.dtype} values of shape {healed.shape}; "
            "a healed picture is in healed.tif"
        )
    broken = healed.size - np.isfinite(healed).sum()
    if broken:
        raise ScanError(f"{path}: {broken} healed pixels are not finite, so the run diverged; lower fit.lr")


def _quantities(geometry: Geometry) -> dict[str, float]:
    """What is known, under NeXus' names, in its units and from its origin.

    NeXus leaves open where a beam centre counts from. Programs that read one (dxtbx, pyFAI) multiply it by the
    pixel size, which gives a length from the outer edge of the first pixel: hence the half pixel.
    """
    y_pixel_size, x_pixel_size = geometry.pixel_size or (None, None)
    x, y = geometry.beam_centre or (None, None)
    quantities = {
        "x_pixel_size": x_pixel_size,
        "y_pixel_size": y_pixel_size,
        "distance": geometry.distance,
        "beam_center_x": None if x is None else x + 0.5,
        "beam_center_y": None if y is None else y + 0.5,
        "count_time": geometry.exposure_time,
        "saturation_value": geometry.count_cutoff,
        "incident_wavelength": geometry.wavelength,
    }
    return {name: float(value) for name, value in quantities.items() if value is not None}


def _group(parent: h5py.Group, name: str, nexus_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nexus_class
    return group


def _image(group: h5py.Group, name: str, image: NDArray, long_name: str) -> None:
    dataset = group.create_dataset(name, data=image, compression="gzip", shuffle=True)
    dataset.attrs.update(interpretation="image", long_name=long_name)
