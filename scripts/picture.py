"""Draw a scan, or its healed image, in its own colours or on the scan's scale of counts."""

from pathlib import Path

from scatterheal import storage
from scatterheal.pattern.meaning import Meaning
from scatterheal.pictures.look import look_of, render
from scatterheal.pipeline import logs

logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

image = storage.read_tiff(Path(snakemake.input.image))
meaning = Meaning.from_json(storage.read_json(Path(snakemake.input.meaning)))
look = look_of(storage.read_tiff(Path(snakemake.input.intensity)), meaning)
picture = render(image, look)
if snakemake.wildcards.shown == "healed":
    # The scan's own pixels keep the very colours of its file.
    missing = storage.read_tiff(Path(snakemake.input.reasons)) > 0
    picture[missing] = render(storage.read_tiff(Path(snakemake.input.healed)), look)[missing]
storage.write_png(Path(snakemake.output.picture), picture)
