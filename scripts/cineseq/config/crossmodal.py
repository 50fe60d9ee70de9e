"""How much of one modality is asked for in the other."""

from pydantic import Field

from cineseq.config.base import Section


class Crossmodal(Section):
    """Explained variance of expression by morphology and the reverse."""

    class_column: str = Field("condition", description="Column of the classes within which pairing is shuffled.")
    genes: int = Field(300, ge=1, description="Most variable genes that are explained; chosen blind to morphology.")
    min_detected: float = Field(0.1, ge=0, le=1, description="Smallest share of cells that express such a gene.")
    components: int = Field(30, ge=1, description="Principal components of the predictors, fitted in training cells.")
    penalties: int = Field(7, ge=2, description="Ridge penalties that grouped inner folds choose from, per target.")
    permutations: int = Field(199, ge=0, description="Shuffled pairings of the null; 0 leaves p-values out.")
    bootstraps: int = Field(1000, ge=100, description="Resamplings of the groups for the interval of the total.")
    thinnings: int = Field(5, ge=1, description="Random halvings of the counts for the noise ceiling.")
