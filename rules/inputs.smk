"""Import of the user's files as one movie and one label stack per field of view.

INPUTS: images or masks of the sample sheet.
OUTPUTS: <results>/fov/{sample}/{fov}/movie.ome.tif, and masks.ome.tif for external masks.
"""


rule prepare_movie:
    """Read, check and correct the raw movie of one field of view."""
    input:
        images=from_sheet("images"),
    output:
        movie=movie_output("<results>/fov/{sample}/{fov}/movie.ome.tif"),
        saturated=movie_output("<results>/fov/{sample}/{fov}/saturated.npz"),
        report="<results>/reports/prepare_movie/{sample}@{fov}.json",
    log:
        "<logs>/prepare_movie/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/prepare_movie/{sample}@{fov}.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
        attempt=growing(1),
    params:
        settings=field_settings("inputs", "channels"),
        _code=code("prepare_movie.py"),
        _tries=tries("prepare_movie"),
        _content=content(from_sheet("images")),
    script:
        "../scripts/prepare_movie.py"


rule import_masks:
    """Read the external masks of one field of view and check them."""
    input:
        masks=from_sheet("masks"),
        movie=MOVIE,
    output:
        **outputs_of("import_masks"),
        report="<results>/reports/import_masks/{sample}@{fov}.json",
    log:
        "<logs>/import_masks/{sample}@{fov}.log",
    benchmark:
        "<benchmarks>/import_masks/{sample}@{fov}.tsv"
    wildcard_constraints:
        sample=STUDY.only_if(masks=True),
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
        attempt=growing(1),
    params:
        settings=field_settings("inputs"),
        _code=code("import_masks.py"),
        _tries=tries("import_masks"),
        _content=content(from_sheet("masks")),
    script:
        "../scripts/import_masks.py"


rule compare_fields:
    """Compare the recordings of all fields of view: channels, types of pixels, scales and grey levels."""
    input:
        recorded=reports_of_fields(
            "prepare_movie" if STUDY.has("images") else "import_masks"
        ),
    output:
        report="<results>/reports/compare_fields.json",
    log:
        "<logs>/compare_fields.log",
    benchmark:
        "<benchmarks>/compare_fields.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        settings={"lengths_in_pixels": STUDY.lengths_in_pixels},
        _code=code("compare_fields.py"),
    script:
        "../scripts/compare_fields.py"
