"""Gallery: images by suspicion -> a ranking, and thumbnails with links to the pictures."""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from .stage import Settings

RANKED = 20


def rank_images(images: "pd.DataFrame") -> list[dict[str, Any]]:
    """The most suspicious images, with the reason."""
    if "suspicion" not in images:
        return []
    top = by_suspicion(images[images["status"] == "ok"]).head(RANKED)
    return [
        {"image": row.image, "suspicion": row.suspicion, "reason": row.suspicion_reason}
        for row in top.fillna({"suspicion_reason": ""}).itertuples()
    ]


def by_suspicion(images: "pd.DataFrame") -> "pd.DataFrame":
    """The most suspicious first; others in the order of the sheet."""
    if "suspicion" not in images:
        return images
    return images.sort_values("suspicion", ascending=False, kind="stable")


def make_gallery(
    root: Path, images: "pd.DataFrame", settings: "Settings"
) -> tuple[list[dict[str, str]], list[tuple[str, str]]]:
    """Thumbnails as data, with image and group; and (image, group) of all others, whose pictures are read when wanted.

    Of usable images with a picture, the most suspicious first.
    """
    group = dict(zip(images["image"], images.get(settings.group_by, images["status"]), strict=True))
    ranked = by_suspicion(images[images["status"] == "ok"])["image"]
    usable = [image for image in ranked if (root / "qc" / f"{image}.png").exists()]
    chosen = dict.fromkeys(choose_images(usable, settings.max_thumbnails))
    shown = [
        {
            "image": image,
            "group": str(group[image]),
            "data": make_thumbnail(root / "qc" / f"{image}.png", settings.thumbnail_px),
        }
        for image in chosen
    ]
    return shown, [(image, str(group[image])) for image in usable if image not in chosen]


def choose_images(ranked: list[str], most: int) -> list[str]:
    """The first half of them from the beginning, the others evenly from the rest."""
    if len(ranked) <= most:
        return ranked
    first = most - most // 2
    every = -(-(len(ranked) - first) // max(1, most // 2))
    return ranked[:first] + ranked[first::every][: most // 2]


def make_thumbnail(path: Path, width: int) -> str:
    """A small JPEG in base64."""
    from PIL import Image

    with Image.open(path) as picture:
        picture = picture.convert("RGB")
        picture.thumbnail((width, width))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=82)
    return base64.b64encode(buffer.getvalue()).decode()
