"""Run the script of the report on a folder, and write small reports of steps and tables for it."""

import json
from pathlib import Path

import pandas as pd
import render_report

from cineseq.tables.contract import Table, empty, write_table


def render(folder: Path, **inputs) -> tuple[str, dict]:
    settings = render_report.Settings(**inputs.pop("settings", {}))
    outputs = {"html": folder / "report/index.html", "answers": folder / "report/answers.json"}
    render_report.main(**inputs, **outputs, dictionary=folder / "report/dictionary.tsv", settings=settings)
    return outputs["html"].read_text(), json.loads(outputs["answers"].read_text())


def step_report(path: Path, **content) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"lines": [], "numbers": {}} | content))
    return path


def checked(contract: Table, path: Path, **columns) -> Path:
    path.parent.mkdir(exist_ok=True)
    frame = pd.DataFrame(columns)
    for column in empty(contract).columns:
        if column not in frame:
            frame[column] = None
    write_table(frame, path, contract)
    return path
