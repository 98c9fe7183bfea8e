"""Study: one config + one image sheet -> checked tasks, their order, and the batches of images.

Read by the Snakefile and by `scopemill check`; imports no image library.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .calibration import with_figures
from .config import Channel, Config, Staining, find_recipe, merge, read_config, recipe_folders
from .settings import ConfigError, find_method, load, load_stage
from .sheet import ID, Row, choose_images_per_batch, make_batches, read_sheet
from .stains import ROLES
from .study_checks import (
    check_classes,
    check_columns,
    check_groups,
    check_labelled,
    check_particles,
    check_sources,
    check_splits,
)
from .tasks import (
    BATCH_STAGES,
    STUDY_STAGES,
    TRAIN_STAGES,
    WITH_TASKS,
    Task,
    link_tasks,
    place_of,
    with_models,
)


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
    channels |= make_stain_channels(loaded.stains, channels)
    tasks = load_tasks(loaded, channels, config_path)
    sheet = config_path.parent / loaded.images
    rows = read_sheet(sheet)
    check_columns(tasks["gather"].settings, rows, channels)
    check_particles(tasks, rows)
    check_groups(tasks, rows)
    check_classes(tasks, rows)
    check_sources(tasks, rows)
    check_splits(tasks, rows, sheet.parent)
    check_labelled(tasks, sheet.parent, channels)
    size = loaded.images_per_batch
    if size == "auto":
        size = choose_images_per_batch(
            len(rows), sum(task.stage in BATCH_STAGES for task in tasks.values())
        )
    return Study(loaded, channels, sheet, rows, tasks, size, make_batches(rows, size))


def load_channel(value: Any, where: str) -> Channel:
    """`DNA: 0` is short for `DNA: {source: 0}`."""
    return load(Channel, value if isinstance(value, Mapping) else {"source": value}, where)


def make_stain_channels(
    stains: Staining | None, channels: Mapping[str, Channel]
) -> dict[str, Channel]:
    """Stains as further channels, which tasks may name; only colour pictures have any."""
    if stains is None:
        return {}
    sources = [str(channel.source).lower() for channel in channels.values()]
    if sources not in (["0", "1", "2"], ["red", "green", "blue"]):
        raise ConfigError(
            "stains: only a colour picture is taken apart; its channels, in this order, are "
            "channels: {red: 0, green: 1, blue: 2}"
        )
    if twice := sorted(set(stains.expected) & set(channels)):
        raise ConfigError(
            f"stains: '{twice[0]}' is a channel already; give one of them another name"
        )
    return {name: Channel(source=name, role=ROLES.get(name, "marker")) for name in stains.expected}


def load_tasks(config: Config, channels: dict[str, Channel], config_path: Path) -> dict[str, Task]:
    """All tasks in the order of their stages, with what each needs."""
    plain_channels = {name: dataclasses.asdict(channel) for name, channel in channels.items()}
    shared = {
        "qc": {"channels": plain_channels},
        "convert": {
            "channels": {name: plain_channels[name] for name in config.channels},
            "stains": config.stains and dataclasses.asdict(config.stains),
            "pixel_size_um": config.pixel_size_um,
            "z_step_um": config.z_step_um,
            "checksums": config.checksums,
        },
        "report": {key: value for key, value in config.gather.items() if key == "group_by"},
        "account": {"max_quarantined": config.max_quarantined},
    }
    problems, loaded = [], {}
    shared_sections = train_sections(config.train, channels)
    shared_sections["gather"] = with_figures(config.gather, config_path.parent)
    for stage in (*BATCH_STAGES, *STUDY_STAGES, *TRAIN_STAGES):
        section = shared_sections.get(stage, getattr(config, stage, {}))
        named = section if stage in WITH_TASKS else {"": {**shared.get(stage, {}), **section}}
        for name, mapping in named.items():
            key = f"{stage}.{name}" if name else stage
            try:
                check_task_name(key, name)
                own, method = load_stage(stage, mapping, place_of(key))
                loaded[key] = (stage, name, *with_models(own, method, config_path))
            except ConfigError as error:
                problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return link_tasks(loaded, channels, config_path)


def train_sections(train: Mapping[str, Any], channels: dict[str, Channel]) -> dict[str, Any]:
    """What the config says under `train` -> settings of the stages that carry it out."""
    roles = {name: channel.role for name, channel in channels.items()}
    there = {name: one for name, one in train.items() if isinstance(one, Mapping)}
    return {
        "collect": {
            name: {**(one.get("collect") or {}), "truth": truth_of(one), "roles": roles}
            for name, one in there.items()
        },
        "curve": {name: {} for name, one in there.items() if one.get("learning_curve")},
    }


def truth_of(train: Mapping[str, Any]) -> str:
    """What a training method learns of annotations; a wrong method is named when it is loaded."""
    try:
        return find_method("train", str(train["method"]["name"])).TRUTH
    except (ConfigError, KeyError, TypeError, AttributeError):
        return "labels"


def check_task_name(key: str, name: str) -> None:
    """Task names become folders and columns."""
    if name and not (ID.fullmatch(name) and name.replace("-", "_").isidentifier()):
        raise ConfigError(
            f"{key}: a task's name has letters, digits, - and _ only, and starts with a letter"
        )
