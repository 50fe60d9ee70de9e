"""cineseq: from a movie of living cells and their transcriptomes to what goes with what a cell did."""

import gc

__version__ = "0.1.0"

# Importing makes millions of objects that stay; to look for garbage among them less often makes that of torch quicker.
gc.set_threshold(10_000)
