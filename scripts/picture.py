"""Draw a scan, or its healed image, in its own colours or on the scan's scale of counts."""

from pathlib import Path

from scatterheal import grayscale, logs, pictures, storage

logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

top = grayscale.top_count(storage.read_tiff(Path(snakemake.input.image)))
shown = storage.read_tiff(Path(snakemake.input.shown))
storage.write_png(Path(snakemake.output.picture), pictures.render(shown, top))
