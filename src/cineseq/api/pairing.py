"""Pairing of live cells with sequenced barcodes, in memory; no argument is changed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cineseq.api.keywords import check_names, check_tables, section_of
from cineseq.api.tracked_cells import Tracked, cells_with_features, study_counts, with_field
from cineseq.config.base import FieldOfView
from cineseq.config.expression import Normalisation
from cineseq.config.features import Features
from cineseq.config.pairing import Pairing
from cineseq.errors import UserError
from cineseq.io.adata import adata_of, check_normalisation
from cineseq.io.arrays import positive
from cineseq.io.maps import check_fields, check_samples, checked_barcodes, checked_compartments
from cineseq.io.paired import storable
from cineseq.pairing.barcodes import named_as_sequenced, with_counts
from cineseq.pairing.join import pair_cells
from cineseq.pairing.match import REGISTERED, match
from cineseq.pairing.positions import with_micrometres
from cineseq.pairing.readings import Maps, check_maps
from cineseq.pairing.report import paired_report, pairs_report, shift_is_open, why_untrusted
from cineseq.tables.contract import FIELD
from cineseq.tables.imaging import PAIRS
from cineseq.text import listed

if TYPE_CHECKING:
    from anndata import AnnData

LARGEST_IMAGE = 1_000_000
"""Largest height or width of an image, px."""


def pair(
    tracks: pd.DataFrame | Tracked,
    compartments: pd.DataFrame | None,
    barcodes: pd.DataFrame,
    counts: AnnData | pd.DataFrame,
    features: Sequence[pd.DataFrame] | pd.DataFrame = (),
    *,
    detections: pd.DataFrame | None = None,
    pixel_size_um: float | None = None,
    image_size_px: tuple[int, int] | None = None,
    normalisation: Normalisation = "median",
    **settings: Any,
) -> AnnData:
    """Pair live cells with sequenced barcodes through compartments, and join them with their counts.

    A pair is one live cell and one barcode that are alone in their compartment. Cells in doubtful pairs are left out;
    ``uns["pairs"]`` gives the reason.

    Parameters
    ----------
    tracks
        One row per cell: a table of tracks or cells (``track_id``, ``alive_at_end`` or ``end_kind``, and
        ``end_y_px, end_x_px`` or ``y_px, x_px`` in pixels; columns ``function_*``, ``morphology_*`` and
        ``embedding_*`` are taken), or the result of ``cs.track``. Without ``sample`` and ``fov`` all cells belong to
        one field.
    compartments
        ``compartment_id, y_px, x_px, radius_px`` in pixels, ``sample, fov``; None if every cell is its own compartment.
    barcodes
        ``barcode`` with ``compartment_id`` or with its position ``fov, y_px, x_px`` in pixels; ``sample``.
    counts
        Shape (barcodes, genes), with barcodes as names; with several samples, ``sample`` in a column or in ``obs``.
    features
        Tables by ``frame`` and ``label``, as ``cs.measure`` and ``cs.embed`` return them, or by ``track_id``. The last
        live frame of each cell is used.
    detections
        ``track_id, frame, label``, if ``tracks`` do not state the label of each track.
    pixel_size_um
        Micrometres per pixel, for the distance to the centre of the compartment; None if unknown.
    image_size_px
        Height and width of the images in pixels, which tell where an array of compartments ends; None if unknown. Used
        for barcodes that are known by position.
    normalisation
        Normalisation of ``X``: ``median``, ``cp10k`` or ``sqrt``.
    **settings
        Settings of the sections ``pairing`` and ``features`` of the configuration.

    Returns
    -------
    anndata.AnnData
        Shape (paired cells, genes), sorted by cell: ``layers["counts"]``, their normalised logarithm ``X``, ``obs``
        with ``track_id, sample, fov, condition, function_*`` and columns on the pair and on the sister,
        ``obsm["X_morphology"]`` and ``["X_embedding"]``, ``uns["pairs"]`` with the status of every cell and barcode.

    Raises
    ------
    UserError
        When a table lacks a column, samples, fields or barcodes have different names in different tables, no cell is
        alone with one barcode, or values are not counts.

    Examples
    --------
    >>> import cineseq as cs
    >>> import pandas as pd
    >>> place = {"y_px": [10.0, 50.0], "x_px": [10.0, 50.0]}
    >>> tracks = pd.DataFrame({"track_id": ["a", "b"], "end_kind": "end_of_movie", **place})
    >>> cages = pd.DataFrame({"compartment_id": ["c1", "c2"], "radius_px": 8.0, **place})
    >>> barcodes = pd.DataFrame({"barcode": ["AAAA", "CCCC"], "compartment_id": ["c2", "c1"]})
    >>> counts = pd.DataFrame([[3, 0], [1, 2]], index=["AAAA", "CCCC"], columns=["g1", "g2"])
    >>> cs.pair(tracks, cages, barcodes, counts).obs["barcode"].to_dict()
    {'a': 'CCCC', 'b': 'AAAA'}
    """
    check_names("pair", settings, Pairing, Features)
    check_normalisation(normalisation, "pair")
    pixel_size_um = positive("pixel_size_um", pixel_size_um)
    height, width = _height_and_width(image_size_px)
    check_tables(barcodes=barcodes, **({} if compartments is None else {"compartments": compartments}))
    pairing, framing = section_of("pair", Pairing, settings), section_of("pair", Features, settings)
    tables = [features] if isinstance(features, pd.DataFrame) else list(features)
    # Cells, and maps of compartments and barcodes.
    cells = cells_with_features(tracks, tables, detections, framing)
    located = None if compartments is None else with_field(compartments.reset_index(drop=True), cells, "compartments")
    cages = checked_compartments({} if located is None else {"compartments": located})
    placed = "y_px" in barcodes and len(cells[FIELD].drop_duplicates()) == 1
    known = checked_barcodes(
        {"barcodes": with_field(barcodes.reset_index(drop=True), cells, "barcodes", FIELD if placed else ["sample"])},
        cages,
    )
    check_samples(cells, cages, known)
    fields = cells[FIELD].drop_duplicates().itertuples(index=False)
    check_fields([FieldOfView.model_construct(sample=sample, fov=fov) for sample, fov in fields], cages, known)
    # Barcodes as named in the counts, and the cells that share their compartments.
    sequenced = study_counts(counts, cells)
    of_sample = sequenced.index.to_frame(index=False).groupby("sample", sort=False)["barcode"]
    names = {sample: pd.Index(mine) for sample, mine in of_sample}
    found = named_as_sequenced(known, names, pairing.barcode_errors, "barcodes", dict.fromkeys(names, "counts"))
    found = with_counts(found, sequenced.totals)
    pixel = np.nan if pixel_size_um is None else pixel_size_um
    sizes = cells[FIELD].drop_duplicates().assign(pixel_size_um=pixel, height_px=height, width_px=width)
    matched = match(cells, cages, found, pairing, sizes)
    doubts = check_maps(Maps(cells, cages, found, pairing, sizes), matched.alignments)
    report = pairs_report(matched, known=len(known), sequenced=len(found), imaged=len(cells), doubts=doubts)
    _warn_of(report)
    pairs = PAIRS.check(with_micrometres(matched.pairs, sizes))
    data = pair_cells(
        cells, pairs, sequenced, _why_none(matched.alignments, pairing, size_is_known=image_size_px is not None)
    )
    adata = adata_of(replace(data, normalisation=normalisation))
    joined = paired_report(data, pairs, sequenced)
    _warn_of(joined)
    adata.uns["pairs"] = pd.DataFrame({name: storable(pairs[name]) for name in pairs}).set_axis(pairs.index.astype(str))
    adata.uns["pair"] = {"lines": np.array(report["lines"] + joined["lines"], dtype=str)}
    return adata


def _height_and_width(image_size_px: Any) -> tuple[float, float]:
    """Return the size of the images as floats, NaN if it is unknown.

    Raises
    ------
    UserError
        When it is not two numbers above 0.
    """
    if image_size_px is None:
        return float("nan"), float("nan")
    try:
        height, width = (positive("image_size_px", length) for length in image_size_px)
    except (TypeError, ValueError, UserError):
        height = width = None
    if height is None or width is None or max(height, width) > LARGEST_IMAGE:
        msg = (
            f"image_size_px: {image_size_px!r} should be height and width of the images in pixels, two numbers above 0 "
            f"and up to {LARGEST_IMAGE:,}, such as (1024, 1344), or None if they are unknown."
        )
        raise UserError(msg)
    return height, width


def _why_none(alignments: pd.DataFrame, pairing: Pairing, *, size_is_known: bool) -> str:
    """Return why there may be no pair, and what to do, for callers in memory."""
    untrusted = list(alignments[~alignments["trusted"].astype(bool)].itertuples())
    others = [row for row in untrusted if not shift_is_open(row)]
    if others:
        said = why_untrusted(others[0]).rstrip(".")
        return said[0].lower() + said[1:]
    in_register = "max_shift=0.5, if the two maps are known to be in register"
    edges = "image_size_px=(height, width), if the images show where the array of compartments ends"
    given = [in_register] * (pairing.max_shift > REGISTERED) + [edges] * (not size_is_known)
    if untrusted and given:
        fields = listed([f"{row.sample}/{row.fov}" for row in untrusted])
        return (
            f"several shifts of the map of barcodes fit the compartments of field {fields}, and none is clearly the "
            f"right one; give {', or '.join(given)}"
        )
    return "check that cells, compartments and barcodes are of the same fields, and that their positions are in pixels"


def _warn_of(report: dict[str, Any]) -> None:
    """Warn of what a reader of the report page would see before any number."""
    for notice in report["notices"]:
        warnings.warn(notice["text"], UserWarning, stacklevel=3)
