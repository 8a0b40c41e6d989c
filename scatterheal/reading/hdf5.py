"""Frames inside HDF5 files: NeXus, Eiger, CXI."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scatterheal.errors import ScanError, one_line
from scatterheal.pattern.geometry import Geometry
from scatterheal.reading.headers import UNITS, Stack, from_edge, sound_header
from scatterheal.reading.written import unmapped

if TYPE_CHECKING:
    import h5py

# Where HDF5 files keep their frames when no `default` attribute tells: Eiger, CXI.
USUAL_DATA = ("/entry/data/data", "/entry/data", "/entry", "/entry_1/data_1/data")
# Eiger splits a series into numbered datasets.
NUMBERED = re.compile(r"data_\d+$")
# At most this many datasets are named in one line.
FEW = 8


@contextmanager
def hdf5_stack(path: Path, inside: str | None) -> Iterator[Stack]:
    """Open the frames of an HDF5 file.

    Parameters
    ----------
    path : Path
        A NeXus, Eiger (master or data) or CXI file, or any other with one image.
    inside : str or None
        Path of the dataset inside the file. Without it NeXus's `default` and `signal` attributes tell, then
        the places where Eiger and CXI files keep their frames, then the only image that there is.

    Yields
    ------
    stack : Stack
        Frames are counted through all numbered datasets of an Eiger file.

    Raises
    ------
    ScanError
        When there is no such dataset, none or several to choose from, when a file that it links to is missing,
        or, as a frame is read, when a part of that was never written.

    References
    ----------
    NXdata (default, signal) and NXdetector (pixel_mask) in https://manual.nexusformat.org/classes/base_classes/.

    Examples
    --------
    >>> import h5py, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.h5"
    ...     with h5py.File(path, "w") as file:
    ...         file["entry/data/data"] = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    ...     with hdf5_stack(path, None) as stack:
    ...         stack.frames, stack.read(1).tolist()
    (2, [[5, 6], [7, 8]])
    """
    import h5py
    import hdf5plugin  # noqa: F401 - on import it registers the compressions of Eiger files

    with h5py.File(path, "r", locking="best-effort") as file:
        parts = [_item(file, path, inside)] if inside else _find_datasets(file, path)
        for part in parts:
            if not _is_image(part):
                raise ScanError(f"{path}: data: {part.name!r} is no image; it has: {_list_images(file)}")
        counts = [math.prod(part.shape[:-2]) for part in parts]
        firsts = [0, *itertools.accumulate(counts)]

        def read(index: int) -> NDArray:
            number = next(n for n, last in enumerate(firsts[1:]) if index < last)
            part, leading = parts[number], parts[number].shape[:-2]
            where = tuple(int(i) for i in np.unravel_index(index - firsts[number], leading)) if leading else ()
            return _frame(path, part, where)

        detector = _find_detector(file, parts[0])
        yield Stack(sum(counts), read, _header(file, detector), _pixel_mask(parts[0].parent, detector))


def linked_files(path: Path) -> list[Path]:
    """The files in which an HDF5 file really keeps its frames: external links, virtual datasets, raw storage.

    Parameters
    ----------
    path : Path
        Any file; one that is no HDF5 has none.

    Returns
    -------
    files : list of Path
        Those that exist, sorted, without `path` itself.
    """
    import h5py

    if not h5py.is_hdf5(path):
        return []
    found: set[str] = set()
    with one_line(path, "is it complete?"), h5py.File(path, "r") as file:
        groups: list[h5py.Group] = [file]
        while groups:
            group = groups.pop()
            for key in group:
                link = group.get(key, getlink=True)
                if isinstance(link, h5py.ExternalLink):
                    found.add(link.filename)
                elif isinstance(link, h5py.HardLink):
                    item = group[key]
                    if isinstance(item, h5py.Group):
                        groups.append(item)
                    elif isinstance(item, h5py.Dataset):
                        found.update(name for name, _, _ in item.external or ())
                        found.update(source.file_name for source in (item.virtual_sources() if item.is_virtual else ()))
    # Their paths count from the file that names them; "." is the file itself.
    return sorted(near for name in found - {"."} if (near := path.parent / name).is_file() and near != path)


def _item(file: h5py.File, path: Path, name: str) -> h5py.Dataset | h5py.Group:
    """What lies under a path inside the file, which may be a link into another file."""
    import h5py

    link = file.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink) and not (path.parent / link.filename).is_file():
        raise ScanError(
            f"{path}: data: {name!r} lies in the file {link.filename}, which is missing; put it beside this one"
        )
    try:
        return file[name]
    except (KeyError, ValueError) as error:
        raise ScanError(f"{path}: data: it has no {name!r}; it has: {_list_images(file)}") from error


def _find_datasets(file: h5py.File, path: Path) -> list[h5py.Dataset]:
    """The dataset of the frames, or the numbered ones over which they are spread."""
    import h5py

    places = [*_nexus_default(file), *(name for name in USUAL_DATA if file.get(name, getlink=True) is not None)]
    for name in places:
        item = _item(file, path, name)
        group = item if isinstance(item, h5py.Group) else item.parent
        if isinstance(item, h5py.Group) or NUMBERED.search(name):
            numbered = [f"{group.name}/{key}" for key in sorted(group) if NUMBERED.match(key)]
            if numbered:
                return [_item(file, path, key) for key in numbered]
        elif _is_image(item):
            return [item]
    # A detector's mask beside its image is no choice.
    images = [name for name in _images(file) if not name.rpartition("/")[2].startswith("pixel_mask")]
    if len(images) != 1:
        several = f"holds several images; say which: {_list_images(file)}" if images else "holds no image"
        raise ScanError(f"{path}: data: {several}")
    return [_item(file, path, images[0])]


def _nexus_default(file: h5py.File) -> list[str]:
    """Path of the signal that a NeXus file would have plotted, if it says so."""
    import h5py

    group: h5py.Group = file
    # Deeper than file, entry, process and data no default leads; one that leads to itself never ends.
    for _ in range(5):
        if "signal" in group.attrs:
            return [f"{group.name}/{_text(group.attrs['signal'])}"]
        # Without the attribute the only entry, and its only data with a signal, are meant.
        only = [key for key, item in group.items() if isinstance(item, h5py.Group) and _plots(item)]
        default = group.attrs.get("default", only[0] if len(only) == 1 else None)
        group = None if default is None else group.get(_text(default))
        if not isinstance(group, h5py.Group):
            break
    return []


def _plots(group: h5py.Group) -> bool:
    kind = _text(group.attrs.get("NX_class", ""))
    return kind == "NXentry" or (kind == "NXdata" and "signal" in group.attrs)


def _is_image(item: Any) -> bool:
    import h5py

    return isinstance(item, h5py.Dataset) and item.ndim >= 2 and min(item.shape[-2:]) >= 2 and item.dtype.kind in "biuf"


def _images(file: h5py.File) -> list[str]:
    """Paths of all numeric datasets of two or more dimensions, those in linked files too."""
    import h5py

    names = []
    file.visititems(lambda name, item: names.append(f"/{name}") if _is_image(item) else None)

    def visit(name: str, link: Any) -> None:
        # An external link may lead nowhere: then `get` gives None.
        if isinstance(link, h5py.ExternalLink) and _is_image(file.get(name)):
            names.append(f"/{name}")

    file.visititems_links(visit)
    return sorted(names)


def _list_images(file: h5py.File) -> str:
    names = _images(file)
    shown = [f"{name} {file[name].shape}" for name in names[:FEW]] + (["..."] if len(names) > FEW else [])
    return ", ".join(shown) or "no image"


def _frame(path: Path, dataset: h5py.Dataset, where: tuple[int, ...]) -> NDArray:
    """A frame of a dataset, with a code in what a virtual one takes from nowhere."""
    nowhere = unmapped(path, dataset, where)
    values: NDArray = dataset[where] if where else dataset[()]
    if nowhere is not None and nowhere.any():
        # Of few bits all numbers are counts.
        values = values.astype(np.int16) if values.dtype.itemsize == 1 else values
        kind = values.dtype.kind
        values[nowhere] = np.nan if kind == "f" else np.iinfo(values.dtype).max if kind == "u" else -1
    return values


def _find_detector(file: h5py.File, dataset: h5py.Dataset) -> h5py.Group | None:
    """The NXdetector that the dataset belongs to, or the only one of its entry."""
    import h5py

    if _text(dataset.parent.attrs.get("NX_class", "")) == "NXdetector":
        return dataset.parent
    # An Eiger's frames lie in other files than its header: the entry is the master file's first group.
    entries = [item for item in file.values() if isinstance(item, h5py.Group) and "instrument" in item]
    found = [
        item
        for entry in entries
        for key, item in entry["instrument"].items()
        if isinstance(item, h5py.Group) and ("NXdetector" in _text(item.attrs.get("NX_class", "")) or key == "detector")
    ]
    own = [group for group in found if group.get("data") == dataset]
    return (own or found)[0] if len(own or found) == 1 else None


def _header(file: h5py.File, detector: h5py.Group | None) -> Geometry:
    if detector is None:
        return Geometry()
    instrument = detector.parent
    entry = instrument.parent
    sizes = tuple(_number(detector, f"{axis}_pixel_size") for axis in "yx")
    centre = []
    for axis, size in zip("xy", sizes[::-1], strict=True):
        value = _number(detector, f"beam_center_{axis}")
        units = _text(detector[f"beam_center_{axis}"].attrs.get("units", "")).lower() if value is not None else ""
        in_pixels = units in ("", "pixel", "pixels")
        centre.append(value if value is None or in_pixels or not size else value / size)
    name = detector.get("description")
    return sound_header(
        exposure_time=_number(detector, "count_time"),
        pixel_size=sizes,
        wavelength=_number(instrument, "beam/incident_wavelength", "angstrom")
        or _number(entry, "sample/beam/incident_wavelength", "angstrom")
        or _number(instrument, "monochromator/wavelength", "angstrom"),
        distance=_number(detector, "detector_distance") or _number(detector, "distance"),
        beam_centre=from_edge(tuple(centre)),
        count_cutoff=_number(detector, "saturation_value")
        or _number(detector, "countrate_correction_count_cutoff")
        or _number(detector, "detectorSpecific/countrate_correction_count_cutoff"),
        detector=None if name is None else _text(np.ravel(name[()])[0]),
    )


def _number(group: h5py.Group, name: str, unit: str = "") -> float | None:
    """The first value of a dataset in SI units; `unit` is meant where its attribute is missing."""
    import h5py

    item = group.get(name)
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "iuf" or not item.size:
        return None
    factor = UNITS.get((_text(item.attrs.get("units", "")) or unit).lower(), math.nan)
    return float(np.ravel(item[()])[0]) * factor


def _pixel_mask(beside: h5py.Group, detector: h5py.Group | None) -> NDArray | None:
    """The pixel mask of the detector, or the one that lies beside the frames."""
    places = [beside.get("pixel_mask")]
    if detector is not None:
        places += [detector.get("pixel_mask"), detector.get("detectorSpecific/pixel_mask")]
    found = [item for item in places if item is not None]
    return found[0][()] if found else None


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
