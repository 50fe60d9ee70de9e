"""An old name says once what it is called now and when it goes."""

import logging

import pytest

from cineseq import deprecation
from cineseq.config.prediction import Prediction
from cineseq.deprecation import deprecated


def test_an_old_name_is_said_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deprecation, "_WARNED", set())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            deprecated("old.key", "new.key", "9.0.0")
        deprecated("other", "another", "9.1.0")
    assert [record.getMessage() for record in caplog.records] == [
        "'old.key' is now called 'new.key'; the old name is removed in cineseq 9.0.0.",
        "'other' is now called 'another'; the old name is removed in cineseq 9.1.0.",
    ]


def test_a_setting_without_effect_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deprecation, "_WARNED", set())
    with caplog.at_level(logging.WARNING):
        Prediction()
        for _ in range(2):
            Prediction(bootstraps=1000)
    assert [record.getMessage() for record in caplog.records] == [
        "'prediction.bootstraps' has no effect: intervals are by the jackknife over groups. Leave it out; it is "
        "refused from cineseq 0.3.0."
    ]
