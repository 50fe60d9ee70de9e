"""What several tests expect."""

TARGETS = {
    "features",
    "tracking",
    "pairing",
    "clusters",
    "de",
    "prediction",
    "lineage",
    "crossmodal",
    "generative",
    "report",
    "truth",
}
"""Every target that a person may name."""
