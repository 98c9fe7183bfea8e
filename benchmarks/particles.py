"""How well spots are found: models/particles (unet3d-spots), log-spots and trackpy, on simulated and real images.

python benchmarks/particles.py [--model FOLDER] [--out FILE.json] [--pictures FOLDER] [--stacks 3] [--card]

Simulated: stacks of cells, of other seeds than any training's, at SNR 2 to 10 and 10 to 300 particles a cell. SNR: peak of
a particle over the noise of the light behind it. Real: ../shared/data. A spot that is found within 3 voxels of a true
one is a hit, one to one. The network is taken as it is, and with threshold and min_snr tuned; the other two get the settings that do
best on images set aside (dev). Intervals: bootstrap over squares of 50 pixels, for there are few images of a kind.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import particles_real

from scopemill import metrics
from scopemill.detect.methods import log_spots, unet3d_spots
from scopemill.frames import Frame
from scopemill.simulate.cytometry import Field, simulate_field

ROOT = Path(__file__).parents[1]
SEED = 90_000
SNRS, DENSITIES = (2, 3, 4, 6, 10), (10, 30, 100, 300)
PIXEL_UM, STEP_UM, SIGMA_UM = 0.2, 0.5, (0.6, 0.2, 0.2)
NEAR_PX, BLOCK_PX = 3.0, 50
METHODS = ("unet3d-spots", "unet3d-spots, tuned", "log-spots", "trackpy")
THRESHOLDS = (0.3, 0.4, 0.48, 0.54, 0.6, 0.66)
SNR_LEVELS = (0, *np.geomspace(2, 60, 30))
LOG_SIGMAS = (1.0, 1.4, 2.0)  # pixels
LOG_LEVELS = np.arange(2.5, 30, 0.5)
DIAMETERS = (3, 5, 7)
MASS_LEVELS = np.geomspace(0.02, 1, 40)  # of the greatest


@dataclass(frozen=True, eq=False)
class Case:
    """An image whose spots are known."""

    name: str
    group: str  # cases that are tuned and scored together
    image: np.ndarray  # (Z, Y, X) or (Y, X)
    truth: np.ndarray  # (n, d)
    dev: bool = False
    skip: tuple[int, int] = (0, 0)  # rows and columns from 0 that are not scored
    cells: np.ndarray | None = None
    steps: tuple[float, float] = (1.0, 1.0)  # z and pixel, um
    expect: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Found:
    """Spots of a case, and how sure each is."""

    points: np.ndarray
    score: np.ndarray

    def above(self, level: float) -> np.ndarray:
        return self.points[self.score >= level]


def main(arguments: Sequence[str]) -> None:
    """Run all and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "particles")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--stacks", type=int, default=3, help="of each SNR and density")
    parser.add_argument("--card", action="store_true", help="write the scores into the model's card")  # fmt: skip
    parser.add_argument("--only", choices=["simulated", "real"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    options = parser.parse_args(arguments)
    sets: list[Iterator[list[Case]]] = []
    if options.only != "real":
        sets.append(simulate_all(options.stacks))
    if options.only != "simulated" and options.data.is_dir():
        sets.append(iter(particles_real.read_all(options.data, Case)))
    rows = [row for one in sets for cases in one for row in compare(cases, options)]
    print_rows(rows)
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n")
    if options.card:
        write_card(options.model, rows)


def simulate_all(n: int) -> Iterator[list[Case]]:
    """The stacks of one SNR and density after the other; one more of each to tune the others on."""
    for snr in SNRS:
        for density in DENSITIES:
            seeds = [SEED + 1000 * snr + 10 * density + k for k in range(n + 1)]
            yield [simulate(snr, density, seed, dev=k >= n) for k, seed in enumerate(seeds)]


def simulate(snr: float, density: int, seed: int, dev: bool) -> Case:
    """One stack of the particles' channel."""
    settings = Field(
        shape_zyx=(12, 200, 200), pixel_size_um=PIXEL_UM, z_step_um=STEP_UM, n_cells=5, touching=0.3,
        types={"cell": (1.0, float(density))}, markers={}, psf_sigma_um=SIGMA_UM, n_unbound=10,
        particle_kinds={"single": (1.0, 1.0)},
    )  # fmt: skip
    light = settings.background_photons + settings.autofluorescence_photons
    noise = np.sqrt(light + settings.read_noise**2)
    photons = snr * noise / peak_share(np.array(SIGMA_UM) / settings.step_um)
    settings = replace(settings, particle_kinds={"single": (1.0, float(photons))})
    found = simulate_field(settings, np.random.default_rng(seed))
    image = found.image[found.channel_names.index("particles")]
    truth = np.stack([found.particles[axis] for axis in "zyx"], axis=1)
    about = {"snr": snr, "density": density}
    name = f"SNR {snr}, {density} a cell"
    return Case(f"{name}, {seed}", name, image, truth, dev, (0, 0), found.cells, (STEP_UM, PIXEL_UM), about)  # fmt: skip


def peak_share(sigma_px: np.ndarray) -> float:
    """Share of a Gaussian's light in the voxel that it lies in the middle of."""
    from scipy.special import ndtr

    return float(np.prod(2 * ndtr(0.5 / sigma_px) - 1))


def compare(cases: list[Case], options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row a method."""
    dev, test = [one for one in cases if one.dev], [one for one in cases if not one.dev]
    look_low = remember(lambda one, size: find_by_network(one, options.model, size))
    ways = {
        "unet3d-spots": (lambda one, _: find_by_network(one, options.model, None), None),
        "unet3d-spots, tuned": (look_low, (THRESHOLDS, SNR_LEVELS)),
        "log-spots": (find_by_log, (LOG_SIGMAS, LOG_LEVELS)),
        "trackpy": (find_by_trackpy, (DIAMETERS, MASS_LEVELS)),
    }
    for name in options.methods:
        find, levels = ways[name]
        # an image of a set without images aside is scored with what does best on the others
        found = [find_tuned(one, dev or [o for o in test if o is not one], find, levels) for one in test]  # fmt: skip
        yield {"set": cases[0].group, "method": name, **cases[0].expect, **score(test, found)}
        if options.pictures:
            draw(options.pictures / f"{cases[0].group} {name}.png", test[0], found[0])


def find_tuned(case: Case, dev: list[Case], find: Callable, levels: Any) -> np.ndarray:
    """Points of a case, by the size and level that do best on others."""
    if levels is None:
        return find(case, None).points
    best = max(
        ((level, size, value) for size in levels[0] for level, value in sweep(dev, find, size, levels[1])),
        key=lambda one: one[2],
    )  # fmt: skip
    return find(case, best[1]).above(best[0])


def sweep(dev: list[Case], find: Callable, size: float, levels: np.ndarray):
    """F1 on the images set aside at each level."""
    found = [find(one, size) for one in dev]
    for level in levels:
        counts = [count(one, f.above(level)) for one, f in zip(dev, found, strict=True)]
        tp, fp, fn = np.sum(counts, axis=0)
        yield level, 2 * tp / max(1, 2 * tp + fp + fn)


def remember(find: Callable) -> Callable:
    """The same image is looked at once with each size."""
    kept: dict[tuple, Found] = {}

    def look(case: Case, size: Any) -> Found:
        key = (case.name, size)
        if key not in kept:
            kept[key] = find(case, size)
        return kept[key]

    return look


@remember
def find_by_log(case: Case, sigma: float) -> Found:
    """LoG as the workflow has it; along z the spot is 1.2 planes wide."""
    frame = Frame.of({"a": case.image})
    own = log_spots.Settings(channel="a", sigma_um=sigma, sigma_z_um=1.2, min_snr=LOG_LEVELS[0])
    table = log_spots.detect(frame, own)
    return Found(places(table, case), table["response"].to_numpy())


@remember
def find_by_trackpy(case: Case, diameter: int) -> Found:
    """Crocker and Grier's centroids (trackpy 0.7), every maximum of a band-passed image with its mass."""
    import trackpy

    trackpy.quiet()
    size = (3, diameter, diameter)[-case.image.ndim :]
    apart = (2, *[max(2, diameter // 2)] * 2)[-case.image.ndim :]
    table = trackpy.locate(case.image, size, minmass=0, separation=apart, percentile=50, characterize=False, engine="python")  # fmt: skip
    mass = table["mass"].to_numpy()
    return Found(places(table, case), mass / max(mass.max(initial=0), 1e-9))


def find_by_network(case: Case, model: Path, threshold: float | None) -> Found:
    """The network as it is, or all that may be a spot."""
    settings = unet3d_spots.Settings(model=str(model), channel="a", threshold=threshold)
    table = unet3d_spots.detect(Frame.of({"a": case.image}, threads=2, device="cpu"), settings)
    return Found(places(table, case), table["snr"].to_numpy())


def places(table: Any, case: Case) -> np.ndarray:
    """Points (n, d)."""
    return table[list("zyx")[-case.image.ndim :]].to_numpy(float)


def scored(case: Case, points: np.ndarray) -> np.ndarray:
    """Those in the part that counts."""
    if not any(case.skip):
        return points
    return points[(points[:, -2] >= case.skip[0]) | (points[:, -1] >= case.skip[1])]


def count(case: Case, points: np.ndarray) -> tuple[int, int, int]:
    """Hits, false and missed ones."""
    found = metrics.match_points(scored(case, case.truth), scored(case, points), NEAR_PX)
    return found.tp, found.fp, found.fn


def score(cases: list[Case], found: list[np.ndarray]) -> dict[str, Any]:
    """F1, efficiency, false ones a megavoxel and error of place, with intervals."""
    units, errors, inside = [], [], []
    for case, points in zip(cases, found, strict=True):
        truth, points = scored(case, case.truth), scored(case, points)
        pairs = metrics.match_points(truth, points, NEAR_PX).pairs
        hit_t, hit_p = pairs["truth"], pairs["predicted"]
        errors.append(np.linalg.norm((truth[hit_t] - points[hit_p])[:, -2:], axis=1))
        units += by_unit(case, truth, points, hit_t, hit_p)
        if case.cells is not None:
            inside += counts_hold(case, truth, points)
    sums = {"c": np.array([u[:3] for u in units], float), "v": np.array([u[3] for u in units])}
    statistics = {
        "F1": lambda s: 2 * s["c"][..., 0] / (2 * s["c"][..., 0] + s["c"][..., 1] + s["c"][..., 2]),
        "efficiency": lambda s: s["c"][..., 0] / (s["c"][..., 0] + s["c"][..., 2]),
        "false_per_megavoxel": lambda s: s["c"][..., 1] / s["v"],
    }
    summary = metrics.bootstrap_sums(sums, statistics, groups=None, rng=np.random.default_rng(0), n_resamples=1000)  # fmt: skip
    row = {name: [round(float(v), 4) for v in one] for name, one in summary.items()}
    row["error_px"] = round(float(np.sqrt(np.mean(np.concatenate(errors) ** 2))), 3)
    row["n_truth"] = int(sums["c"][:, [0, 2]].sum())
    return row | ({"counts_hold": round(float(np.mean(inside)), 3)} if inside else {})


def by_unit(case, truth, points, hit_t, hit_p) -> list[tuple[float, ...]]:
    """(hits, false, missed, megavoxels) of each square of an image."""
    planes = case.image.shape[0] if case.image.ndim == 3 else 1
    missed = np.delete(truth, hit_t, axis=0)
    wrong = np.delete(points, hit_p, axis=0)
    units = []
    height, width = case.image.shape[-2:]
    for y in range(0, height, BLOCK_PX):
        for x in range(0, width, BLOCK_PX):
            if y < case.skip[0] and x < case.skip[1]:
                continue
            n = [int(((one[:, -2] // BLOCK_PX == y // BLOCK_PX) & (one[:, -1] // BLOCK_PX == x // BLOCK_PX)).sum())
                 for one in (truth[hit_t].clip(0), wrong.clip(0), missed.clip(0))]  # fmt: skip
            units.append((*n, planes * BLOCK_PX**2 / 1e6))
    return units


def counts_hold(case: Case, truth: np.ndarray, points: np.ndarray) -> list[bool]:
    """For each cell, whether its true number lies in the exact Poisson interval of the number found."""
    from scipy.stats import chi2

    def per_cell(places: np.ndarray) -> np.ndarray:
        at = np.rint(places[:, -2:]).astype(int).clip(0, np.array(case.cells.shape) - 1)
        return np.bincount(case.cells[tuple(at.T)], minlength=int(case.cells.max()) + 1)[1:]

    n = per_cell(points)
    low, high = chi2.ppf(0.025, 2 * n) / 2, chi2.ppf(0.975, 2 * n + 2) / 2
    true = per_cell(truth)
    return ((np.nan_to_num(low) <= true) & (true <= high)).tolist()


def draw(path: Path, case: Case, points: np.ndarray) -> None:
    """Greatest of all planes: true spots as circles (missed ones red), found ones as crosses (false ones yellow)."""
    from matplotlib.figure import Figure

    path.parent.mkdir(parents=True, exist_ok=True)
    plane = case.image.max(axis=0) if case.image.ndim == 3 else case.image
    pairs = metrics.match_points(case.truth, points, NEAR_PX).pairs
    hit_t = np.isin(np.arange(len(case.truth)), pairs["truth"])
    hit_p = np.isin(np.arange(len(points)), pairs["predicted"])
    figure = Figure(figsize=(12, 12), layout="constrained")
    axes = figure.subplots()
    axes.imshow(plane, cmap="gray", vmin=np.percentile(plane, 1), vmax=np.percentile(plane, 99.7))
    for places, color, mark in (
        (case.truth[hit_t], "lime", "o"), (case.truth[~hit_t], "red", "o"),
        (points[hit_p], "deepskyblue", "x"), (points[~hit_p], "yellow", "x"),
    ):  # fmt: skip
        face = {"mfc": "none"} if mark == "o" else {}
        axes.plot(places[:, -1], places[:, -2], mark, mec=color, ms=9 if mark == "o" else 5, mew=1, **face)  # fmt: skip
    axes.set_title(f"{path.stem}: {hit_t.sum()} hits, {(~hit_p).sum()} false, {(~hit_t).sum()} missed")  # fmt: skip
    axes.axis("off")
    figure.savefig(path, dpi=70)


def print_rows(rows: list[dict[str, Any]]) -> None:
    """One line a set and method."""
    print(f"{'set':34} {'method':13} {'F1 (interval)':24} {'found':>6} {'false/Mvx':>9} {'error px':>8} counts")  # fmt: skip
    for row in rows:
        f1 = "{:.3f} ({:.3f} to {:.3f})".format(*row["F1"])
        print(
            f"{row['set']:34} {row['method']:13} {f1:24} {row['efficiency'][0]:6.3f}"
            f" {row['false_per_megavoxel'][0]:9.1f} {row['error_px']:8.2f} {row.get('counts_hold', '')}"
        )


def write_card(model: Path, rows: list[dict[str, Any]]) -> None:
    """The network's scores into model.yaml and card.md."""
    from scopemill.models.folder import load_model, save_model

    network, described = load_model(model)
    kept = {key: one for key, one in described.metrics.items() if ":" not in key}
    for row in rows:
        if row["method"] == "unet3d-spots":
            kept[f"F1: {row['set']}"] = row["F1"]
            if "snr" in row:
                kept[f"share found: {row['set']}"] = row["efficiency"]
                kept[f"false per megavoxel: {row['set']}"] = row["false_per_megavoxel"]
    save_model(model, network, replace(described, metrics=kept))


if __name__ == "__main__":
    main(sys.argv[1:])
