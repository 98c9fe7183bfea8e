"""Segment. Inputs: images (patches, other labels). Outputs: one label image an image and task."""


rule segment:
    input:
        upstream("segment"),
    output:
        "<results>/manifests/segment.{task}/{batch}.jsonl",
    log:
        "<logs>/segment.{task}/{batch}.log",
    benchmark:
        "<benchmarks>/segment.{task}/{batch}.tsv"
    resources:
        mem_mb=memory_mb,
        runtime=60,
    params:
        settings=settings("segment"),
        code=code("segment"),
        lost=lost("segment"),
    shell:
        "scopemill segment --task {wildcards.task} --in {input} --out {output}"
        " --settings {params.settings:q} 2> {log}"
