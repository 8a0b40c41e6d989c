"""What a container or a cluster's job may use of the machine: Linux control groups, version 2."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cores() -> float:
    """How many cores' time this process may use; infinity: as many as there are."""
    quotas = (words for _, words in _said("cpu.max"))
    return min((int(quota) / int(period) for quota, period in quotas if quota != "max"), default=math.inf)


def memory() -> float:
    """How many bytes this process and those beside it may hold together; infinity: as many as there are."""
    return min((float(most) for _, (most,) in _said("memory.max") if most != "max"), default=math.inf)


def memory_left() -> float:
    """How many bytes of that are left; files that the system keeps in memory make room.

    Examples
    --------
    >>> memory_left() <= memory()
    True
    """
    left = [math.inf]
    for folder, (most,) in _said("memory.max"):
        if most != "max":
            held = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            files = int(held["active_file"]) + int(held["inactive_file"])
            left.append(int(most) - int((folder / "memory.current").read_text()) + files)
    return min(left)


def _said(name: str) -> Iterator[tuple[Path, list[str]]]:
    """A limit of this process's group and of those that it lies in: each holds for it, also the outermost."""
    lines = OWN.read_text().splitlines() if OWN.is_file() else []
    inner = GROUPS.joinpath(*(line.removeprefix("0::/") for line in lines if line.startswith("0::/")))
    for folder in (inner, *inner.parents):
        if folder.is_relative_to(GROUPS) and (folder / name).is_file():
            yield folder, (folder / name).read_text().split()
