"""Findings: what does not hold of a study -> one line each, with its cause and its cure."""

from dataclasses import dataclass

# without these, the workflow looks at all that leads to them
ENDS = ("images.csv", "report.html", "accounting.json")
RUN = "run snakemake again"
REPAIR = "scopemill verify --repair, then run snakemake again"
RUN_OR_REPAIR = f"run snakemake; where it finds nothing to be done, {REPAIR}"


@dataclass(frozen=True)
class Finding:
    """One thing that does not hold; a note is told and does not fail."""

    kind: str  # in capitals, for programs
    file: str  # below the results folder of the study, or a path
    cause: str
    cure: str
    task: str = ""
    image: str = ""
    set_aside: tuple[str, ...] = ()  # files that a repair takes away, so that they are made again
    note: bool = False

    @property
    def line(self) -> str:
        """The finding in one line; names may hold line breaks."""
        who = " ".join(filter(None, (self.task, self.image))) or "study"
        return " ".join(f"{self.kind} {who}: {self.file}: {self.cause}; {self.cure}".split())
