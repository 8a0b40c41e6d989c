# From a scan's file to what is missing in it.


rule refuse:
    output:
        # Never made: the job says what is wrong with the scan, and fails.
        f"{RESULTS}/{{scan}}/refused",
    log:
        f"{RESULTS}/logs/refuse/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/refuse/{{scan}}.tsv"
    retries: 0
    localrule: True
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=100,
        runtime=1,
    params:
        problem=lambda wildcards: REFUSED[wildcards.scan],
    script:
        "../../scripts/refuse.py"


rule crop:
    input:
        image=lambda wildcards: str(SCANS[wildcards.scan].image),
        linked=lambda wildcards: tracking.linked(SCANS[wildcards.scan].image),
    output:
        image=f"{RESULTS}/{{scan}}/image.tif",
        found=f"{RESULTS}/{{scan}}/crop.json",
    log:
        f"{RESULTS}/logs/crop/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/crop/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        scan=of_scan("kind", "crop", "data", "frame"),
        content=lambda wildcards: tracking.whole_content(SCANS[wildcards.scan].image),
        code=code("crop"),
    script:
        "../../scripts/crop.py"


rule truth:
    input:
        truth=lambda wildcards: str(SCANS[wildcards.scan].truth),
        found=f"{RESULTS}/{{scan}}/crop.json",
    output:
        truth=f"{RESULTS}/{{scan}}/truth.tif",
    log:
        f"{RESULTS}/logs/truth/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/truth/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        scan=of_scan("kind", "colour"),
        content=lambda wildcards: tracking.content(SCANS[wildcards.scan].truth),
        code=code("truth"),
    script:
        "../../scripts/truth.py"


rule intensity:
    input:
        image=f"{RESULTS}/{{scan}}/image.tif",
        found=f"{RESULTS}/{{scan}}/crop.json",
    output:
        intensity=f"{RESULTS}/{{scan}}/intensity.tif",
        flags=f"{RESULTS}/{{scan}}/flags.tif",
        meaning=f"{RESULTS}/{{scan}}/intensity.json",
    log:
        f"{RESULTS}/logs/intensity/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/intensity/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        scan=of_scan("colour"),
        code=code("intensity"),
    script:
        "../../scripts/intensity.py"


rule mask:
    input:
        unpack(given("mask_file", lambda name, scan: scan.mask.file)),
        unpack(PONI),
        found=f"{RESULTS}/{{scan}}/crop.json",
        intensity=f"{RESULTS}/{{scan}}/intensity.tif",
        flags=f"{RESULTS}/{{scan}}/flags.tif",
        meaning=f"{RESULTS}/{{scan}}/intensity.json",
    output:
        reasons=f"{RESULTS}/{{scan}}/reasons.tif",
        mask=f"{RESULTS}/{{scan}}/mask.png",
        parts=f"{RESULTS}/{{scan}}/found.json",
    log:
        f"{RESULTS}/logs/mask/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/mask/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        scan=of_scan("kind", "mask", "detector", "centre", "poni"),
        content=lambda wildcards: [
            tracking.content(SCANS[wildcards.scan].mask.file),
            tracking.content(SCANS[wildcards.scan].poni),
        ],
        code=code("mask"),
    script:
        "../../scripts/mask.py"


rule holdout:
    input:
        reasons=f"{RESULTS}/{{scan}}/reasons.tif",
        intensity=f"{RESULTS}/{{scan}}/intensity.tif",
        meaning=f"{RESULTS}/{{scan}}/intensity.json",
        parts=f"{RESULTS}/{{scan}}/found.json",
    output:
        hidden=f"{RESULTS}/{{scan}}/hidden.tif",
    log:
        f"{RESULTS}/logs/holdout/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/holdout/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        folds=CONFIG.folds,
        code=code("holdout"),
    script:
        "../../scripts/holdout.py"
