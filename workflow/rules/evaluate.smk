"""Evaluate. Inputs: labels and annotations of all images. Outputs: scores with intervals, and pictures of the best and
the worst images, one folder a task. `snakemake evaluate` makes them all."""


rule score:
    input:
        manifests_before("evaluate"),
    output:
        summary="<results>/evaluation/{task}/summary.json",
        table="<results>/evaluation/{task}/summary.csv",
        scores="<results>/evaluation/{task}/scores.csv",
        page="<results>/evaluation/{task}/index.html",
        pictures=directory("<results>/evaluation/{task}/pictures"),
    log:
        "<logs>/evaluate.{task}.log",
    benchmark:
        "<benchmarks>/evaluate.{task}.tsv"
    resources:
        mem_mb=study_memory_mb,
        runtime=60,
    params:
        settings=settings("evaluate"),
        code=code("evaluate"),
        rows=sheet_rows,
        sheet=STUDY.sheet,
    shell:
        "scopemill evaluate --task {wildcards.task} --in {input} --out {output.summary} --sheet {params.sheet:q}"
        " --settings {params.settings:q} --expect-code {params.code} 2> {log}"


rule evaluate:
    input:
        [
            f"<results>/evaluation/{task.name}/summary.json"
            for task in STUDY.tasks.values()
            if task.stage == "evaluate"
        ],
