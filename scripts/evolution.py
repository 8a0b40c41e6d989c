"""Draw how the image of a scan's best run came to be."""

from pathlib import Path

import pandas as pd

from scatterheal import logs, pictures, storage

logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

best = pd.read_csv(snakemake.input.ranking).run[0]
chosen = snakemake.params.runs.index(best)
after = storage.read_json(Path(snakemake.input.metrics[chosen]))["hidden_mse_after"]
folder = Path(snakemake.input.snapshots[chosen])
snapshots = [
    (int(iteration), hidden_mse, storage.read_png(folder / f"{int(iteration):06d}.png"))
    for iteration, hidden_mse in after.items()
]
scan = storage.read_png(Path(snakemake.input.picture))
pictures.evolution(
    Path(snakemake.output.strip),
    snapshots,
    scan,
    f"{snakemake.wildcards.scan}: the network's own image in the run {best}",
)
