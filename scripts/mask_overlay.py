"""Draw what is missing in a scan, and what is hidden to judge the runs, over the scan."""

from pathlib import Path

from scatterheal import storage
from scatterheal.pattern.found import Found
from scatterheal.pictures.mask_overlay import mask_overlay
from scatterheal.pipeline import logs

logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

mask_overlay(
    Path(snakemake.output.overlay),
    storage.read_png(Path(snakemake.input.picture)),
    storage.read_tiff(Path(snakemake.input.reasons)),
    storage.read_pages(Path(snakemake.input.hidden))[0] > 0,
    Found.from_json(storage.read_json(Path(snakemake.input.parts))).beam_centre,
    snakemake.wildcards.scan,
)
