"""TIFF tags and vendor metadata -> pixel size, z step, channel names, a few certain facts."""

from typing import Any

from ._base import pair_um, size_um

CENTIMETER = 3  # the only ResolutionUnit that measures the sample; inches are printing density


def scale_of(tif: Any, page: Any) -> tuple[tuple[float, float] | None, float | None]:
    """Return ((y, x), z step) in micrometres as the file claims them for the series of `page`."""
    if tif.is_svs:
        mpp = tif_svs(tif).get("MPP")
        return pair_um(mpp, mpp), None
    if tif.is_stk:
        return _stk(tif.stk_metadata or {})
    if tif.is_lsm:
        meta = tif.lsm_metadata or {}
        y, x, z = (meta.get(f"VoxelSize{axis}") for axis in "YXZ")
        return pair_um(y, x, "m"), size_um(z, "m")
    if tif.is_imagej:
        return _imagej(tif.imagej_metadata or {}, page)
    if page.tags.valueof(296) == CENTIMETER:
        return pair_um(*_per_pixel(page), "cm"), None
    return None, None


def facts_of(tif: Any) -> dict[str, str]:
    """Return objective, date and software where a tag or vendor field states them."""
    page = tif.pages.first
    facts = {"software": page.tags.valueof(305), "acquired": page.tags.valueof(306)}
    if tif.is_svs:
        svs = tif_svs(tif)
        facts["acquired"] = " ".join(str(svs[k]) for k in ("Date", "Time") if k in svs)
        facts["objective"] = svs.get("AppMag")
    if tif.is_stk:
        meta = tif.stk_metadata or {}
        facts["acquired"] = meta.get("CreateTime")
        found = {p["name"]: p["value"] for p in meta.get("PlaneProperty") or [] if "name" in p}
        facts["objective"] = found.get("_MagSetting_")
    return {key: str(value).strip() for key, value in facts.items() if value}


def channels_of(tif: Any) -> tuple[str, ...]:
    """Return the channel names of a STK or LSM file, else nothing."""
    if tif.is_stk:
        return (str((tif.stk_metadata or {}).get("Name") or "0"),)
    if tif.is_lsm:
        colours = (tif.lsm_metadata or {}).get("ChannelColors") or {}
        return tuple(map(str, colours.get("ColorNames") or ()))
    return ()


def tif_svs(tif: Any) -> dict[str, Any]:
    """Return the key = value pairs of an Aperio description."""
    from tifffile.tifffile import svs_description_metadata

    try:
        return svs_description_metadata(tif.pages.first.description)
    except ValueError:
        return {}


def _stk(meta: dict) -> tuple[tuple[float, float] | None, float | None]:
    if not meta.get("SpatialCalibration"):
        return None, None
    unit = str(meta.get("CalibrationUnits", ""))
    steps = {float(z) for z in meta.get("ZDistance", ())}
    z = size_um(steps.pop(), unit) if len(steps) == 1 else None
    return pair_um(meta.get("YCalibration"), meta.get("XCalibration"), unit), z


def _imagej(meta: dict, page: Any) -> tuple[tuple[float, float] | None, float | None]:
    unit = str(meta.get("unit", ""))
    y, x = _per_pixel(page)
    y_um, x_um = size_um(y, str(meta.get("yunit", unit))), size_um(x, unit)
    if not unit and page.tags.valueof(296) == CENTIMETER:
        y_um, x_um = size_um(y, "cm"), size_um(x, "cm")
    return pair_um(y_um, x_um), size_um(meta.get("spacing"), str(meta.get("zunit", unit)))


def _per_pixel(page: Any) -> tuple[float | None, float | None]:
    """Length of a pixel in the file's unit: the inverse of the resolution tags, (y, x)."""
    found = [page.tags.valueof(tag) for tag in (283, 282)]
    return tuple(v[1] / v[0] if isinstance(v, tuple) and v[0] else None for v in found)
