"""Many small scans through the whole pipeline, some of them broken: who is healed, and what Snakemake itself takes.

python benchmarks/many_scans.py FOLDER [--scans N] [--runs-per-job N] [--cores N]

Simulated frames of 96 x 72 pixels, healed by four small networks each, with `--keep-going`. Five of them are broken,
each in its own way, two of these so that only a job finds out. Prints how many were healed, what summary.csv says of
the others, how long the jobs took in their own processes, and how much of a processor Snakemake itself took meanwhile.
FOLDER is not to exist yet.
"""

import argparse
import re
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import yaml

from scatterheal import storage
from scatterheal.settings.reference import ROOT

SHAPE = (72, 96)
FIT = {"channels": 4, "iterations": 20, "check_every": 10, "snapshot_every": 10, "radius_step": 4, "angles": 32}


def counts(seed: int) -> np.ndarray:
    """A halo round a beam, with a gap between two modules."""
    rows, columns = np.indices(SHAPE)
    radius = np.hypot(rows - 30.5, columns - 47.5)
    image = np.random.default_rng(seed).poisson(2 + 900 / (1 + (radius / 5) ** 2)).astype(np.int32)
    image[52:56] = -1
    return image


def write_scans(folder: Path, number: int) -> None:
    """A file and a YAML each, and five that are broken."""
    folder.mkdir(parents=True)
    for seed in range(number):
        path = folder / f"scan_{seed:03d}.tif"
        said = {"image": path.name, "kind": "frame"}
        storage.write_tiff(path, counts(seed))
        if seed == 10:
            path.write_bytes(path.read_bytes()[:-1000])
        elif seed == 50:
            storage.write_tiff(path, np.zeros(SHAPE, np.int32))
        elif seed == 90:
            said["image"] = "none.tif"
        elif seed == 130:
            # Nothing is left to train on.
            said["mask"] = {"user": {"rectangle": [0, 0, 96, 71]}}
        elif seed == 170:
            # A mask, and not what its zeros mean.
            storage.write_tiff(folder / "other.tif", np.zeros((10, 10), np.uint8))
            said["mask"] = {"file": "other.tif"}
        path.with_suffix(".yaml").write_text(yaml.safe_dump(said))


def main() -> None:
    """Heal them all and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--runs-per-job", type=int, default=1)
    parser.add_argument("--cores", type=int, default=2)
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    write_scans(folder / "scans", asked.scans)
    config = {
        "scans": str(folder / "scans"),
        "results": str(folder / "results"),
        "grid": {"domain": ["polar", "cartesian"], "start": ["radial", "smooth"]},
        "fit": FIT,
        "refits": 1,
        "runs_per_job": asked.runs_per_job,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--keep-going", "--cores", str(asked.cores), "--directory", folder]
    command += ["--snakefile", ROOT / "Snakefile", "--workflow-profile", ROOT / "profiles" / "default"]
    start = time.perf_counter()
    with open(folder / "said.txt", "w") as said:
        process = psutil.Popen([*command, "--configfile", folder / "config.yaml"], stdout=said, stderr=said)
        while (code := process.poll()) is None:
            # Its own, without its children's.
            itself = sum(process.cpu_times()[:2])
            time.sleep(1)
    seconds = time.perf_counter() - start

    if not (folder / "results" / "summary.csv").is_file():
        sys.exit(f"Snakemake ended with {code}: see {folder / 'said.txt'}")
    table = pd.read_csv(folder / "results" / "summary.csv")
    healed = table[table.problem.isna()]
    print(
        f"exit code {code}; {len(healed)} of {asked.scans} healed in {seconds / 60:.1f} minutes on {asked.cores} cores"
    )
    for line in table.problem.dropna():
        print(f"  {line.replace(str(folder), 'FOLDER')}")
    took = [pd.read_csv(file, sep="\t").s for file in (folder / "results" / "benchmarks").rglob("*.tsv")]
    of_jobs = float(pd.concat(took).sum())
    said_text = (folder / "said.txt").read_text()
    jobs = len(re.findall(r"^Finished jobid: ", said_text, re.MULTILINE))
    print(f"{jobs} jobs; in their own processes {of_jobs / jobs:.2f} s each; Snakemake itself {itself / jobs:.2f} s")
    print(f"of processor time each; cores waited {(asked.cores * seconds - of_jobs) / jobs:.2f} s for each")


if __name__ == "__main__":
    main()
