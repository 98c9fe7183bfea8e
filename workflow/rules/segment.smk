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
    threads: threads_of("segment")
    resources:
        **on_gpu("segment"),
        mem_mb=memory_mb("segment"),
        runtime=minutes("segment"),
        device=STUDY.config.device,
    params:
        settings=settings("segment"),
        code=code("segment"),
        lost=lost("segment"),
    shell:
        "scopemill segment --task {wildcards.task} --in {input} --out {output}"
        " --settings {params.settings:q} --device {resources.device} --threads {threads} --expect-code {params.code} 2> {log}"
