"""The report, the provenance, and the scores against the truth.

INPUTS: the reports of all steps, tables and figures.
OUTPUTS: provenance.json, report/index.html, report/answers.json, report/dictionary.tsv, report/explorer.html with its
folder report/explorer, and truth/truth.tsv (with truth/movies.parquet and truth/identities.parquet, which matches
tracks to true tracks).
"""


rule write_provenance:
    """Record versions, settings, models with their hashes, and hashes of the inputs."""
    input:
        sheet=STUDY.config.samples,
        inputs=all_inputs,
        step_reports=reports_of_steps,
        statuses=if_there(STUDY.start == "images", "<results>/study/fields.tsv"),
    output:
        **outputs_of("write_provenance"),
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


rule render_report:
    """Write the report, one HTML page."""
    input:
        # The field pages show these files by relative path; the script does not read them.
        of_fields("strips", STUDY.has_masks),
        provenance="<results>/provenance.json",
        step_reports=reports_of_steps,
        quality=of_fields("quality.json", STUDY.has_masks),
        pictures=of_fields("overview.png", STUDY.has_masks),
        # One field stands for all: ``compare_fields`` refuses other channels.
        channels=of_fields("channels.png", STUDY.has_movies),
        regions=of_fields("regions.png", STUDY.measures_function),
        uncertain=if_there(STUDY.has_masks, "<results>/study/curation.tsv"),
        curation_pages=of_fields("curation.html", STUDY.has_masks),
        explorer="<results>/report/explorer.html",
        results=results_in_report,
    output:
        **outputs_of("render_report"),
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


rule write_explorer:
    """Write the explorer: linked views of every cell."""
    input:
        cells=if_there(STUDY.start != "paired", "<results>/study/cells.parquet"),
        paired=if_there(STUDY.has_paired, "<results>/study/paired.h5ad"),
        clusters=if_there(STUDY.has_counts, "<results>/clusters/cells.parquet"),
        strips=of_fields("cell_strips", STUDY.has_masks),
        timecourses=of_fields("timecourse.parquet", STUDY.measures_function),
    output:
        **outputs_of("write_explorer"),
    log:
        "<logs>/write_explorer.log",
    benchmark:
        "<benchmarks>/write_explorer.tsv"
    priority: LATER
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, 6),
        runtime=60,
    params:
        settings=settings("report", run=STUDY.run),
        _code=code("write_explorer.py", "report/explorer/assets"),
    script:
        "../scripts/write_explorer.py"


rule score_tracks:
    """Score masks, tracks, divisions and deaths of a run on the simulated experiment against the truth."""
    input:
        labels=of_fields("masks.ome.tif"),
        detections=of_fields("detections.parquet"),
        tracks=of_fields("tracks.parquet"),
        ctc=of_fields("ctc"),
        true_masks=true_masks,
        true_tracks="<results>/experiment/truth/tracks.parquet",
    output:
        **outputs_of("score_tracks"),
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
    """Score the analyses of a run on the simulated experiment against the simulated effects."""
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
        variance="<results>/crossmodal/summary.tsv",
        gene_variance="<results>/crossmodal/genes.tsv",
        share_targets=if_there(STUDY.generates, "<results>/generative/targets.tsv"),
        visible_genes=if_there(
            STUDY.generates, "<results>/generative/visible_genes.tsv"
        ),
        states="<results>/lineage/state_by_sister.tsv",
        warnings="<results>/lineage/warnings.tsv",
    output:
        **outputs_of("score_truth"),
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
