# From the scores of the runs to the healed image.


rule rank:
    input:
        metrics=expand(f"{RESULTS}/{{{{scan}}}}/runs/{{run}}/metrics.json", run=RUNS),
    output:
        ranking=report(
            f"{RESULTS}/{{scan}}/ranking.csv",
            caption="../report/ranking.rst",
            category="Scores",
            labels={"scan": "{scan}", "table": "ranking"},
        ),
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
        runs=RUNS,
        code=code("rank", "rank"),
    script:
        "../../scripts/rank.py"


rule heal:
    input:
        unpack(PONI),
        source=lambda wildcards: str(SCANS[wildcards.scan].image),
        linked=lambda wildcards: linked(SCANS[wildcards.scan].image),
        cropped=f"{RESULTS}/{{scan}}/crop.json",
        meaning=f"{RESULTS}/{{scan}}/intensity.json",
        reasons=f"{RESULTS}/{{scan}}/reasons.tif",
        parts=f"{RESULTS}/{{scan}}/found.json",
        ranking=f"{RESULTS}/{{scan}}/ranking.csv",
        healed=expand(f"{RESULTS}/{{{{scan}}}}/runs/{{run}}/healed.tif", run=RUNS),
        model=expand(f"{RESULTS}/{{{{scan}}}}/runs/{{run}}/model.tif", run=RUNS),
        run=expand(f"{RESULTS}/{{{{scan}}}}/runs/{{run}}/run.json", run=RUNS),
        metrics=expand(f"{RESULTS}/{{{{scan}}}}/runs/{{run}}/metrics.json", run=RUNS),
    output:
        healed=f"{RESULTS}/{{scan}}/healed.tif",
        model=f"{RESULTS}/{{scan}}/model.tif",
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
        # A file that is replaced by an older one is a new one: see content().
        poni=lambda wildcards: content(SCANS[wildcards.scan].poni),
        runs=list(RUNS),
        code=code("heal", "provenance", "export", "prepare", "geometry", "masks", "scale"),
    script:
        "../../scripts/heal.py"


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
        code=code("summary"),
    script:
        "../../scripts/summary.py"
