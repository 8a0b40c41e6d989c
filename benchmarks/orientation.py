"""What healing does to a pattern's orientation: Hermans' f of the strongest ring, parts of which are hidden and healed.

python benchmarks/orientation.py [SCAN ...]

SCAN is HDPE_85_low (beside the repository) or a simulated scan with oriented rings; without one all of them. On the
real frame the module grid is moved to six pairs of other places; of a simulated scan three sets of the pipeline's own
hidden regions are taken, and its holes. Each set is healed as benchmarks/healing.py does it (on the polar canvas, from
the radial profile): iterations from folds of the other pixels, then three networks. f of the healed pattern is compared
with that of the pattern that has in their place what was counted there (real: with shot noise of its own, below which
no error can be seen) or the true rate. Nothing was ever chosen by any of these sets but the first two: how well the
hidden counts are predicted is printed too, as by benchmarks/healing.py.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from healing import COLUMNS, Case, heal, real, row, simulated
from numpy.typing import NDArray

from scatterheal.compute.devices import use_threads
from scatterheal.pattern.geometry import Geometry
from scatterheal.physics.compare import compare
from scatterheal.polar.coordinates import radius_and_chi
from scatterheal.settings.reading import read_config
from scatterheal.settings.runs import runs_of

SIMULATED, SETS = ("oriented_rings", "four_lobes"), 3
METHODS = ("dip", "polar_smooth", "pyfai", "liu2017")
# Pairs of offsets (rows, columns) of the module grid; the first is that of healing.py.
OFFSETS = (
    ((-90, -150), (60, 110)),
    ((-45, 60), (100, -80)),
    ((-120, 40), (30, -110)),
    ((-70, 150), (75, -30)),
    ((-25, -60), (110, 140)),
    ((-105, 90), (45, -170)),
)


def cases(name: str) -> tuple[Case, ...]:
    """A scan with one set of pixels hidden after the other."""
    if name in SIMULATED:
        return tuple(simulated(name, number) for number in range(SETS))
    return tuple(real(name, offsets) for offsets in OFFSETS)


def main() -> None:
    """Heal each set of hidden pixels of each scan, and print its errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="*", default=["HDPE_85_low", *SIMULATED], metavar="SCAN")
    asked = parser.parse_args()
    use_threads(1)
    config = read_config({"methods": ["dip"], "grid": {}, "fit": {"domain": "polar", "start": "radial"}})
    for name in asked.scans:
        print(f"\n{name}: error of Hermans' f, %\n")
        print(f"| hidden | of the ring, % | f | with the holes | {' | '.join(METHODS)} | noise of the comparison | |")
        print(f"|---|---|---|---|{'---|' * len(METHODS)}---|---|", flush=True)
        errors, rows = [], []
        for number, found in enumerate(cases(name)):
            healed = [heal(found, method, runs_of(config)) for method in METHODS]
            share, true, off = orientation_errors(found, [model for model, *_ in healed])
            errors.append(off)
            rows += [f"| {number} | {m} | {row(found, said)} |" for m, said in zip(METHODS, healed, strict=True)]
            print(
                f"| {number} | {share:.1f} | {true:.4f} | {signed(off[:-1])} | {off[-1]:.2f} | {healed[0].how} |",
                flush=True,
            )
        each = np.array(errors)
        print(f"| root mean square | | | {' | '.join(f'{value:.2f}' for value in np.sqrt((each**2).mean(axis=0)))} | |")
        mean, error = each.mean(axis=0), np.sqrt((each[:, -1] ** 2).mean() / len(each))
        print(f"| mean | | | {signed(mean[:-1])} | {error:.2f} | |\n")
        print(f"| hidden | method | {COLUMNS} |\n|{'---|' * 11}", *rows, sep="\n", flush=True)


def orientation_errors(found: Case, models: Sequence[NDArray[np.float32]]) -> tuple[float, float, list[float]]:
    """Share of the ring that is healed, %; true f; errors of f with the holes and by each model, and its noise, %."""
    scan, counted = found.pattern, found.truth is None
    known = ~scan.missing
    # On a simulated scan the holes themselves are healed too; on a real one nobody knows what is there.
    where = found.valid if counted else np.ones(found.valid.shape, bool)
    truth = np.where(known, scan.image, scan.image if counted else found.truth)
    summaries = []
    for model in models:
        healed = np.where(known, scan.image, model)
        summaries.append(compare(scan, healed, Geometry(), truth=truth, where=where, counted=counted).summary)
    radius, _ = radius_and_chi(known.shape, scan.centre)
    ring, true = summaries[0]["ring"], summaries[0]["orientation"]["truth"]
    inside = (radius >= ring["low"]) & (radius <= ring["high"]) & where
    off = [summary["orientation_error_percent"] for summary in summaries]
    noise = 100 * true["hermans_error"] / abs(true["hermans"])
    share = 100 * (inside & ~known).sum() / inside.sum()
    return share, true["hermans"], [off[0]["before"], *(found["after"] for found in off), noise]


def signed(errors: Sequence[float]) -> str:
    """Cells of a table."""
    return " | ".join(f"{error:+.2f}" for error in errors)


if __name__ == "__main__":
    main()
