"""Scopemill: table of contents. Inputs: a config and its image sheet. Outputs: results/<study>/report.html.

snakemake --cores 4 --configfile my_study/config.yaml
"""

from snakemake.utils import min_version

min_version("9.14")


# a config named on the command line stands alone: it is not laid over the default one
if not workflow.configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"


pathvars:
    results=f"results/{STUDY.config.study}",
    logs=f"results/{STUDY.config.study}/logs",
    benchmarks=f"results/{STUDY.config.study}/benchmarks",


container: CONTAINER


include: "workflow/rules/convert.smk"
include: "workflow/rules/annotate.smk"
include: "workflow/rules/patch.smk"
include: "workflow/rules/segment.smk"
include: "workflow/rules/detect.smk"
include: "workflow/rules/quantify.smk"
include: "workflow/rules/classify.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/train.smk"


rule all:
    default_target: True
    input:
        "<results>/accounting.json",
        rules.gather.output,  # lost when gather is killed; what follows from them is still there
