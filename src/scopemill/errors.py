"""What can be wrong with one image, by code. Everything else is infrastructure and fails the job."""

# code -> (what it means, what to do)
CODES = {
    "MISSING": ("the file is not there", "correct the path in the sheet, or copy the file again"),
    "NOT_A_FILE": ("the path is a folder, a pipe or a device", "name the image file itself"),
    "UNREADABLE": ("the file may not be read", "ask its owner for permission to read it"),
    "EMPTY": ("the file has zero bytes", "copy it again from the microscope"),
    "FORMAT": ("the content is no image format that is known here", "convert it to OME-TIFF with bioformats2raw or bfconvert"),
    "NEEDS_EXTRA": ("the format needs an optional package", "`pip install 'scopemill[formats]'`"),
    "TRUNCATED": ("the file ends before its image data do", "copy it again; the copy or the recording was cut short"),
    "STRUCTURE": ("the file contradicts itself (header, tags or metadata)", "export it again from the microscope's software"),
    "HOLE": ("a part of the image has no data in the file", "export it again; the writer did not finish"),
    "DECODE": ("the image data cannot be decoded", "copy or export it again; bytes are damaged"),
    "TOO_LARGE": ("the header claims more pixels than are allowed", "raise `convert: max_gigapixels` if the image is truly that large"),
    "SCENE": ("the file holds several images and none, or an unknown one, was chosen", "write one of the names into column scene of the sheet"),
    "AXES": ("the sizes of the file's parts do not fit together", "export the image as one file, all parts of one size"),
    "CHANNELS": ("a required channel is not in the file", "correct `channels` in the config, or set `required: false` there"),
    "DTYPE": ("the pixel type is not supported", "export as 8 or 16 bit integers, or 32 bit float"),
    "PIXEL_SIZE": ("the pixel size is absent or implausible", "add column pixel_size_um to the sheet, or pixel_size_um to the config"),
    "NONFINITE": ("there are NaN or infinite pixels", "export without them (masked or divided images have them)"),
    "FLAT": ("all pixels have one value", "look at the recording; for empty slides set `convert: allow_flat: true`"),
    "ANNOTATION": ("the annotation file is damaged, or of no form that is known here", "export it again, or name its form in `annotate: format`"),
    "ANNOTATION_FIT": ("the annotations do not lie on the image", "see whether they are of another image, or drawn at another scale"),
    "MODEL_MISMATCH": ("the model was made for other channels or another pixel size", "choose a fitting model, or set the patch set's pixel_size_um to the model's"),
    "TOO_MANY_OBJECTS": ("more objects than labels can number", "raise min_size_um: noise was taken for objects"),
}  # fmt: skip


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
