"""Three paired cells with columns of every type."""

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.io.paired import BLOCKS, PairedData

CELLS = pd.Index(["s/1/10", "s/1/2", "s/1/3"], name="track_id")
NOTHING = pd.DataFrame(index=CELLS)
OBS = pd.DataFrame(
    {
        "sample": ["01", "01", "02"],
        "fov": ["1", "1", "1"],
        "condition": pd.array([None] * 3, dtype="string"),
        "replicate": ["1", None, "2"],
        "sister_id": ["s/1/2", None, None],
        "unsaid": pd.array([None] * 3, dtype="string"),
        "start_hours": [1.0, 2.0, 3.0],
        "end_hours": [1.0, np.nan, 3.0],
        "nowhere": [np.nan] * 3,
        "generation": [0, 1, 1],
        "feature_frame": pd.array([7, None, 9], dtype="Int64"),
        "fate_known": [True, False, True],
        "alive_at_end": pd.array([True, None, False], dtype="boolean"),
        "judged": pd.Series([True, None, False], CELLS, dtype=object),
        "family": ["s/1/10", "s/1/2", "s/1/2"],
    },
    index=CELLS,
)
TYPES = {
    "sample": "string",
    "fov": "string",
    "condition": "string",
    "replicate": "string",
    "sister_id": "string",
    "unsaid": "string",
    "start_hours": "float64",
    "end_hours": "float64",
    "nowhere": "float64",
    "generation": "Int64",
    "feature_frame": "Int64",
    "fate_known": "boolean",
    "alive_at_end": "boolean",
    "judged": "boolean",
    "family": "string",
}


COUNTS = sparse.csr_matrix([[0, 5], [1, 0], [0, 0]], dtype=np.float32)


def assert_read_back(found: PairedData, **how_strict: bool) -> None:
    """Assert that the cells of :func:`paired` with :data:`COUNTS` came back with the types that analyses read."""
    assert {name: str(kind) for name, kind in found.obs.dtypes.items()} == TYPES
    pd.testing.assert_frame_equal(found.obs, OBS.astype(TYPES))
    assert found.obs.index.name == "track_id"
    assert isinstance(found.counts, sparse.csr_matrix)
    assert found.counts.dtype == np.float32
    np.testing.assert_array_equal(found.counts.toarray(), COUNTS.toarray())
    assert found.genes.tolist() == ["Actb", "NA"]
    for name in BLOCKS:
        expected = getattr(paired(None), name)
        pd.testing.assert_frame_equal(getattr(found, name), expected, check_column_type=False, **how_strict)


def paired(counts: sparse.csr_matrix | None) -> PairedData:
    """Return three cells with a shape, a function and no embedding."""
    morphology = pd.DataFrame({"morphology_area_um2": [1.0, np.nan, 3.0], "morphology_a/b": [4.0, 5.0, 6.0]}, CELLS)
    function = pd.DataFrame({"function_kill": [0.0, 1.0, 0.5]}, CELLS)
    genes = pd.Index([] if counts is None else ["Actb", "NA"])
    return PairedData(OBS, counts, genes, morphology, NOTHING, function)
