"""Decided: what people decided in `scopemill inspect` -> notes of the report."""

from collections.abc import Iterator
from pathlib import Path

from ..tables import read_csv


def list_notes(root: Path) -> Iterator[str]:
    """What was changed by hand, and which decisions have no object any more."""
    path = root / "decisions.csv"
    if not path.exists():
        return
    made = read_csv(path)
    applied = made[made["state"] == "applied"]
    of_cells = applied["object"].notna()
    n = {
        "objects rejected": int((of_cells & (applied["decision"] == "reject")).sum()),
        "objects given another class": int((applied["decision"] == "relabel").sum()),
        "objects accepted": int((of_cells & (applied["decision"] == "accept")).sum()),
        "images rejected": int((~of_cells & (applied["decision"] == "reject")).sum()),
    }
    text = ", ".join(f"{count} {what}" for what, count in n.items() if count)
    if text:
        users = ", ".join(sorted(map(str, applied["user"].unique())))
        yield f"By hand ({users}): {text}; see decisions.csv."
    if stale := int((made["state"] == "stale").sum()):
        yield (
            f"{stale} decisions are about objects that are not found any more, and change nothing: they are 'stale' in "
            "decisions.csv; look at those places again with scopemill inspect."
        )
