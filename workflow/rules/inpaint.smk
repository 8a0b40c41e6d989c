# The training: one job for each scan and each run.


rule inpaint:
    input:
        unpack(TRUTH),
        image=f"{RESULTS}/{{scan}}/image.tif",
        intensity=f"{RESULTS}/{{scan}}/intensity.tif",
        meaning=f"{RESULTS}/{{scan}}/intensity.json",
        reasons=f"{RESULTS}/{{scan}}/reasons.tif",
        hidden=f"{RESULTS}/{{scan}}/hidden.png",
    output:
        healed=f"{RESULTS}/{{scan}}/runs/{{run}}/healed.tif",
        model=f"{RESULTS}/{{scan}}/runs/{{run}}/model.tif",
        run=f"{RESULTS}/{{scan}}/runs/{{run}}/run.json",
        metrics=f"{RESULTS}/{{scan}}/runs/{{run}}/metrics.json",
        curve=f"{RESULTS}/{{scan}}/runs/{{run}}/curve.csv",
        snapshots=directory(f"{RESULTS}/{{scan}}/runs/{{run}}/snapshots"),
    log:
        f"{RESULTS}/logs/inpaint/{{scan}}/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/inpaint/{{scan}}/{{run}}.tsv"
    conda:
        "../../envs/scatterheal.yaml"
    # Trainings side by side beat threads within one; --set-threads inpaint=4 for a few large ones.
    threads: 1
    resources:
        mem_mb=6000,
        runtime=240,
        # A profile sets this for the GPUs that there are; by itself only device: cuda asks for one.
        gpu=1 if CONFIG.fit.device == "cuda" else 0,
    params:
        hyperparameters=lambda wildcards: RUNS[wildcards.run],
        # Not pictures: a new colour map must not train anything, so that snapshots keep the one they have.
        code=code("inpaint", "inpaint", "fit", "network", "scale", "working", "holdout"),
    script:
        "../../scripts/inpaint.py"
