"""The simulated experiment of the demo.

OUTPUTS: raw movies, compartments, barcodes and counts of the experiment, and its truth, in <results>/experiment.
"""


rule simulate_study:
    """Simulate the lineages, states and sequenced transcriptomes of all cells."""
    output:
        compartments="<results>/experiment/compartments.csv",
        barcodes="<results>/experiment/barcodes.csv",
        counts=expand(
            "<results>/experiment/counts_{sample}.h5ad", sample=STUDY.simulated_samples
        ),
        tracks="<results>/experiment/truth/tracks.parquet",
        positions="<results>/experiment/truth/positions.parquet",
        cells="<results>/experiment/truth/cells.parquet",
        genes="<results>/experiment/truth/genes.tsv",
        effects="<results>/experiment/truth/effects.json",
    log:
        "<logs>/simulate_study.log",
    benchmark:
        "<benchmarks>/simulate_study.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=10,
    params:
        settings=settings("simulate", "seed"),
        _code=code("simulate_study.py"),
    script:
        "../scripts/simulate_study.py"


rule simulate_movie:
    """Render the movie of one simulated field of view."""
    input:
        positions="<results>/experiment/truth/positions.parquet",
    output:
        movie="<results>/experiment/movies/{sample}_{fov}.ome.tif",
        masks="<results>/experiment/truth/masks/{sample}_{fov}.ome.tif",
    log:
        "<logs>/simulate_movie/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/simulate_movie/{sample}@{fov}.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        settings=field_settings("simulate", "seed"),
        _code=code("simulate_movie.py"),
    script:
        "../scripts/simulate_movie.py"
