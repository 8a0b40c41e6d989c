# From the scores of the runs to the healed image, and how far to trust it.


rule rank:
    input:
        run=expand(f"{RESULTS}/{{{{scan}}}}/runs/{{run}}/run.json", run=RUNS),
        metrics=expand(f"{RESULTS}/{{{{scan}}}}/runs/{{run}}/metrics.json", run=RUNS),
    output:
        ranking=report(
            f"{RESULTS}/{{scan}}/ranking.csv",
            caption="../report/ranking.rst",
            category="Scores",
            subcategory="{scan}",
            labels={"scan": "{scan}", "table": "ranking"},
        ),
        # For what needs one run alone: asking for the files of all is what makes a large grid slow to plan.
        runs=f"{RESULTS}/{{scan}}/runs.json",
    log:
        f"{RESULTS}/logs/rank/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rank/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        runs=list(RUNS),
        code=code("rank"),
    script:
        "../../scripts/rank.py"


rule refit:
    input:
        **EXPOSURE,
        ranking=f"{RESULTS}/{{scan}}/ranking.csv",
    output:
        model=f"{RESULTS}/{{scan}}/model.tif",
        spread=f"{RESULTS}/{{scan}}/spread.tif",
        chosen=f"{RESULTS}/{{scan}}/chosen.json",
    log:
        f"{RESULTS}/logs/refit/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/refit/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=240,
        gpu=1 if CONFIG.fit.device == "cuda" else 0,
    params:
        runs=RUNS,
        heal_with=CONFIG.heal_with,
        folds=CONFIG.folds,
        refits=CONFIG.refits,
        thinning=CONFIG.thinning,
        code=code("refit"),
    script:
        "../../scripts/refit.py"


rule certainty:
    input:
        **EXPOSURE,
        chosen=f"{RESULTS}/{{scan}}/chosen.json",
        model=f"{RESULTS}/{{scan}}/model.tif",
        spread=f"{RESULTS}/{{scan}}/spread.tif",
        models=expand(f"{RESULTS}/{{{{scan}}}}/runs/{{run}}/models.tif", run=RUNS),
        spreads=expand(f"{RESULTS}/{{{{scan}}}}/runs/{{run}}/spreads.tif", run=NETWORKS),
    output:
        sd=f"{RESULTS}/{{scan}}/sd.tif",
        distance=f"{RESULTS}/{{scan}}/distance.tif",
        beyond=f"{RESULTS}/{{scan}}/beyond.tif",
        coverage=f"{RESULTS}/{{scan}}/coverage.csv",
        factors=f"{RESULTS}/{{scan}}/calibration.json",
        calibration=report(
            f"{RESULTS}/{{scan}}/calibration.png",
            caption="../report/calibration.rst",
            category="Certainty",
            subcategory="{scan}",
            labels={"scan": "{scan}", "picture": "calibration"},
        ),
        certainty=report(
            f"{RESULTS}/{{scan}}/certainty.png",
            caption="../report/certainty.rst",
            category="Certainty",
            subcategory="{scan}",
            labels={"scan": "{scan}", "picture": "standard deviation"},
        ),
    log:
        f"{RESULTS}/logs/certainty/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/certainty/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=5000,
        runtime=20,
    params:
        runs=RUNS,
        code=code("certainty"),
    script:
        "../../scripts/certainty.py"


rule heal:
    input:
        unpack(PONI),
        source=lambda wildcards: str(SCANS[wildcards.scan].image),
        linked=lambda wildcards: tracking.linked(SCANS[wildcards.scan].image),
        cropped=f"{RESULTS}/{{scan}}/crop.json",
        image=f"{RESULTS}/{{scan}}/image.tif",
        intensity=f"{RESULTS}/{{scan}}/intensity.tif",
        meaning=f"{RESULTS}/{{scan}}/intensity.json",
        flags=f"{RESULTS}/{{scan}}/flags.tif",
        reasons=f"{RESULTS}/{{scan}}/reasons.tif",
        parts=f"{RESULTS}/{{scan}}/found.json",
        runs=f"{RESULTS}/{{scan}}/runs.json",
        chosen=f"{RESULTS}/{{scan}}/chosen.json",
        model=f"{RESULTS}/{{scan}}/model.tif",
        sd=f"{RESULTS}/{{scan}}/sd.tif",
        beyond=f"{RESULTS}/{{scan}}/beyond.tif",
        coverage=f"{RESULTS}/{{scan}}/coverage.csv",
    output:
        healed=f"{RESULTS}/{{scan}}/healed.tif",
        edf=f"{RESULTS}/{{scan}}/healed.edf",
        hdf5=f"{RESULTS}/{{scan}}/healed.h5",
        provenance=f"{RESULTS}/{{scan}}/provenance.json",
    log:
        f"{RESULTS}/logs/heal/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/heal/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        scan=lambda wildcards: SCANS[wildcards.scan].model_dump(mode="json"),
        # A file that is replaced by an older one is a new one: see tracking.content.
        poni=lambda wildcards: tracking.content(SCANS[wildcards.scan].poni),
        code=code("heal"),
    script:
        "../../scripts/heal.py"


rule profiles:
    input:
        unpack(PONI),
        unpack(TRUTH),
        cropped=f"{RESULTS}/{{scan}}/crop.json",
        image=f"{RESULTS}/{{scan}}/image.tif",
        intensity=f"{RESULTS}/{{scan}}/intensity.tif",
        meaning=f"{RESULTS}/{{scan}}/intensity.json",
        flags=f"{RESULTS}/{{scan}}/flags.tif",
        reasons=f"{RESULTS}/{{scan}}/reasons.tif",
        parts=f"{RESULTS}/{{scan}}/found.json",
        healed=f"{RESULTS}/{{scan}}/healed.tif",
        model=f"{RESULTS}/{{scan}}/model.tif",
        sd=f"{RESULTS}/{{scan}}/sd.tif",
    output:
        radial=f"{RESULTS}/{{scan}}/radial.csv",
        azimuthal=f"{RESULTS}/{{scan}}/azimuthal.csv",
        orientation=f"{RESULTS}/{{scan}}/orientation.json",
        radial_picture=report(
            f"{RESULTS}/{{scan}}/radial.png",
            caption="../report/radial.rst",
            category="Physics",
            subcategory="{scan}",
            labels={"scan": "{scan}", "picture": "I(q)"},
        ),
        azimuthal_picture=report(
            f"{RESULTS}/{{scan}}/azimuthal.png",
            caption="../report/azimuthal.rst",
            category="Physics",
            subcategory="{scan}",
            labels={"scan": "{scan}", "picture": "I(chi)"},
        ),
    log:
        f"{RESULTS}/logs/profiles/{{scan}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/profiles/{{scan}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        scan=of_scan("poni"),
        poni=lambda wildcards: tracking.content(SCANS[wildcards.scan].poni),
        code=code("profiles"),
    script:
        "../../scripts/profiles.py"


rule summary:
    input:
        rankings=expand(f"{RESULTS}/{{scan}}/ranking.csv", scan=USED),
    output:
        summary=report(
            f"{RESULTS}/summary.csv",
            caption="../report/summary.rst",
            category="Scores",
            labels={"scan": "all", "table": "summary"},
        ),
    log:
        f"{RESULTS}/logs/summary/all.log",
    benchmark:
        f"{RESULTS}/benchmarks/summary/all.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        scans=USED,
        problems=REFUSED,
        heal_with=CONFIG.heal_with,
        code=code("summary"),
    script:
        "../../scripts/summary.py"
