# From a scan's file to what is missing in it.


rule crop:
    input:
        image=lambda wildcards: str(SCANS[wildcards.scan].image),
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
        scan=of_scan("kind", "crop"),
        content=lambda wildcards: content(SCANS[wildcards.scan].image),
        code=code("crop", "frames", "bitmaps", "figures"),
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
        scan=of_scan("kind"),
        content=lambda wildcards: content(SCANS[wildcards.scan].truth),
        code=code("truth", "frames", "bitmaps", "figures"),
    script:
        "../../scripts/truth.py"


rule grayscale:
    input:
        image=f"{RESULTS}/{{scan}}/image.tif",
    output:
        intensity=f"{RESULTS}/{{scan}}/intensity.tif",
    log:
        f"{RESULTS}/logs/grayscale/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/grayscale/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=code("grayscale", "grayscale"),
    script:
        "../../scripts/grayscale.py"


rule mask:
    input:
        unpack(given("mask_file", lambda name, scan: scan.mask.file)),
        image=f"{RESULTS}/{{scan}}/image.tif",
        found=f"{RESULTS}/{{scan}}/crop.json",
        intensity=f"{RESULTS}/{{scan}}/intensity.tif",
    output:
        reasons=f"{RESULTS}/{{scan}}/reasons.tif",
        mask=f"{RESULTS}/{{scan}}/mask.png",
    log:
        f"{RESULTS}/logs/mask/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/mask/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        scan=of_scan("mask", "detector"),
        content=lambda wildcards: content(SCANS[wildcards.scan].mask.file),
        code=code("mask", "masks", "detectors", "frames"),
    script:
        "../../scripts/mask.py"


rule holdout:
    input:
        reasons=f"{RESULTS}/{{scan}}/reasons.tif",
        intensity=f"{RESULTS}/{{scan}}/intensity.tif",
    output:
        hidden=f"{RESULTS}/{{scan}}/hidden.png",
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
        code=code("holdout", "holdout"),
    script:
        "../../scripts/holdout.py"
