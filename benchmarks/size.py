"""How memory and time grow with the detector: simulated frames of 1, 2, 4 and 16 million pixels through the pipeline.

python benchmarks/size.py FOLDER [DETECTOR ...] [--iterations N]

Writes a frame of each detector (pyFAI's names) into FOLDER, heals them there by the scattering preset, on a polar and
on a Cartesian canvas, one job at a time on one core, and prints a Markdown table. Networks start from the smooth rate,
which takes most memory. What an iteration takes is read off a training's log half way; what a job takes off the last
line of its own: the most that its process ever held.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from pyFAI.detectors import detector_factory

from scatterheal import storage
from scatterheal.app import simulate
from scatterheal.reading.detectors import detector_gaps
from scatterheal.settings.reference import ROOT

DETECTORS = ("Pilatus1M", "Pilatus2M", "Eiger4M", "Eiger16M")
FOLDS = 2
# Height of the detector for whose pixels the simulated pattern was made; counts a pixel, on average.
HEIGHT, MEAN = 1043, 6.0
# Where the beam is, as a share of width and height; radius of the beamstop and half width of its holder, pixels.
BEAM, BEAMSTOP, HOLDER = (0.47, 0.53), 23, 6


def frame(detector: str) -> NDArray[np.int32]:
    """Counts of a drawn fibre on all of a detector, -1 in its gaps."""
    shape, scale, (x, y) = drawn(detector)
    radius, chi = simulate.radius_and_azimuth(shape, (x, y))
    rate = simulate.oriented_rings(radius / scale, chi, fibre=-1.18)
    rate *= MEAN / rate.mean()
    rate[radius < BEAMSTOP * scale] = 0
    rate[round(y - HOLDER * scale) : round(y + HOLDER * scale), : round(x)] = 0
    counts = np.random.default_rng(0).poisson(rate).astype(np.int32)
    counts[detector_gaps(detector, shape)] = -1
    return counts


def drawn(detector: str) -> tuple[tuple[int, int], float, tuple[float, float]]:
    """Shape of the detector, how much larger it is than that of the pattern, and where the beam is, x and y."""
    shape = detector_factory(detector).shape
    return shape, shape[0] / HEIGHT, (BEAM[0] * shape[1], BEAM[1] * shape[0])


def described(detector: str) -> str:
    """The frame's YAML: its shadows are drawn, and looked for besides."""
    _, scale, (x, y) = drawn(detector)
    stop = {"circle": [x, y, BEAMSTOP * scale + 1]}
    along = [y - HOLDER * scale - 1, y + HOLDER * scale]
    holder = {"polygon": [[0, along[0]], [x, along[0]], [x, along[1]], [0, along[1]]]}
    mask = {"beamstop": ["auto", stop], "holder": ["auto", holder]}
    return yaml.safe_dump({"image": f"{detector}.tif", "kind": "frame", "mask": mask})


def heal(folder: Path, detectors: list[str], iterations: int) -> None:
    """Run the pipeline on all frames, one job at a time."""
    for detector in detectors:
        storage.write_tiff(folder / f"{detector}.tif", frame(detector))
        (folder / f"{detector}.yaml").write_text(described(detector))
    # A whole training keeps more paintings, one a check: the preset's up to 61.
    every = max(iterations // 8, 1)
    config = {
        "scans": [str(folder / f"{detector}.yaml") for detector in detectors],
        "results": str(folder / "results"),
        "grid": {"domain": ["polar", "cartesian"]},
        "fit": {
            "start": "smooth",
            "stop": "end",
            "iterations": iterations,
            "check_every": every,
            "snapshot_every": every,
        },
        "methods": ["dip", "polar_smooth"],
        "heal_with": "dip",
        "folds": FOLDS,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "1", "--directory", str(ROOT), "--nolock"]
    subprocess.run(
        [*snakemake, "--snakefile", str(ROOT / "Snakefile"), "--configfile", folder / "config.yaml"], check=True
    )


def peaks(results: Path, detector: str) -> dict[str, float]:
    """The most memory, GB, that a job of each rule held."""
    most: dict[str, float] = {}
    for log in sorted((results / "logs").rglob("*.log")):
        rule, of_scan = log.relative_to(results / "logs").parts[:2]
        held = re.findall(r"at most ([\d.]+) GB of memory", log.read_text())
        if of_scan.removesuffix(".log") == detector and held:
            most[rule] = max(most.get(rule, 0.0), float(held[-1]))
    return most


def seconds(results: Path, detector: str, domain: str) -> float:
    """What an iteration of one fold takes."""
    log = (results / "logs" / "inpaint" / detector / f"domain-{domain}.log").read_text()
    lines = [[int(n) for n in line] for line in re.findall(r"iteration (\d+) of (\d+), loss .*, (\d+) s left", log)]
    # Half way: what has been told by then is long, and so is what is left, which the log has in whole seconds.
    done, iterations, left = min(lines, key=lambda line: abs(line[1] - 2 * line[0]))
    return left / (iterations - done) / FOLDS


def main() -> None:
    """Heal the frames and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("detectors", nargs="*", default=list(DETECTORS))
    parser.add_argument("--iterations", type=int, default=200)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    heal(asked.folder.resolve(), asked.detectors, asked.iterations)
    results = asked.folder / "results"
    print(f"| | {' | '.join(asked.detectors)} |\n|---|{'---|' * len(asked.detectors)}")
    shapes = [detector_factory(detector).shape for detector in asked.detectors]
    print(f"| pixels | {' | '.join(f'{width} x {height}' for height, width in shapes)} |")
    for domain in ("polar", "cartesian"):
        took = [seconds(results, detector, domain) for detector in asked.detectors]
        print(f"| {domain}: seconds an iteration of one fold | {' | '.join(f'{each:.2f}' for each in took)} |")
    held = [peaks(results, detector) for detector in asked.detectors]
    for rule in sorted(held[0], key=lambda rule: -held[-1][rule]):
        print(f"| {rule}: GB | {' | '.join(f'{each[rule]:.2f}' for each in held)} |")


if __name__ == "__main__":
    main()
