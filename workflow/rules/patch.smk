"""Patch. Inputs: images. Outputs: one HDF5 an image, its foreground in overlapping patches."""


rule patch:
    input:
        upstream("patch"),
    output:
        "<results>/manifests/patch.{task}/{batch}.jsonl",
    log:
        "<logs>/patch.{task}/{batch}.log",
    benchmark:
        "<benchmarks>/patch.{task}/{batch}.tsv"
    resources:
        mem_mb=memory_mb("patch"),
        runtime=minutes("patch"),
    params:
        settings=settings("patch"),
        code=code("patch"),
        lost=lost("patch"),
    shell:
        "scopemill patch --task {wildcards.task} --in {input} --out {output}"
        " --settings {params.settings:q} --expect-code {params.code} 2> {log}"
