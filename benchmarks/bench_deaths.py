"""Score divisions and deaths of the simulated experiment, whose truth is known, with its true masks.

Run: ``OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench_deaths.py``
The seeds were not used to choose any setting. Scores with segmented masks are in ``truth/truth.tsv`` of ``make demo``.
"""

import argparse
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from bench_tracking import step
from scores import Score

from cineseq.config.base import FieldOfView
from cineseq.config.imaging import Channels
from cineseq.config.simulate import Simulate
from cineseq.evaluation.movies import FieldResult, score_fields
from cineseq.simulate.experiment import simulate
from cineseq.simulate.truth import position_table, track_table
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import DETECTIONS, TRACKS
from cineseq.tables.simulation import SIMULATED_POSITIONS

SEED = 30_000_000
ASKED = {"death_F1": 0.9, "death_precision": 1.0}


def track_field(here: FieldOfView, true_tracks: pd.DataFrame, settings: Simulate, seed: int, work: Path) -> FieldResult:
    """Simulate, track and export one field with the scripts of the steps."""
    folder = work / here.sample / here.fov
    folder.mkdir(parents=True)
    film, tracking, export = step("simulate_movie"), step("track"), step("export_tracks")
    stack = {"labels": folder / "masks.ome.tif", "movie": folder / "movie.ome.tif"}
    tables = {name: folder / f"{name}.parquet" for name in ("detections", "tracks")}
    film.main(
        positions=work / "positions.parquet",
        movie=stack["movie"],
        masks=stack["labels"],
        settings=film.Settings(simulate=settings, field=here, seed=seed),
    )
    settings_of_step = tracking.Settings(field=here, channels=Channels(function=["lipid"]))
    tracking.main(
        **stack, **tables, events=folder / "events.parquet", report=folder / "report.json", settings=settings_of_step
    )
    export.main(labels=stack["labels"], **tables, geff=folder / "tracks.geff", ctc=folder / "ctc")
    mine = true_tracks[(true_tracks["sample"] == here.sample) & (true_tracks["fov"] == here.fov)]
    found = read_table(tables["detections"], DETECTIONS), read_table(tables["tracks"], TRACKS)
    return FieldResult(stack["labels"], stack["labels"], folder / "ctc", *found, mine.reset_index(drop=True))


def scores(seed: int, work: Path) -> Iterator[Score]:
    """Score one experiment."""
    settings = Simulate()
    experiment = simulate(settings, seed)
    write_table(position_table(experiment), work / "positions.parquet", SIMULATED_POSITIONS)
    true_tracks = track_table(experiment, settings)
    fields = [FieldOfView(sample=s, fov=f) for s in settings.sample_names for f in settings.field_names]
    results = [track_field(here, true_tracks, settings, seed, work) for here in fields]
    rows, true_track = score_fields(results)
    for row in (row for row in rows if row["area"] == "tracking"):
        name = f"simulated experiment {seed}, true masks: {row['measure']}"
        yield Score(name, row["recovered"], ASKED.get(row["measure"], float("-inf")))
    count = called_wrongly(pd.concat([result.tracks for result in results]), true_track, true_tracks)
    yield Score(
        f"simulated experiment {seed}, true masks: deaths called whose true track does not end in one", count, high=0
    )


def called_wrongly(tracks: pd.DataFrame, true_track: pd.Series, true_tracks: pd.DataFrame) -> int:
    """Return the number of called deaths whose true track does not end in death, or is not known.

    A hit of :func:`cineseq.tracking.scoring.score_deaths` is one by place and time, and may be another cell's death.

    Parameters
    ----------
    tracks
        Found tracks, with the contract TRACKS.
    true_track
        True track of each found one, by ``track_id``.
    true_tracks
        True tracks, with the contract TRACKS.
    """
    dead = tracks.loc[tracks["end_kind"] == "death", "track_id"]
    ends = true_tracks.set_index("track_id")["end_kind"]
    return int((dead.map(true_track).map(ends) != "death").sum())


def main() -> None:
    """Print every score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=2)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    for number in range(options.experiments):
        with tempfile.TemporaryDirectory() as folder:
            for score in scores(SEED + number, Path(folder)):
                print(score, flush=True)


if __name__ == "__main__":
    main()
