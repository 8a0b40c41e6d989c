"""Hide hole-shaped blocks of valid pixels, by which the runs are judged."""

from pathlib import Path

from scatterheal import holdout, logs, masks, scale, storage

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

reasons = storage.read_tiff(Path(snakemake.input.reasons))
unit = storage.read_json(Path(snakemake.input.meaning))["unit"]
grey = scale.grey_levels(storage.read_tiff(Path(snakemake.input.intensity)), unit)
hidden = holdout.hide_blocks(reasons > 0, grey, reasons & masks.BEAMSTOP > 0)
log.info("hidden: %d pixels, %.2f %% of the image", hidden.sum(), 100 * hidden.mean())

storage.write_png(Path(snakemake.output.hidden), (hidden * 255).astype("uint8"))
