"""Simulated fields of cells as files: the image as a microscope would save it, its truth, and the sheet."""

import csv
import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..settings import ConfigError, nearest
from ..simulate.cytometry import Field, SimulatedField
from ..simulate.psf import Optics

FACTS = ("shape_zyx", "pixel_size_um", "z_step_um")


def write_field(study: Path, name: str, field: SimulatedField, settings: Field) -> None:
    """raw/<name>.ome.tif; truth/<name>.nuclei.tif, .cells.tif, .objects.csv and .particles.csv."""
    import tifffile

    metadata = {
        "axes": "CZYX", "Channel": {"Name": list(field.channel_names)},
        "PhysicalSizeX": settings.pixel_size_um, "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": settings.pixel_size_um, "PhysicalSizeYUnit": "µm",
        "PhysicalSizeZ": settings.z_step_um, "PhysicalSizeZUnit": "µm",
    }  # fmt: skip
    path = study / "raw" / f"{name}.ome.tif"
    tifffile.imwrite(path, field.image, ome=True, metadata=metadata, photometric="minisblack")
    for kind, labels in (("nuclei", field.nuclei), ("cells", field.cells)):
        tifffile.imwrite(study / "truth" / f"{name}.{kind}.tif", labels, compression="zlib")
    for kind, columns in (("objects", field.objects), ("particles", field.particles)):
        rows = zip(*columns.values(), strict=True)
        write_table(study / "truth" / f"{name}.{kind}.csv", list(columns), rows)


def write_table(path: Path, columns: list[str], rows: Iterable[Iterable], delimiter=",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n", delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(rows)


def write_sheet(study: Path, rows: list[dict[str, Any]]) -> None:
    """images.tsv; a column that a row lacks is empty there."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = ([row.get(name, "") for name in columns] for row in rows)
    write_table(study / "images.tsv", columns, cells, "\t")


def read_field(path: Path, given: Mapping[str, Any]) -> Field:
    """Settings of a simulated field from YAML; what it does not say is `given`, or the default.

    Raises
    ------
    ConfigError
        Naming the file, the key and the cure.
    """
    from ..config import read_config

    said = read_config(path)
    known = [one.name for one in dataclasses.fields(Field)]
    for key in said:
        if key not in known:
            raise ConfigError(f"{path}: {key}: unknown key{nearest(key, known)}")
    try:
        if said.get("optics"):
            said["optics"] = Optics(**said["optics"])
        return Field(**{**given, **said})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None


def dump_field(path: Path, settings: Field) -> None:
    """What `read_field` reads: all settings but size and pixels, which a study's own images say."""
    said = dataclasses.asdict(settings)
    said = {key: plain(value) for key, value in said.items() if key not in FACTS}
    path.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")


def plain(value: Any) -> Any:
    """Tuples as lists, for YAML."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, (tuple, list)) else value
