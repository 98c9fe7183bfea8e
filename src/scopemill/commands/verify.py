"""scopemill verify: a finished study -> whether every file of it is what it was made as, and what does not hold.

Every artifact is hashed; manifests, journals, models, containers and tables are compared with what they speak of.
With --sample, some images are computed again from raw pixels. Nothing is changed without --repair.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from ..config import read_config
from ..settings import ConfigError
from ..study import Study, load_study
from ..verify.batches import Records
from ..verify.described import check_crate
from ..verify.findings import Finding
from ..verify.gathered import check_tables
from ..verify.recomputed import check_image, draw_images
from ..verify.repair import repair
from ..verify.sources import check_containers, check_fingerprints, check_models
from ..verify.stored import check_artifacts, find_orphans, read_records


def main(arguments: Sequence[str]) -> int:
    """0 when all holds; 1 otherwise."""
    options = make_parser().parse_args(arguments)
    path = options.config / "config.yaml" if options.config.is_dir() else options.config
    path = path.absolute()  # as the workflow has it: tables name files by their paths
    study = load_study(read_config(path), path)
    root = options.results / study.config.study
    if not (root / "manifests").is_dir():
        raise ConfigError(f"{root}: no results of this study; run snakemake first, or name --results")  # fmt: skip
    logging.getLogger("scopemill").setLevel(logging.WARNING)
    started = time.monotonic()
    records, findings = read_records(study, root)
    for finding in findings:
        tell(finding, options.json)
    sample = draw_images(study, options.sample, options.seed)
    for finding in check(study, root, records, findings, sample, options.device):
        tell(finding, options.json)
        findings.append(finding)
    moved = repair(root, findings) if options.repair else []
    summary = {
        "study": study.config.study,
        "images": len(study.rows),
        "artifacts": sum(one.status == "ok" for key in records for one in records[key].values()),
        "bytes": sum(one.size for key in records for one in records[key].values()),
        "sample": sample,
        "seconds": round(time.monotonic() - started, 1),
        "holds": all(finding.note for finding in findings),
        "set_aside": moved,
    }
    write_summary(summary, findings, options.json, root)
    return 0 if summary["holds"] else 1


def make_parser() -> argparse.ArgumentParser:
    """What can be asked."""
    parser = argparse.ArgumentParser("scopemill verify", description=__doc__)
    parser.add_argument("config", type=Path, help="config.yaml, or the folder it lies in")
    parser.add_argument(
        "--sample", type=int, default=0, metavar="N", help="compute N images again from raw pixels"
    )
    parser.add_argument("--seed", type=int, default=0, help="which images are drawn")
    parser.add_argument(
        "--repair", action="store_true",
        help="move what is broken to results/<study>/set_aside, so that the next run makes it again",
    )  # fmt: skip
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--json", action="store_true", help="everything, for programs")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder of all studies' results"
    )
    return parser


def check(
    study: Study,
    root: Path,
    records: Records,
    before: list[Finding],
    sample: list[str],
    device: str,
) -> Iterator[Finding]:
    """Everything else that can be found, the quick things first."""
    yield from check_models(study, root)
    yield from check_containers(records)
    broken = any(finding.kind in ("MANIFEST", "LIFTED") for finding in before)
    for finding in check_fingerprints(study, root, records):
        broken = True
        yield finding
    yield from find_orphans(study, root, records)
    for finding in check_artifacts(study, root, records):
        broken = True
        yield finding
    named = {finding.file for finding in before}
    if broken:
        cause = (
            "not gathered again, as what they are made from does not hold or was made by other code"
        )
        yield Finding("TABLE", "images.csv", cause, "mend that first", note=True)
    else:
        for finding in check_tables(study, root):
            named.add(finding.file)
            yield finding
    yield from (finding for finding in check_crate(root) if finding.file not in named)
    for number, image in enumerate(sample, 1):
        sys.stderr.write(f"verify: image {number} of {len(sample)} from raw pixels: {image}\n")
        yield from check_image(study, root, records, image, device)


def tell(finding: Finding, as_json: bool) -> None:
    """One line a finding, as soon as it is found."""
    if not as_json:
        sys.stdout.write(f"{'note: ' if finding.note else ''}{finding.line}\n")
        sys.stdout.flush()


def write_summary(summary: dict, findings: Sequence[Finding], as_json: bool, root: Path) -> None:
    """The last line, or everything as JSON."""
    if as_json:
        everything = {**summary, "findings": [asdict(finding) for finding in findings]}
        sys.stdout.write(json.dumps(everything, indent=1) + "\n")
        return
    if moved := summary["set_aside"]:
        sys.stdout.write(f"{len(moved)} files moved to {root / 'set_aside'}; run snakemake again\n")
    n_bad = sum(not finding.note for finding in findings)
    verdict = "all holds" if summary["holds"] else f"{n_bad} findings"
    sys.stdout.write(
        f"{root}: {verdict}; {summary['images']} images, {summary['artifacts']} artifacts, "
        f"{summary['bytes'] / 1e6:.1f} MB, {len(summary['sample'])} images computed again, {summary['seconds']:.1f} s\n"
    )
