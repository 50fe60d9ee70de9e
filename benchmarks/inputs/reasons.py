"""Why no structure and no checksum of a format could tell that an input is spoilt."""

from __future__ import annotations

TEXT = "text: nothing says which letter or digit stood there"
TEXT_CUT = "text: nothing says how many rows or digits there were"
GREY = "values that are not compressed, or compressed without a checksum: any grey level may stand there"
TAGS = "a tag of a TIFF has no checksum, and the file is whole with the value that stands there now"
MADE_TO_FIT = "spoilt inside, with checksums that were made to fit"
WEIGHTS = "weights without checksums: the shipped file is compared with the hash in its card, others with embed.sha256"
VALUES = "values that are compressed without a checksum, or not at all"
TABLES = ("cells_csv", "cell_acdc_csv", "ctc_txt", "lineage_csv", "sample_sheet", "ends_json")
FITTED = ("counts_10x_mtx", "counts_csv_gz", "segmenter_pt")
PACKED = ("counts_zarr", "paired_h5mu", "counts_h5ad", "counts_10x_h5", "barcodes_parquet", "btrack_h5")
IMAGES = ("tiled_tiff", "plain_tiff", "imagej_tiff", "ome_tiff")


def reason(name: str, kind: str, file: str, parts: list[str]) -> str:
    """Return why a change in silence cannot be told; empty where it should be.

    Parameters
    ----------
    name
        Name of the format.
    kind
        How the input was spoilt.
    file
        Which file of it.
    parts
        What was read otherwise.
    """
    cut = kind == "cut off"
    rules = (
        (name in TABLES, TEXT_CUT if cut else TEXT),
        (name in IMAGES and not cut, GREY if parts == ["pixels"] else TAGS),
        (name.startswith("zarr") and parts == ["pixels"], MADE_TO_FIT if name == "zarr_zip" else GREY),
        (name == "mask_zarr" and parts == ["pixels"], VALUES),
        (name in FITTED, MADE_TO_FIT),
        (name == "embedder_safetensors" and not cut, WEIGHTS),
        (name in PACKED and not cut, VALUES),
        (file.endswith((".zattrs", "zarr.json")), TEXT),
    )
    return next((why for holds, why in rules if holds), "")
