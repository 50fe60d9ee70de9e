"""Which of two sisters dies: features before the fate, compared within pairs by conditional logistic regression."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.discrete.conditional_models import ConditionalLogit
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from cineseq.config.tracking import JUDGED_FRAMES
from cineseq.io.square_pixels import pixel_sides
from cineseq.lineage.trees import LineageTrees
from cineseq.pairing.positions import Circles, locate
from cineseq.statistics import ALPHA
from cineseq.statistics.permutation import benjamini_hochberg, p_value
from cineseq.tables.lineage import WHICH_SISTER_DIES
from cineseq.text import count, interval, number, quantity, ratio, share
from cineseq.text import p_value as written_p

FEWEST_FRAMES = 3
"""Least number of common frames of a pair; growth and speed need as many."""

FEATURES = {
    "area": "mean logarithm of the area",
    "area_growth": "growth rate of the area",
    "eccentricity": "mean eccentricity of the outline",
    "solidity": "mean solidity of the outline",
    "speed": "mean speed of the centre",
    "neighbour_distance": "mean distance to the nearest other cell",
    "compartment_distance": "mean distance to the centre of the compartment, in its radii",
}
"""Features of a cell before its fate. They are of shape and position only; none uses a function channel."""

UNITS = {
    "area_growth": "per {time}",
    "speed": "{length}/{time}",
    "neighbour_distance": "{length}",
    "compartment_distance": "radii",
}
"""Units of the features. A difference of logarithms has no unit."""


@dataclass(frozen=True)
class Scale:
    """Size of a pixel in micrometres and of a frame in hours, of one field; None where unknown."""

    um: float | None = None
    hours: float | None = None


UNSCALED = Scale()


def scale_of(cells: pd.DataFrame, objects: pd.DataFrame) -> Scale:
    """Infer the scale of a field from areas in px and um2, and from durations of tracks in frames and hours.

    Parameters
    ----------
    cells, objects
        As :data:`cineseq.tables.imaging.CELLS` and :data:`cineseq.tables.imaging.OBJECTS`, of one field.
    """
    um = np.sqrt(_column(objects, "morphology_area_um2") / objects["area_px"].astype(float))
    lives = cells["end_frame"].astype(float) - cells["start_frame"].astype(float)
    hours = (cells["end_hours"] - cells["start_hours"]).astype(float) / lives.where(lives > 0)
    known = [values[values > 0] for values in (um, hours)]
    return Scale(*(float(values.median()) if len(values) else None for values in known))


def discordant_pairs(families: LineageTrees, margin: int) -> pd.DataFrame:
    """Return the pairs of sisters of which one died and the other is known not to have died.

    Parameters
    ----------
    families
        The trees.
    margin
        Number of frames before a death or a division that are excluded, because the fate is already visible in them.

    Returns
    -------
    pandas.DataFrame
        ``died`` and ``other`` (their ``track_id``), ``sample``, ``fov``, ``root_cell``, and the window in which both
        were alive, ``first`` to ``last`` frame. The window may be empty (``last`` before ``first``).
    """
    cells = families.cells
    died = (cells["died"] == 1).to_numpy()[families.sisters]
    lived = ((cells["died"] == 0) | (cells["alive_at_end"] == 1)).to_numpy()[families.sisters] & ~died
    discordant = died.any(axis=1) & lived.any(axis=1)
    pairs, died = families.sisters[discordant], died[discordant]
    rows = np.where(died[:, :1], pairs, pairs[:, ::-1])
    fated = cells["died"].notna().to_numpy()
    last = cells["end_frame"].to_numpy() - margin * fated
    track = cells["track_id"].to_numpy()[rows]
    one = cells.iloc[rows[:, 0]][["sample", "fov", "root_cell"]].reset_index(drop=True)
    window = {"first": cells["start_frame"].to_numpy()[rows].max(axis=1), "last": last[rows].min(axis=1)}
    return one.assign(died=track[:, 0], other=track[:, 1], **window)


def called_deaths(pairs: pd.DataFrame, cells: pd.DataFrame) -> int:
    """Count the pairs whose death was called by the tracking step, and not confirmed by a person or stated by the user.

    Parameters
    ----------
    pairs
        As :func:`discordant_pairs` returns.
    cells
        As :data:`cineseq.tables.imaging.CELLS`. A death that the user states has no confidence; one that a person
        confirmed has 1.
    """
    confidence = cells.set_index("track_id")["end_confidence"].reindex(pairs["died"]).astype(float)
    return int((confidence < 1).sum())


def measured_before_fate(
    pairs: pd.DataFrame, objects: pd.DataFrame, compartments: pd.DataFrame, scale: Scale = UNSCALED
) -> pd.DataFrame:
    """Measure both sisters of each pair in the same frames.

    Parameters
    ----------
    pairs
        As :func:`discordant_pairs` returns, of one field.
    objects
        As :data:`cineseq.tables.imaging.OBJECTS`, of the same field; areas and shapes may be missing.
    compartments
        As :data:`cineseq.tables.imaging.COMPARTMENTS`, of the same field; may be empty.
    scale
        Scale of the same field; where it is unknown, values stay in pixels and frames.

    Returns
    -------
    pandas.DataFrame
        One row per pair and side, indexed by ``pair`` (as ``pairs``) and ``side`` (``died`` or ``other``). Columns are
        :data:`FEATURES` (NaN where not measured), ``frames`` (number of common frames), ``root_cell``, and the units
        ``length`` (um or px) and ``time`` (h or frame). Pairs with fewer than :data:`FEWEST_FRAMES` common frames are
        left out.
    """
    seen = _in_common_frames(pairs, objects)
    # Values per object, shape (objects,): those of a frame, and the speed since the previous common frame.
    group = seen.groupby(["pair", "side"], sort=True)
    log_area = np.log(seen["area_px"].where(seen["area_px"] > 0))
    # Frames at irregular times have hours of their own; others are one interval apart.
    irregular = "hours" in seen and len(seen) > 0 and seen["hours"].notna().all()
    time_column, frame_hours = ("hours", 1.0) if irregular else ("frame", scale.hours or 1.0)
    # Steps on square pixels.
    sides = pixel_sides(float(seen["pixel_aspect"].median()) if "pixel_aspect" in seen and len(seen) else 1.0)
    moved = (group[axis].diff() * side for axis, side in zip(("y_px", "x_px"), sides, strict=True))
    steps = np.hypot(*moved) / group[time_column].diff()
    by_frame = {
        "area": log_area,
        "eccentricity": _column(seen, "morphology_eccentricity"),
        "solidity": _column(seen, "morphology_solidity"),
        "speed": steps * (scale.um or 1.0) / frame_hours,
        "neighbour_distance": _column(seen, "morphology_neighbour_distance_"),
        "compartment_distance": _from_centre(seen, compartments),
    }
    # One value per pair and side: the mean over common frames, and the slope of the logarithm of the area.
    means = pd.DataFrame(by_frame).groupby([seen["pair"], seen["side"]]).mean()
    growth = _slope(log_area, seen[time_column] * frame_hours, [seen["pair"], seen["side"]])
    features = means.assign(area_growth=growth)[list(FEATURES)].assign(frames=group.size())
    root_cell = pairs["root_cell"].reindex(features.index.get_level_values("pair")).to_numpy()
    length, time = "um" if scale.um else "px", "h" if scale.hours else "frame"
    return features.assign(root_cell=root_cell, length=length, time=time)


def _slope(values: pd.Series, time: pd.Series, by: list[pd.Series]) -> pd.Series:
    """Return the least-squares slope of the values over time in each group; missing values are skipped."""
    time = time.where(values.notna())
    centred = time - time.groupby(by).transform("mean")
    covariance = (centred * values).groupby(by).sum(min_count=FEWEST_FRAMES)
    return covariance / (centred**2).groupby(by).sum()


def _in_common_frames(pairs: pd.DataFrame, objects: pd.DataFrame) -> pd.DataFrame:
    """Return the objects of both sisters in the frames in which both were detected, ordered in time."""
    sides = pairs.rename_axis(index="pair").reset_index()
    sides = sides.melt(["pair", "first", "last"], ["died", "other"], var_name="side", value_name="track_id")
    seen = objects.merge(sides, on="track_id")
    seen = seen[seen["frame"].between(seen["first"], seen["last"])].drop_duplicates(["pair", "side", "frame"])
    both = seen.groupby(["pair", "frame"])["side"].transform("size") == 2
    seen = seen[both].sort_values(["pair", "side", "frame"], ignore_index=True)
    enough = seen.groupby(["pair", "side"])["frame"].transform("size") >= FEWEST_FRAMES
    return seen[enough].reset_index(drop=True).astype({"area_px": float, "frame": float})


def _column(seen: pd.DataFrame, start: str) -> pd.Series:
    """Return the first column whose name starts with ``start`` (the rest is its unit), or missing values."""
    name = next((c for c in seen.columns if c.startswith(start)), None)
    return pd.Series(np.nan, seen.index) if name is None else seen[name].astype(float)


def _from_centre(seen: pd.DataFrame, compartments: pd.DataFrame) -> np.ndarray:
    radii = compartments["radius_px"].to_numpy(float)
    places = locate(seen[["y_px", "x_px"]].to_numpy(float), _circles(compartments), tolerance=0)
    radius = np.append(radii, np.nan)[places.compartment]
    return places.distance / radius


def _circles(compartments: pd.DataFrame) -> Circles:
    return Circles(compartments[["y_px", "x_px"]].to_numpy(float), compartments["radius_px"].to_numpy(float))


FEWEST_PAIRS = 10
STEEPEST = 10.0
"""Largest absolute log odds ratio, ends of the interval included; larger values indicate separation."""

SIGNS_AT_ONCE = 10_000_000
"""Number of signs drawn at once; bounds the memory of the permutations."""


def which_sister_dies(measured: pd.DataFrame, discordant: int, permutations: int, seed: int) -> pd.DataFrame:
    """Test whether a feature before the fate is associated with which sister of a pair dies.

    The model is a conditional logistic regression in which every pair is a stratum. Factors that sisters share (field,
    time of birth, parent, condition) cancel. The odds ratio is per within-pair standard deviation. The null
    distribution swaps the fates of both sisters, jointly in all pairs that descend from one root cell. The test
    statistic is the sum over pairs of the difference between the sister that died and the other; this is the score of
    the model at an odds ratio of 1.

    Parameters
    ----------
    measured
        As :func:`cineseq.lineage.discordant_sisters.measured_before_fate` returns, of all fields.
    discordant
        Number of pairs of which one died and the other is known not to have died, measured or not.
    permutations, seed
        Number and seed of the permutations.

    Returns
    -------
    pandas.DataFrame
        The table :data:`cineseq.tables.lineage.WHICH_SISTER_DIES`; one row per feature.

    References
    ----------
    Breslow and Day, Statistical Methods in Cancer Research I (1980), chapter 7 (matched pairs).
    """
    rng = np.random.default_rng(seed)
    rows = []
    for feature in FEATURES:
        pairs = _pairs_with(feature, measured)
        rows.append({"feature": feature, "discordant": discordant} | _compare(pairs, permutations, rng))
    table = pd.DataFrame(rows, columns=[c.name for c in WHICH_SISTER_DIES.columns])
    return table.assign(q_value=benjamini_hochberg(table["p_permutation"].to_numpy(float)))


def _pairs_with(feature: str, measured: pd.DataFrame) -> pd.DataFrame:
    """Return pairs with the feature measured in both sisters: ``died``, ``other``, ``root_cell``, ``unit``."""
    if not len(measured):
        return pd.DataFrame({name: [] for name in ("died", "other", "root_cell", "unit")})
    sides = {side: measured.xs(side, level="side") for side in ("died", "other")}
    one = sides["died"]
    unit = UNITS.get(feature, "")
    units = [unit.format(length=length, time=time) for length, time in zip(one["length"], one["time"], strict=True)]
    pairs = pd.DataFrame({side: values[feature] for side, values in sides.items()})
    pairs = pairs.assign(root_cell=one["root_cell"], unit=units)
    return pairs[np.isfinite(pairs[["died", "other"]]).all(axis=1)]


def _compare(pairs: pd.DataFrame, permutations: int, rng: np.random.Generator) -> dict[str, float | int | str]:
    difference = (pairs["died"] - pairs["other"]).to_numpy(float)
    higher = int((difference > 0).sum())
    units = sorted(set(pairs["unit"]))
    row: dict[str, float | int | str] = {"pairs": len(pairs), "higher": higher, "unit": "", "note": ""}
    row |= dict.fromkeys(("sd", "odds_ratio", "low", "high", "p_value", "p_permutation"), np.nan)
    if len(pairs) < FEWEST_PAIRS:
        of_them = f"{len(pairs)} pairs of which one sister died and the other is known not to have died"
        needed = f"were measured in {FEWEST_FRAMES} common frames, {FEWEST_PAIRS} are needed"
        return row | {"note": f"not estimable: {of_them} {needed}"}
    if len(units) > 1:
        return row | {"note": f"not estimable: fields differ in unit ({', '.join(units)})"}
    # Within-pair standard deviation: a pair with difference d has variance d^2 / 2.
    sd = float(np.sqrt((difference**2).mean() / 2))
    if not sd > 1e-9 * max(1.0, float(pairs[["died", "other"]].abs().max(axis=None))):
        return row | {"note": "not estimable: the two sisters of a pair do not differ"}
    # Permutation test on the sums per root cell, shape (root cells,); the fit is of the same differences in SDs.
    by_root_cell = pd.Series(difference / sd).groupby(pairs["root_cell"].to_numpy()).sum().to_numpy()
    row |= {"unit": units[0], "sd": sd, "p_permutation": _swapped_p(by_root_cell, permutations, rng)}
    fit = _odds_ratio(difference / sd)
    several = int((pairs["root_cell"].value_counts() > 1).sum())
    several_pairs = count(several, "root cell has", "root cells have") + " several pairs"
    repeated = f"{several_pairs}: swapped together, but the interval takes them as independent"
    return row | fit | {"note": "; ".join(filter(None, (str(fit["note"]), repeated if several else "")))}


def _odds_ratio(difference: np.ndarray) -> dict[str, float | str]:
    """Return the odds ratio with its interval and p-value, or a note; differences are in within-pair SDs."""
    if not (difference > 0).any() or not (difference < 0).any():
        never = "lower" if (difference > 0).any() else "higher"
        return {
            "note": f"odds ratio not estimable: in no pair was the value {never} in the sister that died (separation)"
        }
    # Two rows per pair, shape (2 pairs, 1): the sister that died at +d/2, the other at -d/2.
    values = np.column_stack([difference / 2, -difference / 2]).reshape(-1, 1)
    groups = np.repeat(np.arange(len(difference)), 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            fit = ConditionalLogit(np.tile([1, 0], len(difference)), values, groups=groups).fit(disp=0)
        except ConvergenceWarning:
            return {"note": "odds ratio not estimable: the fit did not converge"}
    ends = np.concatenate([fit.params, fit.conf_int()[0]])
    if not (np.abs(ends) <= STEEPEST).all():
        return {"note": "odds ratio not estimable: almost all pairs differ in the same direction (separation)"}
    names = ("odds_ratio", "low", "high")
    return dict(zip(names, np.exp(ends), strict=True)) | {"p_value": float(fit.pvalues[0]), "note": ""}


def _swapped_p(by_root_cell: np.ndarray, permutations: int, rng: np.random.Generator) -> float:
    """Return the two-sided p-value of the sum of differences under swaps of sisters, jointly per root cell.

    ``by_root_cell`` holds the sum of differences of each root cell, shape (root cells,).
    """
    null = []
    at_once = max(1, SIGNS_AT_ONCE // len(by_root_cell))
    for start in range(0, permutations, at_once):
        signs = rng.integers(0, 2, (min(at_once, permutations - start), len(by_root_cell)), dtype=np.int8) * 2 - 1
        null.append(np.abs(signs @ by_root_cell))
    return float(p_value(abs(by_root_cell.sum()) - 1e-9, np.concatenate(null)))


def which_dies_lines(table: pd.DataFrame, frames: float) -> list[str]:
    """Report which features are associated with which sister dies, or why that is not estimable."""
    tested = table[table["p_permutation"].notna()].sort_values(["p_permutation", "feature"], kind="stable")
    discordant = int(table["discordant"].iloc[0])
    if not len(tested):
        return [f"Which sister dies: {table['note'].iloc[0]} (the trees hold {count(discordant, 'such pair')})."]
    lines = [
        f"Which sister dies, among {count(discordant, 'pair')} of which one died and the other is known not to have "
        f"died: {count(tested['pairs'].max())} were measured in a median of {number(frames, 0)} common frames before "
        "the fate of either."
    ]
    shown = tested[tested["q_value"] <= ALPHA]
    for row in (shown if len(shown) else tested.head(1)).itertuples():
        scale = f" ({quantity(row.sd, row.unit, 2)})" if row.unit else ""
        estimate = row.note
        if np.isfinite(row.odds_ratio):
            estimate = f"odds ratio per SD{scale} {ratio(row.odds_ratio)} {interval(row.low, row.high, ratio)}"
        verdict = (
            "is associated with which sister dies"
            if len(shown)
            else "has the smallest p-value; no association was shown"
        )
        lines.append(
            f"The {FEATURES[row.feature]} {verdict}: {estimate}, {written_p(row.p_permutation)} by swaps within pairs, "
            f"{written_p(row.q_value, 'q')} over {count(len(tested), 'feature')}."
        )
    return lines


def call_lines(called: int, total: int, margin: int) -> list[str]:
    """Warn that ``called`` of ``total`` deaths were called from the features that are compared.

    A second line says so if the frames that are left out, ``margin``, are fewer than those that the calls draw on.
    """
    if not called:
        return []
    overlap = (
        f"The calls draw on the last {JUDGED_FRAMES} frames of a cell, but lineage.before_fate_frames leaves out only "
        f"{margin}: area, growth, shape and speed are compared in frames that decided on the death. Set it to "
        f"{JUDGED_FRAMES} to compare other frames only."
    )
    return [
        f"{share(called, total, 'such death')} were called from shape, brightness and speed in the last frames "
        "relative to earlier ones, so area, growth and speed before a death are partly what the call is based on.",
        *([overlap] if margin < JUDGED_FRAMES else []),
    ]
