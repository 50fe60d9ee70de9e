"""Features of cells: shape, intensity, texture, embedding and function scores.

INPUTS: movie.ome.tif, masks.ome.tif, detections.parquet, tracks.parquet of each field of view.
OUTPUTS: morphology, embeddings, timecourse, scores and objects of each field, and study/cells.parquet.
"""


rule morphology:
    """Measure size, shape, intensity and texture of every object of one field of view."""
    input:
        labels="<results>/fov/{sample}/{fov}/masks.ome.tif",
        movie=MOVIE,
    output:
        **outputs_of("morphology"),
        report="<results>/reports/morphology/{sample}@{fov}.json",
    log:
        "<logs>/morphology/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/morphology/{sample}@{fov}.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(120),
        attempt=growing(1),
    params:
        settings=field_settings("channels", "morphology"),
        _code=code("morphology.py"),
        _tries=tries("morphology"),
    script:
        "../scripts/morphology.py"


rule embed:
    """Embed crops of the cells of one field of view with a vision transformer."""
    input:
        labels="<results>/fov/{sample}/{fov}/masks.ome.tif",
        movie="<results>/fov/{sample}/{fov}/movie.ome.tif",
        detections="<results>/fov/{sample}/{fov}/detections.parquet",
        tracks="<results>/fov/{sample}/{fov}/tracks.parquet",
        model=model(STUDY.embedder),
    output:
        **outputs_of("embed"),
        report="<results>/reports/embed/{sample}@{fov}.json",
    log:
        "<logs>/embed/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/embed/{sample}@{fov}.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        gpu=STUDY.gpus("embed"),
        mem_mb=growing(3000),
        runtime=growing(240),
        attempt=growing(1),
    params:
        settings=field_settings("channels", "features", "embed"),
        _code=code("embed.py"),
        _tries=tries("embed"),
        _content=content(STUDY.embedder),
    script:
        "../scripts/embed.py"


rule score_function:
    """Measure the time course of the function channels of one field of view, and score each track."""
    input:
        labels="<results>/fov/{sample}/{fov}/masks.ome.tif",
        movie="<results>/fov/{sample}/{fov}/movie.ome.tif",
        detections="<results>/fov/{sample}/{fov}/detections.parquet",
        tracks="<results>/fov/{sample}/{fov}/tracks.parquet",
        saturated="<results>/fov/{sample}/{fov}/saturated.npz",
        cells=from_sheet("cell_masks"),
    output:
        **outputs_of("score_function"),
        report="<results>/reports/score_function/{sample}@{fov}.json",
    log:
        "<logs>/score_function/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/score_function/{sample}@{fov}.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
        attempt=growing(1),
    params:
        settings=field_settings("inputs", "channels", "function"),
        _code=code("score_function.py"),
        _tries=tries("score_function"),
        _content=content(from_sheet("cell_masks")),
    script:
        "../scripts/score_function.py"


rule summarise_tracks:
    """Join the measurements of the objects of one field of view, and summarise them as one row per track."""
    input:
        detections="<results>/fov/{sample}/{fov}/detections.parquet",
        tracks="<results>/fov/{sample}/{fov}/tracks.parquet",
        morphology=if_there(
            STUDY.has_masks, "<results>/fov/{sample}/{fov}/morphology.parquet"
        ),
        embeddings=if_there(
            STUDY.embeds, "<results>/fov/{sample}/{fov}/embeddings.parquet"
        ),
        scores=if_there(
            STUDY.measures_function, "<results>/fov/{sample}/{fov}/scores.parquet"
        ),
        features=from_sheet("features"),
    output:
        **outputs_of("summarise_tracks"),
    log:
        "<logs>/summarise_tracks/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/summarise_tracks/{sample}@{fov}.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
        attempt=growing(1),
    params:
        settings=field_settings("features", metadata=True),
        _code=code("summarise_tracks.py"),
        _tries=tries("summarise_tracks"),
        _content=content(from_sheet("features")),
    script:
        "../scripts/summarise_tracks.py"
