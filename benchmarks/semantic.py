"""A training set of classes -> Dice and IoU of models (and Otsu) on its test images; a table with 95 % intervals.

python benchmarks/semantic.py --examples results/em/training/membranes/examples.h5 --models results/em/models/membranes --otsu
python benchmarks/semantic.py --examples results/fine-tune/training/fibrosis/examples.h5 --models models/fibrosis-demo \
    results/fine-tune/models/fibrosis

Intervals: bootstrap over squares of the image's plane. A square is drawn with what lies there in every test image, since
serial sections show nearly the same there. --otsu: the brighter of two classes, after the smoothing that is best on the
training images.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from scopemill.examples import Example, Examples
from scopemill.metrics import Interval, class_dice, confusion, mean_there
from scopemill.models.predict import scale_grey_values
from scopemill.models.ready import load_ready
from scopemill.models.whole import Ready, predict_image
from scopemill.scoring import score_classes, summarise_classes

SIGMAS = (0.0, 1.0, 1.5, 2.0, 3.0, 4.0)
Method = Callable[[Example, np.ndarray], np.ndarray]


def main() -> None:
    """Print a line a method and class."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    options.add_argument("--examples", type=Path, required=True)
    options.add_argument("--models", type=Path, nargs="*", default=[])
    options.add_argument("--otsu", action="store_true")
    options.add_argument("--square", type=int, default=128, help="pixels, for the intervals")
    options = options.parse_args()
    with Examples(options.examples) as examples:
        names = ["background", *examples.meta["classes"]]
        methods = {str(folder): segment_by(folder, names) for folder in options.models}
        if options.otsu:
            sigma = max(SIGMAS, key=lambda one: score_training(examples, one))
            methods[f"Otsu, smoothed by {sigma:g} pixels"] = lambda _, x, s=sigma: find_bright(x, s)
        images = sorted({examples.all[i].image for i in examples.of("test")})
        print(f"test: {', '.join(images)}\n\n| method | class | Dice | IoU |\n|---|---|---|---|")
        for method, segment in methods.items():
            summary = score(examples, segment, names, options.square)
            for name in (*names, "mean"):
                keys = [
                    f"mean {what}" if name == "mean" else f"{what} of {name}"
                    for what in ("Dice", "IoU")
                ]
                print(f"| {method} | {name} | {' | '.join(show(summary[key]) for key in keys)} |")


def segment_by(folder: Path, names: list[str]) -> Method:
    """A model as a method: example and pixels (C, Z, Y, X) -> classes (Y, X)."""
    network, described, device, _ = load_ready(folder, "cpu")
    ready = Ready(network, described, device)
    number = np.array([names.index(name) for name in described.output])  # it may have another order

    def segment(example: Example, pixels: np.ndarray) -> np.ndarray:
        scaled = scale_grey_values(pixels, example.percentiles, described.normalisation)
        return number[predict_image(ready, scaled[:, 0]).argmax(axis=0)]

    return segment


def find_bright(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """The first channel: 1 where it is brighter than Otsu's threshold."""
    smooth = ndimage.gaussian_filter(pixels[0, 0].astype(float), sigma)
    return (smooth > threshold_otsu(smooth)).astype(np.uint8)


def score_training(examples: Examples, sigma: float) -> float:
    """Mean Dice of Otsu on the training images."""
    counts = 0
    for i in examples.of("train"):
        pixels, truth = examples.read(i)
        counts = counts + confusion(truth[0], find_bright(pixels, sigma), 2)
    return float(mean_there(class_dice(counts)))


def score(
    examples: Examples, segment: Method, names: list[str], square: int
) -> dict[str, Interval]:
    """Scores of all test images, square by square."""
    scores, groups = [], []
    for i in examples.of("test"):
        pixels, truth = examples.read(i)
        found = segment(examples.all[i], pixels)
        for y in range(0, truth.shape[1], square):
            for x in range(0, truth.shape[2], square):
                here = slice(y, y + square), slice(x, x + square)
                scores.append(score_classes(f"{y} {x}", truth[0][here], found[here], len(names)))
                groups.append(f"{y} {x}")
    return summarise_classes(scores, names, groups)


def show(one: Interval) -> str:
    """0.912 (0.887 to 0.934)."""
    return f"{one.estimate:.3f} ({one.low:.3f} to {one.high:.3f})"


if __name__ == "__main__":
    main()
