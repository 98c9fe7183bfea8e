"""Report. Inputs: everything of an image. Outputs: one QC picture an image; then, of the study, report.html."""


rule qc:
    input:
        upstream("qc"),
    output:
        "<results>/manifests/qc/{batch}.jsonl",
    log:
        "<logs>/qc/{batch}.log",
    benchmark:
        "<benchmarks>/qc/{batch}.tsv"
    resources:
        mem_mb=memory_mb("qc"),
        runtime=minutes("qc"),
    params:
        settings=settings("qc"),
        code=code("qc"),
        lost=lost("qc"),
    shell:
        "scopemill qc --in {input} --out {output}"
        " --settings {params.settings:q} --expect-code {params.code} 2> {log}"


rule report:
    input:
        rules.gather.output,
        expand("<results>/manifests/qc/{batch}.jsonl", batch=STUDY.batches),
    output:
        "<results>/report.html",
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    resources:
        mem_mb=study_memory_mb,
        runtime=60,
    params:
        settings=settings("report"),
        code=code("report"),
        sheet=STUDY.sheet,
        images_per_batch=STUDY.images_per_batch,
    shell:
        "scopemill report --sheet {params.sheet:q} --images-per-batch {params.images_per_batch}"
        " --out {output} --settings {params.settings:q} --expect-code {params.code} 2> {log}"


# last, so that tables and report are there also when too many images are quarantined
rule account:
    input:
        "<results>/images.csv",
        "<results>/report.html",
    output:
        "<results>/accounting.json",
    log:
        "<logs>/account.log",
    benchmark:
        "<benchmarks>/account.tsv"
    retries: 0  # trying again does not mend an image
    params:
        settings=settings_of_account,
        code=code("account"),
        sheet=STUDY.sheet,
    shell:
        "scopemill account --sheet {params.sheet:q} --out {output}"
        " --settings {params.settings:q} --expect-code {params.code} 2> {log}"
