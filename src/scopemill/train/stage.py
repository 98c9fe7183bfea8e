"""Train: a training set (HDF5) -> a model folder: weights, what they are for, how well they do, and on what.

Beside model.yaml, weights.safetensors and card.md: split.csv, scores.csv, history.csv, loss.png.
"""

import dataclasses
import logging
import shutil
import time
from argparse import Namespace
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..manifests import digest, sha256
from ..settings import Method, ModelFolder, settings
from .settings import Augmentation, Crop, Training

if TYPE_CHECKING:
    from ..examples import Examples
    from ..models.description import Description

LOG = logging.getLogger(__name__)
CHECKPOINT = "checkpoint.pt"
SMALLER = (
    "nothing is made smaller by itself, for another batch is another training: take a GPU with more memory, or set "
    "`training: {{batch_size: ...}}` below {n} or `crop: {{patch_size_px: ...}}` and train anew"
)
SAID_ELSEWHERE = ("collect", "purpose", "limits", "licence")  # in model.yaml


@settings
class Settings:
    """What is learnt, by what, and how."""

    collect: dict[str, Any]
    """The training set: annotations, channels, pixel size, split."""
    method: dict[str, Any]
    """{name: instances | semantic | classify | features | spots | a plug-in, and the method's own settings}."""
    network: dict[str, Any] = dataclasses.field(
        default_factory=lambda: {"name": "unet", "width": 16}
    )
    """{name: unet | densenet | a plug-in, and the network's own settings}."""
    crop: Crop = Crop()
    """What the network sees at once."""
    training: Training = Training()
    """Steps, learning rate, ..."""
    augmentation: Augmentation = Augmentation()
    """What is varied in what it sees."""
    init_from: ModelFolder | None = None
    """A model folder, or another training of this study, whose weights it starts from as far as they fit."""
    images: Annotated[int, Field(ge=1)] | None = None
    """Learn from so many of the training images only."""
    learning_curve: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Train also with so many images each: does more annotation help?"""
    repeats: Annotated[int, Field(ge=1)] = 3
    """Trainings of each size of the learning curve, with other images and another seed."""
    purpose: str = ""
    """What the model is for, for its card."""
    limits: str = ""
    """Where it fails or was not tried, for its card."""
    licence: str = ""
    """Under which the weights may be used (SPDX)."""


def run(settings: Settings, method: Method, options: Namespace) -> None:
    """Train, try out and write the model folder that `options.out` (its model.yaml) names."""
    if hasattr(method.module, "run"):  # no network: the method does all of it
        method.module.run(settings, method, options)
        return
    import torch

    from ..examples import Examples
    from ..models.folder import save_model
    from ..models.memory import explain_memory
    from ..models.predict import choose_device, prepare
    from ..models.whole import Ready
    from . import loop, outputs
    from .network import make_network

    start = time.perf_counter()
    torch.set_num_threads(max(1, options.threads))
    chosen, warning = choose_device(options.device)
    if warning:
        LOG.warning(warning)
    folder, examples_path = options.out.parent, options.inputs[0]
    folder.mkdir(parents=True, exist_ok=True)
    with Examples(examples_path) as examples:
        examples.limit(settings.images, settings.training.seed)
        seen = {**examples.meta, "planes": settings.crop.planes}
        goal = method.module.make_goal(method.settings, seen)
        described = describe(settings, method, goal.outputs, examples)
        if hasattr(goal, "normalisation"):
            described = replace(described, normalisation=goal.normalisation)
        settings = replace(
            settings, training=count_steps(settings.training, len(examples.of("train")))
        )
        torch.manual_seed(settings.training.seed)
        network, notes = make_network(described, settings.init_from, settings.crop)
        checkpoint = folder / CHECKPOINT
        problem = make_problem(settings, method, goal, described, examples)
        fingerprint = find_fingerprint(settings, examples)
        with explain_memory(SMALLER.format(n=settings.training.batch_size)):
            state = loop.fit(problem, network, settings.training, chosen, checkpoint, fingerprint)
        ready = Ready(prepare(network, chosen), described, chosen)
        LOG.info("trained in %.0f s; tries it on images that it has not learnt from", state.seconds)
        outcome = goal.try_out(ready, examples, folder)
        facts = {
            "examples_sha256": examples.meta["sha256"], "split": examples.meta["split"],
            "images": examples.count(), "steps": state.step, "seconds": round(state.seconds),
            "device": str(chosen), "threads": options.threads, "notes": notes,
            "settings": {key: one for key, one in asdict(settings).items() if key not in SAID_ELSEWHERE},
        }  # fmt: skip
        metrics = {"images": outcome.part, **outputs.plain(outcome.scores)}
        described = replace(
            described, postprocessing=outcome.postprocessing, training=facts, metrics=metrics
        )
        shutil.copyfile(examples_path.with_name("split.csv"), folder / "split.csv")
        outputs.write_table(folder / "scores.csv", outcome.table)
        outputs.write_table(folder / "history.csv", state.history)
        outputs.draw_history(folder / "loss.png", state.history)
        save_model(folder, network, described)
    LOG.info(
        "%s: %s, %.0f s in all", folder, outputs.in_words(outcome), time.perf_counter() - start
    )


def describe(
    settings: Settings, method: Method, names: list[str], examples: "Examples"
) -> "Description":
    """What the model will be."""
    from ..models.description import Channel, Classifier, Description

    meta = examples.meta
    decides = meta.get("objects")
    return Description(
        architecture={
            **settings.network, "in_channels": len(meta["channels"]), "out_channels": len(names)
        },
        channels=[Channel(name=name, role=meta.get("roles", {}).get(name, "")) for name in meta["channels"]],
        output=names,
        classifier=Classifier(**decides, planes=settings.crop.planes) if decides else None,
        pixel_size_um=meta["pixel_size_um"],
        object_diameter_px=getattr(method.settings, "diameter_px", None),
        purpose=settings.purpose, limits=settings.limits, licence=settings.licence,
    )  # fmt: skip


def count_steps(own: Training, n_examples: int) -> Training:
    """Epochs in steps."""
    if own.epochs is None:
        return own
    return replace(own, steps=max(1, round(own.epochs * n_examples / own.batch_size)), epochs=None)


def make_problem(settings: Settings, method: Method, goal, described, examples):
    """What the loop solves."""
    from .crops import Crops, View

    view = View(
        settings.crop, settings.augmentation, described.normalisation,
        described.object_diameter_px, settings.training.batch_size, settings.training.seed,
    )  # fmt: skip
    if hasattr(goal, "make_crops"):
        return goal.make_crops(examples, view)
    return Crops(examples, view, goal)


def find_fingerprint(settings: Settings, examples: "Examples") -> str:
    """A checkpoint is of the same training when these are the same."""
    words = ("purpose", "limits", "licence", "learning_curve", "repeats", "collect")
    what = {key: value for key, value in asdict(settings).items() if key not in words}
    model = Path(settings.init_from) / "weights.safetensors" if settings.init_from else None
    return digest(
        [what, examples.meta["sha256"], sorted(examples.used or ()), sha256(model) if model else ""]
    )
