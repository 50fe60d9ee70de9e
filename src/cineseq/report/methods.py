"""The methods paragraph, from the steps that ran, their settings and the versions of their software."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cineseq.text import listed

KEPT_POSITION = (
    "; where positions are known and folds.position_null ({c:folds.position_null}) is true, permuted functions keep "
    "how function varies smoothly with position in the field, by restricted maximum likelihood (Wagner and Dray, "
    "2015; Solin and Särkkä, 2020)"
)
SENTENCES: dict[str, tuple[str, ...]] = {
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
        "Cells were linked over time with trackpy {v:trackpy} (Crocker and Grier, 1996) by exact assignment",
        ", across gaps of up to {c:track.max_gap} frames",
        "; divisions were found by one global assignment of parents to pairs of daughters",
        "; an end was called a death only at a probability of at least {c:track.death_confidence}; other ends have an "
        "unknown fate",
    ),
    "import_tracks": ("Tracks were supplied by the user; their lineage was checked for impossible events",),
    "import_point_tracks": (
        "Point tracks were supplied by the user, without masks; their lineage was checked for impossible events",
    ),
    "morphology": ("Shape, intensity and texture of each mask were measured with scikit-image {v:scikit-image}",),
    "embed": ("Crops of single cells were embedded with {m:embed} through timm {v:timm}",),
    "score_function": (
        "Function channels were measured in the masks above background (method: {c:function.background}) "
        "and summarised per track",
        " (scaling between samples: {c:cells.scaling})",
    ),
    "collect_cells": ("Each track entered the table of cells with the features of these frames: {c:features.frames}",),
    "match_barcodes": (
        "Cells, compartments and barcodes were matched; a pair is one live cell and one accepted barcode that are "
        "alone in a compartment",
    ),
    "cluster": (
        "Counts were normalised and reduced to principal components with scanpy {v:scanpy} (Wolf et al., 2018)",
        ", normalisation {c:clusters.normalisation}",
        ", from up to {c:clusters.variable_genes} variable genes and {c:clusters.components} components",
        "; clusters were found by the Leiden method (Traag et al., 2019) at resolution {c:clusters.resolution}",
        "; the fraction of the variance of function between clusters within the strata {c:folds.null_strata} (epsilon "
        "squared) was compared with {c:clusters.permutations} permutations of function within these strata, families "
        "whole, and with up to {c:clusters.most_permutations} where these left the verdict open; p-values allow for "
        "early ends (Besag and Clifford, 1991; Fay et al., 2007), and intervals are of a jackknife over strata with "
        "Student's t (Miller, 1974)",
        KEPT_POSITION,
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
        "; the model nonlinear, which finds such products, is {c:prediction.nonlinear}",
        "; within fields, function and predictors were centred in each field of a sample, those held out on their own "
        "mean; the share of a linear model is by restricted maximum likelihood with random coefficients (Patterson and "
        "Thompson, 1971; Dicker, 2014)",
        "; p-values compare a faster procedure (one mixing ratio, {c:prediction.null_alphas} penalties, at most three "
        "inner folds) with the same procedure on {c:prediction.permutations} permutations of function, and on up to "
        "{c:prediction.most_permutations} where these left the verdict open, and allow for early ends (Besag and "
        "Clifford, 1991; Fay et al., 2007); intervals are "
        "by the jackknife over held-out groups with Student's t (Miller, 1974), widened for the training of models "
        "by simulations with 20 predictors, and too short for many weak ones (in simulations of 12 groups with 60 "
        "predictors they held the mean R² of the procedure in 74 to 80 % of studies)",
        KEPT_POSITION,
        "; the stability of a gene is the fraction of {c:prediction.half_samples} half-samples of groups in "
        "which it is "
        "selected (Meinshausen and Bühlmann, 2010)",
    ),
    "explain_modalities": (
        "Each gene was predicted from morphology and from the embedding, and each of their features from expression, "
        "by ridge regression in held-out groups, both sides centred in each field of a sample; it is linear, so the "
        "variance explained is a lower bound",
        "; the embedding counts by its first {c:crossmodal.components} principal components",
        ", and compared with {c:crossmodal.permutations} permutations of the pairing within "
        "{c:crossmodal.class_column}",
    ),
    "describe_fates": (
        "The cumulative incidence of division, death and loss after birth was estimated as competing risks (Aalen and "
        "Johansen, 1978; statsmodels), with intervals from resampled lineages",
        "; survival and time to division were estimated by the method of Kaplan and Meier (1958), with other "
        "ends censored",
        "; the concordance of the fates of relatives was tested one-sidedly against {c:lineage.permutations} "
        "permutations of "
        "fates within field of view and birth time, between cells for sisters and between pairs of sisters for others",
        "; odds ratios of fates have Woolf's interval, robust to several pairs of one root cell",
    ),
    "compare_sisters_before_death": (
        "The association of death in one of two sisters with shape and position before the fate of either was "
        "estimated "
        "by conditional logistic regression within pairs (statsmodels), and compared with permutations that swap fates "
        "within pairs, for all pairs of a root cell together",
    ),
    "compare_sister_genes": (
        "Genes were compared within pairs of sisters by intraclass correlation, and between survivors by the fate of "
        "the sister, within field of view and birth time: pairs against permutations of partners, survivors by a score "
        "that weights a family by the estimated correlation of sisters, against the larger of a normal and a "
        "permutation p-value",
    ),
    "compare_sisters": (
        "States of survivors whose sister died were compared with those whose sister lived, within field of view and "
        "birth time, by Mantel-Haenszel odds ratios and scores (Mantel and Haenszel, 1959) that weight a family by the "
        "estimated correlation of sisters and allow for that of the families of a root cell",
        "; E-values (VanderWeele and Ding, 2017) give the strength of a common cause that would explain them",
        "; unknown fates were kept as unknown",
    ),
}
"""The pieces of the sentence of each step; a piece with an unknown setting or version is left out."""

_SLOT = re.compile(r"\{([vcm]):([^}]+)\}")


def methods_paragraph(
    steps: list[str], config: Mapping[str, Any], versions: Mapping[str, str], models: list[dict[str, Any]]
) -> str:
    """Describe the methods of a run, one sentence per step.

    Parameters
    ----------
    steps
        Names of the steps that ran, in order.
    config
        The whole configuration, as nested dictionaries.
    versions
        Versions of packages, by name.
    models
        Models with ``name``, ``sha256`` and the ``steps`` that used them.
    """
    sentences = []
    for step in steps:
        pieces = (_filled(piece, config, versions, models) for piece in SENTENCES.get(step, ()))
        sentence = "".join(piece for piece in pieces if piece)
        if sentence:
            sentences.append(f"{sentence}.")
    return " ".join(sentences)


def _filled(
    piece: str, config: Mapping[str, Any], versions: Mapping[str, str], models: list[dict[str, Any]]
) -> str | None:
    values: dict[str, str] = {}
    for kind, name in _SLOT.findall(piece):
        found: str | None
        if kind == "v":
            found = versions.get(name, "")
        else:
            found = _setting(config, name) if kind == "c" else _model(models, name)
        if found is None:
            return None
        values[f"{kind}:{name}"] = found
    text = _SLOT.sub(lambda slot: values[f"{slot[1]}:{slot[2]}"], piece)
    return re.sub(r" +(?=[ ;,]|$)", "", text)


def _setting(config: Mapping[str, Any], name: str) -> str | None:
    value: Any = config
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
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
