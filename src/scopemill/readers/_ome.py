"""OME-XML text -> what its images promise; refused before tifffile builds (and allocates) them."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ..errors import DataError
from ._base import pair_um, size_um

ELSEWHERE = "merge the set into one file with bfconvert, or give a pattern with {z} or {channel}"


@dataclass(frozen=True)
class OmeImage:
    """One Image element: its name, plane count, channels and sizes."""

    name: str
    planes: int  # TIFF pages it needs
    channel_names: tuple[str, ...]  # empty unless there is a name for each channel
    pixel_size_um: tuple[float, float] | None
    z_step_um: float | None
    acquired: str


def read_ome(path: Path, xml: str, pages: int, samples: int, max_pixels: int) -> list[OmeImage]:
    """Parse and check. Raises DataError STRUCTURE, TOO_LARGE, TRUNCATED or AXES."""
    try:
        root = fromstring(xml)
        images = [e for e in root if _tag(e) == "Image"]
        if any(_tag(e) == "BinaryOnly" for e in root):
            raise DataError("AXES", f"{path}: its OME-XML is in another file; {ELSEWHERE}")
        found = [_image(path, root, e, pages, samples, max_pixels) for e in images]
    except (ParseError, DefusedXmlException, KeyError, ValueError) as error:
        cause = f"invalid OME-XML ({type(error).__name__}: {str(error)[:100]})"
        raise DataError("STRUCTURE", f"{path}: {cause}; export the image again") from error
    promised = sum(image.planes for image in found)
    if promised > pages:
        cause = f"its OME-XML promises {promised} planes, the file holds {pages}"
        raise DataError("TRUNCATED", f"{path}: {cause}; copy or export it again")
    return found


def _image(path, root, element, pages, samples, max_pixels) -> OmeImage:
    pixels = next(e for e in [*element, Element("Pixels")] if _tag(e) == "Pixels")
    sizes = {axis: int(pixels.attrib[f"Size{axis}"]) for axis in "TCZYX"}
    if min(sizes.values()) < 1:
        raise ValueError(f"sizes {sizes}")
    if prod(sizes.values()) > max_pixels:
        cause = f"its OME-XML claims {sizes} pixels, {max_pixels} are allowed"
        raise DataError("TOO_LARGE", f"{path}: {cause}; raise max_pixels if that size is true")
    channels = [e for e in pixels if _tag(e) == "Channel"]
    _check_blocks(path, root, pixels, sizes, pages)
    given = int(channels[0].attrib.get("SamplesPerPixel", 1)) if channels else 1
    per_page = max(given, samples if sizes["C"] % samples == 0 else 1)
    x_unit, y_unit, z_unit = (pixels.attrib.get(f"PhysicalSize{a}Unit", "um") for a in "XYZ")
    y_um = size_um(pixels.attrib.get("PhysicalSizeY"), y_unit)
    x_um = size_um(pixels.attrib.get("PhysicalSizeX"), x_unit)
    names = tuple(c.attrib.get("Name", "") for c in channels)
    dates = [e.text or "" for e in element if _tag(e) == "AcquisitionDate"]
    return OmeImage(
        name=element.attrib.get("Name", ""),
        planes=sizes["T"] * sizes["Z"] * -(-sizes["C"] // per_page),
        channel_names=names if len(names) == sizes["C"] else (),
        pixel_size_um=pair_um(y_um, x_um),
        z_step_um=size_um(pixels.attrib.get("PhysicalSizeZ"), z_unit),
        acquired=dates[0] if dates else "",
    )


def _check_blocks(path: Path, root: Element, pixels: Element, sizes: dict, pages: int) -> None:
    """Every TiffData block must lie in this file, and inside the image."""
    own = root.attrib.get("UUID")
    for block in (e for e in pixels if _tag(e) == "TiffData"):
        for uuid in (e for e in block if _tag(e) == "UUID"):
            name = uuid.attrib.get("FileName", "")
            if own is None and name.lower() == path.name.lower():
                own = uuid.text
            if uuid.text != own:
                raise DataError("AXES", f"{path}: has planes in another file {name!r}; {ELSEWHERE}")
        count = int(block.attrib.get("PlaneCount", block.attrib.get("NumPlanes", 1)))
        if int(block.attrib.get("IFD", 0)) + count > pages:
            cause = f"its OME-XML points at page {block.attrib.get('IFD', 0)} + {count} of {pages}"
            raise DataError("TRUNCATED", f"{path}: {cause}; copy or export it again")
        if any(int(block.attrib.get(f"First{a}", 0)) >= sizes[a] for a in "TCZ"):
            raise ValueError(f"TiffData index {dict(block.attrib)} outside {sizes}")


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
