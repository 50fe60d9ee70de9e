"""cineseq: from a movie of living cells and their transcriptomes to associations with cell function.

``import cineseq as cs`` gives the functions of :data:`__all__`: arrays and tables in, tables out, no file touched.
Each one is imported on first use.
"""

import gc
import os
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# In processes of a workflow only, which sets the variable: rarer garbage collection speeds up the import of torch.
if "CINESEQ_GC_THRESHOLD" in os.environ:
    gc.set_threshold(int(os.environ["CINESEQ_GC_THRESHOLD"]))

_MODULES = {
    "read_movie": "cineseq.api.imaging",
    "segment": "cineseq.api.networks",
    "track": "cineseq.api.tracking",
    "ends_to_review": "cineseq.api.deaths",
    "death_scores": "cineseq.api.deaths",
    "measure": "cineseq.api.imaging",
    "embed": "cineseq.api.networks",
    "score": "cineseq.api.scoring",
    "pair": "cineseq.api.pairing",
    "cluster": "cineseq.api.analysis",
    "predict": "cineseq.api.analysis",
    "compare_sisters": "cineseq.api.sisters",
    "explain": "cineseq.api.analysis",
    "generate": "cineseq.api.generative",
}
"""Where each function of the interface is; importing the package alone loads none of them."""

__all__ = [*_MODULES]  # noqa: PLE0604 - the names above


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module 'cineseq' has no attribute '{name}'"
        raise AttributeError(msg)
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
