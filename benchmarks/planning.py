"""How long it takes until the first job starts: importing the package, and planning a large grid.

python benchmarks/planning.py [--scans N] [--rounds N]

A dry run of the report's 40 runs on N small scans that were never looked at, with one run a job and with eight, and the
imports that a script or a user begins with: medians over the rounds, each in a process of its own.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import yaml

from scatterheal.settings.reference import ROOT

SNAKEMAKE = [sys.executable, "-m", "snakemake"]
IMPORTS = {"Python": "pass", "scatterheal": "import scatterheal", "PyTorch": "import torch"}


def measured(command: Sequence[str], rounds: int) -> tuple[float, str]:
    """Median seconds of a command, and what it said."""
    seconds, said = [], ""
    for _ in range(rounds):
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - start)
        said = done.stdout + done.stderr
    return median(seconds), said


def main() -> None:
    """Plan and import in turn, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()

    print("| runs a job | jobs | seconds | milliseconds a job |\n|---|---|---|---|")
    with TemporaryDirectory() as folder:
        image = ROOT / "scans" / "demo_waxs.tif"
        for number in range(asked.scans):
            link = Path(folder, f"scan_{number:03d}.tif")
            os.symlink(image, link)
            link.with_suffix(".yaml").write_text(yaml.safe_dump({"image": link.name, "kind": "frame"}))
        config = ["preset=paper", "methods=[dip]", f"scans={folder}", f"results={folder}/results"]
        for runs in (1, 8):
            plan = [*SNAKEMAKE, "--dry-run", "--cores", "1", "--config", *config, f"runs_per_job={runs}"]
            seconds, said = measured(plan, asked.rounds)
            jobs = int(re.findall(r"^total\s+(\d+)", said, re.MULTILINE)[0])
            print(f"| {runs} | {jobs} | {seconds:.1f} | {1000 * seconds / jobs:.1f} |", flush=True)

    print("\n| import | seconds |\n|---|---|")
    for name, line in IMPORTS.items():
        print(f"| {name} | {measured([sys.executable, '-c', line], asked.rounds)[0]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
