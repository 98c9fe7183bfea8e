"""Study: one config + one image sheet -> checked tasks, their order, and the batches of images.

Read by the Snakefile and by `scopemill check`; imports no image library.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .columns import describe, example_columns
from .config import Channel, Config, find_recipe, merge, read_config, recipe_folders
from .settings import ConfigError, Method, load, load_stage, nearest, references
from .sheet import ID, Row, choose_images_per_batch, make_batches, read_sheet

BATCH_STAGES = ("convert", "patch", "segment", "detect", "quantify", "classify", "qc")
STUDY_STAGES = ("gather", "report", "account")
WITH_TASKS = ("patch", "segment", "detect", "quantify", "classify")


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


@dataclasses.dataclass(frozen=True)
class Study:
    """Everything that the workflow must know before it starts."""

    config: Config
    channels: dict[str, Channel]
    sheet: Path
    rows: list[Row]
    tasks: dict[str, Task]
    images_per_batch: int
    batches: dict[str, list[Row]]


def load_study(config: Mapping[str, Any], config_path: Path) -> Study:
    """Check a config (already read) and its sheet.

    Raises
    ------
    ConfigError
        Naming the config file, the key (or the sheet, line and column) and the cure.
    """
    try:
        return make_study(dict(config), config_path)
    except ConfigError as error:
        lines = [
            line if ", line " in line else f"{config_path}: {line}"
            for line in str(error).splitlines()
        ]
        raise ConfigError("\n".join(lines)) from None


def make_study(config: dict[str, Any], config_path: Path) -> Study:
    """Recipe + config -> study."""
    if recipe := config.get("recipe"):
        config = merge(read_config(find_recipe(str(recipe), recipe_folders(config_path))), config)
    loaded = load(Config, config, "")
    channels = {
        name: load_channel(value, f"channels.{name}") for name, value in loaded.channels.items()
    }
    tasks = load_tasks(loaded, channels, config_path)
    sheet = config_path.parent / loaded.images
    rows = read_sheet(sheet)
    check_columns(tasks["gather"].settings, rows, channels)
    size = loaded.images_per_batch
    if size == "auto":
        size = choose_images_per_batch(
            len(rows), sum(task.stage in BATCH_STAGES for task in tasks.values())
        )
    return Study(loaded, channels, sheet, rows, tasks, size, make_batches(rows, size))


def check_columns(gather: Any, rows: list[Row], channels: dict[str, Channel]) -> None:
    """Columns by which the study is summarised must be in the sheet, or be measured."""
    there = list(rows[0].metadata)
    wanted = [("gather.group_by", gather.group_by)] if gather.group_by != "group" else []
    wanted += [("gather.fits.x", fit.x) for fit in gather.fits]
    problems = [
        f"{key}: the sheet has no column '{name}'{nearest(name, there)}"
        for key, name in wanted
        if name not in there
    ]
    for fit in gather.fits:
        if describe(fit.y, channels) is None:
            problems.append(
                f"gather.fits.y: no column '{fit.y}' is measured{nearest(fit.y, example_columns(channels))}"
            )
    if problems:
        raise ConfigError("\n".join(problems))


def load_channel(value: Any, where: str) -> Channel:
    """`DNA: 0` is short for `DNA: {source: 0}`."""
    return load(Channel, value if isinstance(value, Mapping) else {"source": value}, where)


def load_tasks(config: Config, channels: dict[str, Channel], config_path: Path) -> dict[str, Task]:
    """All tasks in the order of their stages, with what each needs."""
    plain_channels = {name: dataclasses.asdict(channel) for name, channel in channels.items()}
    shared = {
        "qc": {"channels": plain_channels},
        "convert": {
            "channels": plain_channels,
            "pixel_size_um": config.pixel_size_um,
            "z_step_um": config.z_step_um,
        },
        "report": {key: value for key, value in config.gather.items() if key == "group_by"},
        "account": {"max_quarantined": config.max_quarantined},
    }
    problems, loaded = [], {}
    for stage in (*BATCH_STAGES, *STUDY_STAGES):
        section = getattr(config, stage, {})
        named = section if stage in WITH_TASKS else {"": {**shared.get(stage, {}), **section}}
        for name, mapping in named.items():
            key = f"{stage}.{name}" if name else stage
            try:
                check_task_name(key, name)
                own, method = load_stage(stage, mapping, key)
                loaded[key] = (stage, name, *with_models(own, method, config_path))
            except ConfigError as error:
                problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return link_tasks(loaded, channels, config_path)


def check_task_name(key: str, name: str) -> None:
    """Task names become folders and columns."""
    if name and not (ID.fullmatch(name) and name.replace("-", "_").isidentifier()):
        raise ConfigError(
            f"{key}: a task's name has letters, digits, - and _ only, and starts with a letter"
        )


def link_tasks(
    loaded: dict[str, tuple], channels: dict[str, Channel], config_path: Path
) -> dict[str, Task]:
    """Resolve what settings refer to; refuse what is not there."""
    problems, tasks = [], {}
    batch_keys = [key for key, (stage, *_) in loaded.items() if stage in BATCH_STAGES]
    for key, (stage, name, own, method) in loaded.items():
        found = [*references(own), *(references(method.settings) if method else [])]
        needs = ["convert"] if stage in BATCH_STAGES and stage != "convert" else []
        for kind, target, setting in found:
            known = (
                channels
                if kind == "channel"
                else [k.split(".")[1] for k in loaded if k.startswith(f"{kind}.")]
            )
            if kind == "model":
                problems += check_model(key, setting, target, config_path)
            elif target not in known:
                problems.append(
                    f"{key}.{setting}: there is no {kind} '{target}'{nearest(target, known)}"
                )
            elif kind != "channel":
                needs.append(f"{kind}.{target}")
        if method and hasattr(method.module, "check"):
            problems += check_method(key, method, channels)
        if stage in ("qc", *STUDY_STAGES):
            needs = [other for other in batch_keys if other != "qc"]
        if stage in STUDY_STAGES:
            own = dataclasses.replace(own, tasks=tuple(needs))
        tasks[key] = Task(stage, name, own, method, tuple(dict.fromkeys(needs)))
    if problems:
        raise ConfigError("\n".join(problems))
    tasks = {key: with_labels(task, tasks) for key, task in tasks.items()}
    refuse_circles(tasks)
    return tasks


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
    if method is None:
        return own, None
    found = {
        key: str(find_model(folder, config_path))
        for kind, folder, key in references(method.settings)
        if kind == "model"
    }
    if not found:
        return own, method
    method = dataclasses.replace(method, settings=dataclasses.replace(method.settings, **found))
    return dataclasses.replace(own, method=method.as_dict()), method


def find_model(folder: str, config_path: Path) -> Path:
    """A model folder named in a config: beside the config, or in the working directory."""
    beside = config_path.parent / folder
    return beside if beside.is_dir() else Path(folder)


def with_labels(task: Task, tasks: dict[str, Task]) -> Task:
    """Who measures detected objects also reads the labels that they were detected from."""
    if task.stage != "quantify":
        return task
    found = [
        need for other in task.needs if other.startswith("detect.") for need in tasks[other].needs
    ]
    labels = [need for need in found if need.startswith("segment.")]
    return dataclasses.replace(task, needs=tuple(dict.fromkeys([*task.needs, *labels])))


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
