"""The contracts of the truth tables of a simulated experiment."""

from cineseq.tables.contract import NOTE, Column, Table, number, zero_to_one
from cineseq.tables.imaging import PAIR_STATUSES

_SAMPLE = Column("sample", "text", "Sample")
_FOV = Column("fov", "text", "Field of view within the sample")
SIMULATED_POSITIONS = Table(
    "simulated_positions",
    "One row per frame and cell, debris or cage: everything that is rendered",
    ("sample", "fov", "frame", "kind", "number"),
    (
        _SAMPLE,
        _FOV,
        Column("frame", "integer", "Frame number, from 0", low=0),
        Column("kind", "text", "What the row shows", values=("cell", "debris", "cage")),
        Column("number", "integer", "Number of the cell (alive or dead) as in the tracks table, or of the cage", low=1),
        Column("y_px", "number", "Row of the centre, with drift", "px"),
        Column("x_px", "number", "Column of the centre, with drift", "px"),
        Column("major_px", "number", "Long half-axis of the nucleus, or radius of a cage", "px", low=0),
        Column("minor_px", "number", "Short half-axis", "px", low=0),
        Column("angle", "number", "Direction of the long axis, from +x towards +y", "rad", missing=True),
        Column("brightness", "number", "Nuclear intensity relative to an average cell", missing=True, low=0),
        Column("nuclear_texture", "number", "Contrast of the chromatin", missing=True, low=0),
        Column("bright_texture", "number", "Contrast of the cytoplasm in bright field", missing=True, low=0),
        Column("signal", "number", "Function signal over background", "grey levels", missing=True, low=0),
        zero_to_one("rounding", "0 spread, 1 rounded up"),
        zero_to_one("dying", "0 alive, 1 condensed or debris"),
        Column("pattern", "integer", "Seed of the texture and outline", low=0),
        Column("tracked", "truth", "Whether the true masks and tracks contain the row"),
    ),
)

SIMULATED_CELLS = Table(
    "simulated_cells",
    "One row per live cell of the last frame: its latent variables",
    ("track_id",),
    (
        Column("track_id", "text", "Track: sample/fov/number"),
        _SAMPLE,
        _FOV,
        Column("number", "integer", "Number of the track in its field", low=1),
        Column("founder_id", "text", "First track of the lineage (the root cell)"),
        Column("condition", "text", "Condition of the sample"),
        Column("birth_frame", "integer", "First frame of the cell", low=0),
        Column("y_px", "number", "Centre row in the last frame", "px"),
        Column("x_px", "number", "Centre column in the last frame", "px"),
        Column("sister_status", "text", "Fate of the sister", values=("died", "survived", "none")),
        Column("compartment_id", "text", "Cage that holds the cell", missing=True),
        Column("occupancy", "integer", "Live cells in the cage", missing=True, low=1),
        Column("barcode", "text", "Barcode of the cage as designed; the first one of a doubled cage", missing=True),
        Column("barcode_in_counts", "text", "Name of the barcode in the counts", missing=True),
        Column("pair_status", "text", "Status in a perfect pairing", values=PAIR_STATUSES),
        Column("sequenced", "truth", "Whether the counts contain the barcode"),
        Column("function", "number", "Function: standard normal over cells, plus the shift of the field"),
        Column("function_signal", "number", "Function signal in the last frame", "grey levels", low=0),
        Column("module", "number", "Latent variable of the expression module"),
        Column("shape", "number", "Latent variable of size, elongation, brightness and textures"),
        Column("phase", "number", "Position in the cell cycle, 0 at birth, 1 at division", low=0),
        Column("state", "text", "Transcriptional state", values=("A", "B", "stress")),
        Column("stress", "truth", "Whether the cell is in the stress state"),
        Column("library_size", "number", "Expected counts of the cell", "counts", low=0),
        Column("shape_early", "number", "Latent variable that elongation shares with genes, seen throughout life"),
        Column("shape_late", "number", "Latent variable that texture in bright field shares with genes, seen last"),
        Column("shape_joint", "number", "Product of two latent variables of shape that genes follow"),
        Column("shape_size", "number", "Latent variable that size shares with genes, seen throughout life"),
        Column("trait_*", "number", "Feature of shape as drawn, standard normal"),
    ),
)

SIMULATED_GENES = Table(
    "simulated_genes",
    "One row per gene: the effects planted in it",
    ("gene",),
    (
        Column("gene", "text", "Gene"),
        Column("group", "text", "Effect that the gene follows; none: only that of its field"),
        Column("base", "number", "Log of its mean fraction of the counts of a cell, up to a constant"),
        Column("module", "number", "Log fold change per standard deviation of the latent variable of the module"),
        Column("state_a", "number", "Log fold change in state A"),
        Column("state_b", "number", "Log fold change in state B"),
        Column("stress", "number", "Log fold change in the stress state"),
        Column("s_phase", "number", "Log fold change at the peak of S phase"),
        Column("g2m_phase", "number", "Log fold change in G2/M"),
        Column("confounder", "number", "Standard deviation of its log fold change between fields", low=0),
        Column("shape_early", "number", "Log fold change per unit of the cell's variable of that name"),
        Column("shape_late", "number", "Log fold change per unit of the cell's variable of that name"),
        Column("shape_joint", "number", "Log fold change per unit of the cell's variable of that name"),
        Column("shape_size", "number", "Log fold change per unit of the cell's variable of that name"),
        Column("goes_with_function", "truth", "Whether an association of the gene with function is planted"),
    ),
)


TRUTH = Table(
    "truth",
    "Planted values of a simulated experiment and the values that the run recovered",
    ("measure",),
    (
        Column("area", "text", "Step that the measure belongs to"),
        Column("measure", "text", "Measure"),
        number("planted", "Planted value; missing where there is none"),
        number("recovered", "Value that the run recovered"),
        number("low", "Lower end of its interval"),
        number("high", "Upper end of it"),
        NOTE,
    ),
)

TRUE_TRACKS = Table(
    "true_tracks",
    "The simulated track of every track found, matched by masks in the last frame that has both",
    ("track_id",),
    (Column("track_id", "text", "Found track"), Column("true_track_id", "text", "Simulated track")),
)
