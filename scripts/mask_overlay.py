"""Draw what is missing in a scan, and what is hidden to judge the runs, over the scan."""

from pathlib import Path

from scatterheal import logs, pictures, storage
from scatterheal.exposure import centre_of

logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

pictures.mask_overlay(
    Path(snakemake.output.overlay),
    storage.read_png(Path(snakemake.input.picture)),
    storage.read_tiff(Path(snakemake.input.reasons)),
    storage.read_pages(Path(snakemake.input.hidden))[0] > 0,
    centre_of(storage.read_json(Path(snakemake.input.parts))),
    snakemake.wildcards.scan,
)
