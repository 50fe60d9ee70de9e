"""Data and settings of the prediction of function."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from cineseq.config.expression import Clusters
from cineseq.config.prediction import Folds, Prediction
from cineseq.io.paired import PairedData
from cineseq.prediction.responses import Response, responses_of, transformed


@dataclass(frozen=True)
class PredictionTask:
    """Data and settings of the prediction step.

    Attributes
    ----------
    data
        The paired cells.
    clusters
        Table of clusters by ``track_id``; None if there is none.
    markers
        Table of marker genes; None if there is none.
    folds, prediction
        Sections of the configuration.
    seed
        Seed of all random draws.
    clustering
        Section ``clusters`` of the configuration, for clusters that are found in the training cells of each fold; None
        where they are not compared.
    frames, window_frames
        The cells in adjacent frames and the number of frames that are averaged, for the reliability of covariates; see
        :func:`cineseq.prediction.reliability.reliability_rows`.
    """

    data: PairedData
    clusters: pd.DataFrame | None
    markers: pd.DataFrame | None
    folds: Folds
    prediction: Prediction
    seed: int
    clustering: Clusters | None = None
    frames: pd.DataFrame | None = None
    window_frames: int = 1

    @property
    def responses(self) -> list[Response]:
        """The responses to predict: the configured functions, transformed as configured."""
        measured = responses_of(self.data.function, self.prediction.functions)
        return [part for whole in measured for part in transformed(whole, self.prediction.response)]

    @property
    def cluster_of_cells(self) -> pd.Series | None:
        """The cluster of every cell; None without clusters."""
        return None if self.clusters is None else self.clusters["cluster"].reindex(self.data.obs.index)
