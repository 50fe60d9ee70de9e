"""Distances in micrometres, by the pixel size of each field of view."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cineseq.config.base import FieldOfView
from cineseq.given.rows import rows_of
from cineseq.stacks import open_labels

FIELD = ["sample", "fov"]


def pixel_sizes(labels: list[Path], fields: list[FieldOfView], configured: float | None) -> pd.DataFrame:
    """Return ``sample``, ``fov`` and ``pixel_size_um`` of every field of view; NaN where nothing says it.

    Masks take it from ``inputs.pixel_size_um``, or else from the images; tracks without masks have only the former.

    Parameters
    ----------
    labels
        The masks of each field of view; none where tracks come alone.
    fields
        The fields of view.
    configured
        ``inputs.pixel_size_um``, for fields without masks.
    """
    said = [_pixel_size(path) for path in labels] if labels else [configured] * len(fields)
    known = rows_of(labels, fields) if labels else fields
    rows = [(f.sample, f.fov, size) for f, size in zip(known, said, strict=True)]
    sizes = pd.DataFrame(rows, columns=[*FIELD, "pixel_size_um"])
    return sizes.astype({"sample": "string", "fov": "string", "pixel_size_um": "float64"})


def _pixel_size(labels: Path) -> float | None:
    with open_labels(labels) as masks:
        return masks.info.pixel_size_um


def with_micrometres(pairs: pd.DataFrame, sizes: pd.DataFrame) -> pd.DataFrame:
    """Fill ``distance_um`` of pairs from ``distance_px`` where the pixel size of the field is known."""
    scale = pairs[FIELD].merge(sizes, on=FIELD, how="left", validate="many_to_one")["pixel_size_um"]
    return pairs.assign(distance_um=pairs["distance_px"] * scale.to_numpy())


def missing_sizes(sizes: pd.DataFrame) -> list[str]:
    """Return a sentence on the fields of view without a pixel size; nothing where all have one."""
    unknown = sizes[sizes["pixel_size_um"].isna()]
    if unknown.empty:
        return []
    names = (unknown["sample"] + "/" + unknown["fov"]).tolist()
    named = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
    return [
        f"distance_um is missing in {len(names)} of {len(sizes)} fields of view ({named}): neither their images nor "
        "inputs.pixel_size_um say how large a pixel is."
    ]
