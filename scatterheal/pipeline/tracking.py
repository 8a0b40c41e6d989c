"""What a result depends on, as hashes: the content of files, and the code behind a rule of the workflow.

Snakemake gets these hashes as parameters of its rules, so that an edit reruns what it changes, and a touched file, a
new checkout or a better comment does not. The code behind a rule is its script, and of the package each function, class
and constant that the script may come to. It is found in the text of the files: nothing is imported.

What cannot be told counts. A class counts with all its methods; a module that is handed on as a whole, or in which a
name is not found, with all that it defines; what a module does on import (it fills a table, a decorator of the package
takes a function) wherever it is imported; a string such as ``"scatterheal.methods.pyfai:pyfai"`` as what it names.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from scatterheal.errors import one_line
from scatterheal.pipeline.definitions import (
    ON_IMPORT,
    definition_of,
    everything_in,
    module_of,
    read_script,
    split,
)

PACKAGE = Path(__file__).parents[1]
# The rooms, modules and definitions that change no result, only whether there is one.
UNTRACKED = (
    # Words, how files are written, and the version's number.
    "scatterheal.errors",
    "scatterheal.storage",
    "scatterheal.pipeline.logs",
    "scatterheal.version",
    # Checks of what users write. What they let through is a parameter. Not settings.methods: that says what runs.
    "scatterheal.settings.models",
    "scatterheal.settings.reading",
    "scatterheal.settings.reference",
    "scatterheal.settings.runs",
    "scatterheal.settings.validated",
    # How a job gets to its end. Not compute.devices: it decides with which numbers a training computes.
    "scatterheal.compute.checkpoint",
    "scatterheal.compute.ending",
    "scatterheal.compute.gpus",
    "scatterheal.compute.limits",
    "scatterheal.compute.locks",
    "scatterheal.compute.memory",
    "scatterheal.compute.side_by_side",
    "scatterheal.dip.memory",
)
# By rule. The bits of reasons never change, and what else their table says comes in reasons.tif and hidden.tif: a new
# reason must not train anything. Neither must a new colour map, so that snapshots keep the colours that they have.
UNTRACKED_BY = {
    **{rule: ("scatterheal.pattern.pixels",) for rule in ("baseline", "certainty", "refit")},
    **{rule: ("scatterheal.pattern.pixels", "scatterheal.pictures") for rule in ("inpaint", "halving")},
}


@functools.cache
def content(path: Path | None) -> str | None:
    """The SHA-256 of a file, None for None: an input that is replaced by an older one is a new input all the same.

    Raises
    ------
    ScanError
        One line: the file cannot be read.
    """
    if path is None:
        return None
    with one_line(path, "check who may read it"), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def linked(path: Path) -> list[Path]:
    """The files in which an HDF5 file really keeps its frames; none for any other file."""
    with open(path, "rb") as file:
        if file.read(8) != b"\x89HDF\r\n\x1a\n":
            return []
    # Slow to import, and few scans need it.
    from scatterheal.reading.hdf5 import linked_files

    return linked_files(path)


def whole_content(path: Path) -> str | list[str | None] | None:
    """The SHA-256 of a scan's file, and of those that it links to."""
    return [content(path), *map(content, files)] if (files := linked(path)) else content(path)


@functools.cache
def code_hash(script: Path, package: Path = PACKAGE) -> str:
    """A hash of what a script, and all that it may come to in the package, says without comments and docstrings.

    Parameters
    ----------
    script : Path
        Its name without the ending is the rule's.
    package : Path
        The package's folder.
    """
    behind = code_behind(script, package)
    said = [read_script(script, package).text, *(f"{name}\n{behind[name]}" for name in sorted(behind))]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def code_behind(script: Path, package: Path = PACKAGE) -> dict[str, str]:
    """The definitions of the package that a script may come to, and what each of them says.

    Parameters
    ----------
    script, package : Path
        As for `code_hash`.

    Examples
    --------
    >>> behind = code_behind(PACKAGE.parent / "scripts" / "rank.py")
    >>> "scatterheal.validation.rank.rank" in behind, "scatterheal.pictures.style.DOTS_PER_INCH" in behind
    (True, False)
    """
    untracked = tuple(f"{name}." for name in (*UNTRACKED, *UNTRACKED_BY.get(script.stem, ())))
    todo, seen, behind = [*read_script(script, package).uses], set(), {}
    while todo:
        use = todo.pop()
        if use in seen or f"{use}.".startswith(untracked):
            continue
        seen.add(use)
        module, name = split(use, package)
        if module is None:
            continue
        here = module_of(module, package)
        if name in here.definitions:
            definition = definition_of(module, name, package)
            if definition.text:
                behind[f"{module}.{name}"] = definition.text
            todo += [*definition.uses, f"{module}.{ON_IMPORT}"]
        elif name in here.imports:
            todo += [*here.imports[name], f"{module}.{ON_IMPORT}"]
        else:
            todo += everything_in(module, package)
    return behind
