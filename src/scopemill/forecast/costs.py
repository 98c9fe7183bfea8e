"""Costs: what each stage and method takes a pixel, an object, an image and a job, on the reference machine.

Measured by benchmarks/forecast.py (docs/plan.md says where); memory is more than the most that was seen. A plug-in's method
counts as its stage does; what a study has recorded goes over all of it (history.py).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """CPU seconds, megabytes, and bytes.

    Values are pixels of all channels and planes that are read; pixels, those of what is made; and of either, in memory,
    those of the window that is looked at.
    """

    # CPU seconds
    load_s: float = 0.3  # to load what is needed, while the first image of a job is made
    image_s: float = 0.02
    value_s: float = 0.02  # a million values
    pixel_s: float = 0.0  # a million pixels
    object_s: float = 0.0  # a thousand objects
    network_s: float = 0.0  # a million pixels that the reference network sees
    gpu_s: float = 0.0  # the same, GPU seconds
    # memory
    base_mb: float = 200.0
    value_b: float = 0.0  # a value, above what it takes in the file
    pixel_b: float = 8.0  # a pixel
    object_b: float = 0.0
    network_b: float = 0.0  # a pixel that a network sees
    blockwise: bool = (
        True  # whether an image is looked at in blocks (methods of segment say so themselves)
    )
    margin: float = 0.0  # of a block's width, that is looked at beyond it
    # disk
    disk_b: float = 0.0  # a pixel
    disk_object_b: float = 0.0
    disk_mb: float = 0.0  # an image


JOB_S = 0.6  # to start the interpreter and read manifests
REFERENCE_FLOP = (
    92_000  # a pixel: models/nuclei (a U-Net 16 wide and 4 deep), to which network_s refers
)
NETWORK_MB = 500.0  # of 8 tiles of 512 pixels in a network 16 wide
GPU_MB = 3000.0  # of main memory, for the libraries of a GPU
DISK_SHARE = 0.8  # of an image's bytes, compressed, with its pyramid

WATERSHED = Cost(
    load_s=0.5, image_s=0.01, value_s=0.004, pixel_s=0.3, base_mb=300, pixel_b=60, margin=0.1, disk_b=0.15
)  # fmt: skip
NETWORK = Cost(
    load_s=1.7, image_s=0.06, value_s=0.01, pixel_s=0.36, network_s=0.65, gpu_s=0.02,
    base_mb=400, pixel_b=50, network_b=30, margin=0.3, disk_b=0.15,
)  # fmt: skip

COSTS: dict[str, Cost] = {
    "convert": Cost(load_s=0.2, image_s=0.005, value_s=0.025, base_mb=200, pixel_b=8),
    "convert with stains": Cost(load_s=1.0, image_s=0.2, value_s=0.02, base_mb=350, pixel_b=8),
    "annotate": Cost(value_s=0.0, pixel_b=0, disk_mb=0.05),
    "patch": Cost(load_s=0.3, value_s=0.025, base_mb=180, pixel_b=16, disk_b=1.0),
    "segment": WATERSHED,
    "segment.otsu": WATERSHED,
    "segment.otsu without splitting": Cost(
        load_s=0.5, image_s=0.01, value_s=0.004, pixel_s=0.15, base_mb=250, pixel_b=60, margin=0.1, disk_b=0.05
    ),
    "segment.grow": Cost(
        load_s=0.15, image_s=0.01, value_s=0.004, pixel_s=0.3, base_mb=140, pixel_b=60, margin=0.1, disk_b=0.15
    ),
    "segment.grow without channel": Cost(
        load_s=0.15, image_s=0.01, value_s=0.004, pixel_s=0.13, base_mb=140, pixel_b=60, margin=0.1,
        disk_b=0.15,
    ),
    "segment.unet": NETWORK,
    "segment.classes-unet": Cost(
        load_s=1.7, image_s=0.06, value_s=0.01, pixel_s=0.1, network_s=0.65, gpu_s=0.02,
        base_mb=400, pixel_b=50, network_b=30, margin=0.1, disk_b=0.05,
    ),
    "segment.tissue": Cost(
        load_s=0.4, image_s=0.3, value_s=0.005, pixel_s=0.06, base_mb=450, pixel_b=8, disk_b=0.02
    ),
    "segment.threshold": Cost(
        load_s=0.4, image_s=0.2, value_s=0.01, pixel_s=0.1, base_mb=250, pixel_b=45, margin=0.05,
        disk_b=0.05,
    ),
    "segment.drawn": Cost(value_s=0.0, pixel_s=0.02, pixel_b=8, disk_b=0.02),
    "detect": Cost(load_s=0.4, value_s=0.2, base_mb=180, value_b=40, disk_object_b=40),
    "detect.from-labels": Cost(
        load_s=0.3, image_s=0.02, value_s=0.0, pixel_s=0.01, base_mb=180, pixel_b=24, object_b=200,
        disk_object_b=40, disk_mb=0.005,
    ),
    "detect.log-spots": Cost(
        load_s=0.4, value_s=0.2, base_mb=200, value_b=40, object_b=200, disk_object_b=40, disk_mb=0.01
    ),
    "detect.unet3d-spots": Cost(
        load_s=2.0, value_s=0.9, base_mb=400, value_b=190, object_b=200, disk_object_b=40, disk_mb=0.01
    ),
    "quantify": Cost(
        load_s=0.9, image_s=0.01, value_s=0.01, pixel_s=0.03, object_s=0.02, base_mb=360, value_b=12,
        pixel_b=36, object_b=2000, disk_object_b=200, disk_mb=0.02,
    ),
    "quantify of areas": Cost(
        load_s=0.2, image_s=0.03, value_s=0.0, pixel_s=0.03, base_mb=240, pixel_b=40, disk_mb=0.02
    ),
    "classify": Cost(
        load_s=0.4, image_s=0.01, value_s=0.0, pixel_b=0, object_b=500, disk_object_b=20
    ),
    "classify.network": Cost(
        load_s=2.0, image_s=0.1, value_s=0.02, object_s=1.0, base_mb=900, pixel_b=24, object_b=4000,
        disk_object_b=20,
    ),
    "qc": Cost(
        load_s=0.6, image_s=0.03, value_s=0.035, pixel_s=0.08, base_mb=450, pixel_b=24, disk_mb=1.2
    ),
}  # fmt: skip


def find_cost(stage: str, method: str, variant: str = "") -> Cost:
    """Of a method (and what of its settings makes it cheap or dear), else of its stage."""
    name = f"{stage}.{method}" if method else stage
    names = (f"{name} {variant}", name, stage)
    return next((COSTS[one] for one in names if one in COSTS), Cost())
