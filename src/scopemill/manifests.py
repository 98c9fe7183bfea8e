"""Manifests: what a job did, one JSON line an image; and the journal from which a killed job resumes.

`results/<study>/manifests/<stage>[.<task>]/<batch>.jsonl` is the rule's output and says how things stand;
`results/<study>/provenance/<stage>[.<task>]/<batch>.jsonl` is appended to after each image and says who made it when.
"""

import functools
import hashlib
import json
import os
import platform
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

BUFFER = 1 << 20
A_DAY_S = 86_400
LIFTED = "lifted"
UMASK = threading.Lock()


@dataclass(frozen=True)
class Record:
    """How one image stands after one job."""

    image: str
    status: str  # ok, quarantined, skipped; or lifted: set aside before, to be tried again
    fingerprint: str
    code: str = ""
    message: str = ""
    artifact: str = ""  # path below the results folder of the study
    size: int = 0
    sha256: str = ""
    seconds: float = 0.0  # of images in hand together (lanes.py): since another one was done
    cpu_seconds: float = 0.0  # of all threads; shared in the same way
    peak_memory_mb: float = 0.0  # of the job's process while it made this image
    repairs: int = 0  # how often the artifact was found lost or damaged and made again
    facts: dict[str, Any] = field(default_factory=dict)  # what a stage found out
    run: dict[str, Any] = field(
        default_factory=dict
    )  # by what it was made: code, packages, machine


def results_root(manifest: Path) -> Path:
    """results/<study> of a manifest."""
    return manifest.parents[2]


def key_of(manifest: Path) -> str:
    """'segment.nuclei' of results/<study>/manifests/segment.nuclei/<batch>.jsonl."""
    return manifest.parent.name


def journal_of(manifest: Path) -> Path:
    """The journal that belongs to a manifest."""
    return results_root(manifest) / "provenance" / key_of(manifest) / manifest.name


def read_manifest(path: Path) -> dict[str, Record]:
    """Image id -> record, in the order of the batch."""
    with path.open(encoding="utf-8") as file:
        return {record["image"]: Record(**record) for record in map(json.loads, file)}


def read_manifests(paths: Iterable[Path]) -> dict[str, dict[str, Record]]:
    """Records by task key and image; batches of one task are put together."""
    records: dict[str, dict[str, Record]] = {}
    for path in paths:
        records.setdefault(key_of(path), {}).update(read_manifest(path))
    return records


def write_manifest(path: Path, records: Iterable[Record]) -> None:
    """Write a manifest whole, or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(
            "".join(json.dumps(asdict(record)) + "\n" for record in records), encoding="utf-8"
        )


def read_journal(path: Path) -> dict[str, Record]:
    """The last record of each image; a line cut by a kill is passed over."""
    records: dict[str, Record] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = Record(**json.loads(line))
                records[record.image] = record
            except (ValueError, KeyError, TypeError):
                continue
    return records


def append_journal(path: Path, record: Record) -> None:
    """Add one line in one write, so that lines of two writers do not mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # a line that a kill cut short must not swallow this one
    cut = path.exists() and path.stat().st_size > 0 and not ends_with_newline(path)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(handle, (("\n" if cut else "") + json.dumps(asdict(record)) + "\n").encode())
    finally:
        os.close(handle)


def ends_with_newline(path: Path) -> bool:
    """Whether the file's last byte is a newline."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def looks_whole(record: Record, root: Path) -> bool:
    """Cheap check, for planning: the artifact is there with its size, and nobody asked for another try."""
    return stands(record.status, f"{root}/{record.artifact}", record.size)


def stands(status: str, artifact: str, size: int) -> bool:
    """The same of a record's parts; asked for every artifact of a study when it is planned, hence no Path."""
    if status != "ok":
        return status != LIFTED
    try:
        return os.stat(artifact).st_size == size  # noqa: PTH116
    except OSError:
        return False


def is_whole(record: Record, root: Path) -> bool:
    """Full check, before an artifact is kept: its bytes are those that were written."""
    return looks_whole(record, root) and (
        record.status != "ok" or sha256(root / record.artifact) == record.sha256
    )


def repairs(manifest: Path) -> str:
    """What a rule's params hold so that a lost artifact reruns its batch, once.

    The value is the same before the loss is repaired (as it will be) and after (as recorded).
    """
    if not manifest.exists():
        return ""
    root, counts = str(results_root(manifest)), {}
    lines = manifest.read_bytes().splitlines()
    for one in json.loads(b"[%s]" % b",".join(lines)):  # at once: one by one takes longer
        whole = stands(one["status"], f"{root}/{one['artifact']}", one["size"])
        counts[one["image"]] = one["repairs"] + (not whole)
    return " ".join(f"{image}:{count}" for image, count in sorted(counts.items()) if count)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent)
    owner = f".tmp-{platform.node()}-{os.getpid()}-"
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=owner, suffix="".join(path.suffixes))
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~current_umask())
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@functools.cache
def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of writers that were killed; those of a living one, or of another machine, stay a day.

    Looks once a process: what is killed later is found by the next one.
    """
    for path in folder.glob(".tmp-*-*-*"):
        host, _, pid = path.name.removeprefix(".tmp-").rpartition("-")[0].rpartition("-")
        if not pid.isdecimal():
            continue  # not ours
        dead = host == platform.node() and not is_running(int(pid))
        try:
            if dead or time.time() - path.stat().st_mtime > A_DAY_S:
                path.unlink()
        except FileNotFoundError:
            continue  # its writer was quicker


def is_running(pid: int) -> bool:
    """Whether a process of this machine has this number; not one that ended and that nobody has asked how."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's, or a system without /proc
        return True
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def current_umask() -> int:
    """The process's umask (reading it means setting it: two threads at once would leave it at 0)."""
    with UMASK:
        mask = os.umask(0)
        os.umask(mask)
    return mask


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BUFFER):
            digest.update(block)
    return digest.hexdigest()


def digest(*parts: Any) -> str:
    """Hex digest of JSON-able values, keys sorted."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
