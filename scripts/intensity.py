"""Turn a cropped scan into numbers that rise with the intensity: counts where that is possible."""

from pathlib import Path

from scatterheal import storage
from scatterheal.pipeline import logs, prepare
from scatterheal.reading.crop import Crop
from scatterheal.settings.models import Colour

scan = snakemake.params.scan
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

image = storage.read_tiff(Path(snakemake.input.image))
cut = Crop.from_json(storage.read_json(Path(snakemake.input.found)))
found = prepare.intensity_of(image, cut, Colour.model_validate(scan["colour"]))
meaning = found.meaning
say = log.warning if meaning.not_whole_share else log.info
say("%s: %s", meaning.unit, meaning.how)
if of_map := meaning.colour_scale:
    log.info("limits %s, scale %s", list(of_map.limits), of_map.scale)
    log.info(
        "colours off the map: %.2f %%; at its low end: %.2f %%; at its high end: %.3f %%",
        *(100 * share for share in (of_map.off_share, of_map.clipped_low_share, of_map.clipped_high_share)),
    )

storage.write_tiff(Path(snakemake.output.intensity), found.values)
storage.write_tiff(Path(snakemake.output.flags), found.flags)
storage.write_json(Path(snakemake.output.meaning), meaning.to_json())
