"""What people look at, and where every number came from.

INPUTS: the reports of all steps, tables and figures.
OUTPUTS: provenance.json, report/index.html, report/answers.json, report/dictionary.tsv and truth/truth.tsv (with
truth/movies.parquet and truth/identities.parquet, which found track is which true one).
"""


rule write_provenance:
    """Record versions, settings, models with their hashes, and hashes of the inputs."""
    input:
        sheet=STUDY.config.samples,
        inputs=all_inputs,
        step_reports=reports_of_steps,
    output:
        provenance="<results>/provenance.json",
    log:
        "<logs>/write_provenance.log",
    benchmark:
        "<benchmarks>/write_provenance.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=30,
    params:
        settings=STUDY.everything,
        _code=code("write_provenance.py"),
    script:
        "../scripts/write_provenance.py"


CLUSTER_FILES = files_if_possible(STUDY, "clusters")
DE_FILES = files_if_possible(STUDY, "de")
PREDICTION_FILES = files_if_possible(STUDY, "prediction")
LINEAGE_FILES = files_if_possible(STUDY, "lineage")
CROSSMODAL_FILES = files_if_possible(STUDY, "crossmodal")


rule render_report:
    """Write the one page that people look at."""
    input:
        provenance="<results>/provenance.json",
        step_reports=reports_of_steps,
        quality=of_fields("quality.json", STUDY.has_masks),
        pictures=of_fields("overview.png", STUDY.has_masks),
        uncertain=if_there(STUDY.has_masks, "<results>/study/curation.tsv"),
        curation_pages=of_fields("curation.html", STUDY.has_masks),
        strips=of_fields("strips", STUDY.has_masks),
        cells=if_there(STUDY.start != "paired", "<results>/study/cells.parquet"),
        pairs=if_there(STUDY.pairs, "<results>/study/pairs.parquet"),
        clusters=CLUSTER_FILES["cells.parquet"],
        function_by_cluster=CLUSTER_FILES["function_by_cluster.tsv"],
        function_by_component=CLUSTER_FILES["function_by_component.tsv"],
        umap=CLUSTER_FILES["umap.svg"],
        counts_quality=CLUSTER_FILES["quality.svg"],
        markers=DE_FILES["markers.tsv"],
        markers_figure=DE_FILES["markers.svg"],
        performance=PREDICTION_FILES["performance.tsv"],
        samples=PREDICTION_FILES["performance_by_sample.tsv"],
        contrasts=PREDICTION_FILES["contrasts.tsv"],
        genes=PREDICTION_FILES["genes.tsv"],
        overlap=PREDICTION_FILES["marker_overlap.tsv"],
        model_sensitivity=PREDICTION_FILES["sensitivity.tsv"],
        ladder=PREDICTION_FILES["ladder.svg"],
        scatter=PREDICTION_FILES["scatter.svg"],
        selection=PREDICTION_FILES["selection.svg"],
        selected_genes=PREDICTION_FILES["selected_genes.svg"],
        overlap_figure=PREDICTION_FILES["marker_overlap.svg"],
        concordance=LINEAGE_FILES["concordance.tsv"],
        fate_odds=LINEAGE_FILES["fate_odds.tsv"],
        times=LINEAGE_FILES["times.tsv"],
        states=LINEAGE_FILES["state_by_sister.tsv"],
        power=LINEAGE_FILES["power.tsv"],
        warnings=LINEAGE_FILES["warnings.tsv"],
        trees=LINEAGE_FILES["trees.svg"],
        trees_by_state=LINEAGE_FILES["trees_by_state.svg"],
        forest=LINEAGE_FILES["forest.svg"],
        sensitivity=LINEAGE_FILES["sensitivity.tsv"],
        which_dies=LINEAGE_FILES["which_sister_dies.tsv"],
        heritable=LINEAGE_FILES.get("heritable_genes.tsv", []),
        genes_by_sister=LINEAGE_FILES.get("genes_by_sister.tsv", []),
        fading=LINEAGE_FILES["fading.tsv"],
        incidence=LINEAGE_FILES["incidence.svg"],
        survival=LINEAGE_FILES["survival.svg"],
        fate_pairs=LINEAGE_FILES["fate_pairs.svg"],
        crossmodal_genes=CROSSMODAL_FILES["genes.tsv"],
        crossmodal_features=CROSSMODAL_FILES["features.tsv"],
        crossmodal_summary=CROSSMODAL_FILES["summary.tsv"],
        variance=CROSSMODAL_FILES["variance.svg"],
    output:
        html="<results>/report/index.html",
        answers="<results>/report/answers.json",
        dictionary="<results>/report/dictionary.tsv",
    log:
        "<logs>/render_report.log",
    benchmark:
        "<benchmarks>/render_report.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=30,
    params:
        settings=settings(
            "report",
            "prediction",
            "channels",
            "inputs",
            "cells",
            run=STUDY.run,
            simulated=STUDY.is_simulated,
        ),
        _code=code("render_report.py", "report/templates"),
    script:
        "../scripts/render_report.py"


rule score_tracks:
    """Score masks, tracks, divisions and deaths of a run on the simulated experiment against what was simulated."""
    input:
        labels=of_fields("masks.ome.tif"),
        detections=of_fields("detections.parquet"),
        tracks=of_fields("tracks.parquet"),
        ctc=of_fields("ctc"),
        true_masks=true_masks,
        true_tracks="<results>/experiment/truth/tracks.parquet",
    output:
        scores="<results>/truth/movies.parquet",
        identities="<results>/truth/identities.parquet",
    log:
        "<logs>/score_tracks.log",
    benchmark:
        "<benchmarks>/score_tracks.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=60,
    params:
        _code=code("score_tracks.py"),
    script:
        "../scripts/score_tracks.py"


rule score_truth:
    """Score a run on the simulated experiment against what was planted."""
    input:
        movies="<results>/truth/movies.parquet",
        identities="<results>/truth/identities.parquet",
        true_cells="<results>/experiment/truth/cells.parquet",
        true_genes="<results>/experiment/truth/genes.tsv",
        effects="<results>/experiment/truth/effects.json",
        cells="<results>/study/cells.parquet",
        pairs="<results>/study/pairs.parquet",
        clusters="<results>/clusters/cells.parquet",
        performance="<results>/prediction/performance.tsv",
        genes="<results>/prediction/genes.tsv",
        states="<results>/lineage/state_by_sister.tsv",
        warnings="<results>/lineage/warnings.tsv",
    output:
        scores="<results>/truth/truth.tsv",
        report="<results>/reports/score_truth.json",
    log:
        "<logs>/score_truth.log",
    benchmark:
        "<benchmarks>/score_truth.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=60,
    params:
        _code=code("score_truth.py"),
    script:
        "../scripts/score_truth.py"
