"""What the figures of the analyses show, in the words of the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FigureText:
    """Section of the page, alternative text and caption of a figure."""

    section: str
    alt: str
    caption: str


FIGURES: dict[str, FigureText] = {
    "counts_quality": FigureText(
        "pairing",
        "Distributions of counts, detected genes and mitochondrial fraction per cell with the quality limits",
        "Quality of the counts. Cells outside the limits enter no cluster.",
    ),
    "umap": FigureText(
        "clusters",
        "Map of cells by expression, coloured by cluster and by function",
        "Cells placed by similarity of expression (UMAP). Distances between far groups have no meaning.",
    ),
    "markers_figure": FigureText(
        "clusters",
        "Expression of the strongest marker genes in each cluster",
        "Genes that separate each cluster from the other cells.",
    ),
    "ladder": FigureText(
        "prediction",
        "Held-out R squared of every model with intervals and null",
        "Function in held-out groups as predicted by covariates, by expression, by morphology and by both, with 95 % "
        "intervals. The permutation null is of a quicker procedure, whose own R² is the tick beside it.",
    ),
    "scatter": FigureText(
        "prediction",
        "Measured against predicted function, cell by cell",
        "Each cell was predicted by a model that saw no cell of its group. Colours are the outer folds.",
    ),
    "selection": FigureText(
        "prediction",
        "Selection frequency of the most stable genes",
        "How often each gene is chosen when half of the groups are left out.",
    ),
    "selected_genes": FigureText(
        "prediction",
        "Expression of the selected genes in each cluster, and the functions that they predict",
        "Where the genes that predict are expressed. A gene that is as high in every cluster can go with function and "
        "yet mark no cluster.",
    ),
    "overlap_figure": FigureText(
        "prediction",
        "Two circles for each function: genes that predict it and genes that mark clusters, with those that do both",
        "Genes that predict against genes that mark clusters.",
    ),
    "forest": FigureText(
        "sisters",
        "Odds ratios of states by the fate of the sister, with intervals",
        "States of survivors whose sister died against those whose sister lived; 1 means no difference.",
    ),
    "trees": FigureText(
        "sisters",
        "Lineage trees of families with divisions, deaths and unknown ends",
        "Families over time. A cross is a death that was seen; a grey end is not known, and no death.",
    ),
    "trees_by_state": FigureText(
        "sisters",
        "Lineage trees of families with measured survivors, coloured by state",
        "The state nearest to going with the sister's fate, over the trees. Cells that were not measured are grey.",
    ),
    "incidence": FigureText(
        "sisters",
        "Cumulative incidence of division, death and loss after birth, one panel per condition",
        "Fates of cells born in sight, as competing risks; a lost cell is neither divided nor dead.",
    ),
    "survival": FigureText(
        "sisters",
        "Share of cells alive and share undivided after birth, one panel per condition",
        "What death alone, and division alone, would leave of cells born in sight (Kaplan-Meier). Other ends censor, "
        "which takes the cells that had them to be like the others.",
    ),
    "fate_pairs": FigureText(
        "sisters",
        "Counts of sister pairs by the ends of both, one panel per condition",
        "Pairs of sisters by how both ended; in brackets the pairs expected if sisters were independent. "
        "Orange pairs are more frequent than that, purple ones less.",
    ),
    "variance": FigureText(
        "crossmodal",
        "Variance explained per gene and per feature, with null and ceiling",
        "How much of each gene and of each feature the other modality explains in held-out groups.",
    ),
}
