# scatterheal: heal X-ray scattering images with the Deep Image Prior.
#
#   frames -> masks -> fit -> scores -> pictures
#
# One scan is scans/<scan>.yaml and its image; one run is one combination of the grid in config.yaml.

from snakemake.utils import min_version

min_version("9.19")
# A shell that waited for the script (bash before 5.1) would die of SIGTERM, and the job be over before its training is.
# It holds for all commands: those of a Snakefile that takes this one as a module stay as they are.
if workflow.modifier.is_main_snakefile():
    shell.prefix("exec ")


# A --configfile stands for itself: nothing of the demo's settings leaks into another run.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


wildcard_constraints:
    scan="|".join(map(re.escape, [*SCANS, *REFUSED])) or "(?!)",
    run="|".join(map(re.escape, RUNS)),


include: "workflow/rules/prepare.smk"
include: "workflow/rules/inpaint.smk"
include: "workflow/rules/choose.smk"
include: "workflow/rules/pictures.smk"


# Snakemake itself would end with a traceback.
onstart:
    if problem := plan.unwritable(Path(RESULTS)):
        logger.error(f"{CONFIG_FILE}: results: {problem}")
        sys.exit(1)
    choose_once_a_job()


# What was said before the jobs is far above by now.
onerror:
    for problem in REFUSED.values():
        logger.error(problem)
    write_summary()


rule all:
    # Of a Snakefile that takes this one as a module it is only where that has no first rule of its own.
    default_target: not workflow.default_target
    input:
        expand(f"{RESULTS}/{{scan}}/runs/{{run}}/metrics.json", scan=USED, run=RUNS),
        [f"{RESULTS}/summary.csv"] if USED else [],
        expand(f"{RESULTS}/{{scan}}/provenance.json", scan=USED),
        expand(f"{RESULTS}/{{scan}}/{{shown}}.png", scan=USED, shown=["cropped", "healed"]),
        expand(f"{RESULTS}/{{scan}}/colours.png", scan=[scan for scan in USED if scan in FIGURES]),
        expand(f"{RESULTS}/{{scan}}/mask_overlay.png", scan=USED),
        expand(f"{RESULTS}/{{scan}}/contact_sheet.png", scan=USED),
        expand(f"{RESULTS}/{{scan}}/evolution.png", scan=USED if NETWORKS else []),
        expand(f"{RESULTS}/{{scan}}/{{shown}}.png", scan=USED, shown=["certainty", "radial", "azimuthal"]),
        expand(f"{RESULTS}/{{scan}}/before_after.png", scan=USED),
        expand(f"{RESULTS}/{{scan}}/refused", scan=REFUSED),
