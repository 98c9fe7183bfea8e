"""Reads files in a process of its own: lines {path, scene} on standard input -> lines of what came of each.

Its address space and the pixels that a header may claim are limited, so that a lie shows as a fault. Answers have
`outcome`: read (with shape and a hash of all pixels), refused (with code and message), or raised (with the traceback), which must never be.
"""

import hashlib
import json
import os
import resource
import sys
import traceback
import warnings
from itertools import product

MEMORY_BYTES = int(os.environ.get("READING_MEMORY", 1 << 31))
MAX_PIXELS = 1 << 25


def read(path: str, scene: str | None) -> dict:
    """Open a file and read all of it."""
    from scopemill.errors import DataError
    from scopemill.readers import open_raw

    try:
        with open_raw(path, scene, MAX_PIXELS) as raw:
            t, c, z, height, width = raw.shape
            pixels = hashlib.sha256()
            for place in product(range(t), range(c), range(z)):
                plane = raw.read(*place)
                assert plane.shape == (height, width) and plane.dtype == raw.dtype
                pixels.update(plane.tobytes())
            return {"outcome": "read", "shape": raw.shape, "pixels": pixels.hexdigest()}
    except DataError as error:
        return {"outcome": "refused", "code": error.code, "message": str(error)}
    except Exception:
        return {"outcome": "raised", "traceback": traceback.format_exc()[-3000:]}


def main() -> None:
    import imagecodecs  # noqa: F401  all libraries, before the limit
    import liffile  # noqa: F401
    import nd2  # noqa: F401
    import openslide  # noqa: F401
    import tifffile  # noqa: F401
    from pylibCZIrw import czi  # noqa: F401

    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        question = json.loads(line)
        answers.write(json.dumps(read(question["path"], question["scene"])) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
