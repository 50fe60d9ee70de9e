"""Settings of the comparison of relatives."""

from pydantic import Field

from cineseq.config.base import Section
from cineseq.config.tracking import JUDGED_FRAMES


class Lineage(Section):
    """Comparison of sisters, cousins and neighbours."""

    birth_time_bins: int = Field(
        5,
        ge=1,
        le=50,
        description="Quantile bins of birth time, the same in all fields of view; each bin of a field is a stratum.",
    )
    min_coobserved_frames: int = Field(
        3, ge=0, description="Daughters are compared if the movie lasts at least this many frames after their birth."
    )
    min_coobserved_hours: float | None = Field(
        None,
        ge=0,
        description="The same in hours; used instead of min_coobserved_frames if the movies have a frame interval.",
    )
    permutations: int = Field(
        9999,
        ge=99,
        description="Permutations of fates, and of the expression of sisters and survivors; at most 499 of "
        "the fates of more than 100,000 pairs of relatives.",
    )
    states: list[str] | None = Field(
        None,
        description="States to test: clusters as `cluster=0`, `s_score`, gene sets, `state_*` columns, or any "
        "`function_*`, `morphology_*`, `embedding_*` or `features_*` column (its upper half within the sample); null "
        "tests all but the columns measured on images. Choose them before looking at the lineage.",
    )
    gene_sets: dict[str, list[str]] = Field(
        default_factory=dict,
        description="Genes of each set by its name; the upper half of the score of a set within the sample is a state.",
    )
    min_families: int = Field(
        5, ge=2, description="Contrasts with fewer informative families in either group are not tested."
    )
    death_precision: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Fraction of the called deaths that are deaths, measured on movies like yours (for the demo: "
        "truth/truth.tsv); bounds the odds ratio.",
    )
    death_recall: float | None = Field(
        None, gt=0, le=1, description="Fraction of the deaths that are called, measured in the same way."
    )
    before_fate_frames: int = Field(
        JUDGED_FRAMES,
        ge=0,
        description="Frames before a death or division that are left out when sisters are compared before it: all that "
        "tracking looks at to call a death. With fewer, what is compared is partly what the call is based on.",
    )
    trees: int = Field(40, ge=1, le=200, description="Families drawn on the page of trees.")
