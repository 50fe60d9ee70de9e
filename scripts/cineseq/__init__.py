"""cineseq: from a movie of living cells and their transcriptomes to what goes with what a cell did."""

__version__ = "0.1.0"
