"""What healing does to a pattern's orientation: Hermans' f of the strongest ring, parts of which are hidden and healed.

python benchmarks/orientation.py [SCAN ...]

SCAN is HDPE_85_low (beside the repository) or a simulated scan with oriented rings; without one all of them. On the
real frame the module grid is moved to six pairs of other places; of a simulated scan three sets of the pipeline's own
hidden regions are taken, and its holes. Each set is healed as benchmarks/healing.py does it (on the polar canvas, from
the radial profile): iterations from folds of the other pixels, then three networks. f of the healed pattern is compared
with that of the pattern that has in their place what was counted there (real: with shot noise of its own, below which
no error can be seen) or the true rate.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import torch
from healing import Case, heal, real, simulated

from scatterheal import profiles
from scatterheal.config import read_config, runs_of

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
    torch.set_num_threads(1)
    config = read_config({"methods": ["dip"], "grid": {}, "fit": {"domain": "polar", "start": "radial"}})
    for name in asked.scans:
        print(f"\n{name}: error of Hermans' f, %\n")
        print(f"| hidden | of the ring, % | f | with the holes | {' | '.join(METHODS)} | noise of the comparison | |")
        print(f"|---|---|---|---|{'---|' * len(METHODS)}---|---|", flush=True)
        errors = []
        for number, found in enumerate(cases(name)):
            scan, counted = found.exposure, found.truth is None
            known, unhurt = ~scan.missing, scan.image if counted else found.truth
            # On a simulated scan the holes themselves are healed too; on a real one nobody knows what is there.
            where = found.valid if counted else np.ones(found.valid.shape, bool)
            truth = np.where(known, scan.image, unhurt)
            healed = [heal(found, method, runs_of(config)) for method in METHODS]
            summaries = [
                profiles.compare(
                    scan.image,
                    np.where(known, scan.image, model),
                    known,
                    scan.centre,
                    {},
                    "counts",
                    truth=truth,
                    where=where,
                    counted=counted,
                ).summary
                for model, *_ in healed
            ]
            radius, _ = profiles.radius_and_chi(known.shape, scan.centre)
            of_ring = summaries[0]["ring"]
            ring = (radius >= of_ring["low"]) & (radius <= of_ring["high"]) & where
            true = summaries[0]["orientation"]["truth"]
            noise = 100 * true["hermans_error"] / abs(true["hermans"])
            off = [summary["orientation_error_percent"] for summary in summaries]
            errors.append([off[0]["before"], *(found["after"] for found in off), noise])
            share = 100 * (ring & ~known).sum() / ring.sum()
            cells = f"{share:.1f} | {true['hermans']:.4f} | {signed(errors[-1][:-1])} | {noise:.2f} | {healed[0].how}"
            print(f"| {number} | {cells} |", flush=True)
        each = np.array(errors)
        print(f"| root mean square | | | {' | '.join(f'{value:.2f}' for value in np.sqrt((each**2).mean(axis=0)))} | |")
        mean, error = each.mean(axis=0), np.sqrt((each[:, -1] ** 2).mean() / len(each))
        print(f"| mean | | | {signed(mean[:-1])} | {error:.2f} | |", flush=True)


def signed(errors: Sequence[float]) -> str:
    """Cells of a table."""
    return " | ".join(f"{error:+.2f}" for error in errors)


if __name__ == "__main__":
    main()
