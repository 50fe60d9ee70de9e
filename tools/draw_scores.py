"""Draw one picture for each function score, from the scores themselves: ``docs/images/score_<name>.svg``.

Each picture shows a simulated time course, what the score is of it, and the number that ``cineseq.score`` gives.
"""

import io
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

import cineseq as cs
from cineseq.files import replacing

FOLDER = Path(__file__).parents[1] / "docs/images"
FRAMES, HOURS = 48, 0.25
BLUE, RED, GREY = "#2b6a99", "#c0392b", "#9aa5b1"


def cells() -> tuple[np.ndarray, np.ndarray]:
    """Return the times, and the courses of 40 cells that rise; the first is drawn."""
    rng = np.random.default_rng(6)
    time = np.arange(FRAMES) * HOURS
    rate, plateau, onset = np.r_[0.9, rng.uniform(0.5, 2, 39)], np.r_[1, rng.uniform(0.6, 1.6, 39)], np.full(40, 3.0)
    since = np.maximum(time - onset[:, None], 0)
    clean = plateau[:, None] * -np.expm1(-rate[:, None] * since)
    return time, 100 * (clean + rng.normal(0, 0.06, clean.shape))


def score(values: np.ndarray, summary: str, **settings: object) -> float:
    """Return the score of the first of the courses."""
    tracks, frames = np.indices(values.shape)
    course = pd.DataFrame({"track_id": tracks.ravel(), "hours": frames.ravel() * HOURS, "value": values.ravel()})
    return float(cs.score(course, summary, **settings).loc[0])


def _endpoint(axes: Axes, time: np.ndarray, values: np.ndarray) -> str:
    axes.plot(time[-3:], values[0, -3:], "o", color=RED, ms=4)
    level = score(values, "endpoint")
    axes.axhline(level, color=RED, lw=1)
    return f"endpoint {level:.0f}"


def _maximum(axes: Axes, _time: np.ndarray, values: np.ndarray) -> str:
    level = score(values, "maximum")
    axes.axhline(level, color=RED, lw=1)
    return f"maximum {level:.0f} (.95 quantile)"


def _auc(axes: Axes, time: np.ndarray, values: np.ndarray) -> str:
    axes.fill_between(time, values[0], color=RED, alpha=0.25, lw=0)
    return f"auc {score(values, 'auc'):.0f} grey-level hours"


def _auc_per_hour(axes: Axes, time: np.ndarray, values: np.ndarray) -> str:
    inside = (time >= 2) & (time <= 8)
    axes.fill_between(time[inside], values[0, inside], color=RED, alpha=0.25, lw=0)
    level = score(values, "auc_per_hour", window=(2.0, 8.0))
    axes.hlines(level, 2, 8, color=RED, lw=1)
    return f"auc_per_hour {level:.0f}, window 2 to 8 h"


def _fit(axes: Axes, time: np.ndarray, values: np.ndarray) -> str:
    rate, plateau, onset, half = (score(values, name) for name in ("rate", "plateau", "onset", "time_to_half"))
    before = float(values[0, time < onset].mean())
    axes.plot(time, before + plateau * -np.expm1(-rate * np.maximum(time - onset, 0)), color=RED, lw=1.5)
    axes.axvline(onset, color=RED, lw=0.8, ls=":")
    axes.axvline(onset + half, color=GREY, lw=0.8, ls=":")
    axes.axhline(before + plateau, color=GREY, lw=0.8, ls=":")
    return f"rate {rate:.2f} per h, plateau {plateau:.0f}, onset {onset:.2f} h, time_to_half {half:.2f} h"


def _slope(axes: Axes, time: np.ndarray, values: np.ndarray) -> str:
    steepest = score(values, "slope")
    fits = [np.polyfit(time[i : i + 6], values[0, i : i + 6], 1) for i in range(FRAMES - 5)]
    i = int(np.argmax([one[0] for one in fits]))
    axes.plot(time[i : i + 6], np.polyval(fits[i], time[i : i + 6]), color=RED, lw=2.5)
    return f"slope {steepest:.0f} per h, steepest 6 frames"


def _growth(axes: Axes, time: np.ndarray, values: np.ndarray) -> str:
    axes.plot(time[[0, 1, 2, -3, -2, -1]], values[0, [0, 1, 2, -3, -2, -1]], "o", color=RED, ms=4)
    return f"growth {score(values, 'growth'):.0f}"


def _time_above(axes: Axes, time: np.ndarray, values: np.ndarray) -> str:
    axes.axhline(50, color=RED, lw=1)
    axes.fill_between(time, 50, values[0], where=values[0] > 50, color=RED, alpha=0.25, lw=0)
    return f"time_above {score(values, 'time_above', threshold=50):.2f} h"


def _steps(axes: Axes, time: np.ndarray, _values: np.ndarray) -> str:
    jumps = 50.0 * ((time > 3) * 1 + (time > 7)) + np.random.default_rng(1).normal(0, 4, (1, FRAMES))
    axes.lines[0].set_ydata(jumps[0])
    first = score(jumps, "first_step")
    axes.axvline(first, color=RED, lw=1)
    return f"steps {score(jumps, 'steps'):.0f}, first_step {first:.2f} h"


PICTURES: dict[str, Callable[[Axes, np.ndarray, np.ndarray], str]] = {
    one.__name__[1:]: one
    for one in (_endpoint, _maximum, _auc, _auc_per_hour, _fit, _slope, _growth, _time_above, _steps)
}


def main() -> None:
    """Write the pictures."""
    mpl.rcParams.update({"svg.hashsalt": "cineseq", "svg.fonttype": "none", "font.size": 8})
    time, values = cells()
    for name, draw in PICTURES.items():
        figure, axes = plt.subplots(figsize=(3.6, 1.7), layout="constrained")
        axes.plot(time, values[0], color=BLUE, lw=1, marker=".", ms=3)
        axes.set_title(draw(axes, time, values), fontsize=8, loc="left")
        axes.set(xlabel="hours", ylabel="signal")
        axes.spines[["top", "right"]].set_visible(False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
        plt.close(figure)
        with replacing(FOLDER / f"score_{name}.svg") as part:
            part.write_text(re.sub(r"[ \t]+\n", "\n", text.getvalue()), encoding="utf-8")


if __name__ == "__main__":
    main()
