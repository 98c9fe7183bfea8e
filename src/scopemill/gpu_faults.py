"""GPU faults: an error of a job -> whether its GPU is lost, a line in provenance/lost_gpus.jsonl, nodes that a retry avoids.

A job that lost its GPU fails without blaming an image: what it finished is kept, and Snakemake sends it to the queue
again. Known by their words, since this is asked where torch is not loaded.
"""

import json
import os
import re
import time
from pathlib import Path

FILE = Path("provenance") / "lost_gpus.jsonl"  # of a study's results
FULL = ("out of memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED")
LOST = (
    "CUDA error", "CUDNN_STATUS_", "CUBLAS_STATUS_", "CUDA-capable device", "cudaGetDeviceCount",
    "Found no NVIDIA driver", "GPU is lost", "GPU was granted",
)  # fmt: skip
REMEMBERED_S = 24 * 3600
NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # stands in a command of the scheduler


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU's memory was too small: fewer patches at once may fit."""
    known = type(error).__name__ == "OutOfMemoryError"  # of torch
    return known or (isinstance(error, RuntimeError) and any(word in str(error) for word in FULL))


def is_lost(error: BaseException) -> bool:
    """Whether a GPU is gone or broken: another one may do."""
    words = isinstance(error, RuntimeError) and any(word in str(error) for word in LOST)
    return words and not is_out_of_memory(error)


def is_granted() -> bool:
    """Whether SLURM gave this job a GPU, be it in order or not."""
    return bool(os.environ.get("SLURM_JOB_GPUS") or os.environ.get("SLURM_STEP_GPUS"))


def report_lost(made: Path, error: BaseException) -> str:
    """Note the node of a job that was to make a file of results/<study>/; what there is to say."""
    node = os.environ.get("SLURMD_NODENAME", "")
    root = find_root(made)
    if root is not None and NODE.fullmatch(node):
        line = {
            "made": made.resolve().relative_to(root).as_posix(), "node": node, "time": time.time(),
            "slurm_job_id": os.environ.get("SLURM_JOB_ID", ""), "error": str(error)[:500],
        }  # fmt: skip
        (root / FILE).parent.mkdir(parents=True, exist_ok=True)
        with (root / FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    cause = str(error).partition("\n")[0]
    return (
        f"the GPU{f' of node {node}' if node else ''} is lost or broken ({cause}); no image is at fault. "
        "What is finished is kept; Snakemake tries the job again as often as `retries` says, under SLURM on another node"
    )


def find_root(made: Path) -> Path | None:
    """The folder results/<study> that a file lies in."""
    parents = made.resolve().parents
    return next((one for one in parents if one.parent.name == "results"), None)


def nodes_to_avoid(root: Path, made: str, attempt: int) -> list[str]:
    """Nodes where jobs of a study lost a GPU within a day; none unless this job lost one in every attempt before.

    A job that has no other node to go to is refused by SLURM; the attempt after that may go anywhere.
    """
    if attempt == 1 or not (root / FILE).exists():
        return []
    recent = [one for one in read_lost(root / FILE) if time.time() - one["time"] < REMEMBERED_S]
    if sum(one["made"] == made for one in recent) < attempt - 1:
        return []
    return sorted({one["node"] for one in recent if NODE.fullmatch(one["node"])})


def read_lost(path: Path) -> list[dict]:
    """Lines that are whole."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            one = json.loads(line)
            found.append({"made": str(one["made"]), "node": str(one["node"]), "time": float(one["time"])})  # fmt: skip
        except (ValueError, KeyError, TypeError):
            continue  # cut while it was written
    return found
