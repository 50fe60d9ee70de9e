"""Serious remarks reach the log and, once each, the notices of the report."""

import json
import logging
from pathlib import Path

import pytest

from cineseq.files import write_json
from cineseq.serious import SeriousRemarks, warn_of


def test_serious_remarks_become_notices_of_the_report_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger, remarks = logging.getLogger("reader"), SeriousRemarks()
    logger.addHandler(remarks)
    try:
        for text in ("The table counts.", "Half is missing (50 %s).", "The table counts."):
            warn_of(logger, text)
        logger.warning("not for the report")
    finally:
        logger.removeHandler(remarks)
    assert remarks.texts == ["The table counts.", "Half is missing (50 %s)."]
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 4
    path = tmp_path / "report.json"
    write_json({"lines": ["First.", "The table counts."], "numbers": {"cells": 3}}, path)
    remarks.add_to(path)
    assert json.loads(path.read_text()) == {
        "lines": ["First.", "The table counts.", "Half is missing (50 %s)."],
        "numbers": {"cells": 3},
        "notices": [
            {"level": "serious", "text": "The table counts."},
            {"level": "serious", "text": "Half is missing (50 %s)."},
        ],
    }
