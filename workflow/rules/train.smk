"""Train. Inputs: images, and annotations or labelled cells. Outputs: model folders, results/<study>/models/<task>, and learning curves.
`snakemake train` makes them all."""


rule collect:
    input:
        manifests_before("collect"),
    output:
        examples="<results>/training/{task}/examples.h5",
        split="<results>/training/{task}/split.csv",
    log:
        "<logs>/collect.{task}.log",
    benchmark:
        "<benchmarks>/collect.{task}.tsv"
    resources:
        mem_mb=study_memory_mb,
        runtime=120,
    params:
        settings=settings("collect"),
        code=code("collect"),
        rows=sheet_rows,
        labelled=labelled_cells,
        sheet=STUDY.sheet,
    shell:
        "scopemill collect --task {wildcards.task} --in {input} --out {output.examples} --sheet {params.sheet:q}"
        " --settings {params.settings:q} --expect-code {params.code} 2> {log}"


# {folder}: models/<task>, or training/<task>/<images>-<repeat> for the learning curve
rule fit:
    input:
        first_weights,
        examples="<results>/training/{task}/examples.h5",
        split="<results>/training/{task}/split.csv",
    output:
        model="<results>/{folder}/{task}/{part}model.yaml",
        weights="<results>/{folder}/{task}/{part}weights.safetensors",
        card="<results>/{folder}/{task}/{part}card.md",
    log:
        "<logs>/{folder}.{task}/{part}train.log",
    benchmark:
        "<benchmarks>/{folder}.{task}/{part}train.tsv"
    wildcard_constraints:
        folder="models|training",
        part=r"(\d+-\d+/)?",
    threads: threads_of("train")
    resources:
        **on_gpu("train", "{folder}/{task}/{part}model.yaml"),
        mem_mb=training_memory_mb,
        runtime=lambda wildcards, attempt: doubled(600, attempt),
        device=STUDY.config.device,
    params:
        settings=training_settings,
        code=code("train"),
    shell:
        "scopemill train --task {wildcards.task} --in {input.examples} --out {output.model}"
        " --settings {params.settings:q} --device {resources.device} --threads {threads}"
        " --expect-code {params.code} 2> {log}"


rule curve:
    input:
        lambda wildcards: curve_models(wildcards.task),
    output:
        table="<results>/models/{task}/learning_curve.csv",
        picture="<results>/models/{task}/learning_curve.png",
    log:
        "<logs>/curve.{task}.log",
    params:
        code=code("curve"),
    shell:
        "scopemill curve --task {wildcards.task} --in {input} --out {output.table}"
        " --expect-code {params.code} 2> {log}"


rule train:
    input:
        [f"<results>/models/{name}/model.yaml" for name in tasks_of("train")],
        [f"<results>/models/{name}/learning_curve.csv" for name in tasks_of("curve")],
