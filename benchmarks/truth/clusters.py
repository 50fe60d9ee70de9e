"""Function by cluster and by component: size of the tests, the effect that is printed, and what the answer says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.config.expression import Clusters
from cineseq.config.prediction import Folds, Prediction
from cineseq.expression.function_variance import Exchange, variance_along_components, variance_between_clusters
from cineseq.expression.normalise import expression_from
from cineseq.prediction.cluster_labels import fit_of_labels
from cineseq.prediction.crossval.feature_blocks import gene_block
from cineseq.prediction.crossval.folds import cells_of, joint_labels
from cineseq.prediction.crossval.out_of_fold import out_of_fold
from cineseq.prediction.model_comparison import quick_procedure, training_mean
from cineseq.report.cluster_answer import clusters as answer_of_clusters
from cineseq.report.evidence import Evidence
from cineseq.statistics.jackknife import JackknifeT
from cineseq.statistics.metrics import r2_jackknife
from truth.claims import Claim

PERMUTATIONS = 199
MANY_PERMUTATIONS = 499
KINDS = 6
"""Number of clusters of the simulated cells."""


@dataclass(frozen=True)
class Design:
    """A study in which function has a planted share between clusters within fields.

    Attributes
    ----------
    share
        Fraction of the variance of function within fields that lies between clusters.
    field_sd
        Standard deviation of the fields' effects on function, in standard deviations within fields. The clusters'
        frequencies differ between fields, too.
    cells, fields, samples
        Numbers of each.
    functions
        Number of functions with this share, otherwise independent.
    family
        Cells of a family are in one field, share half of the variance of function, and most are of one cluster.
    gradient
        Whether clusters and function both follow the position of a cell within its field.
    interaction
        Whether every field has cluster effects of its own.
    evenness
        How alike the frequencies of the clusters are in the fields: each parameter of their Dirichlet distribution.
    tails
        Degrees of freedom of Student's t of the noise; 0 for a normal distribution.
    """

    share: float = 0.0
    field_sd: float = 1.0
    cells: int = 390
    fields: int = 12
    samples: int = 4
    functions: int = 1
    family: int = 1
    gradient: bool = False
    interaction: bool = False
    evenness: float = 5.0
    tails: float = 0.0


@dataclass(frozen=True)
class _Cells:
    """Cluster, field, family and position of the cells, and the frequencies of the clusters in each field."""

    cluster: np.ndarray
    frequency: np.ndarray
    field: np.ndarray
    families: np.ndarray
    position: np.ndarray


@dataclass(frozen=True)
class Study:
    """Cells of a simulated study: functions, clusters, principal components, labels and families."""

    function: pd.DataFrame
    clusters: pd.Series
    components: pd.DataFrame
    obs: pd.DataFrame
    families: np.ndarray

    def exchange(self, permutations: int, seed: int) -> Exchange:
        """Return the null as the pipeline sets it: permutations within the strata of prediction, families whole."""
        strata = joint_labels(self.obs, Folds().null_strata)
        return Exchange(strata, self.families, permutations, seed)


def labels_of_fields(field: np.ndarray, samples: int, fields: int) -> pd.DataFrame:
    """Return sample, field of view and condition of cells, from the number of their field."""
    sample = [f"sample {k * samples // fields}" for k in field]
    return pd.DataFrame({"sample": sample, "fov": [f"{k}" for k in field], "condition": "one"})


def drawn(design: Design, seed: int) -> Study:
    """Draw the cells of a study."""
    rng = np.random.default_rng(seed)
    families = np.arange(design.cells) // design.family
    field = rng.integers(0, design.fields, families.max() + 1)[families]
    position = rng.uniform(-1, 1, design.cells)
    # Clusters: their frequencies differ between fields; three in four cells have the cluster of their family.
    frequency = rng.dirichlet(np.full(KINDS, design.evenness), design.fields)
    level = rng.random(design.cells)
    own = rng.random(design.cells) < (0.25 if design.family > 1 else 1.0)
    level = np.where(own, level, rng.random(families.max() + 1)[families])
    if design.gradient:
        level = (np.argsort(np.argsort(position + rng.normal(size=design.cells))) + 0.5) / design.cells
    cluster = (level[:, None] > frequency[field].cumsum(axis=1)).sum(axis=1).clip(0, KINDS - 1)
    cells = _Cells(cluster, frequency, field, families, position)
    columns = {f"function_{number}": _function(design, rng, cells) for number in range(design.functions)}
    # Components differ between fields by one standard deviation.
    shift = rng.normal(size=(design.fields, 3))[field] + design.gradient * position[:, None]
    components = shift + rng.normal(size=(design.cells, 3))
    return Study(
        pd.DataFrame(columns),
        pd.Series(cluster.astype(str), dtype="string"),
        pd.DataFrame(components, columns=["pc_1", "pc_2", "pc_3"]),
        labels_of_fields(field, design.samples, design.fields),
        families,
    )


def _function(design: Design, rng: np.random.Generator, cells: _Cells) -> np.ndarray:
    """Return a function whose variance within fields is 1, shape (cells,)."""
    frequency, families = cells.frequency, cells.families
    # Cluster means, scaled so that their mean variance within fields is 1, shape (fields, clusters).
    means = rng.permutation(np.linspace(-1, 1, KINDS))[None, :].repeat(design.fields, axis=0)
    if design.interaction:
        means = rng.normal(size=means.shape)
    means -= (frequency * means).sum(axis=1, keepdims=True)
    means /= np.sqrt((frequency * means**2).sum(axis=1).mean())
    noise = rng.normal(size=design.cells)
    if design.tails:
        noise = rng.standard_t(design.tails, design.cells) / np.sqrt(design.tails / (design.tails - 2))
    if design.family > 1:
        noise = np.sqrt(0.5) * (noise + rng.normal(size=families.max() + 1)[families])
    if design.gradient:
        noise = np.sqrt(0.5) * noise + np.sqrt(1.5) * cells.position
    return (
        np.sqrt(design.share) * means[cells.field, cells.cluster]
        + np.sqrt(1 - design.share) * noise
        + design.field_sd * rng.normal(size=design.fields)[cells.field]
    )


def by_cluster(design: Design, seed: int, permutations: int = PERMUTATIONS) -> pd.DataFrame:
    """Return the table of functions by cluster of a drawn study."""
    study = drawn(design, seed)
    return variance_between_clusters(study.function, study.clusters, study.exchange(permutations, seed))


def cluster_rejected(design: Design, seed: int) -> float:
    """Return whether the first function has p <= .05 between clusters."""
    return _at_most(by_cluster(design, seed)["p_value"].iloc[0])


def component_rejected(design: Design, seed: int) -> float:
    """Return whether the first function has p <= .05 along the first component."""
    study = drawn(design, seed)
    table = variance_along_components(study.function, study.components, study.exchange(PERMUTATIONS, seed))
    return _at_most(table["p_value"].iloc[0])


def printed_effect(design: Design, seed: int) -> float:
    """Return the share between clusters that stands in the answer."""
    _, _, numbers = answer_of_clusters(Evidence(function_by_cluster=by_cluster(design, seed, 19)))
    return float(numbers.get("epsilon2", np.nan))


def says_no(design: Design, seed: int) -> float:
    """Return whether the answer is that function does not differ between clusters."""
    text, _, _ = answer_of_clusters(Evidence(function_by_cluster=by_cluster(design, seed)))
    return float(text.startswith("No"))


def says_shown(design: Design, seed: int, permutations: int = PERMUTATIONS) -> float:
    """Return whether the answer is that function differs between clusters, however weakly."""
    _, verdict, _ = answer_of_clusters(Evidence(function_by_cluster=by_cluster(design, seed, permutations)))
    return float(verdict == "shown")


@dataclass(frozen=True)
class Programme:
    """A study of three kinds of cell that differ in 20 genes each, and a programme of 15 genes that all of them have.

    Attributes
    ----------
    kinds, programme
        Fractions of the variance of function within fields that lie between kinds and along the programme.
    spread
        Log-scale effect of the programme on its genes.
    product
        Whether function follows the product of two programmes instead, which no linear model sees.
    """

    kinds: float = 0.0
    programme: float = 0.0
    spread: float = 0.5
    product: bool = False


def over_clusters(design: Programme, seed: int) -> JackknifeT:
    """Draw 240 cells in 12 fields, and return R² of expression minus that of in-fold clusters, within fields."""
    rng = np.random.default_rng(seed)
    field, kind, genes = np.arange(240) % 12, rng.integers(0, 3, 240), 120
    state, other = rng.normal(size=(2, 240))
    log_mean = np.tile(rng.normal(0.7, 0.6, genes), (240, 1))
    for number in range(3):
        log_mean[np.ix_(kind == number, range(20 * number, 20 * number + 20))] += 1.2
    log_mean[:, 60:75] += design.spread * state[:, None]
    log_mean[:, 75:90] += design.spread * other[:, None]
    counts = sparse.csr_matrix(rng.poisson(np.exp(log_mean)).astype(float))
    expression = expression_from(counts, pd.Index([f"g{k}" for k in range(genes)]), "counts")
    level = (kind - 1) / np.std([-1, 0, 1])
    function = np.sqrt(design.kinds) * level + np.sqrt(design.programme) * (state * other if design.product else state)
    noise = np.sqrt(1 - design.kinds - design.programme) * rng.normal(size=240)
    values = (function + noise + rng.normal(size=12)[field])[:, None]
    cells = cells_of(labels_of_fields(field, 4, 12), values, Folds(outer=4), "condition").within_fields()
    by_labels = fit_of_labels(expression, cells, Clusters(), 3, seed).predicted
    procedure = quick_procedure(Prediction(), Folds())
    block = gene_block(expression)
    if by_labels is None or block is None:
        raise RuntimeError
    own = replace(block, centre=cells.centre)
    predicted = out_of_fold({"expression": (own,)}, cells.values, cells.plan, procedure, 1)["expression"]
    # As the table of contrasts, but for the quick procedure.
    baseline = training_mean(cells.values, cells.plan)
    of_labels, of_genes, total = (np.square(cells.values - p).sum(axis=1) for p in (by_labels, predicted, baseline))
    return r2_jackknife(of_labels - of_genes, total, cells.plan.units)


def delta_r2(design: Programme, seed: int) -> float:
    """Return the difference of R²."""
    return float(over_clusters(design, seed).estimate)


def beyond_clusters(design: Programme, seed: int) -> float:
    """Return whether the interval of the difference is above zero."""
    return float(over_clusters(design, seed).interval()[0] > 0)


def _at_most(p: float) -> float:
    return float("nan") if np.isnan(p) else float(p <= 0.05)


CELLS = "240 cells of 3 kinds, 12 fields"
BEYOND = "share of studies in which the interval of the difference is above 0"
TYPICAL = "390 cells, 12 fields of 4 samples, 6 clusters"
ONE_SAMPLE = "390 cells, 12 fields of 1 sample, 6 clusters"
REJECTED = "share of studies with p <= .05"
NO = "share of studies whose answer is no"
SHOWN = "share of studies whose answer is that function differs"


def _sizes(
    what: str, study: Callable[[Design, int], float], designs: dict[str, tuple[str, Design]]
) -> tuple[Claim, ...]:
    return tuple(
        Claim(
            f"clusters.size_{what}.{name}",
            f"{where}, no association",
            REJECTED,
            partial(study, design),
            2000,
            at_most=0.065,
        )
        for name, (where, design) in designs.items()
    )


UNEVEN = 1.5
NULLS = {
    "field_0": (f"{TYPICAL}, no field effects", Design(field_sd=0, evenness=UNEVEN)),
    "field_05": (f"{TYPICAL}, field effects of .5 sd", Design(field_sd=0.5, evenness=UNEVEN)),
    "field_1": (f"{TYPICAL}, field effects of 1 sd", Design(evenness=UNEVEN)),
    "one_sample": (f"{ONE_SAMPLE}, field effects of 1 sd", Design(samples=1, evenness=UNEVEN)),
    "families": (
        f"{TYPICAL}, field effects of 1 sd, families of four alike",
        Design(family=4, evenness=UNEVEN),
    ),
}
GRADIENT = (
    f"{TYPICAL}, function and clusters follow the position within a field",
    Design(gradient=True),
)
CLAIMS: tuple[Claim, ...] = (
    *_sizes("cluster", cluster_rejected, NULLS),
    Claim(
        "clusters.size_cluster.gradient",
        GRADIENT[0],
        REJECTED,
        partial(cluster_rejected, GRADIENT[1]),
        500,
        harder=True,
    ),
    *_sizes("component", component_rejected, {k: NULLS[k] for k in ("field_0", "field_05", "field_1", "one_sample")}),
    Claim(
        "clusters.size_component.gradient",
        GRADIENT[0],
        REJECTED,
        partial(component_rejected, GRADIENT[1]),
        500,
        harder=True,
    ),
    *(
        Claim(
            f"clusters.effect.share_{100 * share:02.0f}",
            f"{TYPICAL}, field effects of 1 sd, {share:g} of the variance within fields lies between clusters",
            "mean share that is printed",
            partial(printed_effect, Design(share=share)),
            1000,
            at_least=share - 0.01,
            at_most=share + 0.01,
        )
        for share in (0.0, 0.1)
    ),
    Claim(
        "clusters.effect.tails",
        f"{TYPICAL}, share .10, noise of Student's t with 3 degrees of freedom",
        "mean share that is printed",
        partial(printed_effect, Design(share=0.1, tails=3)),
        1000,
        harder=True,
    ),
    Claim("clusters.no.at_zero", f"{TYPICAL}, no association", NO, partial(says_no, Design()), 1000, at_least=0.80),
    Claim(
        "clusters.no.at_zero_one_sample",
        f"{ONE_SAMPLE}, no association",
        NO,
        partial(says_no, Design(samples=1)),
        1000,
        at_least=0.80,
    ),
    Claim(
        "clusters.no.at_the_margin",
        f"{TYPICAL}, share .05, which is the margin",
        NO,
        partial(says_no, Design(share=0.05)),
        1000,
        at_most=0.10,
    ),
    Claim(
        "clusters.no.beyond_the_margin",
        f"{TYPICAL}, share .08",
        NO,
        partial(says_no, Design(share=0.08)),
        1000,
        at_most=0.05,
    ),
    Claim(
        "clusters.no.at_the_margin_families",
        f"{TYPICAL}, share .05, families of four alike",
        NO,
        partial(says_no, Design(share=0.05, family=4)),
        1000,
        at_most=0.10,
    ),
    Claim(
        "clusters.no.at_the_margin_six_fields",
        "390 cells, 6 fields of 1 sample, share .05: the fewest fields with an interval",
        NO,
        partial(says_no, Design(share=0.05, fields=6, samples=1)),
        1000,
        at_most=0.10,
    ),
    Claim(
        "clusters.no.five_fields",
        "390 cells, 5 fields of 1 sample, share .05: too few fields for an interval",
        NO,
        partial(says_no, Design(share=0.05, fields=5, samples=1)),
        500,
        at_most=0.0,
    ),
    Claim(
        "clusters.no.interaction",
        f"{TYPICAL}, share .05, every field with cluster effects of its own",
        NO,
        partial(says_no, Design(share=0.05, interaction=True)),
        500,
        harder=True,
    ),
    Claim(
        "clusters.no.at_zero_small",
        "150 cells, 6 fields of 1 sample, no association: too few to show absence",
        NO,
        partial(says_no, Design(cells=150, fields=6, samples=1)),
        500,
        harder=True,
    ),
    Claim(
        "clusters.shown.of_20_null",
        f"{TYPICAL}, 20 functions without association",
        SHOWN,
        partial(says_shown, Design(functions=20), permutations=MANY_PERMUTATIONS),
        200,
        at_most=0.08,
    ),
    Claim(
        "clusters.shown.of_20_null_gradient",
        f"{GRADIENT[0]}, 20 functions without further association",
        SHOWN,
        partial(says_shown, Design(functions=20, gradient=True), permutations=MANY_PERMUTATIONS),
        50,
        harder=True,
    ),
    Claim(
        "clusters.shown.share_10",
        f"{TYPICAL}, share .10",
        SHOWN,
        partial(says_shown, Design(share=0.1)),
        1000,
        at_least=0.8,
    ),
    Claim(
        "clusters.delta.of_programme",
        f"{CELLS}, .40 of function along a programme that is in no cluster",
        "mean R² of expression minus R² of in-fold clusters",
        partial(delta_r2, Programme(programme=0.4)),
        200,
        at_least=0.1,
        at_most=0.4,
    ),
    Claim(
        "clusters.delta.programme_is_beyond",
        f"{CELLS}, .40 of function along a programme that is in no cluster",
        BEYOND,
        partial(beyond_clusters, Programme(programme=0.4)),
        200,
        at_least=0.8,
    ),
    Claim(
        "clusters.delta.kinds_are_not_beyond",
        f"{CELLS}, .30 of function between the kinds of cell",
        BEYOND,
        partial(beyond_clusters, Programme(kinds=0.3)),
        200,
        at_most=0.065,
    ),
    Claim(
        "clusters.delta.null_is_not_beyond",
        f"{CELLS}, function unrelated to expression",
        BEYOND,
        partial(beyond_clusters, Programme()),
        200,
        at_most=0.065,
    ),
    Claim(
        "clusters.delta.product",
        f"{CELLS}, .30 of function along the product of two programmes, which a linear model does not see",
        BEYOND,
        partial(beyond_clusters, Programme(programme=0.3, product=True)),
        100,
        harder=True,
    ),
)
