"""Annotate. Inputs: images, and annotation files, read only. Outputs: one table of annotated objects an image and task."""


# annotation files are params, not input: an image may have none
rule annotate:
    input:
        upstream("annotate"),
    output:
        "<results>/manifests/annotate.{task}/{batch}.jsonl",
    log:
        "<logs>/annotate.{task}/{batch}.log",
    benchmark:
        "<benchmarks>/annotate.{task}/{batch}.tsv"
    resources:
        mem_mb=memory_mb("annotate"),
        runtime=minutes("annotate"),
    params:
        settings=settings("annotate"),
        code=code("annotate"),
        lost=lost("annotate"),
        annotations=annotation_files,
        sheet=STUDY.sheet,
        images_per_batch=STUDY.images_per_batch,
    shell:
        "scopemill annotate --task {wildcards.task} --in {input} --out {output}"
        " --sheet {params.sheet:q} --images-per-batch {params.images_per_batch}"
        " --settings {params.settings:q} --expect-code {params.code} 2> {log}"
