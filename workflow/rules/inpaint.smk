# Every run, trained or computed once without each fold's hidden pixels, and scored on these.


for name, runs in BATCHES.items():

    rule:
        name:
            name
        input:
            unpack(TRUTH),
            **EXPOSURE,
        output:
            **outcome(runs),
        log:
            expand(f"{RESULTS}/logs/inpaint/{{{{scan}}}}/{{run}}.log", run=runs),
        benchmark:
            f"{RESULTS}/benchmarks/inpaint/{{scan}}/{runs[0] if len(runs) == 1 else name}.tsv"
        wildcard_constraints:
            run="|".join(map(re.escape, NETWORKS)),
        conda:
            "../../envs/scatterheal.yaml"
        # Trainings side by side beat threads within one; --set-threads inpaint=4 for a few large ones.
        threads: 1
        resources:
            mem_mb=8000,
            runtime=240 * len(runs),
            # A profile sets this for the GPUs that there are; by itself only device: cuda asks for one.
            gpu=1 if CONFIG.fit.device == "cuda" else 0,
        params:
            runs=with_hyperparameters,
            shared=SHARED,
            # Not pictures: a new colour map must not train anything, so that snapshots keep the one they have.
            code=code("inpaint"),
        script:
            "../../scripts/inpaint.py"


if CONFIG.search == "halving" and NETWORKS:

    rule halving:
        input:
            unpack(TRUTH),
            **EXPOSURE,
        output:
            **outcome(sorted(NETWORKS)),
        log:
            f"{RESULTS}/logs/halving/{{scan}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/halving/{{scan}}.tsv"
        conda:
            "../../envs/scatterheal.yaml"
        threads: 1
        resources:
            # All networks of the grid are in memory until the first rung lets most of them go.
            mem_mb=16000,
            runtime=480,
            gpu=1 if CONFIG.fit.device == "cuda" else 0,
        params:
            runs=with_hyperparameters,
            shared=SHARED,
            # Another run in the grid is another search.
            networks=sorted(NETWORKS),
            code=code("halving"),
        script:
            "../../scripts/halving.py"


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
        code=code("baseline"),
    script:
        "../../scripts/baseline.py"
