"""Pictures for people: arrays -> 8-bit RGB with outlines, spots and captions; PNG with a fingerprint inside."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

KEY = "scopemill"
BY_ROLE = {
    "nucleus": "#3f6bff", "cytoplasm": "#2e9e5b", "membrane": "#8f8f9f",
    "spots": "#ffe14d", "brightfield": "#ffffff", "other": "#ffffff",
}  # fmt: skip
MARKERS = ("#ff5fa2", "#35d0d6", "#ff9a3d", "#b57bff", "#9bdc3c")
CLASSES = ("#ff9f1c", "#2ec4ff", "#e84fd0", "#7ae582", "#ffe14d", "#ff5e5b", "#b8a1ff", "#a0c4c7")
AREAS = ("#35d0d6", "#ffb000", "#dc267f", "#7ae582", "#648fff", "#fe6100")  # of class images
PLAIN = ("#9fb4ff", "#c3c9d4", "#ffd6a5")  # outlines of objects without classes


def to_rgb(color: str) -> np.ndarray:
    """'#rrggbb' -> three floats, 0 to 1."""
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255


def darken(color: str, share: float) -> str:
    """The colour with a share of its light."""
    return "#" + "".join(f"{int(one):02x}" for one in (to_rgb(color) * share * 255).round())


def contrast_limits(image: np.ndarray, percentiles: Sequence[float]) -> tuple[float, float]:
    """Intensities shown as black and as full colour; never equal."""
    low, high = np.percentile(image, percentiles)
    return float(low), float(high if high > low else low + 1)


def composite(
    images: Sequence[np.ndarray], colors: Sequence[str], limits: Sequence[tuple[float, float]]
) -> np.ndarray:
    """Channels (Y, X) -> one colour picture (Y, X, 3), 0 to 1, each channel added in its colour."""
    picture = np.zeros((*images[0].shape, 3), np.float32)
    for image, color, (low, high) in zip(images, colors, limits, strict=True):
        picture += np.clip((image.astype(np.float32) - low) / (high - low), 0, 1)[
            ..., None
        ] * to_rgb(color)
    return np.clip(picture, 0, 1)


def draw_outlines(
    picture: np.ndarray, labels: np.ndarray, colors: Mapping[int, str], default: str
) -> None:
    """Draw each object's inner border, in place, in its colour."""
    from skimage.segmentation import find_boundaries

    border = find_boundaries(labels, mode="inner")
    ids, places = np.unique(labels[border], return_inverse=True)
    known = {color: to_rgb(color) for color in {default, *colors.values()}}
    table = np.array([known[colors.get(int(one), default)] for one in ids]).reshape(-1, 3)
    picture[border] = table[places]


def tint(
    picture: np.ndarray, classes: np.ndarray, colors: Mapping[int, str], opacity: float = 0.45
) -> None:
    """Lay a transparent colour over each class that has one, in place."""
    for value, color in colors.items():
        where = classes == value
        picture[where] = (1 - opacity) * picture[where] + opacity * to_rgb(color)


def fit(array: np.ndarray, zoom: float) -> np.ndarray:
    """Nearest-neighbour rescaling of (Y, X[, 3]): pixel centres stay where they are, labels stay labels."""
    if zoom == 1:
        return array
    ys, xs = (
        np.clip(((np.arange(max(1, round(n * zoom))) + 0.5) / zoom).astype(int), 0, n - 1)
        for n in array.shape[:2]
    )
    return array[ys[:, None], xs]


def fit_objects(labels: np.ndarray, zoom: float) -> np.ndarray:
    """Reduction of labels (Y, X) in which no object is lost: a pixel has the highest of its labels."""
    for axis, n in enumerate(labels.shape):
        starts = (np.arange(max(1, round(n * zoom))) / zoom).astype(int)
        labels = np.maximum.reduceat(labels, np.minimum(starts, n - 1), axis=axis)
    return labels


