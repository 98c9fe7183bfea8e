"""Texts: outlines and numbers of many objects -> their GeoJSON, made by Arrow for all of them at once."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from .tracing import Outlines

if TYPE_CHECKING:
    import pyarrow as pa

DIGITS = 7  # significant ones of measurements


def write_geometries(outlines: Outlines) -> "pa.Array":
    """A Polygon for each object, or a MultiPolygon for one in several pieces; all but the closing brace."""
    import pyarrow as pa
    from pyarrow import compute

    x, y = (as_text(pa.array(np.ascontiguousarray(axis))) for axis in outlines.points.T)
    points = around("[", together(x, y), "]")
    rings = around("[", join(points, outlines.rings), "]")
    polygons = around("[", join(rings, outlines.polygons), "]")
    objects = join(polygons, outlines.objects)
    return compute.if_else(
        pa.array(np.diff(outlines.objects) == 1),
        around('{"type":"Polygon","coordinates":', objects, ""),
        around('{"type":"MultiPolygon","coordinates":[', objects, "]"),
    )


def join(texts: "pa.Array", offsets: np.ndarray, between: str = ",") -> "pa.Array":
    """The texts between each two offsets -> one text."""
    import pyarrow as pa
    from pyarrow import compute

    lists = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), texts)
    return compute.binary_join(lists, word(between))


def together(*texts: "pa.Array", between: str = ",") -> "pa.Array":
    """Texts of each row -> one text; what is null is left out."""
    from pyarrow import compute

    return compute.binary_join_element_wise(*texts, word(between), null_handling="skip")


def around(before: str, texts: "pa.Array", after: str) -> "pa.Array":
    """Each text between two others; none stays none."""
    from pyarrow import compute

    return compute.binary_join_element_wise(word(before), texts, word(after), word(""))


def constant(text: str, n: int) -> "pa.Array":
    """A text that is the same in n rows."""
    import pyarrow as pa

    return pa.repeat(word(text), n)


def word(text: str) -> "pa.Scalar":
    """A text that is the same in all rows."""
    import pyarrow as pa

    return pa.scalar(text, pa.large_string())


def write_object(columns: Mapping[str, "pa.Array"]) -> "pa.Array":
    """Columns of JSON values as text -> one JSON object a row; what is null is left out."""
    parts = [around(f"{quote(name)}:", values, "") for name, values in columns.items()]
    return around("{", together(*parts), "}")


def number_texts(values: np.ndarray, known: np.ndarray | None = None) -> "pa.Array":
    """Numbers: whole ones as they are, others with 7 significant digits; null where not known, NaN or infinite."""
    import pyarrow as pa

    known = np.ones(len(values), bool) if known is None else known
    if values.dtype.kind in "biu":
        plain = values.astype(np.uint8) if values.dtype.kind == "b" else values
        return as_text(pa.array(plain, mask=~known))
    values = values.astype(np.float64)
    known = known & np.isfinite(values)
    return as_text(pa.array(round_digits(np.where(known, values, 0.0)), mask=~known))


def word_texts(values: np.ndarray, known: np.ndarray, spell: Callable[[str], str]) -> "pa.Array":
    """Words, each as `spell` writes it; null where not known or empty."""
    import pandas as pd
    import pyarrow as pa

    codes, words = pd.factorize(np.asarray(values, object))
    spelt = pa.array([spell(str(one)) for one in words], pa.large_string())
    none = ~known | (codes < 0)
    return spelt.take(pa.array(np.where(none, 0, codes), mask=none))


def quote(text: str) -> str:
    """A text as JSON."""
    return json.dumps(text, ensure_ascii=False)


def round_digits(values: np.ndarray) -> np.ndarray:
    """To a number of significant digits."""
    size = np.abs(values)
    exponent = np.floor(np.log10(size, where=size > 0, out=np.zeros(len(size))))
    scale = 10.0 ** (DIGITS - 1 - exponent).clip(-300, 300)
    return np.rint(values * scale) / scale


def as_text(numbers: "pa.Array") -> "pa.Array":
    """The shortest text that gives the number again."""
    import pyarrow as pa

    return numbers.cast(pa.large_string())
