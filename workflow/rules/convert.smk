"""Convert. Inputs: raw files of the sheet, read only. Outputs: one OME-TIFF an image."""


# raw files are params, not input: one that is missing must not stop the others
rule convert:
    output:
        "<results>/manifests/convert/{batch}.jsonl",
    log:
        "<logs>/convert/{batch}.log",
    benchmark:
        "<benchmarks>/convert/{batch}.tsv"
    resources:
        mem_mb=memory_mb("convert"),
        runtime=minutes("convert"),
    params:
        settings=settings("convert"),
        code=code("convert"),
        lost=lost("convert"),
        raw=raw_files,
        sheet=STUDY.sheet,
        images_per_batch=STUDY.images_per_batch,
    shell:
        "scopemill convert --sheet {params.sheet:q} --images-per-batch {params.images_per_batch}"
        " --out {output} --settings {params.settings:q} --expect-code {params.code} 2> {log}"
