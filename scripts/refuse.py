"""End a scan that cannot be used with the line that says why."""

import sys

from scatterheal.pipeline import logs

log = logs.begin(snakemake.log[0], snakemake.config)
log.error(snakemake.params.problem)
logs.say(snakemake.params.problem)
sys.exit(1)
