"""Dependencies: each is there under its import name and does something; the lock pins them all."""

import importlib
import os
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = ROOT / "requirements.lock"
EXTRAS = PROJECT["optional-dependencies"]


def names(requirements):
    return [canonicalize_name(Requirement(one).name) for one in requirements]


CORE = names(PROJECT["dependencies"])
OPTIONAL = [(extra, name) for extra in EXTRAS for name in names(EXTRAS[extra])]


def check_defusedxml(module):
    from defusedxml import DTDForbidden, ElementTree

    with pytest.raises(DTDForbidden):
        ElementTree.fromstring("<!DOCTYPE a><a/>", forbid_dtd=True)


def check_h5py(module):
    with module.File("a", "w", driver="core", backing_store=False) as file:
        file["x"] = [1, 2]
        assert file["x"][1] == 2


def check_imagecodecs(module):
    assert module.zlib_decode(module.zlib_encode(b"abc")) == b"abc"


def check_matplotlib(module):
    from matplotlib.figure import Figure

    assert Figure().subplots().plot([1, 2])


def check_pyarrow(module):
    assert module.table({"a": [1, 2]}).to_pandas()["a"].sum() == 3


def check_pydantic(module):
    assert module.TypeAdapter(int).validate_json("3") == 3


def check_pygments(module):
    from pygments import formatters, highlight, lexers

    assert "<span" in highlight("x = 1", lexers.PythonLexer(), formatters.HtmlFormatter())


def check_safetensors(module):
    from safetensors.numpy import load, save

    assert load(save({"a": np.arange(3)}))["a"].tolist() == [0, 1, 2]


def check_skimage(module):
    from skimage.measure import label

    assert label(np.array([1, 0, 1])).max() == 2


def check_scipy(module):
    from scipy import ndimage

    assert ndimage.label([1, 0, 1])[1] == 2


def check_snakemake(module):
    from snakemake.cli import get_argument_parser

    assert "--dry-run" in get_argument_parser().format_help()


def check_tifffile(module):
    import io

    file = io.BytesIO()
    module.imwrite(file, np.eye(3, dtype=np.uint8))
    file.seek(0)
    assert module.imread(file).trace() == 3


def check_torch(module):
    assert module.nn.Conv2d(1, 2, 3)(module.zeros(1, 1, 5, 5)).shape == (1, 2, 3, 3)


def check_zarr(module):
    store = module.create_array(store={}, shape=(4,), dtype="i4")
    store[:] = 3
    assert store[:].sum() == 12


def check_openslide(module):
    assert module.__library_version__ and module.OpenSlide.detect_format(__file__) is None


def check_sklearn(module):
    from sklearn.metrics import f1_score

    assert f1_score([0, 1], [0, 1]) == 1


