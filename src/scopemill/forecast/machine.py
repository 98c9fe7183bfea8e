"""Machine: how much slower or faster than the reference machine this one is, measured once (`scopemill plan --calibrate`)."""

import json
import os
import platform
import time
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .. import manifests
from ..settings import ConfigError

# seconds that the reference machine takes for what `calibrate` does: docs/plan.md says which machine that is
REFERENCE = {"arrays": 0.36, "networks": 0.47, "gpu": 0.02}
VARIABLE = "SCOPEMILL_MACHINE"
FIELD_PX = 1024


@dataclass(frozen=True)
class Machine:
    """Factors on the reference machine's seconds: above 1 is slower."""

    arrays: float = 1.0
    networks: float = 1.0
    gpu: float = 1.0
    name: str = "reference"

    @classmethod
    def read(cls, path: Path | None = None) -> "Machine":
        """What was measured here; the reference machine where nothing was.

        Raises
        ------
        ConfigError
            Where the file is no calibration.
        """
        path = path or default_path()
        if not path.is_file():
            return cls()
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            cure = "write it again: scopemill plan --calibrate"
            raise ConfigError(f"{path}: no calibration of a machine ({error}); {cure}") from None

    def write(self, path: Path | None = None) -> Path:
        """Keep it for later forecasts; where it was written."""
        path = path or default_path()
        with manifests.replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return path


def default_path() -> Path:
    """Where a calibration lies: named by SCOPEMILL_MACHINE, else in the user's cache, by the machine's name."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "scopemill" / f"machine-{platform.node() or 'unnamed'}.json"


def calibrate() -> Machine:
    """Measure this machine: half a minute of one core, and of the GPU where there is one."""
    from ..models.speed import measure_on_cpu, measure_on_gpu

    on_gpu = measure_on_gpu()
    return Machine(
        arrays=round(measure_arrays() / REFERENCE["arrays"], 3),
        networks=round(measure_on_cpu() / REFERENCE["networks"], 3),
        gpu=1.0 if on_gpu is None else round(on_gpu / REFERENCE["gpu"], 3),
        name=platform.node(),
    )


def measure_arrays() -> float:
    """CPU seconds of what stages do with arrays: smoothing, distances, a watershed, sorting, compression."""
    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, (FIELD_PX, FIELD_PX)).astype(np.float32)
    return min(work_on_arrays(image) for _ in range(3))


def work_on_arrays(image: np.ndarray) -> float:
    """CPU seconds of one round."""
    from scipy import ndimage
    from skimage import measure, segmentation

    start = time.process_time()
    smooth = ndimage.gaussian_filter(image, 8)
    mask = smooth > 0
    distance = ndimage.distance_transform_edt(mask)
    seeds, _ = ndimage.label(distance > 10)
    labels = segmentation.watershed(-distance, seeds, mask=mask)
    measure.regionprops_table(labels, image, properties=("label", "area", "mean_intensity"))
    np.percentile(image, [1, 99.9])
    zlib.compress((image * 100).astype(np.int16).tobytes(), 1)
    return time.process_time() - start
