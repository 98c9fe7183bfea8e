"""Crate: a finished study -> ro-crate-metadata.json (Workflow Run RO-Crate 0.5), which says what was run on what and gave what.

The results folder is then a crate that others can take apart without this package: config, sheet and workflow are
copied into it, tables and manifests stand there with size and sha256, and each manifest says the same of its
artifacts. https://w3id.org/ro/wfrun/workflow/0.5
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import __version__
from .config import find_recipe, read_config, recipe_folders
from .manifests import read_manifest, replacing, sha256

METADATA = "ro-crate-metadata.json"
COPIES = "provenance/run"  # what was run, as it was then
WORKFLOW = f"{COPIES}/Snakefile"
MANIFEST = "what a job did: one line an image, with size and sha256 of its artifact"
PROFILES = ["https://w3id.org/ro/wfrun/process/0.5", "https://w3id.org/ro/wfrun/workflow/0.5"]
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]  # fmt: skip
TERMS = "https://w3id.org/ro/terms/workflow-run#"
MIT = "https://spdx.org/licenses/MIT"
BIOSCHEMAS = "https://bioschemas.org/profiles/{}/1.0-RELEASE"
TYPES = {
    ".csv": "text/csv", ".tsv": "text/tab-separated-values", ".parquet": "application/vnd.apache.parquet",
    ".html": "text/html", ".json": "application/json", ".jsonl": "application/jsonl", ".yaml": "application/yaml",
    ".smk": "text/plain", "": "text/plain",
}  # fmt: skip
Entity = dict[str, Any]


def write_crate(
    root: Path, tasks: Iterable[str], config: Path, sheet: Path, snakefile: Path
) -> Path:
    """Copy what was run, and describe the results folder with the manifests of these tasks; equal results give equal bytes."""
    inputs = copy_run(root, config, sheet, snakefile)
    manifests = sorted(path for key in tasks for path in (root / "manifests" / key).glob("*.jsonl"))
    graph = make_graph(root, inputs, manifests)
    path = root / METADATA
    with replacing(path) as temporary:
        text = json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def copy_run(root: Path, config: Path, sheet: Path, snakefile: Path) -> dict[str, str]:
    """Copies of config, recipe, sheet and workflow; what each is called in the crate -> what it is."""
    recipe = read_config(config).get("recipe")
    found = {"config.yaml": (config, "the config of the study"), f"images{sheet.suffix}": (sheet, "the image sheet")}  # fmt: skip
    if recipe:
        path = find_recipe(str(recipe), recipe_folders(config))
        found["recipe.yaml"] = (path, f"the recipe {recipe} that the config starts from")
    rules = sorted((snakefile.parent / "workflow" / "rules").glob("*.smk"))
    found["Snakefile"] = (snakefile, "the workflow")
    found |= {f"workflow/rules/{path.name}": (path, "rules of the workflow") for path in rules}
    for name, (path, _) in found.items():
        with replacing(root / COPIES / name) as temporary:
            temporary.write_bytes(path.read_bytes())
    return {f"{COPIES}/{name}": what for name, (_, what) in found.items()}


def make_graph(root: Path, inputs: Mapping[str, str], manifests: list[Path]) -> list[Entity]:
    """All entities: the descriptor, the folder, the workflow, its run, files, software."""
    given = [name for name in inputs if not name.endswith((".smk", "Snakefile"))]
    made = sorted(path.name for path in root.iterdir() if path.is_file() and is_result(path))
    rules = [name for name in inputs if name.endswith(".smk")]
    files = [describe_file(root, name, inputs[name], is_parameter=True) for name in given]
    files += [describe_file(root, name, "result of the study", is_parameter=True) for name in made]
    files += [describe_file(root, name, inputs[name]) for name in rules]
    files += [describe_file(root, path.relative_to(root).as_posix(), MANIFEST) for path in manifests]  # fmt: skip
    software, containers = describe_software(manifests)
    started, ended = time_span(manifests)
    parts = [WORKFLOW, *(one["@id"] for one in files)]
    return [
        *describe_folder(root, ended, parts),
        *describe_workflow(root, given, made, [one["@id"] for one in software]),
        describe_run(root, started, ended, given, made, [one["@id"] for one in containers]),
        *(describe_parameter(Path(name).name) for name in (*given, *made)),
        *files, *software, *containers,
    ]  # fmt: skip


def describe_folder(root: Path, ended: str, parts: Iterable[str]) -> list[Entity]:
    """The descriptor, the results folder, and the profiles that they follow."""
    profiles = [(one, name, "0.5") for one, name in zip(PROFILES, ("Process Run Crate", "Workflow Run Crate"), strict=True)]  # fmt: skip
    profiles.append((WORKFLOW_CRATE, "Workflow RO-Crate", "1.0"))
    return [
        {
            "@id": METADATA, "@type": "CreativeWork", "about": ref("./"),
            "conformsTo": refs([CONTEXT[0].removesuffix("/context"), WORKFLOW_CRATE]),
        },
        {
            "@id": "./", "@type": "Dataset", "name": f"Results of the study {root.name}",
            "description": "Tables and images that Scopemill made of microscopy images.",
            "datePublished": ended, "license": ref("#licence"), "mainEntity": ref(WORKFLOW),
            "conformsTo": refs([*PROFILES, WORKFLOW_CRATE]), "mentions": ref("#run"), "hasPart": refs(parts),
        },
        {
            "@id": "#licence", "@type": "CreativeWork", "name": "not stated",
            "description": "Ask the owner of the images.",
        },
        *(
            {"@id": one, "@type": "CreativeWork", "name": name, "version": version}
            for one, name, version in profiles
        ),
    ]  # fmt: skip


def describe_workflow(root: Path, given: list[str], made: list[str], software: list[str]) -> list[Entity]:  # fmt: skip
    """The Snakefile, what it takes and gives, and its language."""
    return [
        {
            **describe_file(root, WORKFLOW, "the workflow"),
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"], "name": "Scopemill",
            "conformsTo": ref(BIOSCHEMAS.format("ComputationalWorkflow")),
            "programmingLanguage": ref("#snakemake"), "license": ref(MIT), "version": __version__,
            "input": refs(f"#{Path(name).name}" for name in given), "output": refs(f"#{name}" for name in made),
            "softwareRequirements": refs(software),
        },
        {"@id": MIT, "@type": "CreativeWork", "name": "MIT License"},
        {
            "@id": "#snakemake", "@type": "ComputerLanguage", "name": "Snakemake", "url": "https://snakemake.readthedocs.io",
            "identifier": ref("https://w3id.org/workflowhub/workflow-ro-crate#snakemake"),
        },
    ]  # fmt: skip


def describe_run(
    root: Path, started: str, ended: str, given: list[str], made: list[str], containers: list[str]
) -> Entity:
    """What was done with what, when, and what came of it."""
    return {
        "@id": "#run", "@type": "CreateAction", "name": f"Scopemill on the study {root.name}",
        "description": "One run of the workflow over the images of the sheet.",
        "instrument": ref(WORKFLOW), "object": refs(given), "result": refs(made),
        "startTime": started, "endTime": ended, "actionStatus": "http://schema.org/CompletedActionStatus",
        **({"containerImage": refs(containers)} if containers else {}),
    }  # fmt: skip


def ref(name: str) -> Entity:
    """What points to an entity."""
    return {"@id": name}


def refs(names: Iterable[str]) -> list[Entity] | Entity:
    """What points to entities, in their order; to a single one, without a list, as the format wants it."""
    found = [ref(name) for name in names]
    return found[0] if len(found) == 1 else found


def is_result(path: Path) -> bool:
    """Whether a file of the results folder is a table or the report."""
    return path.suffix in (".csv", ".tsv", ".parquet", ".html") or path.name == "accounting.json"


def describe_file(root: Path, name: str, what: str, is_parameter: bool = False) -> Entity:
    """A file of the crate; one that the workflow takes or gives says as what."""
    path = root / name
    return {
        "@id": name, "@type": "File", "name": path.name, "description": what,
        "contentSize": str(path.stat().st_size), "sha256": sha256(path), "encodingFormat": TYPES.get(path.suffix, "text/plain"),
        **({"exampleOfWork": ref(f"#{path.name}")} if is_parameter else {}),
    }  # fmt: skip


def describe_parameter(name: str) -> Entity:
    """What the workflow takes or gives under this name, whatever the study."""
    return {
        "@id": f"#{name}", "@type": "FormalParameter", "additionalType": "File", "name": name,
        "conformsTo": ref(BIOSCHEMAS.format("FormalParameter")),
    }  # fmt: skip


def time_span(manifests: list[Path]) -> tuple[str, str]:
    """When the first and the last manifest was written, in UTC."""
    times = [path.stat().st_mtime for path in manifests]
    first, last = (datetime.fromtimestamp(one, UTC) for one in (min(times), max(times)))
    return first.isoformat(timespec="seconds"), last.isoformat(timespec="seconds")


def describe_software(manifests: list[Path]) -> tuple[list[Entity], list[Entity]]:
    """Versions of Scopemill and container images that made what the manifests list."""
    versions, images = set(), set()
    for path in manifests:
        for record in read_manifest(path).values():
            run = record.run
            names = ("scopemill", "revision", "python", "environment")
            versions.add(tuple(run.get(name, "unknown") for name in names))
            if container := run.get("container"):
                images.add((container["path"], container.get("sha256", "")))
    software = [
        {
            "@id": f"#scopemill-{number}", "@type": "SoftwareApplication", "name": "Scopemill", "softwareVersion": version,
            "identifier": revision,
            "description": f"Python {python}; versions of packages in provenance/environments/{environment}.json",
        }
        for number, (version, revision, python, environment) in enumerate(sorted(versions), 1)
    ]  # fmt: skip
    containers = [
        {
            "@id": f"#container-{number}", "@type": "ContainerImage", "additionalType": ref(f"{TERMS}SIFImage"),
            "name": Path(place).name, **({"sha256": digest} if digest else {}),
        }
        for number, (place, digest) in enumerate(sorted(images), 1)
    ]  # fmt: skip
    return software, containers
