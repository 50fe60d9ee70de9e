"""The contracts of the tables on images, tracks, cells and pairs."""

from cineseq.tables.contract import Column, Table, zero_to_one

END_KINDS = ("division", "death", "left_fov", "lost", "end_of_movie")
END_CLASSES = ("division", "death", "exit", "mitosis", "other", "unknown", "end_of_movie")
START_KINDS = ("division", "entered", "first_frame", "appeared")
EVENT_KINDS = ("link", "division", "possible_division", "death", "left_fov", "lost")
FATES = ("division", "death", "unknown")
PAIR_STATUSES = ("singlet", "multi_cell", "multi_barcode", "ambiguous", "no_barcode", "no_cell")

_SAMPLE = Column("sample", "text", "Sample: one lane, well or flow cell")
_FOV = Column("fov", "text", "Field of view within the sample")
_FRAME = Column("frame", "integer", "Frame number, from 0", low=0)
_LABEL = Column(
    "label", "integer", "Label of the object in the mask of its frame; without masks, its number in the frame", low=1
)
_TRACK = Column("track_id", "text", "Track, unique in the study: sample/fov/number")
_Y = Column("y_px", "number", "Centroid row", "px")
_X = Column("x_px", "number", "Centroid column", "px")
_MORPHOLOGY = Column(
    "morphology_*", "number", "Shape, intensity or texture; the name ends in its unit, if any", missing=True
)
_EMBEDDING = Column("embedding_*", "number", "Coordinate of the image embedding, named after its channel", missing=True)
_FEATURES = Column("features_*", "number", "Feature that the user measured, named as in its table", missing=True)
_FUNCTION = Column("function_*", "number", "Function score, named as in the configuration", missing=True)

MORPHOLOGY = Table(
    "morphology",
    "One row per object: its shape, intensity and texture",
    ("sample", "fov", "frame", "label"),
    (_SAMPLE, _FOV, _FRAME, _LABEL, _MORPHOLOGY),
)
DETECTIONS = Table(
    "detections",
    "One row per object: its position and its track",
    ("sample", "fov", "frame", "label"),
    (
        _SAMPLE,
        _FOV,
        _FRAME,
        _LABEL,
        _TRACK,
        _Y,
        _X,
        Column(
            "area_px",
            "number",
            "Area of the mask, or as a table of points states it; else missing",
            "px2",
            missing=True,
            low=0,
        ),
        Column(
            "touches_border",
            "truth",
            "Whether the mask touches the border of the visible part of the field; missing without masks",
            missing=True,
        ),
        Column(
            "hours", "number", "Time of the frame; only of movies at irregular times", "h", missing=True, optional=True
        ),
        Column(
            "pixel_aspect",
            "number",
            "Height of a pixel divided by its width; only of movies with oblong pixels",
            missing=True,
            low=0,
            optional=True,
        ),
    ),
)
LINEAGE_COLUMNS = (
    Column("parent_id", "text", "Track of the parent; missing where unknown", missing=True),
    Column("founder_id", "text", "First track of the lineage (the root cell)"),
    Column("generation", "integer", "Divisions since the root cell", low=0),
    Column("sister_id", "text", "The other daughter of the same division; missing where there is none", missing=True),
    Column("start_frame", "integer", "First frame of the track", low=0),
    Column("end_frame", "integer", "Last frame of the track", low=0),
    Column(
        "start_hours",
        "number",
        "Time of the first frame; missing where the frame interval is unknown",
        "h",
        missing=True,
    ),
    Column(
        "end_hours", "number", "Time of the last frame; missing where the frame interval is unknown", "h", missing=True
    ),
    Column("start_kind", "text", "How the track began", values=START_KINDS),
    zero_to_one("start_confidence", "Probability of start_kind"),
    Column("end_kind", "text", "How the track ended; never death without evidence", values=END_KINDS),
    zero_to_one("end_confidence", "Probability of end_kind"),
    Column("fate", "text", "division, death or unknown", values=FATES),
    Column("fate_known", "truth", "Whether the fate is known"),
    Column(
        "alive_at_end", "truth", "Whether the cell was alive in the last frame; missing where unknown", missing=True
    ),
)


def _p_end(name: str, meaning: str) -> Column:
    return Column(name, "number", meaning, missing=True, low=0, high=1, optional=True)


