"""How microscopes of plates name their files -> patterns for `scopemill init`: plate, well (or row and column), field, and files of one image."""

TIFF = r"\.(?i:tiff?)$"

# name: an example, and the pattern; a group with _again is the same text a second time
CONVENTIONS: dict[str, tuple[str, str]] = {
    # Yokogawa CV7000, CV8000; where each channel is an action of its own (A01..C01, A02..C02)
    "cellvoyager": (
        "plate_B03_T0001F002L01A02Z01C02.tif",
        r"(?P<plate>[^/]+)_(?P<well>[A-Z]\d\d)_T(?P<t>\d{4})F(?P<field>\d{3})L\d\d"
        r"A(?P<channel>\d\d)Z(?P<z>\d\d)C(?P<channel_again>(?P=channel))\.(?i:tiff?|png)$",
    ),
    # Thermo Cellomics ArrayScan
    "cellomics": (
        "AS_09125_050116030001_D03f00d0.tif",
        r"(?P<plate>[^/]+)_(?P<well>[A-Z]\d\d)f(?P<field>\d\d)d(?P<channel>\d)" + TIFF,
    ),
    # MetaXpress: exported without the identifiers that it can add to each file's name
    "imagexpress": (
        "plate_A01_s1_w2.tif",
        r"(?P<plate>[^/]+)_(?P<well>[A-Z]\d\d)(?:_s(?P<field>\d+))?_w(?P<channel>\d)" + TIFF,
    ),
    # GE IN Cell Analyzer
    "incell": (
        "A - 01(fld 1 wv 390 - Blue z 3).tif",
        r"(?P<row>[A-Z]) - (?P<column>\d\d?)\(fld (?P<field>\d+) wv (?P<channel>[^()]+?)"
        r"(?: z (?P<z>\d+))?\)" + TIFF,
    ),
    # PerkinElmer (Revvity) Opera Phenix and Operetta, exported by Harmony
    "opera": (
        "r01c02f03p01-ch1sk1fk1fl1.tiff",
        r"r(?P<row>\d\d)c(?P<column>\d\d)f(?P<field>\d+)p(?P<z>\d+)-ch(?P<channel>\d+)"
        r"sk(?P<t>\d+)fk\d+fl\d+" + TIFF,
    ),
    # whatever begins with a well
    "wells": (
        "A01_f1_d0.tif",
        r"(?:^|/|_)(?P<well>[A-Z]\d\d?)_f(?P<field>\d+)_[dcw](?P<channel>\d+)" + TIFF,
    ),
}
