"""What can be wrong with one image, by code. Everything else is infrastructure and fails the job."""

CODES = {
    "MISSING": "the file is not there",
    "NOT_A_FILE": "the path is a folder, a pipe or a device",
    "UNREADABLE": "the file may not be read (permission)",
    "EMPTY": "the file has zero bytes",
    "FORMAT": "the content is no image format that is known here",
    "NEEDS_EXTRA": "the format needs an optional package that is not installed",
    "TRUNCATED": "the file ends before its image data do",
    "STRUCTURE": "the file contradicts itself (header, tags or metadata)",
    "HOLE": "a part of the image has no data in the file",
    "DECODE": "the image data cannot be decoded",
    "TOO_LARGE": "the header claims more pixels than are allowed",
    "SCENE": "the file holds several images and none, or an unknown one, was chosen",
    "AXES": "the axes or the sizes of the file's parts do not fit together",
    "CHANNELS": "a required channel is not in the file",
    "DTYPE": "the pixel type is not supported",
    "PIXEL_SIZE": "the pixel size is absent or implausible",
    "NONFINITE": "there are NaN or infinite pixels",
    "FLAT": "all pixels have one value",
    "MODEL_MISMATCH": "the model was made for other channels or another pixel size",
    "TOO_MANY_OBJECTS": "more objects than labels can number",
}


class DataError(Exception):
    """One image's own fault: it is quarantined with a code of CODES; the others go on."""

    def __init__(self, code: str, message: str):
        assert code in CODES, code
        super().__init__(message)
        self.code = code


class Skip(Exception):
    """The task does not apply to this image (for instance, it lacks an optional channel)."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