TRACKS = Table(
    "tracks",
    "One row per track: one cell from birth to end",
    ("track_id",),
    (
        _TRACK,
        _SAMPLE,
        _FOV,
        Column("number", "integer", "Number of the track in its field; the label in the CTC export", low=1),
        *LINEAGE_COLUMNS,
        Column("frames", "integer", "Frames in which the cell was seen", low=1),
        Column("start_y_px", "number", "Centroid row in the first frame", "px", missing=True),
        Column("start_x_px", "number", "Centroid column in the first frame", "px", missing=True),
        Column("end_y_px", "number", "Centroid row in the last frame", "px", missing=True),
        Column("end_x_px", "number", "Centroid column in the last frame", "px", missing=True),
        Column(
            "end_class",
            "text",
            "end_kind, with lost resolved into mitosis (lost while dividing), other and unknown; none of these is a "
            "fate",
            values=END_CLASSES,
            missing=True,
            optional=True,
        ),
        _p_end("p_death", "Calibrated probability that the track ended in death; missing at other kinds of end"),
        _p_end("p_mitosis", "Calibrated probability that the track was lost in mitosis; missing likewise"),
        Column(
            "body_frames",
            "integer",
            "Frames, up to the end and after it, in which a condensed or dead body was seen in place",
            missing=True,
            low=0,
            optional=True,
        ),
        Column("stained", "truth", "Whether a stain of dead cells was seen", missing=True, optional=True),
        Column("stain_frame", "integer", "First frame with the stain", missing=True, low=0, optional=True),
        Column("end_model", "text", "Model of these probabilities, with its hash", missing=True, optional=True),
    ),
)
TRACK_ENDS = {
    "start_frame": ("frame", "first"),
    "end_frame": ("frame", "last"),
    "frames": ("frame", "size"),
    "start_y_px": ("y_px", "first"),
    "start_x_px": ("x_px", "first"),
    "end_y_px": ("y_px", "last"),
    "end_x_px": ("x_px", "last"),
}
"""Columns of the tracks table from the objects of each track, sorted by frame: arguments of ``agg`` of a groupby."""

