"""The methods paragraph, from the steps that ran, their settings and the versions of their software."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from cineseq.report.run_facts import Run
from cineseq.text import listed

Condition = Callable[[Run], bool]
Piece: TypeAlias = "str | tuple[Condition, Piece]"
"""Text with slots, or a piece with the condition under which the method was used."""


def _set(name: str) -> Condition:
    """Return the condition that a setting is true, or a name or number other than 0."""
    return lambda run: bool(run.setting(name))


def _unset(name: str) -> Condition:
    """Return the condition that a setting is 0 or false."""
    return lambda run: bool(run.setting(name) == 0)


def _more(section: str) -> Condition:
    """Return the condition that further permutations than the first may be drawn."""
    return lambda run: (
        (run.setting(f"{section}.most_permutations") or 0) > (run.setting(f"{section}.permutations") or 0)
    )


def _made(table: str, column: str = "", **rows: str) -> Condition:
    return lambda run: run.has(table, column, **rows)


def _both(*conditions: Condition) -> Condition:
    return lambda run: all(condition(run) for condition in conditions)


def _any(*conditions: Condition) -> Condition:
    return lambda run: any(condition(run) for condition in conditions)


def _further(section: str) -> Piece:
    """Return the piece about further permutations than the first, where they may be drawn."""
    return _more(section), f", and with up to {{c:{section}.most_permutations}} where these left the verdict open"


STATED = {
    "search_range_px": "links were limited to {c:track.search_range_px} px",
    "step_noise_px": "the scale of steps was stated, {c:track.step_noise_px} px",
    "division_rate": "divisions per cell and frame were stated, {c:track.division_rate}",
    "end_rate": "ends inside the field per cell and frame were stated, {c:track.end_rate}",
    "appearance_rate": "appearances inside the field per cell and frame were stated, {c:track.appearance_rate}",
    "missed_rate": "missed detections per cell and frame were stated, {c:track.missed_rate}",
}
"""Settings of tracking that replace what would be learnt from the movie, in words."""

SENTENCES: dict[str, tuple[Piece, ...]] = {
    "prepare_movie": (
        "Movies were read frame by frame with tifffile {v:tifffile}",
        "; flat field: {c:inputs.flat_field}; drift: {c:inputs.drift}",
    ),
    "import_masks": ("Masks were supplied by the user, not made by this pipeline",),
    "segment": (
        "Cells were segmented in every frame with cellpose {v:cellpose} (Stringer et al., Nat. Methods 2021)",
        " using {m:segment}",
    ),
    "track": (
        "Cells were tracked by one decision over links, gaps, divisions, beginnings and ends (as in Jaqaman et al., "
        "2008, and Magnusson et al., 2015)",
        (_set("track.max_gap"), ", with gaps of up to {c:track.max_gap} frames"),
        "; log likelihood ratios of position, size, shape and overlap, and the rates of events, were learnt from each "
        "movie by expectation maximisation (Dempster et al., 1977), with the probabilities of events by loopy belief "
        "propagation (Kschischang et al., 2001)",
        *((_set(f"track.{key}"), f"; {words}") for key, words in STATED.items()),
        "; the events with the most right links in expectation were chosen by integer programming (HiGHS; Huangfu and "
        "Hall, 2018) in SciPy {v:scipy}",
        ", divisions from a probability of {c:track.division_probability} on",
        "; probabilities of divisions were lowered by the share of apparent divisions of the reversed movie, which has "
        "none (target and decoy; Elias and Gygi, 2007)",
        (
            _set("track.merges"),
            "; cells that shared a mask for a while were followed through it, where areas showed it",
        ),
        "; an end was called a death only at a probability of at least {c:track.death_confidence} by a model "
        "of shape, brightness and what stays in place, calibrated on simulated movies with pasted real nuclei, not on "
        "annotated deaths; other ends, such as cells lost in mitosis, have an unknown fate",
    ),
    "track_points": (
        "Positions of cells were supplied by the user, without masks, and linked over time by the same decision as "
        "objects, from positions, and from areas where they were given",
        ", across gaps of up to {c:track.max_gap} frames",
        "; ends are not explained, so that their fate is unknown",
    ),
    "import_tracks": ("Tracks were supplied by the user; their lineage was checked for impossible events",),
    "import_point_tracks": (
        "Point tracks were supplied by the user, without masks; their lineage was checked for impossible events",
    ),
    "morphology": ("Shape, intensity and texture of each mask were measured with scikit-image {v:scikit-image}",),
    "embed": ("Crops of single cells were embedded with {m:embed} through timm {v:timm}",),
    "score_function": (
        "Function channels were measured ({c:function.measure}; region: {c:function.region}) above background (method: "
        "{c:function.background}) and summarised per track",
        " (scaling between samples: {c:cells.scaling})",
    ),
    "collect_cells": ("Each track entered the table of cells with the features of these frames: {c:features.frames}",),
    "match_barcodes": (
        "Cells, compartments and barcodes were matched; a pair is one live cell and one accepted barcode that are "
        "alone in a compartment",
        "; barcodes known by position were aligned as a mixture with uniform stray ones (as in coherent point drift, "
        "Myronenko and Song, 2010), over shifts up to {c:pairing.max_shift} distances between compartments",
    ),
    "cluster": (
        "Counts were normalised and reduced to principal components with scanpy {v:scanpy} (Wolf et al., 2018)",
        ", normalisation {c:clusters.normalisation}",
        ", from up to {c:clusters.variable_genes} variable genes and {c:clusters.components} components",
        "; clusters were found by the Leiden method (Traag et al., 2019) at resolution {c:clusters.resolution}",
        (
            _both(_set("clusters.permutations"), _made("function_by_cluster", "p_value")),
            ". The fraction of the variance of function between clusters within the strata {c:folds.null_strata} "
            "(epsilon squared; Kelley, 1935) was compared with {c:clusters.permutations} permutations of function "
            "within these strata, families whole",
        ),
        (_made("function_by_cluster", "p_value"), _further("clusters")),
        (
            _made("function_by_cluster", "epsilon2_low"),
            "; intervals are of a jackknife over strata with Student's t (Miller, 1974)",
        ),
    ),
    "differential_expression": (
        "Groups were compared with tie-corrected Wilcoxon rank-sum tests, at a false discovery rate of {c:de.fdr} "
        "(Benjamini and Hochberg, 1995)",
        "; treatment of clustering and testing the same counts: {c:de.double_dipping}",
        "; conditions with three or more replicates were tested on counts summed by replicate, and groups present in "
        "three or more replicates were tested within replicates (each with at least {c:de.min_profile_cells} cells), "
        "with PyDESeq2 {v:pydeseq2} (Love et al., 2014); with fewer replicates, cells were tested as if independent, "
        "and for conditions and function no gene is then called a marker",
    ),
    "predict": (
        "Function was predicted by elastic nets (scikit-learn {v:scikit-learn}), which add up the effects of genes "
        "and features and so miss a product of two of them (the variance explained is a lower bound), in nested "
        "cross-validation whose "
        "outer and inner folds never split groups",
        " ({c:folds.groups})",
        "; scaling and the selection of genes were done within the folds",
        (_set("prediction.nonlinear"), "; the model nonlinear, which finds such products, is {c:prediction.nonlinear}"),
        ". Within fields, function and predictors were centred in each field of a sample, those held out on their own "
        "mean; the share of a linear model is by restricted maximum likelihood with random coefficients (Patterson and "
        "Thompson, 1971; Dicker, 2014)",
        (_unset("prediction.permutations"), ". There are no p-values, because prediction.permutations is 0"),
        (
            _set("prediction.permutations"),
            ". P-values compare a faster procedure (one mixing ratio, {c:prediction.null_alphas} penalties, at most "
            "three inner folds) with the same procedure on {c:prediction.permutations} permutations of function within "
            "the strata {c:folds.null_strata}, families whole",
        ),
        (_set("prediction.permutations"), _further("prediction")),
        (
            _made("performance", "r2_low"),
            ". Intervals are by the jackknife over held-out groups with Student's t (Miller, 1974), for which linear "
            "models are trained again without each group (of more than 40 groups, without blocks of them), at the "
            "penalty already chosen; they are of the mean R² of the procedure over studies of this design and not of "
            "one trained model",
        ),
        (
            _made("beyond_covariates", "delta_r2"),
            ". What expression and shape add to size, cell-cycle and technical covariates is the difference of "
            "held-out R² within fields between a penalised model of the covariates as natural splines (Harrell, 2015) "
            "and the same model with a ridge regression of what it leaves of function on what it leaves of the added "
            "columns",
        ),
        (
            _made("beyond_covariates", "p_value"),
            "; its p-value is of the fraction that the added columns explain of what unpenalised curves of the "
            "covariates leave of function, against permutations of these residuals within strata, families whole and "
            "made uncorrelated, which keep how the added columns go with the covariates (Freedman and Lane, 1983; "
            "Winkler et al., 2014)",
        ),
        (
            _made("covariates", "reliability"),
            "; the reliability of a covariate is from its change between adjacent frames, and what is measured with "
            "error is taken out only in part",
        ),
        (
            _made("genes", "frequency"),
            ". The stability of a gene is the fraction of {c:prediction.half_samples} half-samples of groups in which "
            "it is selected (Meinshausen and Bühlmann, 2010)",
        ),
        (
            _made("genes", "p_value"),
            ". P-values of single genes are of partial rank correlations, with variances that allow for alike cells of "
            "a family (CR2; Bell and McCaffrey, 2002) and a t-test over families (Ibragimov and Müller, 2010)",
        ),
        (
            _made("genes", "p_given_covariates"),
            "; those given the covariates are of products of residuals on splines of these (generalised covariance "
            "measure; Shah and Peters, 2020)",
        ),
        (
            _made("unused_groups"),
            ". Whether function and the main components of expression differ by declared groups that are in neither "
            "the folds nor the strata was tested by their epsilon squared between the levels of a group, within "
            "strata; R² was estimated again with both sides centred within these levels",
        ),
    ),
    "explain_modalities": (
        "Each gene was predicted from morphology and from the embedding, and each of their features from expression, "
        "by ridge regression in held-out groups, both sides centred in each field of a sample; it is linear, so the "
        "variance explained is a lower bound",
        "; the embedding counts by its first {c:crossmodal.components} principal components",
        (_unset("crossmodal.permutations"), "; there are no p-values, because crossmodal.permutations is 0"),
        (
            _set("crossmodal.permutations"),
            "; R² was compared with {c:crossmodal.permutations} permutations of the pairing within the strata "
            "{c:folds.null_strata} and the classes by {c:crossmodal.class_column}, families whole",
        ),
        (
            _made("crossmodal_summary", "low"),
            "; intervals are by the jackknife over held-out groups with Student's t (Miller, 1974), for which models "
            "are trained again without each group",
        ),
        (
            _made("crossmodal_summary", "share"),
            "; the share of a linear model is by restricted maximum likelihood (Dicker, 2014)",
        ),
    ),
    "describe_fates": (
        "The cumulative incidence of division, death and loss after birth was estimated as competing risks (Aalen and "
        "Johansen, 1978; statsmodels), with intervals from resampled lineages",
        "; survival and time to division were estimated by the method of Kaplan and Meier (1958), with other "
        "ends censored",
        (
            _made("concordance", "concordance"),
            "; the concordance of the fates of relatives was tested one-sidedly against {c:lineage.permutations} "
            "permutations of "
            "fates within field of view and birth time, between cells for sisters and between pairs of sisters for "
            "others",
        ),
        (
            _made("concordance", "p_hazard"),
            "; whether sisters share the hazard of death is from the correlation of their martingale residuals "
            "(Therneau et al., 1990) within field of view and birth time, by a score test (Commenges and "
            "Jacqmin-Gadda, 1997)",
        ),
        (
            _made("fate_odds", "odds_ratio"),
            "; odds ratios of fates have Woolf's interval, robust to several pairs of one root cell",
        ),
    ),
    "compare_sisters_before_death": (
        (
            _made("which_dies", "p_value"),
            "The association of death in one of two sisters with shape and position before the fate of either was "
            "estimated by conditional logistic regression within pairs (statsmodels), and compared with permutations "
            "that swap fates within pairs, for all pairs of a root cell together",
        ),
    ),
    "compare_sister_genes": (
        (
            _made("heritable", "p_value"),
            "Genes were compared within pairs of sisters by intraclass correlation, against permutations of partners "
            "within field of view and birth time",
        ),
        (
            _made("by_sister", "p_value"),
            ". Genes of survivors were compared by the fate of the sister, within field of view and birth time, by a "
            "score that weights a family by the estimated correlation of sisters, against the larger of a normal and a "
            "permutation p-value",
        ),
    ),
    "compare_sisters": (
        (
            _made("states", "p_value"),
            "States of survivors whose sister died were compared with those whose sister lived, within field of view "
            "and birth time, by Mantel-Haenszel odds ratios and scores (Mantel and Haenszel, 1959) that weight a "
            "family by the estimated correlation of sisters and allow for that of the families of a root cell",
        ),
        (
            _made("states", "e_value"),
            "; E-values (VanderWeele and Ding, 2017) give the strength of a common cause that would explain them",
        ),
        (
            _made("sensitivity", "least"),
            "; bounds give what wrong and unknown fates, and wrong pairs of cell and barcode, could change (Rothman et "
            "al., 2008)",
        ),
        (_made("states", "p_value"), "; unknown fates were kept as unknown"),
    ),
}
"""The pieces of the sentences of each step.

