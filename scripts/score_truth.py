"""Score the analyses of a run on the simulated experiment against the simulated truth.

In: the scores of its movies, the tables of the study and of its analyses, and the truth of the experiment.
Out: a table with one row per measure (planted value, recovered value, interval, note), and a report.
"""

import json
import logging
from pathlib import Path

import pandas as pd

from cineseq.config.simulate import Simulate
from cineseq.evaluation.analyses import (
    best_state,
    score_function,
    score_genes,
    score_pairs,
    score_performance,
    score_shared,
    score_sisters,
    score_visible,
    score_warnings,
    truth_lines,
)
from cineseq.files import write_json
from cineseq.report.prediction_answers import main_function
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.crossmodal import GENE_VARIANCE, VARIANCE_SUMMARY
from cineseq.tables.expression import CLUSTERS
from cineseq.tables.generative import SHARES_TARGETS, TIME_GENES
from cineseq.tables.imaging import CELLS, PAIRS
from cineseq.tables.lineage import LINEAGE_WARNINGS, STATE_BY_SISTER
from cineseq.tables.prediction import GENES, PERFORMANCE
from cineseq.tables.simulation import SIMULATED_CELLS, SIMULATED_GENES, TRUE_TRACKS, TRUTH
from cineseq.workflow.step import run

logger = logging.getLogger(__name__)


def main(
    *,
    movies: Path,
    identities: Path,
    true_cells: Path,
    true_genes: Path,
    effects: Path,
    cells: Path,
    pairs: Path,
    clusters: Path | None = None,
    performance: Path,
    genes: Path,
    variance: Path,
    gene_variance: Path,
    share_targets: Path | None = None,
    visible_genes: Path | None = None,
    states: Path,
    warnings: Path,
    scores: Path,
    report: Path,
) -> None:
    """Score the run and write the table."""
    planted = json.loads(effects.read_text(encoding="utf-8"))
    simulated = Simulate.model_validate(planted["settings"])
    hidden = read_table(true_cells, SIMULATED_CELLS).set_index("track_id", drop=False)
    true_track = read_table(identities, TRUE_TRACKS).set_index("track_id")["true_track_id"]
    rows = score_function(read_table(cells, CELLS), true_track, hidden["function_signal"])
    rows += score_pairs(read_table(pairs, PAIRS), true_track, hidden)

    found = read_table(performance, PERFORMANCE)
    function = main_function(found)
    known_genes = read_table(true_genes, SIMULATED_GENES)
    follows = set(known_genes.loc[known_genes["goes_with_function"].astype(bool), "gene"])
    gene_table = read_table(genes, GENES)
    rows += score_genes(gene_table[gene_table["function"] == function], follows)
    rows += score_performance(found[found["function"] == function], planted["oracle"])

    explained = read_table(variance, VARIANCE_SUMMARY), read_table(gene_variance, GENE_VARIANCE)
    rows += score_shared(*explained, known_genes, planted["oracle"])

    if share_targets and visible_genes:
        found_early = read_table(share_targets, SHARES_TARGETS), read_table(visible_genes, TIME_GENES)
        rows += score_visible(*found_early, known_genes, planted["visible"]["late_gone_hours"])

    stressed = true_track.map(hidden["stress"]).dropna()
    state = best_state(read_table(clusters, CLUSTERS), stressed) if clusters else None
    rows += score_sisters(read_table(states, STATE_BY_SISTER), state, planted["planted"]["sister_odds_ratio"])
    early = {name for name in simulated.sample_names if simulated.is_caged_early(name)}
    rows += score_warnings(read_table(warnings, LINEAGE_WARNINGS), early)

    of_movies = read_table(movies, TRUTH).sort_values("area", kind="stable")
    table = pd.concat([of_movies, pd.DataFrame(rows)], ignore_index=True)
    lines = truth_lines(table)
    for line in lines:
        logger.info("%s", line)
    write_table(table, scores, TRUTH)
    numbers = {name: value for name, value in zip(table["measure"], table["recovered"], strict=True) if pd.notna(value)}
    write_json({"lines": lines, "numbers": numbers}, report)


if __name__ == "__main__":
    run(main, globals().get("snakemake"))
