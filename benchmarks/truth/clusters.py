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
from cineseq.expression.function_variance import variance_along_components, variance_between_clusters
from cineseq.expression.normalise import expression_from
from cineseq.prediction.cluster_labels import fit_of_labels
from cineseq.prediction.crossval.feature_blocks import gene_block
from cineseq.prediction.crossval.folds import cells_of
from cineseq.prediction.crossval.out_of_fold import out_of_fold
from cineseq.prediction.model_comparison import quick_procedure, training_mean
from cineseq.report.cluster_answer import clusters as answer_of_clusters
from cineseq.report.evidence import Evidence
from cineseq.statistics.jackknife import JackknifeT
from cineseq.statistics.metrics import r2_jackknife
from truth.claims import CALLED, Claim, called
from truth.cluster_design import Design, drawn
from truth.designs import labels_of_cells, samples_in_order

PERMUTATIONS = 199
MANY_PERMUTATIONS = 499


def by_cluster(design: Design, seed: int, permutations: int = PERMUTATIONS) -> pd.DataFrame:
    """Return the table of functions by cluster of a drawn study."""
    study = drawn(design, seed)
    return variance_between_clusters(study.function, study.clusters, study.exchange(permutations, seed))


def cluster_rejected(design: Design, seed: int) -> float:
    """Return whether the first function has p <= .05 between clusters."""
    return called(by_cluster(design, seed)["p_value"].iloc[0])


def component_rejected(design: Design, seed: int) -> float:
    """Return whether the first function has p <= .05 along the first component."""
    study = drawn(design, seed)
    table = variance_along_components(study.function, study.components, study.exchange(PERMUTATIONS, seed))
    return called(table["p_value"].iloc[0])


def printed_effect(design: Design, seed: int) -> float:
    """Return the share between clusters that stands in the answer."""
    numbers = answer_of_clusters(Evidence(function_by_cluster=by_cluster(design, seed, 19))).numbers
    return float(numbers.get("epsilon2", np.nan))


def says_no(design: Design, seed: int) -> float:
    """Return whether the answer is that function does not differ between clusters."""
    text = answer_of_clusters(Evidence(function_by_cluster=by_cluster(design, seed))).text
    return float(text.startswith("No"))


def shown_absent(design: Design, seed: int) -> float:
    """Return whether the first function is shown absent; NaN where nothing is estimable."""
    verdict = by_cluster(design, seed, 19)["verdict"].iloc[0]
    return float("nan") if verdict == "not_estimable" else float(verdict == "shown_absent")


def component_shown_absent(design: Design, seed: int) -> float:
    """Return the same of the first component, along which function has the share that it has between clusters."""
    study, rng = drawn(replace(design, share=0.0), seed), np.random.default_rng([7, seed])
    own = rng.normal(size=design.cells)
    function = np.sqrt(1 - design.share) * study.function.to_numpy() + np.sqrt(design.share) * own[:, None]
    components = pd.DataFrame({"pc_1": own + rng.normal(size=design.fields)[study.field]})
    table = variance_along_components(pd.DataFrame(function, columns=["f"]), components, study.exchange(19, seed))
    return float(table["verdict"].iloc[0] == "shown_absent")


def says_shown(design: Design, seed: int, permutations: int = PERMUTATIONS) -> float:
    """Return whether the answer is that function differs between clusters, however weakly."""
    verdict = answer_of_clusters(Evidence(function_by_cluster=by_cluster(design, seed, permutations))).verdict
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
    labels = labels_of_cells(field, samples_in_order(field, 4, 12))
    cells = cells_of(labels, values, Folds(outer=4), "condition").within_fields()
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


CELLS = "240 cells of 3 kinds, 12 fields"
BEYOND = "share of studies in which the interval of the difference is above 0"
ABSENT = "share of studies in which a share between clusters below .05 is shown"
TYPICAL = "390 cells, 12 fields of 4 samples, 6 clusters"
ONE_SAMPLE = "390 cells, 12 fields of 1 sample, 6 clusters"
PRINTED = "mean share that is printed"
NO = "share of studies whose answer is no"
SHOWN = "share of studies whose answer is that function differs"


def _claim(
    name: str, where: str, measures: str, study: Callable[[int], float], studies: int = 1000, **bounds: float
) -> Claim:
    """Return a claim of this module; without bounds it is a harder one."""
    return Claim(f"clusters.{name}", where, measures, study, studies, **bounds, harder=not bounds)


def _sizes(
    what: str, study: Callable[[Design, int], float], designs: dict[str, tuple[str, Design]]
) -> tuple[Claim, ...]:
    return tuple(
        _claim(f"size_{what}.{name}", f"{where}, no association", CALLED, partial(study, design), 2000, at_most=0.065)
        for name, (where, design) in designs.items()
    )


def _no(name: str, where: str, design: Design, studies: int = 1000, **bounds: float) -> Claim:
    return _claim(f"no.{name}", where, NO, partial(says_no, design), studies, **bounds)


def _delta(name: str, where: str, design: Programme, studies: int = 200, **bounds: float) -> Claim:
    return _claim(f"delta.{name}", f"{CELLS}, {where}", BEYOND, partial(beyond_clusters, design), studies, **bounds)


