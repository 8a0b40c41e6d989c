"""The command line, ``scatterheal``: what is not a run of the pipeline."""

from __future__ import annotations

import argparse
import faulthandler
import sys
from collections.abc import Sequence

from scatterheal import __version__
from scatterheal.doctor import examine

# Seconds after which `doctor` ends itself and shows where it hung; it takes about ten.
LIMIT = 120


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
    """
    parser = argparse.ArgumentParser(prog="scatterheal", description="Heal X-ray scattering images.")
    parser.add_argument("--version", action="version", version=f"scatterheal {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("doctor", help="check that everything works here; add its output to a question")
    command.set_defaults(run=lambda _: doctor())

    chosen = parser.parse_args(arguments)
    return chosen.run(chosen)


def doctor() -> int:
    """Print what `scatterheal.doctor.examine` finds, and one line for each problem.

    Returns
    -------
    code : int
        0 where everything works, 1 otherwise.
    """
    # A broken driver can hang where no exception reaches.
    faulthandler.dump_traceback_later(LIMIT, exit=True, file=sys.__stderr__)
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
