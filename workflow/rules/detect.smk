"""Detect. Inputs: labels or images. Outputs: one table of objects or spots an image and task."""


rule detect:
    input:
        upstream("detect"),
    output:
        "<results>/manifests/detect.{task}/{batch}.jsonl",
    log:
        "<logs>/detect.{task}/{batch}.log",
    benchmark:
        "<benchmarks>/detect.{task}/{batch}.tsv"
    resources:
        mem_mb=memory_mb("detect"),
        runtime=minutes("detect"),
    params:
        settings=settings("detect"),
        code=code("detect"),
        lost=lost("detect"),
    shell:
        "scopemill detect --task {wildcards.task} --in {input} --out {output}"
        " --settings {params.settings:q} --expect-code {params.code} 2> {log}"
