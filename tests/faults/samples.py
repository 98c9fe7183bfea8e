"""Samples: one small valid file of each format that is read, written here or taken from the shared data."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

FORMATS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "formats"
SLIDES = FORMATS.parent / "wsi"
STACK = np.random.default_rng(7).integers(1, 60_000, (3, 48, 40), np.uint16)
BYTES = (STACK >> 8).astype(np.uint8)
COLOURS = np.ascontiguousarray(np.moveaxis(BYTES, 0, -1))
TIFFS = {
    "ome.ome.tif": {"ome": True, "metadata": {"axes": "CYX", "Channel": {"Name": list("abc")}}},
    "ome-tiles.ome.tif": {"ome": True, "metadata": {"axes": "ZYX"}, "tile": (16, 16)},
    "ome-big.ome.tif": {"ome": True, "metadata": {"axes": "TYX"}, "bigtiff": True},
    "ome-zlib.ome.tif": {"ome": True, "metadata": {"axes": "CYX"}, "compression": "zlib"},
    "imagej.tif": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "plain.tif": {"metadata": None},
    "plain-big.tif": {"metadata": None, "bigtiff": True},
    "shaped.tif": {},
    "zlib-tiles.tif": {"metadata": None, "compression": "zlib", "tile": (16, 16)},
    "lzw.tif": {"metadata": None, "compression": "lzw", "rowsperstrip": 16},
    "big-endian.tif": {"metadata": None, "byteorder": ">", "predictor": True, "compression": "zlib"},
}  # fmt: skip
REAL = {  # file -> scene; parts of it that mean something lie in the first bytes, and at the end
    FORMATS / "czi" / "s_1_t_1_c_1_z_1.czi": None,
    FORMATS / "czi" / "RGB-8bit.czi": None,
    FORMATS / "lif" / "testdata_2channel_xz.lif": "xz",
    FORMATS / "nd2" / "cluster.nd2": None,
    SLIDES / "small.svs": None,
    SLIDES / "CMU-1-Small-Region.svs": None,
}
LIF_XML = (
    '<LMSDataContainerHeader Version="2"><Element Name="file" UniqueID="1"><Data><Experiment/></Data><Children>'
    '<Element Name="one" UniqueID="2"><Data><Image><ImageDescription><Channels>'
    '<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" Min="0" Max="1" '
    'Unit="" LUTName="Gray" IsLUTInverted="0" BytesInc="0" BitInc="0"/></Channels><Dimensions>'
    '<DimensionDescription DimID="1" NumberOfElements="40" Origin="0" Length="1e-5" Unit="m" BytesInc="2" BitInc="0"/>'
    '<DimensionDescription DimID="2" NumberOfElements="48" Origin="0" Length="1e-5" Unit="m" BytesInc="80" BitInc="0"/>'
    '<DimensionDescription DimID="3" NumberOfElements="3" Origin="0" Length="1e-6" Unit="m" BytesInc="3840" BitInc="0"/>'
    '</Dimensions></ImageDescription></Image></Data><Memory Size="11520" MemoryBlockID="MemBlock_1"/></Element>'
    "</Children></Element></LMSDataContainerHeader>"
)


def write_tiff(path: Path) -> None:
    tifffile.imwrite(path, STACK, **{"photometric": "minisblack", **TIFFS[path.name]})


def write_jpeg_tiles(path: Path) -> None:
    tifffile.imwrite(path, COLOURS, tile=(16, 16), compression="jpeg", metadata=None)


def write_slide(path: Path) -> None:
    """A tiled TIFF with a name that only OpenSlide is asked about."""
    tifffile.imwrite(path, COLOURS, tile=(16, 16), compression="jpeg", metadata=None)


def write_picture(path: Path) -> None:
    Image.fromarray(COLOURS).save(path)


def write_deep_png(path: Path) -> None:
    Image.fromarray(STACK[0]).save(path)


def write_czi(path: Path) -> None:
    from pylibCZIrw import czi

    with czi.create_czi(str(path), exist_ok=True) as document:
        for channel, plane in enumerate(STACK):
            document.write(plane[..., None], plane={"C": channel, "Z": 0, "T": 0})
        document.write_metadata(document_name="a", scale_x=1e-6, scale_y=1e-6)


def write_lif(path: Path) -> None:
    """As Leica's description of the format has it: XML, then one block of memory."""
    name = "MemBlock_1".encode("utf-16-le")
    block = struct.pack("<IIBQBI", 0x70, 14 + len(name), 0x2A, STACK.nbytes, 0x2A, len(name) // 2)
    text = LIF_XML.encode("utf-16-le")
    head = struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(LIF_XML))
    path.write_bytes(head + text + block + name + STACK.tobytes())


WRITERS: dict[str, Callable[[Path], None]] = {
    **dict.fromkeys(TIFFS, write_tiff),
    "jpeg-tiles.tif": write_jpeg_tiles,
    "slide.ndpi": write_slide,
    "picture.png": write_picture,
    "picture.jpg": write_picture,
    "picture.bmp": write_picture,
    "deep.png": write_deep_png,
    "mosaic.czi": write_czi,
    "stack.lif": write_lif,
}


def write_samples(folder: Path) -> dict[Path, str | None]:
    """Write one file of each kind; file -> scene to read."""
    for name, write in WRITERS.items():
        write(folder / name)
    return dict.fromkeys((folder / name for name in WRITERS), None)


def real_samples() -> dict[Path, str | None]:
    """Those of REAL that are there."""
    return {path: scene for path, scene in REAL.items() if path.exists()}


def cut_points(size: int) -> Iterator[int]:
    """Lengths that a file of this size is cut to: its first and last bytes, and shares between."""
    near = {1, 2, 4, 7, 8, 12, 16, 40, 128, size - 1, size - 2, size - 9, size - 64, size // 2}
    shares = {size * percent // 100 for percent in range(5, 100, 5)}
    yield from sorted(cut for cut in near | shares if 0 < cut < size)
