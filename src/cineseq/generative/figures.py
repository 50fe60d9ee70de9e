"""Figures of the generative step: shares, time, and how far generated cells are like real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from cineseq.generative.share_tables import FOUND, TOTAL
from cineseq.plotting import BLUE, DARK_GREY, GREEN, GREY, ORANGE, SKY, VERMILION, colours, figure
from cineseq.text import percent

LABELLED = 8
PANELS_ACROSS = 2
FEW_CLASSES = 3
SOURCES = ("generated", "shuffled", "class_mean", "real")
PARTS = {
    "size": ("size alone", SKY),
    "cycle": ("cell cycle alone", SKY),
    "technical": ("technical alone", SKY),
    "linear": ("other modality, linear", BLUE),
    "best": ("other modality, best model", BLUE),
    "unique": ("of which beyond covariates", GREEN),
    "common": ("of which shared with covariates", ORANGE),
}
KINDS = {"generated": VERMILION, "real": GREY}


def draw_shares(summary: pd.DataFrame, path: Path) -> None:
    """Draw the share of each part of the variance, one panel a direction, within fields and between samples."""
    directions = list(dict.fromkeys(summary["direction"]))
    lines = max(-(-len(directions) // PANELS_ACROSS), 1)
    with figure(path, 9.2, 3.2 * lines + 0.7) as drawn:
        grid = drawn.subplots(lines, PANELS_ACROSS, squeeze=False)
        panels = grid.ravel()
        legend: dict[str, Artist] = {}
        for axes in panels[len(directions) :]:
            axes.set_axis_off()
        for axes, direction in zip(panels, directions, strict=False):
            rows = summary[(summary["direction"] == direction) & (summary["target"] == TOTAL)]
            legend |= _bars(axes, rows)
            ceilings = rows.loc[rows["estimand"] == "within", "ceiling"].dropna()
            beside = f"\nnoise ceiling {percent(ceilings.iloc[0], 0)}" if len(ceilings) else ""
            axes.set_title(f"{_words(direction)}{beside}")
        drawn.legend(list(legend.values()), list(legend), fontsize=8, loc="outside lower center", ncols=2)


def _bars(axes: Axes, rows: pd.DataFrame) -> dict[str, Artist]:
    """Draw the parts of one direction, and return what its marks mean."""
    within = rows[rows["estimand"] == "within"].set_index("part")
    between = rows[rows["estimand"] == "between"].set_index("part")
    parts = [part for part in PARTS if part in within.index]
    heights = np.arange(len(parts))[::-1].astype(float)
    for height, part in zip(heights, parts, strict=True):
        row, (_, colour) = within.loc[part], PARTS[part]
        found = row["found"] == FOUND
        axes.barh(height, row["share"], 0.6, color=colour if found else "white", edgecolor=colour)
        axes.hlines(height, row["low"], row["high"], color="black", lw=1)
    if "linear" in within.index and np.isfinite(within.loc["linear", "null_high"]):
        height = heights[parts.index("linear")]
        axes.vlines(within.loc["linear", "null_high"], height - 0.4, height + 0.4, color=GREY, lw=2)
        axes.plot([], [], color=GREY, lw=2, label="95 % of shuffled pairings are below")
    # The axis is that of the shares within fields; a share between samples beyond it is an arrow at its edge.
    low, high = axes.get_xlim()
    for height, part in zip(heights, parts, strict=True):
        share = float(between["share"].get(part, np.nan))
        mark = "D" if low <= share <= high else "<" if share < low else ">"
        axes.plot(np.clip(share, low, high), height, mark, color=DARK_GREY, mfc="white", ms=5, clip_on=False)
    axes.set_xlim(low, high)
    axes.plot([], [], "D", color=DARK_GREY, mfc="white", ms=5, label="between samples (arrow: beyond the axis)")
    axes.axvline(0, color="black", lw=0.6)
    axes.set_yticks(heights, [PARTS[part][0] for part in parts])
    axes.set_ylim(-0.6, len(parts) - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("share of the variance, held-out groups")
    handles, labels = axes.get_legend_handles_labels()
    none = {"white: none found": Patch(facecolor="white", edgecolor=BLUE)}
    return dict(zip(labels, handles, strict=True)) | none


def draw_ranked(targets: pd.DataFrame, direction: str, path: Path) -> None:
    """Draw genes or features by their share, with intervals, noise ceiling, and what shuffled pairings give."""
    rows = targets[targets["direction"] == direction].sort_values("linear", ascending=False, ignore_index=True)
    found = (rows["found"] == FOUND).to_numpy(bool)
    with figure(path, 7.5, 4) as drawn:
        axes = drawn.subplots()
        axes.plot(rows.index, rows["ceiling"].clip(lower=0), "_", color=ORANGE, ms=4, label="noise ceiling")
        axes.fill_between(
            rows.index, rows["share_null"], rows["null_high"], color=GREY, alpha=0.5, lw=0, label="shuffled pairing"
        )
        axes.vlines(rows.index[found], rows["linear_low"][found], rows["linear_high"][found], color=BLUE, lw=0.7)
        axes.plot(rows.index[~found], rows["linear"][~found], ".", color="black", ms=3, label="none found")
        axes.plot(rows.index[found], rows["linear"][found], ".", color=BLUE, ms=6, label="found (q ≤ 0.05)")
        for place, row in rows[found].head(LABELLED).iterrows():
            spot = (place, row["linear"])
            beside = (0.2, 0.95 - 0.055 * int(str(place)))
            line = {"arrowstyle": "-", "color": GREY, "lw": 0.5, "relpos": (0, 0.5)}
            name = str(row["target"]).removeprefix("morphology_")
            axes.annotate(name, spot, beside, textcoords="axes fraction", fontsize=7, va="center", arrowprops=line)
        axes.axhline(0, color="black", lw=0.6)
        axes.set_xlabel(f"rank of {len(rows)}")
        axes.set_ylabel("share within fields, held-out groups")
        axes.set_title(_words(direction))
        axes.legend(fontsize=7, loc="upper right")


def draw_time_curve(curve: pd.DataFrame, visible: pd.DataFrame, path: Path) -> None:
    """Draw the explained share by hours before sequencing over its null, and when genes are visible first."""
    with figure(path, 9, 3.8) as drawn:
        left, right = drawn.subplots(1, 2)
        for (direction, rows), colour in zip(curve.groupby("direction", sort=False), (BLUE, ORANGE), strict=False):
            own = rows.sort_values("hours_before")
            left.fill_between(own["hours_before"], own["low"], own["high"], color=colour, alpha=0.2, lw=0)
            left.plot(own["hours_before"], own["share"], "o-", color=colour, ms=4, label=_words(str(direction)))
            if own["share_null"].notna().any():
                left.fill_between(own["hours_before"], own["share_null"], own["null_high"], color=GREY, alpha=0.6, lw=0)
                left.plot([], [], color=GREY, lw=5, label="shuffled pairing")
                label = "the same cells in the last window"
                left.plot(own["hours_before"], own["last_share"], ":", color=colour, lw=1, label=label)
        left.axhline(0, color="black", lw=0.6)
        left.invert_xaxis()
        left.set_xlabel("hours before sequencing")
        left.set_ylabel("share within fields, held-out groups")
        left.legend(fontsize=7)
        hours = np.sort(curve["hours_before"].unique())
        first = visible["earliest_hours"] if len(visible) else pd.Series(dtype=float)
        counts = [int(np.isclose(first, hour).sum()) for hour in hours]
        wide = 0.8 * float(np.diff(hours).min()) if len(hours) > 1 else 0.8
        right.bar(hours, counts, wide, color=GREEN)
        right.invert_xaxis()
        right.yaxis.set_major_locator(MaxNLocator(integer=True))
        right.set_xlabel("hours before sequencing")
        right.set_ylabel("genes that are visible first (q ≤ 0.05)")
        right.set_title(f"{int(visible['visible'].sum()) if len(visible) else 0} of {len(visible)} genes are visible")


def draw_confusion(confusion: pd.DataFrame, path: Path) -> None:
    """Draw the classes predicted for real and generated cells, as fractions of each true class.

    ``confusion`` has one row per ``source``, ``true`` and ``predicted`` class, with the number of ``cells``.
    """
    present = set(confusion["source"])
    sources = [*(name for name in SOURCES if name in present), *sorted(present - set(SOURCES))]
    classes = sorted(set(confusion["true"].astype(str)) | set(confusion["predicted"].astype(str)))
    across = min(max(len(sources), 1), 4 if len(classes) <= FEW_CLASSES else PANELS_ACROSS)
    lines = max(-(-len(sources) // across), 1)
    with figure(path, 9.2, (9.2 / across + 0.5) * lines) as drawn:
        panels = drawn.subplots(lines, across, squeeze=False).ravel()
        for axes in panels[len(sources) :]:
            axes.set_axis_off()
        for axes, source in zip(panels, sources, strict=False):
            own = confusion[confusion["source"] == source]
            table = own.pivot_table(index="true", columns="predicted", values="cells", aggfunc="sum", fill_value=0)
            table = table.reindex(index=classes, columns=classes, fill_value=0).to_numpy(float)
            fractions = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
            axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
            for row, column in np.ndindex(*fractions.shape):
                shade = "white" if fractions[row, column] > 0.6 else "black"
                text = percent(fractions[row, column], 0)
                axes.text(column, row, text, ha="center", va="center", color=shade, fontsize=8)
            axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
            axes.set_yticks(range(len(classes)), classes)
            axes.set_xlabel("predicted")
            axes.set_ylabel("true")
            axes.set_title(str(source).replace("_", " "))


def draw_map(positions: np.ndarray, source: np.ndarray, classes: np.ndarray, path: Path) -> None:
    """Draw generated and real held-out cells on one UMAP, by source and by class.

    Parameters
    ----------
    positions
        UMAP coordinates of all cells, shape (cells, 2); see :func:`common_map`.
    source
        ``real`` or ``generated`` of each cell, shape (cells,).
    classes
        Class of each cell, shape (cells,).
    path
        The figure.
    """
    names = sorted(set(map(str, classes)))
    palette = colours(names)
    with figure(path, 9, 4) as drawn:
        left, right = drawn.subplots(1, 2, sharex=True, sharey=True)
        for kind in ("real", "generated"):
            own = source == kind
            left.plot(*positions[own].T, ".", color=KINDS[kind], ms=3, alpha=0.6, label=kind)
            for name in names:
                rows = own & (classes.astype(str) == name)
                mark = "o" if kind == "real" else "x"
                label = name if kind == "real" else None
                right.plot(*positions[rows].T, mark, color=palette[name], ms=2.5, alpha=0.6, label=label)
        right.set_title("class (dots real, crosses generated)")
        for axes in (left, right):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.legend(fontsize=7, markerscale=2)


def common_map(latents: np.ndarray, seed: int) -> np.ndarray:
    """Return UMAP coordinates of real and generated cells together, from their latents, shape (cells, 2)."""
    import anndata  # noqa: PLC0415 - slow, with scanpy
    import scanpy as sc  # noqa: PLC0415

    cells = anndata.AnnData(np.zeros((len(latents), 1), np.float32), obsm={"X_pca": latents.astype(np.float32)})
    # Exact search, as for clusters: scanpy with pynndescent 0.7 fails at 8,192 or more cells.
    neighbours = min(15, len(latents) - 1)
    sc.pp.neighbors(cells, n_neighbors=neighbours, use_rep="X_pca", transformer="sklearn", random_state=seed)
    sc.tl.umap(cells, random_state=seed)
    return np.asarray(cells.obsm["X_umap"])


def draw_coverage(samplers: pd.DataFrame, path: Path) -> None:
    """Draw how many held-out values lie in the 80 and 95 % intervals of each sampler.

    ``samplers`` has one row per ``direction`` and ``sampler``, with ``coverage_80``, ``coverage_95`` and ``chosen``.
    """
    directions = list(dict.fromkeys(samplers["direction"]))
    with figure(path, 4.5 * max(len(directions), 1), 3.4) as drawn:
        panels = drawn.subplots(1, max(len(directions), 1), squeeze=False, sharey=True)[0]
        for axes, direction in zip(panels, directions, strict=False):
            own = samplers[samplers["direction"] == direction].reset_index(drop=True)
            for level, colour in ((80, BLUE), (95, VERMILION)):
                axes.plot(own.index, own[f"coverage_{level}"], "o", color=colour, label=f"{level} % intervals")
                axes.axhline(level / 100, color=colour, ls="--", lw=0.8)
            names = [
                f"{name}{' (chosen)' if chosen else ''}"
                for name, chosen in zip(own["sampler"], own["chosen"].fillna(value=False), strict=True)
            ]
            axes.set_xticks(own.index, [name.replace("_", " ") for name in names], rotation=30, ha="right")
            axes.set_title(_words(direction))
            axes.legend(fontsize=7)
        panels[0].set_ylabel("held-out values inside")


def draw_counterfactuals(table: pd.DataFrame, path: Path) -> None:
    """Draw the generated change of each gene and feature against the observed difference, one panel a direction.

    ``table`` is as :data:`cineseq.tables.generative.COUNTERFACTUALS`; of each two classes the first order is drawn.
    Filled and named are those that separate the classes by replicates.
    """
    own = table[table["class_from"].astype(str) < table["class_to"].astype(str)] if len(table) else table
    own = own.assign(change_size=own["change"].astype(float).abs())
    directions = list(dict.fromkeys(own["direction"]))
    with figure(path, 4.8 * max(len(directions), 1), 4) as drawn:
        panels = drawn.subplots(1, max(len(directions), 1), squeeze=False)[0]
        if not directions:
            panels[0].text(0.5, 0.5, "no class was given to the generator", ha="center", va="center")
            panels[0].set_axis_off()
        for axes, direction in zip(panels, directions, strict=False):
            pairs = own[own["direction"] == direction].groupby(["class_from", "class_to"], sort=False)
            own_colours = colours([f"{start} to {end}" for (start, end), _ in pairs])
            for (start, end), rows in pairs:
                colour = own_colours[f"{start} to {end}"]
                apart = rows["separates"].fillna(value=False).astype(bool)
                for own_rows, face in ((rows[~apart], "white"), (rows[apart], colour)):
                    axes.plot(own_rows["observed"], own_rows["change"], "o", color=colour, mfc=face, ms=3, mew=0.6)
                axes.plot([], [], "o", color=colour, ms=3, label=f"{start} to {end}; {int(apart.sum())} separate")
                for _, row in rows[apart].nlargest(LABELLED, "change_size").iterrows():
                    name = str(row["name"]).removeprefix("morphology_")
                    axes.annotate(name, (row["observed"], row["change"]), fontsize=6)
            axes.axline((0, 0), slope=1, color=GREY, ls="--", lw=0.8)
            axes.axhline(0, color=GREY, lw=0.5)
            axes.set_xlabel("observed difference of the classes (sd)")
            axes.set_ylabel("generated change of the same cells (sd)")
            axes.set_title(_words(direction))
            axes.legend(fontsize=7)


def _words(direction: str) -> str:
    return direction.replace("_", " ").replace(" to ", " → ")
