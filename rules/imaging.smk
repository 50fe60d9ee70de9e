"""Segmentation and tracking, for each field of view.

INPUTS: movie.ome.tif, masks.ome.tif, points or external tracks, compartments if available.
OUTPUTS: masks.ome.tif, detections.parquet, tracks.parquet, events.parquet, the events to check (curation.html), and
ctc/ and tracks.geff/ for other tools.
"""


rule segment:
    """Segment the cells of every frame of one movie with cellpose."""
    input:
        movie="<results>/fov/{sample}/{fov}/movie.ome.tif",
        model=model(STUDY.segmenter),
    output:
        **outputs_of("segment"),
        report="<results>/reports/segment/{sample}@{fov}.json",
    log:
        "<logs>/segment/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/segment/{sample}@{fov}.tsv"
    wildcard_constraints:
        sample=STUDY.only_if(masks=False),
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        gpu=STUDY.gpus("segment"),
        mem_mb=growing(3000),
        runtime=growing(240),
        attempt=growing(1),
    params:
        settings=field_settings("channels", "segment"),
        _code=code("segment.py"),
        _tries=tries("segment"),
        _content=content(STUDY.segmenter),
    script:
        "../scripts/segment.py"


rule track:
    """Link the cells or points of one field of view over time, with divisions, deaths and other ends."""
    input:
        labels=if_there(STUDY.has_masks, "<results>/fov/{sample}/{fov}/masks.ome.tif"),
        points=from_sheet("points"),
        movie=MOVIE,
        compartments=from_sheet("compartments"),
        edits=from_sheet("edits"),
    output:
        **outputs_of("track"),
        report="<results>/reports/track/{sample}@{fov}.json",
    log:
        "<logs>/track/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/track/{sample}@{fov}.tsv"
    wildcard_constraints:
        sample=STUDY.only_if(tracks=False),
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
        attempt=growing(1),
    params:
        settings=field_settings("channels", "inputs", "track"),
        _code=code("track.py"),
        _tries=tries("track"),
        _content=content(
            from_sheet("points"), from_sheet("compartments"), from_sheet("edits")
        ),
    script:
        "../scripts/track.py"


rule import_tracks:
    """Read the external tracks of one field of view and check their lineage."""
    input:
        external=from_sheet("tracks"),
        labels="<results>/fov/{sample}/{fov}/masks.ome.tif",
        compartments=from_sheet("compartments"),
        edits=from_sheet("edits"),
    output:
        **outputs_of("import_tracks"),
        report="<results>/reports/import_tracks/{sample}@{fov}.json",
    log:
        "<logs>/import_tracks/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/import_tracks/{sample}@{fov}.tsv"
    wildcard_constraints:
        sample=STUDY.only_if(tracks=True, masks=True),
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
        attempt=growing(1),
    params:
        settings=field_settings("track"),
        _code=code("import_tracks.py"),
        _tries=tries("import_tracks"),
        _content=content(
            from_sheet("tracks"), from_sheet("compartments"), from_sheet("edits")
        ),
    script:
        "../scripts/import_tracks.py"


rule import_point_tracks:
    """Read the point tracks (without masks) of one field of view, and check their lineage."""
    input:
        external=from_sheet("tracks"),
        compartments=from_sheet("compartments"),
    output:
        **outputs_of("import_point_tracks"),
        report="<results>/reports/import_point_tracks/{sample}@{fov}.json",
    log:
        "<logs>/import_point_tracks/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/import_point_tracks/{sample}@{fov}.tsv"
    wildcard_constraints:
        sample=STUDY.only_if(tracks=True, masks=False),
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
        attempt=growing(1),
    params:
        settings=field_settings("inputs", "track"),
        _code=code("import_point_tracks.py"),
        _tries=tries("import_point_tracks"),
        _content=content(from_sheet("tracks"), from_sheet("compartments")),
    script:
        "../scripts/import_point_tracks.py"


rule export_tracks:
    """Export the tracks of one field of view as a graph and in the format of the Cell Tracking Challenge."""
    input:
        labels=if_there(STUDY.has_masks, "<results>/fov/{sample}/{fov}/masks.ome.tif"),
        detections="<results>/fov/{sample}/{fov}/detections.parquet",
        tracks="<results>/fov/{sample}/{fov}/tracks.parquet",
    output:
        **outputs_of("export_tracks"),
    log:
        "<logs>/export_tracks/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/export_tracks/{sample}@{fov}.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
        attempt=growing(1),
    params:
        _code=code("export_tracks.py"),
        _tries=tries("export_tracks"),
    script:
        "../scripts/export_tracks.py"


rule draw_field:
    """Draw one field of view with its least certain links, divisions and ends, and rate its quality."""
    input:
        labels="<results>/fov/{sample}/{fov}/masks.ome.tif",
        movie=MOVIE,
        detections="<results>/fov/{sample}/{fov}/detections.parquet",
        tracks="<results>/fov/{sample}/{fov}/tracks.parquet",
        events="<results>/fov/{sample}/{fov}/events.parquet",
    output:
        **outputs_of("draw_field"),
    log:
        "<logs>/draw_field/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/draw_field/{sample}@{fov}.tsv"
    priority: LATER
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
        attempt=growing(1),
    params:
        settings=field_settings("channels", "segment", "features", "embed", "curation"),
        most_strips=STUDY.config.report.strips,
        _code=code("draw_field.py", "curation/templates"),
        _tries=tries("draw_field"),
    script:
        "../scripts/draw_field.py"


rule collect_uncertain:
    """Collect the least certain events of all fields of view in one list."""
    input:
        tables=of_fields("curation.tsv", STUDY.has_masks),
    output:
        **outputs_of("collect_uncertain"),
    log:
        "<logs>/collect_uncertain.log",
    benchmark:
        "<benchmarks>/collect_uncertain.tsv"
    priority: LATER
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        settings=settings("curation"),
        _code=code("collect_uncertain.py"),
    script:
        "../scripts/collect_uncertain.py"
