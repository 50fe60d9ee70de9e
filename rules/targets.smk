"""Targets for the command line; none of them is a step."""


rule features:
    """Measure the cells of every field of view."""
    input:
        target("features"),


rule tracking:
    """Segment and track every field of view."""
    input:
        target("tracking"),


rule pairing:
    """Pair cells with their transcriptomes."""
    input:
        target("pairing"),


rule clusters:
    """Cluster the paired cells."""
    input:
        target("clusters"),


rule de:
    """Test differential expression."""
    input:
        target("de"),


rule prediction:
    """Predict function."""
    input:
        target("prediction"),


rule lineage:
    """Compare relatives."""
    input:
        target("lineage"),


rule crossmodal:
    """Explain one modality by the other."""
    input:
        target("crossmodal"),


rule generative:
    """Generate each modality from the other."""
    input:
        target("generative"),


rule report:
    """Write the report."""
    input:
        target("report"),


rule truth:
    """Score a run on simulated data against its truth."""
    input:
        target("truth"),


rule train:
    """Train a segmentation model on your own annotated frames."""
    input:
        "<results>/model/segmenter.pt",
        "<results>/model/segmenter.md",


rule prefetch:
    """Download the models before jobs run on machines without a network."""
    input:
        "<results>/models.json",
