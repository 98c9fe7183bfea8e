"""Tasks: stages with their settings -> tasks that know what they wait for; what refers to nothing is refused."""

import dataclasses
from pathlib import Path
from typing import Any

from .config import Channel
from .settings import ConfigError, Method, nearest, output_of, references

BATCH_STAGES = ("convert", "annotate", "patch", "segment", "detect", "quantify", "classify", "qc")
STUDY_STAGES = ("gather", "report", "evaluate", "account")
TRAIN_STAGES = ("collect", "train", "curve")
WITH_TASKS = (
    "annotate", "patch", "segment", "detect", "quantify", "classify", "evaluate", *TRAIN_STAGES
)  # fmt: skip

# kinds of references that name a segment task, and what messages call such a task
STAGE_OF = {"classes": "segment", "segmented": "segment"}
WORDS = {
    "segment": "segment task that gives labels",
    "classes": "segment task that gives classes",
    "segmented": "segment task",
}


@dataclasses.dataclass(frozen=True)
class Task:
    """A named use of a stage, with its settings and the tasks that it reads from."""

    stage: str
    name: str
    settings: Any
    method: Method | None
    needs: tuple[str, ...]

    @property
    def key(self) -> str:
        """'segment.nuclei', or the stage alone where it has no tasks."""
        return f"{self.stage}.{self.name}" if self.name else self.stage


def place_of(key: str) -> str:
    """Where the config says what a task is to do: collect stands inside train."""
    stage, _, name = key.partition(".")
    return f"train.{name}.collect" if stage == "collect" else key


def link_tasks(
    loaded: dict[str, tuple], channels: dict[str, Channel], config_path: Path
) -> dict[str, Task]:
    """Resolve what settings refer to; refuse what is not there."""
    problems, tasks = [], {}
    batch_keys = [key for key, (stage, *_) in loaded.items() if stage in BATCH_STAGES]
    for key, (stage, name, own, method) in loaded.items():
        found = [*references(own), *(references(method.settings) if method else [])]
        reads_images = stage == "collect" or (stage in BATCH_STAGES and stage != "convert")
        needs = ["convert"] if reads_images else []
        needs += {"train": [f"collect.{name}"], "curve": [f"train.{name}"]}.get(stage, [])
        # one training goes on from another
        if stage == "train" and f"train.{own.init_from}" in loaded:
            needs.append(f"train.{own.init_from}")
            found = [one for one in found if one[2] != "init_from"]
        for kind, target, setting in found:
            known = channels if kind == "channel" else list_tasks(kind, loaded)
            if kind == "model":
                problems += check_model(key, setting, target, config_path)
            elif target not in known:
                what = WORDS.get(kind, kind)
                problems.append(
                    f"{place_of(key)}.{setting}: there is no {what} '{target}'{nearest(target, known)}"
                )
            elif kind != "channel":
                needs.append(f"{STAGE_OF.get(kind, kind)}.{target}")
        if method and hasattr(method.module, "check"):
            problems += check_method(key, method, channels)
        whole_study = stage in STUDY_STAGES and not name
        if stage == "qc" or whole_study:
            needs = [other for other in batch_keys if other != "qc"]
        if whole_study:
            own = dataclasses.replace(own, tasks=tuple(needs))
        tasks[key] = Task(stage, name, own, method, tuple(dict.fromkeys(needs)))
    if problems:
        raise ConfigError("\n".join(problems))
    tasks = {key: with_labels(task, tasks) for key, task in tasks.items()}
    tasks = {key: with_all_before(task, tasks) for key, task in tasks.items()}
    refuse_circles(tasks)
    return tasks


def list_tasks(kind: str, loaded: dict[str, tuple]) -> list[str]:
    """Names of the tasks that a reference of this kind may name."""
    gives = {"segment": ("labels",), "classes": ("classes",)}.get(kind, ("labels", "classes"))
    return [
        name
        for stage, name, _, method in loaded.values()
        if stage == STAGE_OF.get(kind, kind) and output_of(method) in gives
    ]


def check_method(key: str, method: Method, channels: dict[str, Channel]) -> list[str]:
    """What a method itself has to say against its settings."""
    try:
        method.module.check(method.settings, channels)
    except ConfigError as error:
        return [f"{key}.method.{error}"]
    return []


def check_model(key: str, setting: str, folder: str, config_path: Path) -> list[str]:
    """A model folder must be there before anything starts."""
    if (find_model(folder, config_path) / "model.yaml").is_file():
        return []
    return [
        f"{key}.{setting}: there is no model folder '{folder}' (with a model.yaml) here or beside the config"
    ]


def with_models(own: Any, method: Method | None, config_path: Path) -> tuple[Any, Method | None]:
    """Settings whose model folders are named so that a job finds them."""
    own = dataclasses.replace(own, **found_models(own, config_path))
    if method is None or not (found := found_models(method.settings, config_path)):
        return own, method
    method = dataclasses.replace(method, settings=dataclasses.replace(method.settings, **found))
    return dataclasses.replace(own, method=method.as_dict()), method


def found_models(settings: Any, config_path: Path) -> dict[str, str]:
    """Settings that name a model folder -> its path from here."""
    return {
        key: str(find_model(folder, config_path))
        for kind, folder, key in references(settings)
        if kind == "model"
    }


def find_model(folder: str, config_path: Path) -> Path:
    """A model folder named in a config: beside the config, in the working directory, or in this checkout."""
    checkout = Path(__file__).parents[2]
    places = [config_path.parent / folder, Path(folder), checkout / folder]
    return next((place for place in places if place.is_dir()), Path(folder))


def with_labels(task: Task, tasks: dict[str, Task]) -> Task:
    """Who measures detected objects also reads the labels that they were detected from."""
    if task.stage != "quantify":
        return task
    found = [
        need for other in task.needs if other.startswith("detect.") for need in tasks[other].needs
    ]
    labels = [need for need in found if need.startswith("segment.")]
    return dataclasses.replace(task, needs=tuple(dict.fromkeys([*task.needs, *labels])))


def with_all_before(task: Task, tasks: dict[str, Task]) -> Task:
    """Who scores labels also reads why an image has none; who learns from measured objects also reads their labels."""
    if task.stage != "evaluate" and not (task.stage == "collect" and task.settings.measured):
        return task
    found = list(task.needs)
    for key in found:  # grows as it goes
        found += [need for need in tasks[key].needs if need not in found]
    return dataclasses.replace(task, needs=tuple(found))


def refuse_circles(tasks: dict[str, Task]) -> None:
    """Raise ConfigError when tasks wait for each other."""
    done: set[str] = set()
    waiting = dict(tasks)
    while waiting:
        ready = [key for key, task in waiting.items() if done.issuperset(task.needs)]
        if not ready:
            raise ConfigError(f"these tasks wait for each other: {sorted(waiting)}")
        done.update(ready)
        for key in ready:
            del waiting[key]
