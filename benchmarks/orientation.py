"""What healing does to a pattern's orientation: Hermans' f of the strongest ring, parts of which are hidden and healed.

python benchmarks/orientation.py [SCAN ...] [--iterations N]

SCAN is HDPE_85_low (beside the repository) or a simulated scan with oriented rings; without one all of them. On the
real frame the module grid is moved to six pairs of other places; of a simulated scan the pipeline's own hidden regions
are taken, and its holes. One network a set does not see its pixels, and heals them; f of the healed pattern is compared
with that of the pattern that has in their place what was counted there (real: with shot noise of its own, below which
no error can be seen) or the true rate. The networks stop where the score of the same pixels is best.
"""

import argparse

import numpy as np
import torch
from healing import frame

from scatterheal import holdout, profiles, scale, simulate
from scatterheal.config import read_config
from scatterheal.exposure import Exposure
from scatterheal.fit import choose_device
from scatterheal.inpaint import inpaint

SIMULATED = ("oriented_rings", "four_lobes")
# Pairs of offsets (rows, columns) of the module grid; the first is that of healing.py.
OFFSETS = (
    ((-90, -150), (60, 110)),
    ((-45, 60), (100, -80)),
    ((-120, 40), (30, -110)),
    ((-70, 150), (75, -30)),
    ((-25, -60), (110, 140)),
    ((-105, 90), (45, -170)),
)


def main() -> None:
    """Heal each set of hidden pixels of each scan, and print its errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="*", default=["HDPE_85_low", *SIMULATED], metavar="SCAN")
    parser.add_argument("--iterations", type=int, default=400, help="at most")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    fit = {"domain": "polar", "start": "radial", "iterations": asked.iterations}
    fit = read_config({"grid": {}, "fit": fit}).fit.model_dump(exclude={"device"})
    for name in asked.scans:
        if name in SIMULATED:
            found, counted = simulate.simulated(name), False
            counts, truth, valid = found.counts.astype(np.float32), found.rate, found.reasons == 0
            grey = scale.grey_levels(np.where(valid, counts, np.nan), "counts")
            hidden = holdout.hide(found.reasons, grey, found.centre, len(OFFSETS)) > 0
            flags = np.zeros(counts.shape, np.uint8)
        else:
            found, counted = frame(name, OFFSETS), True
            counts, flags, truth, valid, hidden = *found[:2], found.counts, found.reasons == 0, found.hidden
        scan = Exposure(counts, flags, ~valid, found.centre, scale.scale_of(counts, "counts", valid=valid))
        done = inpaint(scan, hidden.astype(np.uint8), fit, choose_device("auto"))
        print(f"\n{name}, {done.iterations} iterations: error of Hermans' f, %\n")
        print("| hidden | of the ring, % | f | with the holes | healed | noise of what it is compared with |")
        print("|---|---|---|---|---|---|")
        errors = []
        for number, (model, out) in enumerate(zip(done.models, hidden, strict=True)):
            # On a simulated scan the holes themselves are healed too; on a real one nobody knows what is there.
            where = valid if counted else np.ones(valid.shape, bool)
            known = valid & ~out
            healed, unhurt = (np.where(known, counts, instead) for instead in (model, truth))
            given = (counts, healed, known, found.centre, {}, "counts")
            summary = profiles.compare(*given, truth=unhurt, where=where, counted=counted).summary
            radius, _ = profiles.radius_and_chi(valid.shape, found.centre)
            ring = (radius >= summary["ring"]["low"]) & (radius <= summary["ring"]["high"]) & where
            true = summary["orientation"]["truth"]
            noise = 100 * true["hermans_error"] / abs(true["hermans"])
            off = summary["orientation_error_percent"]
            errors.append((off["before"], off["after"], noise))
            share = 100 * (ring & ~known).sum() / ring.sum()
            print(
                f"| {number} | {share:.1f} | {true['hermans']:.4f} | {off['before']:+.2f} | {off['after']:+.2f} "
                f"| {noise:.2f} |"
            )
        before, after, noise = np.array(errors).T
        mean = after.mean(), np.sqrt((noise**2).mean() / len(noise))
        rms = [np.sqrt((part**2).mean()) for part in (before, after, noise)]
        print(f"| root mean square | | | {rms[0]:.2f} | {rms[1]:.2f} | {rms[2]:.2f} |")
        print(f"| mean of the healed | | | | {mean[0]:+.2f} | {mean[1]:.2f} |")


if __name__ == "__main__":
    main()
