"""The analyses: clusters, differential expression, prediction of function, sisters, and both modalities.

INPUTS: study/paired.h5ad and study/cells.parquet.
OUTPUTS: tidy tables and figures in clusters/, de/, prediction/, lineage/, crossmodal/ and generative/.
"""


rule cluster:
    """Cluster the paired cells by expression, and measure the fraction of function's variance between clusters."""
    input:
        paired="<results>/study/paired.h5ad",
    output:
        **outputs_of("cluster"),
        report="<results>/reports/cluster.json",
    log:
        "<logs>/cluster.log",
    benchmark:
        "<benchmarks>/cluster.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000, per_mb=4),
        runtime=120,
    params:
        settings=settings("clusters", "folds", "seed"),
        _code=code("cluster.py"),
    script:
        "../scripts/cluster.py"


rule differential_expression:
    """Test which genes differ between clusters, conditions, and high and low function."""
    input:
        paired="<results>/study/paired.h5ad",
        clusters="<results>/clusters/cells.parquet",
    output:
        **outputs_of("differential_expression"),
        report="<results>/reports/differential_expression.json",
    log:
        "<logs>/differential_expression.log",
    benchmark:
        "<benchmarks>/differential_expression.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000, per_mb=8),
        runtime=120,
    params:
        settings=settings("de", "clusters", "seed"),
        _code=code("differential_expression.py"),
    script:
        "../scripts/differential_expression.py"


rule predict:
    """Predict function from expression, morphology and both in grouped nested folds, with nulls and baselines."""
    input:
        paired="<results>/study/paired.h5ad",
        clusters=if_there(STUDY.has_counts, "<results>/clusters/cells.parquet"),
        markers=if_there(STUDY.has_counts, "<results>/de/markers.tsv"),
        objects=of_fields("objects.parquet", STUDY.start == "images"),
    output:
        **outputs_of("predict"),
        report="<results>/reports/predict.json",
    log:
        "<logs>/predict.log",
    benchmark:
        "<benchmarks>/predict.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=600,
    params:
        settings=settings(
            "folds",
            "prediction",
            "clusters",
            "seed",
            window_frames=STUDY.config.features.window_frames,
        ),
        _code=code("predict.py"),
    script:
        "../scripts/predict.py"


rule explain_modalities:
    """Estimate the variance of each gene that morphology explains in held-out groups, and the reverse."""
    input:
        paired="<results>/study/paired.h5ad",
        clusters=if_there(STUDY.has_counts, "<results>/clusters/cells.parquet"),
    output:
        **outputs_of("explain_modalities"),
        report="<results>/reports/explain_modalities.json",
    log:
        "<logs>/explain_modalities.log",
    benchmark:
        "<benchmarks>/explain_modalities.tsv"
    priority: LATER
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=600,
    params:
        settings=settings(
            "folds",
            "crossmodal",
            "seed",
            normalisation=STUDY.config.clusters.normalisation,
        ),
        _code=code("explain_modalities.py"),
    script:
        "../scripts/explain_modalities.py"


rule generate:
    """Generate each modality of held-out cells from the other; shares of variance, and how early they are visible."""
    input:
        paired="<results>/study/paired.h5ad",
        clusters=if_there(STUDY.has_counts, "<results>/clusters/cells.parquet"),
        objects=of_fields("objects.parquet", STUDY.start == "images"),
        supplied=[str(path) for path in STUDY.config.generative.files if path.exists()],
        crops=of_fields("crops.npz", STUDY.shows_generated),
    output:
        **outputs_of("generate"),
        report="<results>/reports/generate.json",
    log:
        "<logs>/generate.log",
    benchmark:
        "<benchmarks>/generate.tsv"
    priority: LATER
    conda:
        "../envs/cineseq.yaml"
    threads: 2
    resources:
        mem_mb=memory(4000, per_mb=12),
        runtime=600,
    params:
        settings=settings(
            "generative",
            "folds",
            "crossmodal",
            "prediction",
            "seed",
            normalisation=STUDY.config.clusters.normalisation,
        ),
        _code=code("generate.py"),
    script:
        "../scripts/generate.py"


