"""Suspicion: tables of objects and of images -> how unlike the others each is (0 to 1), and why, in words.

A number is compared with its like by its modified z: the distance to the median, in units of 1.4826 times the median
absolute deviation (Iglewicz & Hoaglin 1993, who call 3.5 an outlier). Its score is z^4 / (z^4 + 3.5^4): 0.007 at 1,
0.5 at 3.5, 0.98 at 10. The scores of all checks together are 1 - (1 - a)(1 - b)...: suspicion rises with each of them.
What is suspicious is not wrong; it is what a person should look at first.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .outliers import Check, compare, flag, flag_rows, join_checks, log, number_keys, root

if TYPE_CHECKING:
    import pandas as pd

LEAST_OBJECTS, LEAST_IMAGES = 20, 5  # fewer cannot say what is usual
SIZES = ("volume_um3", "area_um2", "volume", "area")  # the first of them that there is
BORDER, UNCERTAIN, DEAD, SEAM, NOTE = 0.25, 0.6, 0.95, 0.9, 0.5  # scores of what is so or not
CLIPPED = 0.001  # share of pixels at the highest value


def rate_objects(objects: "pd.DataFrame", groups: "pd.Series | None" = None) -> "pd.DataFrame":
    """Columns `suspicion` and `suspicion_reason`, one row an object; `groups` are those of the study.

    An object is compared with those of its kind, group and class, where there are 20 of them; else of its kind and
    class; else of its kind and group; else of its kind: in size (log), solidity (low), intensities (log) and counts (square root). Objects that the
    border cuts, that no class fits or whose class is not probable are suspicious too.
    """
    kinds = objects["object"].astype(str)
    grouped = kinds if groups is None else kinds + "\0" + groups.astype(str)
    by = [with_group(one, objects, "class") for one in (grouped, kinds)] + [grouped, kinds]
    return join_checks(check_objects(objects, number_keys(by)), objects)


def with_group(key: "pd.Series", table: "pd.DataFrame", column: str) -> "pd.Series":
    """The key parted further by a column, where the table has it."""
    return key + "\0" + table[column].astype(str) if column in table else key


def check_objects(objects: "pd.DataFrame", by: "Sequence[pd.Series]") -> Iterator[Check]:
    """All checks of objects, for columns that are there."""
    names = [str(name) for name in objects]
    sizes = [name for name in SIZES if name in names][:1]
    bright = [name for name in names if name.startswith("intensity_mean_")]
    for name in [*sizes, *bright]:
        yield compare(name, objects[name], log(objects[name]), by, LEAST_OBJECTS, 0.05, tails=True)
    if "solidity" in names:
        solid = objects["solidity"]
        yield compare("solidity", solid, solid, by, LEAST_OBJECTS, 0.02, side=-1, tails=True)
    for name in (name for name in names if re.fullmatch(r"n_\w+", name)):
        yield compare(name, objects[name], root(objects[name]), by, LEAST_OBJECTS, 1.0, tails=True)
    if "touches_border" in names:
        cut = objects["touches_border"].fillna(False).to_numpy(bool)
        yield flag(cut, BORDER, "cut by the image's border", objects.index)
    for name in (name for name in names if re.fullmatch(r"class(_\w+)?", name)):
        unsure = (objects[name] == "uncertain").to_numpy()
        yield flag(unsure, UNCERTAIN, f"{name} uncertain", objects.index)
    if "probability" in names:
        p = objects["probability"].fillna(1)
        yield Check(np.clip(2 * (1 - p.to_numpy(float)) ** 2, 0, 1), "probability only " + p.map("{:.2f}".format))  # fmt: skip


def rate_images(
    images: "pd.DataFrame",
    quality: Sequence[str],
    kinds: Sequence[str],
    group_by: str,
    areas: "pd.Series",
    flags: Mapping[str, Mapping[str, tuple[float, str]]],
) -> "pd.DataFrame":
    """Columns `suspicion` and `suspicion_reason`, one row an image; empty for images that are not ok.

    Compared are focus (low), contrast (log, low), saturation, objects for their area (square root; with the images of
    the same plate, else of the study) and counts an object (square root; with the fields of the same well, else with the
    group's images), each where there are five images. `quality`: columns of focus, contrast and saturation. `kinds`: of objects, as in the columns `n_<kind>`. `areas`: of
    the images, any unit. `flags`: source -> image -> (score, words), for what is known of single images.
    """
    good = images[images["status"] == "ok"]
    checks = [*check_quality(good, quality, group_by)]
    checks += check_counts(good, kinds, group_by, areas.loc[good.index])
    checks += [flag_rows(good["image"], of_source) for of_source in flags.values()]
    return join_checks(checks, good).reindex(images.index)


def check_quality(images: "pd.DataFrame", names: Sequence[str], group_by: str) -> Iterator[Check]:
    """Checks of pixels."""
    study = images["status"].astype(str)
    plate, group = (with_group(study, images, one) for one in ("plate", group_by))
    for name in names:
        if name.startswith("focus_"):
            yield compare(name, images[name], images[name], [study], LEAST_IMAGES, 0.05, side=-1)
        elif name.startswith("contrast_"):
            yield compare(name, images[name], log(images[name]), [group, plate, study], LEAST_IMAGES, 0.1, side=-1)  # fmt: skip
            flat = (images[name] == 0).to_numpy()
            yield flag(flat, DEAD, f"{name.removeprefix('contrast_')} has one value only", images.index)  # fmt: skip
        elif name.startswith("saturated_"):
            yield check_saturation(name, images[name])


def check_counts(
    images: "pd.DataFrame", kinds: Sequence[str], group_by: str, areas: "pd.Series"
) -> Iterator[Check]:
    """Checks of objects for their area, and of counts an object."""
    study = images["status"].astype(str)
    plate, group = (with_group(study, images, one) for one in ("plate", group_by))
    well = with_group(with_group(group, images, "plate"), images, "well")
    for kind in (kind for kind in kinds if f"n_{kind}" in images):
        n = images[f"n_{kind}"]
        dense = root(n * (areas.median() / areas))
        yield compare(f"n_{kind}", n, dense, [plate, study], LEAST_IMAGES, 1.0)
        for name in (name for name in map(str, images) if re.fullmatch(rf"{kind}_n_\w+_mean", name)):  # fmt: skip
            # the mean of n Poisson counts has a variance of mean / n, and its doubled root one of 1 / n
            floor = 1 / np.sqrt(n.clip(lower=1))
            yield compare(name, images[name], root(images[name]), [well, group, study], LEAST_IMAGES, floor)  # fmt: skip


def check_saturation(name: str, shares: "pd.Series") -> Check:
    """Half at 0.1 % of the pixels, or at three times what is usual in the study, where that is more."""
    usual = shares.median() if shares.notna().sum() >= LEAST_IMAGES else 0.0
    ratio = (shares.fillna(0) / max(CLIPPED, 3 * usual)).to_numpy(float)
    words = name.removeprefix("saturated_") + " saturated in " + shares.map("{:.2%}".format)
    return Check(ratio**2 / (1 + ratio**2), words + " of the pixels")
