"""Draw a scan, or its healed image, in its own colours or on the scan's scale of counts."""

from pathlib import Path

from scatterheal import frames, grayscale, logs, pictures

logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

top = grayscale.top_count(frames.read_tiff(Path(snakemake.input.image)))
shown = frames.read_tiff(Path(snakemake.input.shown))
frames.write_png(Path(snakemake.output.picture), pictures.render(shown, top))
