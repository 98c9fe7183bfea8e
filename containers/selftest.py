"""The image tests itself: its packages are the locked ones, all import, nothing leaks in, and pixels become labels.

selftest.py cpu|cuda, run by `apptainer build` and `apptainer test`. It is part of the image, not of the package.
"""

import importlib
import os
import re
import site
import subprocess
import sys
from importlib import metadata
from pathlib import Path

LOCK = Path("/opt/scopemill/requirements.lock")
# dependencies whose modules have other names
MODULES = {
    "openslide-python": "openslide",
    "pillow": "PIL",
    "pylibczirw": "pylibCZIrw.czi",
    "pyyaml": "yaml",
    "scikit-image": "skimage.measure",
    "scikit-learn": "sklearn.ensemble",
}


def main(torch_build: str) -> None:
    """Every test; an AssertionError or ImportError ends it."""
    nothing_leaks_in()
    packages_are_the_locked_ones()
    dependencies_import()
    pixels_become_labels()
    network_runs(torch_build)
    sys.stdout.write(f"scopemill {metadata.version('scopemill')}: image tests passed\n")


def nothing_leaks_in() -> None:
    """No module comes from the user's home or from a path the host has set."""
    assert not site.ENABLE_USER_SITE, "user site packages are on"
    assert os.environ["LC_ALL"] == "C.UTF-8"
    own = (str(Path(__file__).parent), sys.prefix, sys.base_prefix)
    leaks = [path for path in sys.path if not path.startswith(own)]
    assert not leaks, f"foreign module paths: {leaks}"


def packages_are_the_locked_ones() -> None:
    """`pip check` is content, and nothing is installed that the lock does not name."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "check"], check=True)
    locked = {canonical(line) for line in LOCK.read_text(encoding="utf-8").splitlines()}
    frozen = subprocess.run(
        [*pip, "freeze", "--exclude", "scopemill"], check=True, capture_output=True, text=True
    ).stdout.split()
    strange = [pin for pin in frozen if canonical(pin) not in locked]
    assert not strange, f"not in the lock: {strange}"


def canonical(pin: str) -> str:
    """Name==version as pip compares names, without the build: torch==2.13.0+cpu is torch==2.13.0."""
    name, _, version = pin.partition("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version.partition('+')[0]}"


def dependencies_import() -> None:
    """Every dependency that pyproject.toml names, those of the file formats too."""
    for module in module_names():
        importlib.import_module(module)


def module_names() -> list[str]:
    """A module of each dependency."""
    wanted = [
        re.match(r"[\w.-]+", text)[0].lower()
        for text in metadata.requires("scopemill")
        if "extra ==" not in text or "formats" in text
    ]
    return [MODULES.get(name, name.replace("-", "_")) for name in wanted]


def pixels_become_labels() -> None:
    """Two squares in, two objects out."""
    import numpy as np

    from scopemill.frames import Frame
    from scopemill.settings import load_stage

    image = np.zeros((64, 64), np.float32)
    image[8:24, 8:24] = image[40:56, 36:52] = 100
    stage = importlib.import_module("scopemill.segment.stage")
    settings, method = load_stage("segment", {"method": {"name": "otsu", "channel": "x"}}, "test")
    labels = stage.segment(Frame.of({"x": image}), settings, method)
    assert labels.max() == 2, f"{labels.max()} objects instead of 2"


def network_runs(torch_build: str) -> None:
    """Torch is the build that was asked for, and a U-Net goes forward."""
    import torch

    from scopemill.models.unet import UNet

    assert (torch.version.cuda is not None) == (torch_build == "cuda"), torch.__version__
    with torch.inference_mode():
        logits = UNet(1, 2, width=4, depth=2).eval()(torch.zeros(1, 1, 16, 16))
    assert logits.shape == (1, 2, 16, 16)


if __name__ == "__main__":
    main(sys.argv[1])
