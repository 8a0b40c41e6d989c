"""The command line, ``scatterheal``: what is not a run of the pipeline."""

from __future__ import annotations

import argparse
import faulthandler
import sys
from collections.abc import Sequence
from pathlib import Path

import shtab

from scatterheal.app.doctor import examine
from scatterheal.app.options import add_scan_options
from scatterheal.errors import ScanError
from scatterheal.version import __version__

# Seconds after which `doctor` ends itself and shows where it hung; it takes about ten.
LIMIT = 120
CODES = "exit codes: 0 all went well, 1 a file cannot be used or something does not work, 2 the command line is wrong"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without it those of the process.

    Returns
    -------
    code : int
        0 where all went well, 1 where something did not.

    Raises
    ------
    SystemExit
        With 2 where the command line is wrong; with 0 after ``--help``, ``--version`` and ``--print-completion``.
    """
    parser = argparse.ArgumentParser(prog="scatterheal", description="Heal X-ray scattering images.", epilog=CODES)
    parser.add_argument("--version", action="version", version=f"scatterheal {__version__}")
    # shtab looks for an attribute `complete`, of which argparse's types know nothing.
    shtab.add_argument_to(parser, "--print-completion", help="print a shell's completion of commands and files")
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("doctor", help="check that everything works here; add its output to a question")
    command.set_defaults(run=lambda _: doctor())

    command = commands.add_parser("add", help="write a starter YAML and a mask picture for each of your files")
    files = command.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a detector frame or a figure")
    files.complete = shtab.FILE  # type: ignore[attr-defined]
    folder = command.add_argument("--scans", type=Path, default="scans", help="folder of YAML files (default: scans)")
    folder.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    add_scan_options(command)
    command.set_defaults(run=add)

    command = commands.add_parser("heal", help="heal files here and now, without the workflow")
    files = command.add_argument(
        "paths", nargs="+", type=Path, metavar="FILE", help="a frame, a figure, or a scan's YAML"
    )
    files.complete = shtab.FILE  # type: ignore[attr-defined]
    folder = command.add_argument("-o", "--output", default="healed", help="folder of the results (default: healed)")
    folder.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    command.add_argument(
        "--settings", default="scattering", help="a preset (scattering, paper), or a file like config.yaml"
    )
    command.add_argument("--method", action="append", help="what is tried, dip for networks; may be given again")
    command.add_argument("--budget", help="the best that is reached by then: 30s, 2min; by default all to its end")
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where networks are trained")
    command.add_argument("--seed", type=int, default=0, help="of the weights, the input and every noise (default: 0)")
    add_scan_options(command)
    command.set_defaults(run=heal)

    chosen = parser.parse_args(arguments)
    return chosen.run(chosen)


def heal(chosen: argparse.Namespace) -> int:
    """Heal files; see `scatterheal.app.heal.heal_files`."""
    # Slow to import, and `doctor` has to work where some of it is broken.
    from scatterheal.app.heal import heal_files

    return heal_files(chosen)


def add(chosen: argparse.Namespace) -> int:
    """Write a YAML and a picture for each file; one that cannot be used is one line, and stops no other.

    Parameters
    ----------
    chosen : Namespace
        paths: detector frames and figures; scans: the folder of the scans' YAML files; the options of a scan.

    Returns
    -------
    code : int
        0 where every file was added, 1 otherwise.
    """
    # Slow to import, and `doctor` has to work where some of it is broken.
    from scatterheal.app.add import add as add_scan
    from scatterheal.app.add import seen_from

    problems = 0
    added = []
    for path in chosen.paths:
        try:
            done = add_scan(path, chosen.scans, chosen)
        except ScanError as error:
            print(error, file=sys.stderr)
            problems += 1
            continue
        if done.problem:
            print(f"{done.problem}; {done.yaml} is written: add the key there", file=sys.stderr)
            problems += 1
            continue
        added.append(done.name)
        print(f"{done.yaml}: written; look at {done.overlay}")
        for line in done.summary:
            print(f"  {line}")
    if added:
        snakemake = seen_from(Path.cwd(), Path(sys.executable).with_name("snakemake"))
        folder = "" if chosen.scans == Path("scans") else f" --config scans={chosen.scans}"
        print(f"next, from the folder of the Snakefile: {snakemake} --cores all{folder}")
    return 1 if problems else 0


def doctor() -> int:
    """Print what `scatterheal.app.doctor.examine` finds, and one line for each problem.

    Returns
    -------
    code : int
        0 where everything works, 1 otherwise.
    """
    # A broken driver can hang where no exception reaches.
    faulthandler.dump_traceback_later(LIMIT, exit=True, file=sys.__stderr__ or sys.stderr)
    problems = []
    try:
        for finding in examine():
            print(f"{finding.name + ':':<16}{finding.value}", flush=True)
            if finding.problem:
                problems.append(f"{finding.name}: {finding.problem}")
    finally:
        faulthandler.cancel_dump_traceback_later()
    print("\nWhat does not work, and what to do:" if problems else "\nEverything that scatterheal needs works.")
    for problem in problems:
        print(problem)
    return 1 if problems else 0
