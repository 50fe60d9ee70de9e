"""Settings of cross-validation, of the prediction of function, and of the cross-modal analysis."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from cineseq.config.base import REMOVED_IN, Section
from cineseq.deprecation import without_effect

JACKKNIFE = "intervals are by the jackknife over groups"
NO_BOOTSTRAPS = f"Has no effect: {JACKKNIFE}; leave it out. It is refused from cineseq {REMOVED_IN}."


class Folds(Section):
    """Groups of cells that are never split between training and test sets."""

    groups: list[str] = Field(
        default_factory=lambda: ["sample", "fov", "family"],
        min_length=1,
        description="Columns that group cells, coarsest first; families are never split.",
    )
    outer: int = Field(5, ge=3, description="Outer folds; fewer where there are fewer groups.")
    inner: int = Field(4, ge=2, description="Inner folds, grouped in the same way, that choose the penalty.")
    outer_min_samples: int = Field(
        6,
        ge=3,
        description="Fewest groups of the coarsest column for which whole groups are left out; with fewer, the next "
        "column is used. Fewer than six groups have no interval.",
    )
    min_cells: int = Field(30, ge=10, description="Fewest cells with a value; with fewer, the result is not estimable.")
    null_strata: list[str] = Field(
        default_factory=lambda: ["sample", "fov", "condition"],
        description="Columns whose joint values are the strata within which the null permutes cells, whole families "
        "together.",
    )
    position_null: bool = Field(
        default=True,
        description="Whether the nulls of prediction, of what is added to covariates, of genes, of unused groups, of "
        "function by cluster and component, and of one modality by the other keep how values vary smoothly with "
        "position in the field, where y_px and x_px are known. Without it, gradients within fields count as "
        "associations.",
    )
    check_groups: list[str] | None = Field(
        None,
        description="Columns of cells, such as plate, by which function and expression are tested to differ where "
        "neither folds.groups nor folds.null_strata names them; null: every declared column of categories; []: none.",
    )

    @model_validator(mode="after")
    def _no_name_twice(self) -> "Folds":
        for key in ("groups", "null_strata", "check_groups"):
            names = getattr(self, key) or []
            if len(set(names)) < len(names):
                msg = f"{key}: a column is named twice (got {names})"
                raise ValueError(msg)
        return self


class Prediction(Section):
    """Prediction of function from expression and morphology."""

    functions: list[str] = Field(
        default_factory=list,
        description="Function scores to predict, with or without the prefix function_; empty: all.",
    )
    response: Literal["measured", "rank", "binary", "hurdle"] = Field(
        "measured",
        description="What is predicted: the value of the function, its ranks (normal scores), whether it is "
        "above zero, "
        "or (hurdle) both whether it is above zero and the logarithm of positive values.",
    )
    class_column: str = Field(
        "condition",
        description="Column of the classes whose means are a baseline; clusters of the same counts are not allowed.",
    )
    size_features: list[str] = Field(
        default_factory=lambda: ["area", "size", "volume", "diameter"],
        description="Morphology columns with one of these in their name make the size-only baseline.",
    )
    technical_columns: list[str] = Field(
        default_factory=list,
        description="Further numeric columns of cells for the technical baseline, which has counts, genes and "
        "position.",
    )
    min_detected: float = Field(
        0.05, ge=0, le=1, description="Genes must be detected in at least this fraction of the training cells."
    )
    max_genes: int | None = Field(
        2000, ge=1, description="Keep the most variable genes of the training cells; null keeps all."
    )
    l1_ratios: list[float] = Field(
        default_factory=lambda: [0.1, 0.5, 0.9],
        min_length=1,
        description="Elastic-net mixing ratios that are compared.",
    )
    alphas: int = Field(25, ge=3, description="Penalties along each elastic-net path.")
    permutations: int = Field(
        99, ge=0, description="First permutations of the null of every model; 0 gives no p-values."
    )
    class_permutations: int = Field(
        39,
        ge=19,
        description="First permutations of the nulls of R² within class and of R² pooled over fields; the permutations "
        "above are those of R² within fields.",
    )
    most_permutations: int = Field(
        999,
        ge=0,
        description="Most permutations of a model. After the first, more are drawn in growing batches until ten reach "
        "the observed R², or so few that its q-value is at most .05 whatever the other functions are. 0 draws the "
        "first only.",
    )
    null_alphas: int = Field(
        6,
        ge=3,
        description="Penalties along the shorter path that is used for the permutations and their observed value.",
    )
    bootstraps: int | None = Field(None, description=NO_BOOTSTRAPS)
    half_samples: int = Field(100, ge=10, description="Half-samples of the groups for the stability of genes.")
    sensitivity: list[Literal["one_standard_error", "with_library_size", "cooperative", "equal_blocks"]] = Field(
        ["one_standard_error", "with_library_size", "cooperative", "equal_blocks"],
        description="Alternatives to the primary analysis whose R² is reported next to its own; cooperative learning "
        "takes the longest.",
    )
    nonlinear: Literal["kernel_ridge", "gradient_boosting"] | None = Field(
        None,
        description="A learner that also finds products of two genes or features, as one more model; the others add "
        "up effects. Null fits none; kernel_ridge takes seconds, gradient_boosting (trees) minutes.",
    )
    selected_frequency: float = Field(
        0.6,
        gt=0.5,
        le=1,
        description="A gene is selected if it is chosen in at least this fraction of the half-samples.",
    )
    false_genes: float = Field(
        1.0,
        gt=0,
        description="PFER bound: the expected number of falsely selected genes. It sets the genes per half-sample.",
    )
    module_correlation: float = Field(
        0.5, gt=0, lt=1, description="Mean absolute correlation above which genes are merged into a module."
    )

    @field_validator("bootstraps")
    @classmethod
    def _no_bootstraps(cls, value: int | None) -> int | None:
        if value is not None:
            without_effect("prediction.bootstraps", JACKKNIFE, REMOVED_IN)
        return value

    @model_validator(mode="after")
    def _ratios_in_range(self) -> "Prediction":
        if not all(0 < ratio <= 1 for ratio in self.l1_ratios):
            msg = f"l1_ratios: every ratio must be above 0 and at most 1 (got {self.l1_ratios})"
            raise ValueError(msg)
        return self


class Crossmodal(Section):
    """Variance of expression explained by morphology, and the reverse."""

    class_column: str = Field("condition", description="Column of the classes within which pairing is shuffled.")
    genes: int = Field(
        300, ge=1, description="Number of most variable genes that are explained; chosen without regard to morphology."
    )
    min_detected: float = Field(
        0.1, ge=0, le=1, description="Genes must be detected in at least this fraction of the cells."
    )
    components: int = Field(
        30,
        ge=1,
        description="Principal components of the predictors, and of an embedding that is explained, fitted in training "
        "cells.",
    )
    penalties: int = Field(
        7, ge=2, description="Ridge penalties among which grouped inner folds choose, for each target."
    )
    permutations: int = Field(199, ge=0, description="Shuffled pairings of the null; 0 gives no p-values.")
    bootstraps: int | None = Field(None, description=NO_BOOTSTRAPS)
    thinnings: int = Field(5, ge=1, description="Random splits of the counts into halves for the noise ceiling.")

    @field_validator("bootstraps")
    @classmethod
    def _no_bootstraps(cls, value: int | None) -> int | None:
        if value is not None:
            without_effect("crossmodal.bootstraps", JACKKNIFE, REMOVED_IN)
        return value
