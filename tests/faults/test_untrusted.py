"""Files from elsewhere: configs, XML, archives and weights -> refused in words, and nothing of them is run."""

import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from roifile import ImagejRoi

from scopemill.annotations.reading import read_annotations
from scopemill.config import read_config
from scopemill.settings import ConfigError

CONFIGS = {
    "a tag that runs code": 'a: !!python/object/apply:os.system ["touch canary"]',
    "an object": "a: !!python/object:os.PathLike {}",
    "bytes": "a: !!binary aGk=",
    "a set": "a: !!set {b}",
    "pairs": "a: !!omap [b: 1]",
    "a date": "a: !!timestamp 2020-99-99",
    "an alias": "a: &x [1]\nb: *x",
    "a million laughs": "a: &a [x, x]\n"
    + "".join(f"{n}: &{n} [*{p}, *{p}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)),
    "lists in lists": "a: " + "[" * 3000 + "]" * 3000,
    "mappings in mappings": "{a: " * 3000 + "1" + "}" * 3000,
    "a number of 9,000 digits": "a: " + "9" * 9000,
    "a number of 36,000 bits": "a: 0x" + "f" * 9000,
    "a number in base 60": "a: 1" + ":59" * 3000,
    "a key twice": "a: 1\na: 2",
    "a list as a key, twice": "? [a]\n: 1\n? [a]\n: 2",
    "a null byte": "a: \0",
    "no text": "a: \ud800",
    "a list": "- a",
    "two documents": "a: 1\n---\nb: 2",
}


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS)
def test_a_config_that_is_no_plain_mapping_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        read_config(path)
    assert not (tmp_path / "canary").exists()


def test_a_config_of_many_keys_takes_no_time_that_grows_with_their_square(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("".join(f"k{i}: {{}}\n" for i in range(20_000)))
    start = time.process_time()
    assert len(read_config(path)) == 20_000
    assert time.process_time() - start < 30


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(path)])
def test_a_config_that_is_no_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / "config.yaml")
    with pytest.raises((ConfigError, OSError)):
        read_config(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    "name", ["../../escaped.roi", "/tmp/escaped.roi", "a/../../escaped.roi", "..\\\\escaped.roi"]
)
def test_an_archive_writes_nothing_wherever_its_names_lead(tmp_path, name):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    roi = ImagejRoi.frompoints(np.array([[1, 1], [9, 1], [9, 9]]), name=name)
    with zipfile.ZipFile(deep / "RoiSet.zip", "w") as archive:
        archive.writestr(name, roi.tobytes())
    before = sorted(Path("/tmp").glob("escaped*"))
    read_annotations(deep / "RoiSet.zip")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["RoiSet.zip"]
    assert sorted(Path("/tmp").glob("escaped*")) == before


class Malicious:
    """Touches a file when it is unpickled."""

    def __reduce__(self):
        return os.mknod, ("canary",)


@pytest.mark.parametrize("override", ["0", "1"])
def test_a_checkpoint_runs_nothing_whatever_the_environment_says(tmp_path, monkeypatch, override):
    torch = pytest.importorskip("torch")
    from scopemill.train.checkpoint import read_checkpoint

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", override)
    path = tmp_path / "checkpoint.pt"
    torch.save({"step": Malicious()}, path)
    assert read_checkpoint(path, "", torch.device("cpu")) is None
    assert not (tmp_path / "canary").exists()
    torch.load(path, weights_only=False)  # such a file does run code where it is trusted
    assert (tmp_path / "canary").exists()