A piece whose condition does not hold, or with an unknown setting or version, is left out.
"""

PERMUTED = _any(
    _both(_more("prediction"), _set("prediction.permutations"), _made("performance", "p_value")),
    _both(_more("clusters"), _set("clusters.permutations"), _made("function_by_cluster", "p_value")),
)
GENERAL: tuple[Piece, ...] = (
    (
        PERMUTED,
        "P-values allow for permutations that end early (Besag and Clifford, 1991; Fay et al., 2007). ",
    ),
    (
        _both(
            _set("folds.position_null"),
            _any(_made("performance", "position_share"), _made("function_by_cluster", "position_share")),
        ),
        "Permuted functions keep how function varies smoothly with position in the field, by restricted maximum "
        "likelihood (Wagner and Dray, 2015; Solin and Särkkä, 2020). ",
    ),
    (
        _any(
            _made("by_sample", "r2_low", part="new_sample"),
            _made("crossmodal_by_sample", "r2_low", part="new_sample"),
            _made("function_by_sample", "epsilon2_low", part="new_sample"),
            _made("states_by_sample", "odds_ratio_low", part="new_sample"),
        ),
        "Effects of samples were combined by random effects (Paule and Mandel, 1982), with the prediction interval of "
        "one more sample (Higgins et al., 2009; IntHout et al., 2016). ",
    ),
    (
        _any(
            *(_made(table, "q_value") for table in ("performance", "function_by_cluster", "crossmodal_summary")),
            *(_made(table, "p_value") for table in ("states", "concordance")),
        ),
        "Q-values are false discovery rates (Benjamini and Hochberg, 1995) over the hypotheses of one claim. ",
    ),
)
"""What holds for several steps, said once at the end of the paragraph."""
_SLOT = re.compile(r"\{([vcm]):([^}]+)\}")


def methods_paragraph(steps: list[str], run: Run) -> str:
    """Describe the methods of a run, step by step; only those that its settings and tables show to have been used.

    Parameters
    ----------
    steps
        Names of the steps that ran, in order.
    run
        What is known of the run.
    """
    sentences = []
    for step in steps:
        pieces = (_filled(piece, run) for piece in SENTENCES.get(step, ()))
        sentence = re.sub(r"^[.;, ]+", "", "".join(piece for piece in pieces if piece))
        if sentence:
            sentences.append(f"{sentence}.")
    sentences += filter(None, ((_filled(piece, run) or "").strip() for piece in GENERAL))
    return " ".join(sentences)


def _filled(piece: Piece, run: Run) -> str | None:
    if not isinstance(piece, str):
        holds, text = piece
        return _filled(text, run) if holds(run) else None
    values: dict[str, str] = {}
    for kind, name in _SLOT.findall(piece):
        found: str | None
        if kind == "v":
            found = run.versions.get(name, "")
        else:
            found = _setting(run, name) if kind == "c" else _model(run.models, name)
        if found is None:
            return None
        values[f"{kind}:{name}"] = found
    text = _SLOT.sub(lambda slot: values[f"{slot[1]}:{slot[2]}"], piece)
    return re.sub(r" +(?=[ ;,]|$)", "", text)


def _setting(run: Run, name: str) -> str | None:
    value = run.setting(name)
    if value is None:
        return None
    return listed(map(str, value)) if isinstance(value, list) else str(value).replace("_", " ")


def _model(models: list[dict[str, Any]], step: str) -> str | None:
    names = [
        f"the model {m.get('name')} (SHA-256 {str(m.get('sha256') or 'unknown')[:12]})"
        for m in models
        if step in m.get("steps", [])
    ]
    return listed(names) if names else None


def flat_settings(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return every setting as ``section.key`` and its value as text, in order."""
    rows: list[tuple[str, str]] = []
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            rows += flat_settings(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", "none" if value is None or value in ([], {}, "") else str(value)))
    return rows
