"""Settings of the generation of one modality from the other."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from cineseq.config.base import Section

Learner = Literal["ridge", "pls", "kernel_ridge", "network"]


class Generative(Section):
    """Generation of each modality from the other, shares of variance, and how early they are visible."""

    enabled: bool = Field(default=True, description="Run the step where there are counts and shape of the same cells.")
    learners: list[Learner] = Field(
        ["ridge", "pls", "kernel_ridge", "network"],
        min_length=1,
        description="Learners of the conditional mean; grouped inner folds choose among them.",
    )
    components: int = Field(
        50, ge=2, description="Most principal components of expression, shape and embedding, learned in training cells."
    )
    representation: str = Field(
        "pca",
        min_length=1,
        description="pca: principal components of expression that are learned in training cells; or a table (.tsv, "
        ".csv or .parquet) with the column track_id and one column per latent variable, learned elsewhere; or a file "
        "of AnnData or MuData (.h5ad, .h5mu or .zarr) with such variables in an obsm.",
    )
    obsm: str | None = Field(
        None, description="Name of the obsm of such a file, such as X_scVI; its rows are named by track_id or barcode."
    )
    min_pairs: int = Field(200, ge=20, description="With fewer paired cells no generator is learned, only means.")
    flow: bool = Field(
        default=True,
        description="Try conditional flow matching beside three baselines; it is used only where it beats all of them.",
    )
    min_flow: int = Field(1000, ge=100, description="With fewer paired cells flow matching is not tried.")
    class_column: str | None = Field(
        None,
        description="Column of cell types or conditions by which generated cells are judged; null: that of "
        "crossmodal.class_column.",
    )
    conditions: list[str] = Field(
        [],
        description="Columns of cells, such as class, drug or time, that are given to the generator beside the other "
        "modality. With the class column among them, cells are also generated under other classes.",
    )
    windows: int = Field(6, ge=1, le=48, description="Windows of hours before sequencing in the curve over time.")
    permutations: int = Field(999, ge=0, description="Shuffled pairings of the test of each gene and feature.")
    null_draws: int = Field(19, ge=0, description="Shuffled pairings with which models are fitted again.")
    gene_sets: Path | None = Field(
        None, description="GMT file of gene sets whose shares are added up; null: those of the cell cycle only."
    )
    gallery_cells: int = Field(
        6, ge=1, le=50, description="Held-out cells in the galleries, at even steps from the best to the worst match."
    )
    decoder: bool = Field(
        default=True,
        description="Learn to decode crops of cells from their morphology in the training cells of each fold, and show "
        "decoded held-out cells and crops along a gene; needs images.",
    )
    axis_gene: str | None = Field(
        None,
        min_length=1,
        description="Gene along whose quantiles crops are decoded; null: the one whose axis moves the predicted "
        "morphology of training cells most.",
    )

    @property
    def files(self) -> list[Path]:
        """Files of the user that the step reads."""
        learned_elsewhere = [] if self.representation == "pca" else [Path(self.representation)]
        return [*learned_elsewhere, *([self.gene_sets] if self.gene_sets else [])]
