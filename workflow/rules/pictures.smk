# Pictures for people.


rule picture:
    input:
        unpack(HEALED),
        image=f"{RESULTS}/{{scan}}/image.tif",
        # The scan's range is the colour scale of both pictures.
        intensity=f"{RESULTS}/{{scan}}/intensity.tif",
        meaning=f"{RESULTS}/{{scan}}/intensity.json",
    output:
        picture=report(
            f"{RESULTS}/{{scan}}/{{shown}}.png",
            caption="../report/picture.rst",
            category="Before and after",
            subcategory="{scan}",
            labels={"scan": "{scan}", "picture": "{shown}"},
        ),
    log:
        f"{RESULTS}/logs/picture/{{scan}}/{{shown}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/picture/{{scan}}/{{shown}}.tsv"
    wildcard_constraints:
        shown="cropped|healed",
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=code("picture"),
    script:
        "../../scripts/picture.py"


rule colours:
    input:
        image=f"{RESULTS}/{{scan}}/image.tif",
        found=f"{RESULTS}/{{scan}}/crop.json",
    output:
        residual=f"{RESULTS}/{{scan}}/residual.tif",
        picture=report(
            f"{RESULTS}/{{scan}}/colours.png",
            caption="../report/colours.rst",
            category="Masks",
            subcategory="{scan}",
            labels={"scan": "{scan}", "picture": "colours"},
        ),
    log:
        f"{RESULTS}/logs/colours/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/colours/{{scan}}.tsv"
    wildcard_constraints:
        scan="|".join(map(re.escape, FIGURES)) or "(?!)",
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        scan=of_scan("colour"),
        code=code("colours"),
    script:
        "../../scripts/colours.py"


rule mask_overlay:
    input:
        picture=f"{RESULTS}/{{scan}}/cropped.png",
        reasons=f"{RESULTS}/{{scan}}/reasons.tif",
        parts=f"{RESULTS}/{{scan}}/found.json",
        hidden=f"{RESULTS}/{{scan}}/hidden.tif",
    output:
        overlay=report(
            f"{RESULTS}/{{scan}}/mask_overlay.png",
            caption="../report/mask_overlay.rst",
            category="Masks",
            subcategory="{scan}",
            labels={"scan": "{scan}", "picture": "mask"},
        ),
    log:
        f"{RESULTS}/logs/mask_overlay/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/mask_overlay/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        code=code("mask_overlay"),
    script:
        "../../scripts/mask_overlay.py"


rule contact_sheet:
    input:
        intensity=f"{RESULTS}/{{scan}}/intensity.tif",
        meaning=f"{RESULTS}/{{scan}}/intensity.json",
        ranking=f"{RESULTS}/{{scan}}/ranking.csv",
        healed=expand(f"{RESULTS}/{{{{scan}}}}/runs/{{run}}/healed.tif", run=RUNS),
    output:
        sheet=report(
            f"{RESULTS}/{{scan}}/contact_sheet.png",
            caption="../report/contact_sheet.rst",
            category="Runs",
            subcategory="{scan}",
            labels={"scan": "{scan}", "picture": "all runs"},
        ),
    log:
        f"{RESULTS}/logs/contact_sheet/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/contact_sheet/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        runs=RUNS,
        axes=AXES,
        code=code("contact_sheet"),
    script:
        "../../scripts/contact_sheet.py"


rule evolution:
    input:
        picture=f"{RESULTS}/{{scan}}/cropped.png",
        ranking=f"{RESULTS}/{{scan}}/ranking.csv",
        runs=f"{RESULTS}/{{scan}}/runs.json",
        snapshots=expand(f"{RESULTS}/{{{{scan}}}}/runs/{{run}}/snapshots", run=NETWORKS),
    output:
        strip=report(
            f"{RESULTS}/{{scan}}/evolution.png",
            caption="../report/evolution.rst",
            category="Runs",
            subcategory="{scan}",
            labels={"scan": "{scan}", "picture": "evolution"},
        ),
    log:
        f"{RESULTS}/logs/evolution/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evolution/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        runs=NETWORKS,
        code=code("evolution"),
    script:
        "../../scripts/evolution.py"


rule before_after:
    input:
        unpack(TRUTH),
        intensity=f"{RESULTS}/{{scan}}/intensity.tif",
        meaning=f"{RESULTS}/{{scan}}/intensity.json",
        cropped=f"{RESULTS}/{{scan}}/cropped.png",
        mask=f"{RESULTS}/{{scan}}/mask.png",
        reasons=f"{RESULTS}/{{scan}}/reasons.tif",
        values=f"{RESULTS}/{{scan}}/healed.tif",
        healed=f"{RESULTS}/{{scan}}/healed.png",
    output:
        panel=report(
            f"{RESULTS}/{{scan}}/before_after.png",
            caption="../report/before_after.rst",
            category="Before and after",
            subcategory="{scan}",
            labels={"scan": "{scan}", "picture": "before and after"},
        ),
    log:
        f"{RESULTS}/logs/before_after/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/before_after/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        code=code("before_after"),
    script:
        "../../scripts/before_after.py"