# name in pyproject -> (import name, something trivial that shows that it works)
KNOWN = {
    "defusedxml": ("defusedxml", check_defusedxml),
    "h5py": ("h5py", check_h5py),
    "imagecodecs": ("imagecodecs", check_imagecodecs),
    "jinja2": ("jinja2", lambda m: m.Template("{{ a }}").render(a=1) == "1"),
    "matplotlib": ("matplotlib", check_matplotlib),
    "numba": ("numba", lambda m: m.njit(lambda a: a + 1)(2) == 3),
    "numpy": ("numpy", lambda m: m.arange(3).sum() == 3),
    "pandas": ("pandas", lambda m: m.DataFrame({"a": [1, 2]})["a"].sum() == 3),
    "pillow": ("PIL.Image", lambda m: m.new("L", (2, 3), 5).getpixel((1, 2)) == 5),
    "pyarrow": ("pyarrow", check_pyarrow),
    "pydantic": ("pydantic", check_pydantic),
    "pygments": ("pygments", check_pygments),
    "pyyaml": ("yaml", lambda m: m.safe_load("a: 1") == {"a": 1}),
    "roifile": ("roifile", lambda m: m.ImagejRoi.frombytes(m.ImagejRoi.frompoints([[1, 2]]).tobytes()).left == 1),
    "safetensors": ("safetensors", check_safetensors),
    "scikit-image": ("skimage", check_skimage),
    "scipy": ("scipy", check_scipy),
    "shapely": ("shapely", lambda m: m.from_wkb(m.to_wkb(m.box(0, 0, 2, 3))).area == 6),
    "snakemake": ("snakemake", check_snakemake),
    "starlette": ("starlette.responses", lambda m: m.PlainTextResponse("a").body == b"a"),
    "tifffile": ("tifffile", check_tifffile),
    "torch": ("torch", check_torch),
    "typing-extensions": ("typing_extensions", lambda m: callable(m.dataclass_transform())),
    "uvicorn": ("uvicorn", lambda m: m.Config(None).port == 8000),
    "zarr": ("zarr", check_zarr),
    "liffile": ("liffile", lambda m: callable(m.LifFile)),
    "nd2": ("nd2", lambda m: not m.is_supported_file(__file__)),
    "openslide-bin": ("openslide_bin", lambda m: m),
    "openslide-python": ("openslide", check_openslide),
    "pylibczirw": ("pylibCZIrw.czi", lambda m: callable(m.open_czi)),
    "snakemake-executor-plugin-slurm": ("snakemake_executor_plugin_slurm", lambda m: m.ExecutorSettings),
    "hypothesis": ("hypothesis", lambda m: callable(m.given)),
    "jsonschema": ("jsonschema", lambda m: m.validate(1, {"type": "integer"}) is None),
    "playwright": ("playwright.sync_api", lambda m: callable(m.sync_playwright)),
    "psutil": ("psutil", lambda m: m.Process().is_running()),
    "pytest": ("pytest", lambda m: callable(m.fixture)),
    "pytest-xdist": ("xdist", lambda m: m.__version__),
    "ruff": ("ruff.__main__", lambda m: m.find_ruff_bin()),
    "scikit-learn": ("sklearn", check_sklearn),
    "snakefmt": ("snakefmt", lambda m: m.__version__),
    "trackpy": ("trackpy", lambda m: callable(m.locate)),
}  # fmt: skip


def try_out(name):
    module_name, check = KNOWN[name]
    answer = check(importlib.import_module(module_name))
    assert answer is None or answer, f"{name} does not work"


def test_every_dependency_has_a_check():
    assert {*CORE, *(name for _, name in OPTIONAL)} <= set(KNOWN)


@pytest.mark.parametrize("name", CORE)
def test_a_core_dependency_works(name):
    try_out(name)


@pytest.mark.parametrize(("extra", "name"), OPTIONAL)
def test_an_optional_dependency_works(extra, name):
    try:
        version(name)
    except importlib.metadata.PackageNotFoundError:
        if os.environ.get("SCOPEMILL_REQUIRE_ALL") == "1":
            raise
        pytest.skip(f"the extra '{extra}' is not installed")
    try_out(name)


@pytest.mark.parametrize("requirement", PROJECT["dependencies"])
def test_the_installed_version_is_one_that_is_asked_for(requirement):
    wanted = Requirement(requirement)
    assert wanted.specifier.contains(version(wanted.name), prereleases=True)


@pytest.fixture(scope="module")
def locked():
    """Name -> version of the lock."""
    if not LOCK.exists():
        pytest.skip("there is no requirements.lock")
    lines = [line.split("#")[0].strip() for line in LOCK.read_text(encoding="utf-8").splitlines()]
    pins = [re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s;]+)(\s*;.*)?", line) for line in lines if line]
    assert all(pins), [line for line in lines if line and "==" not in line]
    return {canonicalize_name(pin[1]): pin[2] for pin in pins}


@pytest.mark.parametrize("requirement", [*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)])  # fmt: skip
def test_the_lock_pins_every_dependency_to_a_version_that_will_do(locked, requirement):
    wanted = Requirement(requirement)
    assert wanted.specifier.contains(locked[canonicalize_name(wanted.name)], prereleases=True)


def test_the_lock_fits_any_machine(locked):
    assert not [name for name, pin in locked.items() if "+" in pin]
    assert not [name for name in locked if name.startswith(("nvidia", "triton", "torchvision"))]
    assert "scopemill" not in locked


def test_the_lock_is_plain():
    if not LOCK.exists():
        pytest.skip("there is no requirements.lock")
    text = LOCK.read_text(encoding="utf-8")
    pinned = [line for line in text.splitlines() if not line.startswith("#")]
    assert not [line for line in pinned if "+cpu" in line or "://" in line or line.startswith("-")]
