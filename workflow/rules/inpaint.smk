# Every run, trained or computed once without each fold's hidden pixels, and scored on these.


rule inpaint:
    input:
        unpack(TRUTH),
        **EXPOSURE,
    output:
        healed=f"{RESULTS}/{{scan}}/runs/{{run}}/healed.tif",
        models=f"{RESULTS}/{{scan}}/runs/{{run}}/models.tif",
        spreads=f"{RESULTS}/{{scan}}/runs/{{run}}/spreads.tif",
        run=f"{RESULTS}/{{scan}}/runs/{{run}}/run.json",
        metrics=f"{RESULTS}/{{scan}}/runs/{{run}}/metrics.json",
        curve=f"{RESULTS}/{{scan}}/runs/{{run}}/curve.csv",
        snapshots=directory(f"{RESULTS}/{{scan}}/runs/{{run}}/snapshots"),
    log:
        f"{RESULTS}/logs/inpaint/{{scan}}/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/inpaint/{{scan}}/{{run}}.tsv"
    wildcard_constraints:
        run="|".join(map(re.escape, NETWORKS)) or "(?!)",
    conda:
        "../../envs/scatterheal.yaml"
    # Trainings side by side beat threads within one; --set-threads inpaint=4 for a few large ones.
    threads: 1
    resources:
        mem_mb=8000,
        runtime=240,
        # A profile sets this for the GPUs that there are; by itself only device: cuda asks for one.
        gpu=1 if CONFIG.fit.device == "cuda" else 0,
    params:
        hyperparameters=lambda wildcards: RUNS[wildcards.run],
        # Not pictures: a new colour map must not train anything, so that snapshots keep the one they have.
        code=code("inpaint", "inpaint", *TRAINING, "judge", "scores", "stopping", "uncertainty"),
    script:
        "../../scripts/inpaint.py"


rule baseline:
    input:
        unpack(TRUTH),
        **EXPOSURE,
    output:
        healed=f"{RESULTS}/{{scan}}/runs/{{run}}/healed.tif",
        models=f"{RESULTS}/{{scan}}/runs/{{run}}/models.tif",
        run=f"{RESULTS}/{{scan}}/runs/{{run}}/run.json",
        metrics=f"{RESULTS}/{{scan}}/runs/{{run}}/metrics.json",
    log:
        f"{RESULTS}/logs/baseline/{{scan}}/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/baseline/{{scan}}/{{run}}.tsv"
    wildcard_constraints:
        run="|".join(map(re.escape, BASELINES)) or "(?!)",
    conda:
        "../../envs/scatterheal.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        hyperparameters=lambda wildcards: RUNS[wildcards.run],
        code=code("baseline", *METHODS, "judge", "scores", "deviance", "exposure", "scale"),
    script:
        "../../scripts/baseline.py"
