"""Wells: columns of the image sheet -> plate, well, row and column of each image.

A well is what the sheet's column `well` says (A01, a1, A-01), else its columns `row` (B or 2) and `column`; whether their
names begin with a capital does not matter.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

ROWS, COLUMNS = 32, 48  # of the largest plates, those with 1536 wells
WELL = re.compile(r"([A-Za-z]{1,2})[ _-]*0*(\d{1,2})")


def find_wells(images: "pd.DataFrame") -> "pd.DataFrame":
    """Plate, well (as A01), row and column (from 1) of each image; missing where the sheet does not say."""
    import pandas as pd

    known = {str(name).lower(): images[name].astype(str) for name in images}
    nothing = pd.Series("", index=images.index)
    plates = known.get("plate", nothing).replace("nan", "")
    if "well" in known:
        texts = known["well"]
    elif {"row", "column"} <= set(known):
        texts = known["row"].map(name_row) + known["column"].str.removesuffix(".0")
    else:
        texts = nothing
    places = [read_well(text) for text in texts]
    table = pd.DataFrame(places, index=images.index, columns=["well", "row", "column"])
    table.insert(0, "plate", plates)
    return table.astype({"row": "Int64", "column": "Int64"})


def read_well(text: str) -> tuple[str | None, int | None, int | None]:
    """'a1' -> A01, 1, 1; nothing where it is no well of a plate."""
    found = WELL.fullmatch(text.strip())
    if not found:
        return None, None, None
    letters, column = found[1].upper(), int(found[2])
    row = ord(letters[-1]) - 64 + (26 * (ord(letters[0]) - 64) if len(letters) == 2 else 0)
    if not (1 <= row <= ROWS and 1 <= column <= COLUMNS):
        return None, None, None
    return f"{letters}{column:02d}", row, column


def name_row(text: str) -> str:
    """'2' and 'B' -> 'B'."""
    text = text.strip().removesuffix(".0")
    if not text.isdecimal():
        return text
    row = int(text)
    return ("A" if row > 26 else "") + chr(64 + (row - 1) % 26 + 1) if 1 <= row <= ROWS else ""