def shrink(image: np.ndarray, zoom: float) -> np.ndarray:
    """Rescale an intensity image: averages when it gets smaller, pixels when it gets larger."""
    if zoom >= 1:
        return fit(image, zoom)
    from skimage.transform import resize

    size = tuple(max(1, round(n * zoom)) for n in image.shape[:2])
    return resize(
        image, (*size, *image.shape[2:]), order=1, anti_aliasing=True, preserve_range=True
    ).astype(np.float32)


def choose_zoom(shape: Sequence[int], at_least: int, at_most: int) -> float:
    """Whole-number enlargement of small images, reduction of large ones."""
    longest = max(shape)
    return at_most / longest if longest > at_most else float(max(1, at_least // longest))


def draw_circles(picture, points: np.ndarray, colors: Sequence[str], radius: float) -> None:
    """Circles at (y, x) on a Pillow picture."""
    from PIL import ImageDraw

    pen = ImageDraw.Draw(picture)
    for (y, x), color in zip(points, colors, strict=True):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=color)


def draw_dots(picture, points: np.ndarray, color: str) -> None:
    """One pixel at each (y, x) on a Pillow picture."""
    from PIL import Image

    pixels = np.array(picture)
    places = np.clip(points.round().astype(np.int64), 0, np.array(pixels.shape[:2]) - 1)
    pixels[tuple(places.T)] = (to_rgb(color) * 255).round()
    picture.paste(Image.fromarray(pixels))


def draw_box(picture, box: Sequence[float], text: str, color: str) -> None:
    """A frame around y0, x0, y1, x1 on a Pillow picture, and a tag in its corner."""
    from PIL import ImageDraw, ImageFont

    pen = ImageDraw.Draw(picture)
    y0, x0, y1, x1 = box
    pen.rectangle((x0, y0, x1, y1), outline=color, width=2)
    font, place = ImageFont.load_default(14), (x0 + 6, y0 + 4)
    left, top, right, bottom = pen.textbbox(place, text, font=font)
    pen.rectangle((left - 4, top - 3, right + 4, bottom + 3), fill="#15171c")
    pen.text(place, text, fill="#ffffff", font=font)


def write_caption(picture, lines: Sequence[Sequence[tuple[str, str]]], size: int = 14):
    """A new Pillow picture with lines of (text, colour) parts below the old one; what is too long goes on below."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size)
    lines = [row for line in lines for row in wrap_line(line, font, picture.width - 16, size)]
    height = int(size * 1.5)
    whole = Image.new("RGB", (picture.width, picture.height + height * len(lines) + 8), "#15171c")
    whole.paste(picture, (0, 0))
    pen = ImageDraw.Draw(whole)
    for i, line in enumerate(lines):
        x = 8.0
        for text, color in line:
            pen.text((x, picture.height + 4 + i * height), text, fill=color, font=font)
            x += pen.textlength(text, font=font) + size
    return whole


def wrap_line(
    line: Sequence[tuple[str, str]], font, width: float, gap: float
) -> list[list[tuple[str, str]]]:
    """A line's parts in as many rows as they need; parts wider than a row are parted between words."""
    rows: list[list[tuple[str, str]]] = [[]]
    used = 0.0
    for text, color in line:
        for piece in wrap_text(text, font, width):
            length = font.getlength(piece)
            if rows[-1] and used + length > width:
                rows.append([])
                used = 0.0
            rows[-1].append((piece, color))
            used += length + gap
    return rows


def wrap_text(text: str, font, width: float) -> list[str]:
    """Text in pieces that are not wider than this, where one word is not."""
    pieces = [""]
    for word in text.split(" "):
        longer = f"{pieces[-1]} {word}" if pieces[-1] else word
        if pieces[-1] and font.getlength(longer) > width:
            pieces.append(word)
        else:
            pieces[-1] = longer
    return pieces


def write_png(path: Path, picture, fingerprint: str) -> None:
    """Save a Pillow picture; equal pictures give equal bytes."""
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text(KEY, fingerprint)
    # a third of level 6's time, for 8 % more bytes
    picture.save(path, format="PNG", pnginfo=text, compress_level=1)


def read_fingerprint(path: Path) -> str | None:
    """The fingerprint in a PNG written here."""
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        return picture.text.get(KEY)
