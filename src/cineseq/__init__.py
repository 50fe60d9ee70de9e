"""cineseq: from a movie of living cells and their transcriptomes to what goes with what a cell did."""

import gc
import os

__version__ = "0.1.0"

# In the processes of a workflow only, which says so: to look for garbage less often makes importing torch quicker.
if "CINESEQ_GC_THRESHOLD" in os.environ:
    gc.set_threshold(int(os.environ["CINESEQ_GC_THRESHOLD"]))
