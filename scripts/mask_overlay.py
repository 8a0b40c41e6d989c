"""Draw what is missing in a scan, and what is hidden to judge the runs, over the scan."""

from pathlib import Path

from scatterheal import logs, pictures, storage

logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

centre = storage.read_json(Path(snakemake.input.parts))["centre"]
pictures.mask_overlay(
    Path(snakemake.output.overlay),
    storage.read_png(Path(snakemake.input.picture)),
    storage.read_tiff(Path(snakemake.input.reasons)),
    storage.read_pages(Path(snakemake.input.hidden))[0] > 0,
    None if centre.get("x") is None else (centre["x"], centre["y"]),
    snakemake.wildcards.scan,
)
