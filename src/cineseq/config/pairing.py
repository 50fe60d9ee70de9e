"""Settings of the table of cells, and of its pairing with counts through compartments and barcodes."""

from typing import Literal

from pydantic import Field, model_validator

from cineseq.config.base import Section

Orientation = Literal["cells_by_genes", "genes_by_cells"]


class Cells(Section):
    """How the cells of all fields become one table."""

    scaling: Literal["none", "per_sample", "controls"] = Field(
        "none",
        description="How fluorescence is made comparable between samples: none, per_sample (divided by the sample's "
        "own median) or controls (divided by the median of the control cells of the same replicate).",
    )
    controls: list[str] = Field(
        [], description="Conditions of the sheet whose cells are the controls, where scaling is controls."
    )

    @model_validator(mode="after")
    def _controls_are_named(self) -> "Cells":
        if (self.scaling == "controls") != bool(self.controls):
            msg = (
                "controls: name the conditions of the sheet that are controls"
                if self.scaling == "controls"
                else f"controls: used only where cells.scaling is controls, and it is {self.scaling}"
            )
            raise ValueError(msg)
        return self


class Pairing(Section):
    """Cells to compartments by position, barcodes to compartments by name or position, barcodes to counts."""

    rim: float = Field(
        0.1,
        ge=0,
        le=0.5,
        description="Boundary tolerance, as a fraction of the radius of the compartment. A cell whose centre lies "
        "outside the wall by less than this is ambiguous, and so is one that is equally near to two compartments "
        "within this tolerance.",
    )
    barcode_radius: float = Field(
        0.8,
        gt=0,
        le=1,
        description="A barcode known by position belongs to the nearest compartment within this many radii of its "
        "centre, after the two maps are aligned.",
    )
    max_shift: float = Field(
        3.0,
        ge=0,
        le=10,
        description="Largest shift along y or x between the maps of barcodes and of compartments that is considered, "
        "in distances between neighbouring compartments. A regular array fits itself when it is shifted by a whole "
        "distance; edges, gaps, cells and counts then tell which shift is right, or the field is not paired by "
        "position. 0.5 says that the two maps are known to be in register.",
    )
    min_shift_posterior: float = Field(
        0.95,
        ge=0,
        le=1,
        description="Fields whose most probable shift is less probable than this are not paired by position: their "
        "barcodes are ambiguous.",
    )
    min_posterior: float = Field(
        0.5,
        ge=0,
        le=1,
        description="A barcode known by position that comes from its compartment with a smaller probability than this, "
        "and not from elsewhere, is ambiguous.",
    )
    min_aligned: float = Field(
        0.4,
        ge=0,
        le=1,
        description="Fields where a smaller fraction of barcodes falls on compartments are not paired by position.",
    )
    barcode_errors: Literal[0, 1] = Field(
        1, description="Largest Hamming distance at which a sequenced barcode is matched to a unique known one."
    )
    counts_orientation: Orientation = Field(
        "cells_by_genes", description="Whether rows of a csv or tsv of counts are cells or genes."
    )
    counts_layer: str | None = Field(
        None,
        description="Where an h5ad, zarr or h5mu holds the counts: the name of a layer, X or raw. null: the layer "
        "counts, else X, else raw, the first that holds counts; raw also where it holds the same counts and those of "
        "further genes. The choice is in the log.",
    )
