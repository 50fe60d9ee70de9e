"""Models: downloaded before jobs run without a network, or trained on a user's annotated frames.

INPUTS: annotated frames and their masks (section train).
OUTPUTS: the trained model and its model card; models.json, the files and hashes of the models.
"""


rule prefetch_models:
    """Download the segmentation and embedding models that are named on a hub, and record all model files."""
    output:
        **outputs_of("prefetch_models"),
    log:
        "<logs>/prefetch_models.log",
    benchmark:
        "<benchmarks>/prefetch_models.tsv"
    localrule: True
    conda:
        "../envs/cineseq.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=120,
    params:
        settings=settings("segment", "embed", "train"),
        _code=code("prefetch_models.py"),
    script:
        "../scripts/prefetch_models.py"


rule train_model:
    """Fine-tune a segmentation model on annotated frames."""
    input:
        images=annotated("images"),
        masks=annotated("masks"),
        start=STUDY.training_start,
    output:
        **outputs_of("train_model"),
    log:
        "<logs>/train_model.log",
    benchmark:
        "<benchmarks>/train_model.tsv"
    conda:
        "../envs/cineseq.yaml"
    threads: 2
    resources:
        gpu=STUDY.gpus("train"),
        mem_mb=lambda wildcards, attempt: STUDY.training_memory_mb * attempt,
        runtime=720,
    params:
        settings=settings("train"),
        _code=code("train_model.py"),
        _content=content(annotated("images"), annotated("masks")),
    script:
        "../scripts/train_model.py"