UNEVEN = 1.5
SMALL = ((30, 6), (60, 6), (60, 12), (100, 12), (200, 12), (200, 24))
"""Cells and fields of small studies."""
NULLS = {
    "field_0": (f"{TYPICAL}, no field effects", Design(field_sd=0, evenness=UNEVEN)),
    "field_05": (f"{TYPICAL}, field effects of .5 sd", Design(field_sd=0.5, evenness=UNEVEN)),
    "field_1": (f"{TYPICAL}, field effects of 1 sd", Design(evenness=UNEVEN)),
    "one_sample": (f"{ONE_SAMPLE}, field effects of 1 sd", Design(samples=1, evenness=UNEVEN)),
    "families": (f"{TYPICAL}, field effects of 1 sd, families of four alike", Design(family=4, evenness=UNEVEN)),
}
GRADIENT = (f"{TYPICAL}, function and clusters follow the position within a field", Design(gradient=True))
CLAIMS: tuple[Claim, ...] = (
    *_sizes("cluster", cluster_rejected, NULLS),
    _claim("size_cluster.gradient", GRADIENT[0], CALLED, partial(cluster_rejected, GRADIENT[1]), 500),
    *_sizes("component", component_rejected, {k: NULLS[k] for k in ("field_0", "field_05", "field_1", "one_sample")}),
    _claim("size_component.gradient", GRADIENT[0], CALLED, partial(component_rejected, GRADIENT[1]), 500),
    *(
        _claim(
            f"effect.share_{100 * share:02.0f}",
            f"{TYPICAL}, field effects of 1 sd, {share:g} of the variance within fields lies between clusters",
            PRINTED,
            partial(printed_effect, Design(share=share)),
            at_least=share - 0.01,
            at_most=share + 0.01,
        )
        for share in (0.0, 0.1)
    ),
    _claim(
        "effect.tails",
        f"{TYPICAL}, share .10, noise of Student's t with 3 degrees of freedom",
        PRINTED,
        partial(printed_effect, Design(share=0.1, tails=3)),
    ),
    _no("at_zero", f"{TYPICAL}, no association", Design(), at_least=0.80),
    _no("at_zero_one_sample", f"{ONE_SAMPLE}, no association", Design(samples=1), at_least=0.80),
    _no("at_the_margin", f"{TYPICAL}, share .05, which is the margin", Design(share=0.05), at_most=0.10),
    _no("beyond_the_margin", f"{TYPICAL}, share .08", Design(share=0.08), at_most=0.05),
    _no(
        "at_the_margin_families",
        f"{TYPICAL}, share .05, families of four alike",
        Design(share=0.05, family=4),
        at_most=0.10,
    ),
    _no(
        "at_the_margin_six_fields",
        "390 cells, 6 fields of 1 sample, share .05: the fewest fields with an interval",
        Design(share=0.05, fields=6, samples=1),
        at_most=0.10,
    ),
    _no(
        "five_fields",
        "390 cells, 5 fields of 1 sample, share .05: too few fields for an interval",
        Design(share=0.05, fields=5, samples=1),
        500,
        at_most=0.0,
    ),
    *(
        Claim(
            f"clusters.absent.at_the_margin_{cells}_cells_{fields}_fields",
            f"{cells} cells, {fields} fields of 1 sample, 6 clusters, share .05",
            ABSENT,
            partial(shown_absent, Design(share=0.05, cells=cells, fields=fields, samples=1)),
            1000,
            at_most=0.10,
        )
        for cells, fields in SMALL
    ),
    Claim(
        "clusters.absent.at_the_margin_component",
        "60 cells, 6 fields of 1 sample, a component has a share of .05",
        "share of studies in which a share along a component below .05 is shown",
        partial(component_shown_absent, Design(share=0.05, cells=60, fields=6, samples=1)),
        1000,
        at_most=0.10,
    ),
    Claim(
        "clusters.absent.at_the_margin_small_families",
        "100 cells, 6 fields of 1 sample, 6 clusters, share .05, families of four alike",
        ABSENT,
        partial(shown_absent, Design(share=0.05, cells=100, fields=6, samples=1, family=4)),
        1000,
        harder=True,
    ),
    _no(
        "interaction",
        f"{TYPICAL}, share .05, every field with cluster effects of its own",
        Design(share=0.05, interaction=True),
        500,
    ),
    _no(
        "at_zero_small",
        "150 cells, 6 fields of 1 sample, no association: too few to show absence",
        Design(cells=150, fields=6, samples=1),
        500,
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
    _claim(
        "delta.of_programme",
        f"{CELLS}, .40 of function along a programme that is in no cluster",
        "mean R² of expression minus R² of in-fold clusters",
        partial(delta_r2, Programme(programme=0.4)),
        200,
        at_least=0.1,
        at_most=0.4,
    ),
    _delta(
        "programme_is_beyond",
        ".40 of function along a programme that is in no cluster",
        Programme(programme=0.4),
        at_least=0.8,
    ),
    _delta("kinds_are_not_beyond", ".30 of function between the kinds of cell", Programme(kinds=0.3), at_most=0.065),
    _delta("null_is_not_beyond", "function unrelated to expression", Programme(), at_most=0.065),
    _delta(
        "product",
        ".30 of function along the product of two programmes, which a linear model does not see",
        Programme(programme=0.3, product=True),
        100,
    ),
)
