"""How cells on images are joined to barcodes, and these to counts."""

from typing import Literal

from pydantic import Field

from cineseq.config.base import Section

Orientation = Literal["cells_by_genes", "genes_by_cells"]


class Cells(Section):
    """How the cells of all fields become one table."""

    scaling: Literal["none", "per_sample"] = Field(
        "none",
        description="How fluorescence is made comparable between samples: none, or divided by the sample's own median.",
    )


class Pairing(Section):
    """Cells to compartments by position, barcodes to compartments by name or position, barcodes to counts."""

    rim: float = Field(
        0.1,
        ge=0,
        le=0.5,
        description="Doubtful rim as a fraction of a compartment's radius: a cell centred less than this outside its "
        "wall is ambiguous, and so is one that is this close to being as near to another compartment.",
    )
    barcode_radius: float = Field(
        0.8,
        gt=0,
        le=1,
        description="A barcode known by position belongs to the nearest compartment within this many radii of its "
        "centre, after the two maps are aligned.",
    )
    min_aligned: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Fields where a smaller fraction of barcodes falls on compartments are not paired by position.",
    )
    barcode_errors: Literal[0, 1] = Field(
        1, description="Letters in which a sequenced barcode may differ from the only one that it can stand for."
    )
    counts_orientation: Orientation = Field(
        "cells_by_genes", description="Whether rows of a csv or tsv of counts are cells or genes."
    )
