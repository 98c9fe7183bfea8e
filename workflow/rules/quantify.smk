"""Quantify. Inputs: objects, labels, images. Outputs: one table of measured objects an image and task;
then, of all images, the study's tables."""


rule quantify:
    input:
        upstream("quantify"),
    output:
        "<results>/manifests/quantify.{task}/{batch}.jsonl",
    log:
        "<logs>/quantify.{task}/{batch}.log",
    benchmark:
        "<benchmarks>/quantify.{task}/{batch}.tsv"
    resources:
        mem_mb=memory_mb("quantify"),
        runtime=minutes("quantify"),
    params:
        settings=settings("quantify"),
        code=code("quantify"),
        lost=lost("quantify"),
    shell:
        "scopemill quantify --task {wildcards.task} --in {input} --out {output}"
        " --settings {params.settings:q} --expect-code {params.code} 2> {log}"


rule gather:
    input:
        all_manifests,
    output:
        objects="<results>/objects.parquet",
        images="<results>/images.csv",
        summary="<results>/summary.csv",
        quarantine="<results>/quarantine.tsv",
        dictionary="<results>/data_dictionary.csv",
    log:
        "<logs>/gather.log",
    benchmark:
        "<benchmarks>/gather.tsv"
    resources:
        mem_mb=study_memory_mb,
        runtime=60,
    params:
        settings=settings("gather"),
        code=code("gather"),
        rows=sheet_rows,
        decisions=decisions_made,
        sheet=STUDY.sheet,
        images_per_batch=STUDY.images_per_batch,
    shell:
        "scopemill gather --sheet {params.sheet:q} --images-per-batch {params.images_per_batch}"
        " --out {output.objects} --settings {params.settings:q} --expect-code {params.code} 2> {log}"
