"""Classify. Inputs: measured objects. Outputs: one table of classes an image and task."""


rule classify:
    input:
        upstream("classify"),
    output:
        "<results>/manifests/classify.{task}/{batch}.jsonl",
    log:
        "<logs>/classify.{task}/{batch}.log",
    benchmark:
        "<benchmarks>/classify.{task}/{batch}.tsv"
    threads: threads_of("classify")
    resources:
        **on_gpu("classify"),
        mem_mb=memory_mb("classify"),
        runtime=minutes("classify"),
        device=STUDY.config.device,
    params:
        settings=settings("classify"),
        code=code("classify"),
        lost=lost("classify"),
    shell:
        "scopemill classify --task {wildcards.task} --in {input} --out {output}"
        " --settings {params.settings:q} --device {resources.device} --threads {threads} --expect-code {params.code} 2> {log}"