_EVENT_COLUMNS = (
    Column(
        "kind",
        "text",
        "The claim: a link, a division, a rejected division, or how a track ended",
        values=EVENT_KINDS,
    ),
    _FRAME,
    _LABEL,
    Column("next_frame", "integer", "Frame of the next cell or of the daughters", missing=True, low=0),
    Column("next_label", "integer", "Label of the next cell or of one daughter", missing=True, low=1),
    Column("other_label", "integer", "Label of the other daughter, or of the second-best cell", missing=True, low=1),
    _TRACK,
    _Y,
    _X,
    Column("confidence", "number", "Probability that the claim is right", low=0, high=1),
    Column("reason", "text", "The evidence"),
)
_JUDGE = Column(
    "end_model", "text", "Model that judged this end, with its hash; missing elsewhere", missing=True, optional=True
)
EVENTS = Table(
    "events",
    "One row per link, division and unexplained end, with the confidence of tracking",
    ("sample", "fov", "kind", "frame", "label"),
    (
        _SAMPLE,
        _FOV,
        *_EVENT_COLUMNS,
        Column("edited", "truth", "Whether a manual edit decided it"),
        _JUDGE,
    ),
)
FIELD_STATUSES = ("kept", "incomplete", "left_out")
FIELDS = Table(
    "fields",
    "One row per field of view: whether its cells are in the study, and why not",
    ("sample", "fov"),
    (
        _SAMPLE,
        _FOV,
        Column(
            "status",
            "text",
            "Whether its cells are in the study (kept), are there without pictures or an export (incomplete), or are "
            "not there (left_out)",
            values=FIELD_STATUSES,
        ),
        Column("step", "text", "Step that could not process it", missing=True),
        Column(
            "reason",
            "text",
            "Whether that step refused its data, crashed, or ran out of memory or time",
            missing=True,
            values=("refused", "crashed", "memory", "time"),
        ),
        Column("sentence", "text", "What that step said", missing=True),
    ),
)
CURATION = Table(
    "curation",
    "The least certain events, for manual review",
    ("rank",),
    (
        _SAMPLE,
        _FOV,
        Column("rank", "integer", "Rank from 1, the least certain event first", low=1),
        *_EVENT_COLUMNS,
        _JUDGE,
        Column("strip", "text", "File of the film strip, in the field's folder strips"),
        Column("edit_if_right", "text", "Row for the table of edits that confirms it", missing=True),
        Column("edit_if_wrong", "text", "Row for the table of edits that undoes it", missing=True),
    ),
)
OBJECTS = Table(
    "objects",
    "One row per object: track and morphology joined on frame and label",
    ("sample", "fov", "frame", "label"),
    (*DETECTIONS.columns, _MORPHOLOGY, _FEATURES),
)
EMBEDDINGS = Table(
    "embeddings",
    "One row per embedded object",
    ("sample", "fov", "frame", "label"),
    (_SAMPLE, _FOV, _FRAME, _LABEL, _EMBEDDING),
)
TIMECOURSE = Table(
    "timecourse",
    "One row per object and function channel: background-corrected intensity over time",
    ("channel", "track_id", "frame"),
    (
        _SAMPLE,
        _FOV,
        _TRACK,
        _FRAME,
        Column("hours", "number", "Time of the frame; missing without a frame interval", "h", missing=True),
        Column("channel", "text", "Function channel"),
        Column("value", "number", "Measure that is scored (function.measure)", "grey levels", missing=True),
        Column("background", "number", "Background of a pixel that was subtracted", "grey levels", missing=True),
        Column(
            "integrated", "number", "Sum over the region minus background", "grey levels", missing=True, optional=True
        ),
        Column("mean", "number", "Mean of the region minus background", "grey levels", missing=True, optional=True),
        Column("spot_count", "number", "Number of bright spots in the region", missing=True, optional=True, low=0),
        Column("spot_intensity", "number", "Sum of the spots", "grey levels", missing=True, optional=True),
        Column("region_px", "number", "Area of the region", "px2", missing=True, optional=True, low=0),
        Column(
            "saturated", "number", "Share of saturated pixels in the region", missing=True, optional=True, low=0, high=1
        ),
    ),
)
SCORES = Table(
    "scores",
    "One row per track: its function scores",
    ("track_id",),
    (
        _SAMPLE,
        _FOV,
        _TRACK,
        _FUNCTION,
        Column(
            "responded_*",
            "truth",
            "Whether the signal rises, named after its function score; missing for tracks too short to tell",
            missing=True,
            optional=True,
        ),
    ),
)
CELLS = Table(
    "cells",
    "One row per track (or per cell of an external table): everything measured on images",
    ("track_id",),
    (
        _TRACK,
        _SAMPLE,
        _FOV,
        Column("condition", "text", "Condition of the sample", missing=True),
        Column("replicate", "text", "Run of the experiment; conditions may share one", missing=True),
        *(
            Column(c.name, c.kind, c.meaning, c.unit, missing=True, low=c.low, high=c.high, values=c.values)
            for c in LINEAGE_COLUMNS
        ),
        Column("feature_frame", "integer", "Frame of the morphology and embedding in this row", missing=True, low=0),
        Column("y_px", "number", "Centroid row in feature_frame", "px", missing=True),
        Column("x_px", "number", "Centroid column in feature_frame", "px", missing=True),
        Column("start_y_px", "number", "Centroid row in the first frame", "px", missing=True, optional=True),
        Column("start_x_px", "number", "Centroid column in the first frame", "px", missing=True, optional=True),
        Column("end_y_px", "number", "Centroid row in the last frame", "px", missing=True, optional=True),
        Column("end_x_px", "number", "Centroid column in the last frame", "px", missing=True, optional=True),
        Column(
            "movie_end_frame",
            "integer",
            "Last frame of the movie, where an external table of lineages states it",
            missing=True,
            low=0,
            optional=True,
        ),
        Column(
            "movie_end_hours",
            "number",
            "Time of the end of the movie, where an external table of lineages states times",
            "h",
            missing=True,
            optional=True,
        ),
        Column("group_*", "text", "Group from the user's table", missing=True, optional=True),
        Column("state_*", "text", "State from the user's table", missing=True, optional=True),
        _FUNCTION,
        _MORPHOLOGY,
        _EMBEDDING,
        _FEATURES,
    ),
)
COMPARTMENTS = Table(
    "compartments",
    "One row per compartment (cage, well, droplet): its position and size",
    ("sample", "compartment_id"),
    (
        _SAMPLE,
        _FOV,
        Column("compartment_id", "text", "Compartment; field/name where several fields share the name"),
        Column("y_px", "number", "Centre row", "px"),
        Column("x_px", "number", "Centre column", "px"),
        Column("radius_px", "number", "Radius", "px", low=0),
        Column(
            "closed_frame",
            "integer",
            "First frame in which the compartment was closed",
            missing=True,
            low=0,
            optional=True,
        ),
    ),
)
_BARCODE_GROUP = Column("group_*", "text", "Group of the barcode, such as its plate", missing=True, optional=True)
BARCODES = Table(
    "barcodes",
    "One row per sequenced barcode and the compartment it was decoded or located in",
    ("sample", "barcode"),
    (
        _SAMPLE,
        Column("barcode", "text", "Sequence of the barcode as in the counts, or a name"),
        Column("compartment_id", "text", "Compartment, where known", missing=True, optional=True),
        Column("y_px", "number", "Row of the barcode in its field, where known", "px", missing=True, optional=True),
        Column("x_px", "number", "Column of the barcode in its field, where known", "px", missing=True, optional=True),
        Column("fov", "text", "Field of view of that position", missing=True, optional=True),
        _BARCODE_GROUP,
    ),
)
PAIRS = Table(
    "pairs",
    "One row per candidate pair of a cell and a barcode; only singlets enter the paired data",
    (),
    (
        _SAMPLE,
        Column("fov", "text", "Field of view", missing=True),
        Column("track_id", "text", "Track; missing for a barcode without a cell", missing=True),
        Column("compartment_id", "text", "Compartment; missing for a cell outside any", missing=True),
        Column("barcode", "text", "Barcode as in the counts; missing for a cell without one", missing=True),
        Column("status", "text", "singlet, or the reason why the pair is not used", values=PAIR_STATUSES),
        Column("occupancy", "integer", "Live cells in the compartment when it was read", missing=True, low=0),
        Column("barcodes", "integer", "Accepted barcodes of the compartment", missing=True, low=0),
        Column("distance_um", "number", "Distance of the cell from the centre of the compartment", "um", missing=True),
        Column("distance_px", "number", "Distance of the cell from the centre of the compartment", "px", missing=True),
        zero_to_one(
            "posterior", "Probability that the barcode is the compartment's own; only where located by position"
        ),
        Column(
            "barcode_edits",
            "integer",
            "Hamming distance between the sequenced and the known barcode",
            missing=True,
            low=0,
        ),
        _BARCODE_GROUP,
    ),
)