rule describe_fates:
    """Describe fates over time as competing risks, and the similarity of relatives."""
    input:
        cells="<results>/study/cells.parquet",
    output:
        **outputs_of("describe_fates"),
        report="<results>/reports/describe_fates.json",
    log:
        "<logs>/describe_fates.log",
    benchmark:
        "<benchmarks>/describe_fates.tsv"
    priority: LATER
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=60,
    params:
        settings=settings("lineage", "seed"),
        _code=code("describe_fates.py"),
    script:
        "../scripts/describe_fates.py"


rule compare_sisters:
    """Compare the state of survivors by the fate of their sister."""
    input:
        cells="<results>/study/cells.parquet",
        paired=if_there(STUDY.has_paired, "<results>/study/paired.h5ad"),
        clusters=if_there(STUDY.has_counts, "<results>/clusters/cells.parquet"),
        pairs=if_there(STUDY.pairs, "<results>/study/pairs.parquet"),
        compartments=from_sheet_by_sample("compartments"),
    output:
        **outputs_of("compare_sisters"),
        report="<results>/reports/compare_sisters.json",
    log:
        "<logs>/compare_sisters.log",
    benchmark:
        "<benchmarks>/compare_sisters.tsv"
    priority: LATER
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, per_mb=4),
        runtime=240,
    params:
        settings=settings(
            "lineage", "seed", normalisation=STUDY.config.clusters.normalisation
        ),
        _code=code("compare_sisters.py"),
        _content=content(from_sheet_by_sample("compartments")),
    script:
        "../scripts/compare_sisters.py"


rule compare_sisters_before_death:
    """Compare sisters before one of them dies."""
    input:
        cells="<results>/study/cells.parquet",
        objects=of_fields("objects.parquet", STUDY.start == "images"),
        compartments=from_sheet_by_sample("compartments"),
    output:
        **outputs_of("compare_sisters_before_death"),
        report="<results>/reports/compare_sisters_before_death.json",
    log:
        "<logs>/compare_sisters_before_death.log",
    benchmark:
        "<benchmarks>/compare_sisters_before_death.tsv"
    priority: LATER
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=60,
    params:
        settings=settings(
            "lineage",
            "seed",
            fields=[
                {"sample": e.sample, "fov": e.fov}
                for e in STUDY.entries
                if STUDY.start == "images"
            ],
        ),
        _code=code("compare_sisters_before_death.py"),
        _content=content(from_sheet_by_sample("compartments")),
    script:
        "../scripts/compare_sisters_before_death.py"


rule compare_sister_genes:
    """Find genes that are similar in sisters, and genes that are associated with the fate of the sister."""
    input:
        cells="<results>/study/cells.parquet",
        paired="<results>/study/paired.h5ad",
        clusters=if_there(STUDY.has_counts, "<results>/clusters/cells.parquet"),
        pairs=if_there(STUDY.pairs, "<results>/study/pairs.parquet"),
        compartments=from_sheet_by_sample("compartments"),
        counts=from_sheet_by_sample("counts") if STUDY.pairs else [],
    output:
        **outputs_of("compare_sister_genes"),
        report="<results>/reports/compare_sister_genes.json",
    log:
        "<logs>/compare_sister_genes.log",
    benchmark:
        "<benchmarks>/compare_sister_genes.tsv"
    priority: LATER
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=120,
    params:
        settings=settings(
            "lineage",
            "seed",
            "pairing",
            normalisation=STUDY.config.clusters.normalisation,
            samples=STUDY.count_samples if STUDY.pairs else [],
        ),
        _code=code("compare_sister_genes.py"),
        _content=content(
            from_sheet_by_sample("compartments"),
            from_sheet_by_sample("counts") if STUDY.pairs else [],
        ),
    script:
        "../scripts/compare_sister_genes.py"
