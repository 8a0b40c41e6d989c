"""Which pixels of an HDF5 frame were ever written: HDF5 reads zeros, or another number, where none were."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal.errors import ScanError

if TYPE_CHECKING:
    import h5py

# A virtual dataset may lead to others; one that leads to itself never ends.
DEEPEST = 5


class Place(NamedTuple):
    """A rectangle of one frame of a dataset."""

    where: tuple[int, ...]
    """Index of the frame, in the leading dimensions."""
    rows: range
    columns: range


def unmapped(path: Path, dataset: h5py.Dataset, where: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Which pixels of a frame a virtual dataset takes from nowhere; all others were written.

    Parameters
    ----------
    path : Path
        The file, for the error's line.
    dataset : h5py.Dataset
        Of frames, in its last two dimensions.
    where : tuple of int
        Index of the frame, in the leading dimensions.

    Returns
    -------
    unmapped : bool array (height, width) or None
        None of a dataset that is not virtual.

    Raises
    ------
    ScanError
        A part of the frame was never written, or lies in a file or dataset that is missing.
    """
    height, width = dataset.shape[-2:]
    return _follow(path, dataset, Place(where, range(height), range(width)), DEEPEST)


def _follow(path: Path, dataset: h5py.Dataset, place: Place, deeper: int) -> NDArray[np.bool_] | None:
    """What of a place is mapped nowhere, after its sources were looked at."""
    import h5py

    if not dataset.is_virtual:
        _check_written(path, dataset, place)
        return None
    nowhere = np.ones((len(place.rows), len(place.columns)), bool)
    for source in dataset.virtual_sources():
        if "%" in source.file_name + source.dset_name:
            # As many files as there are: HDF5 looks for them itself.
            return None
        taken = _selected(source.vspace, dataset.shape)
        if (here := _part(place, taken)) is None:
            continue
        part = np.s_[_inside(place.rows, here.rows), _inside(place.columns, here.columns)]
        beside = Path(dataset.file.filename)
        file = beside if source.file_name == "." else beside.parent / source.file_name
        if not file.is_file():
            raise ScanError(
                f"{path}: data: {dataset.name!r} lies in the file {source.file_name}, which is missing; "
                "put it beside this one"
            )
        with h5py.File(file, "r", locking="best-effort") as opened:
            if not isinstance(of_source := opened.get(source.dset_name), h5py.Dataset):
                raise ScanError(
                    f"{path}: data: {dataset.name!r} is {source.dset_name!r} in the file {source.file_name}, which has "
                    "no such dataset; copy that file again"
                )
            nowhere[part] = False
            if deeper:
                there = _of_source(here, taken, _selected(source.src_space, of_source.shape))
                of_its_own = _follow(path, of_source, there, deeper - 1)
                if of_its_own is not None:
                    nowhere[part] = of_its_own
    return nowhere


class _Selected(NamedTuple):
    """What is selected along one dimension: blocks of so many, a stride apart."""

    start: int
    stride: int
    blocks: int
    block: int

    @property
    def stop(self) -> int:
        return self.start + (self.blocks - 1) * self.stride + self.block

    def position(self, index: int) -> int | None:
        """The how manieth of those that are selected an index is; None: it is none of them."""
        # Of a single block the stride says nothing, and may be less than it.
        before, rest = divmod(index - self.start, max(self.stride, self.block))
        return before * self.block + rest if 0 <= before < self.blocks and rest < self.block else None

    def at(self, position: int) -> int:
        """The index of the so manieth."""
        before, rest = divmod(position, self.block)
        return self.start + before * max(self.stride, self.block) + rest


def _selected(space: h5py.h5s.SpaceID, shape: tuple[int, ...]) -> list[_Selected]:
    """Along each dimension of a dataset of that shape; of an irregular selection the box round it."""
    import h5py

    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return [_Selected(0, 1, 1, size) for size in shape]
    if space.is_regular_hyperslab():
        return [_Selected(*map(int, of_one)) for of_one in zip(*space.get_regular_hyperslab(), strict=True)]
    low, high = space.get_select_bounds()
    return [_Selected(int(first), 1, 1, int(last - first + 1)) for first, last in zip(low, high, strict=True)]


def _part(place: Place, taken: list[_Selected]) -> Place | None:
    """What of a place is taken from a source, or None."""
    rows, columns = (
        range(max(wanted.start, along.start), min(wanted.stop, along.stop))
        for wanted, along in zip((place.rows, place.columns), taken[-2:], strict=True)
    )
    frames = zip(taken[:-2], place.where, strict=True)
    if not rows or not columns or any(along.position(index) is None for along, index in frames):
        return None
    return Place(place.where, rows, columns)


def _of_source(here: Place, taken: list[_Selected], given: list[_Selected]) -> Place:
    """Where a part of a virtual dataset's frame lies in its source."""
    positions = [along.position(index) or 0 for along, index in zip(taken[:-2], here.where, strict=True)]
    # A source of fewer dimensions is a single frame, or a stack that is counted in the last of the leading ones; what
    # one of more has besides is one frame thick.
    inner = [0] * (len(given) - len(taken)) + positions[max(len(taken) - len(given), 0) :]
    rows, columns = (
        range(part.start - along.start + origin.start, part.stop - along.start + origin.start)
        for part, along, origin in zip((here.rows, here.columns), taken[-2:], given[-2:], strict=True)
    )
    where = tuple(along.at(position) for along, position in zip(given[:-2], inner, strict=True))
    return Place(where, rows, columns)


def _inside(whole: range, part: range) -> slice:
    return slice(part.start - whole.start, part.stop - whole.start)


def _check_written(path: Path, dataset: h5py.Dataset, place: Place) -> None:
    """Refuse a place of which a part was never written."""
    if dataset.external:
        written = sum(Path(name).stat().st_size - offset for name, offset, _ in dataset.external) >= dataset.nbytes
    elif dataset.chunks:
        steps = zip((place.rows, place.columns), dataset.chunks[-2:], strict=True)
        corners = itertools.product(
            *((index,) for index in place.where),
            *(range(side.start // step * step, side.stop, step) for side, step in steps),
        )
        written = all(dataset.id.get_chunk_info_by_coord(corner).byte_offset is not None for corner in corners)
    else:
        written = dataset.id.get_storage_size() >= dataset.nbytes
    if not written:
        index = f" at {list(place.where)}" if place.where else ""
        raise ScanError(
            f"{path}: data: {dataset.name!r} has pixels that were never written{index}; "
            "copy the file again, or choose another frame"
        )
