"""Turn a cropped scan into grey levels 0..255, the basis of the mask's thresholds."""

from pathlib import Path

from scatterheal import grayscale, logs, storage

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

image = storage.read_tiff(Path(snakemake.input.image))
if image.ndim == 3:
    log.info("grey levels are the luminance of the colours: not monotone in intensity for maps like jet")
storage.write_tiff(Path(snakemake.output.intensity), grayscale.grey_levels(image))
