"""Tables that name the condition of a sample differently are refused."""

from pathlib import Path

import pytest
from tests.unit.pairing.pairing_examples import write

from cineseq.config.base import FieldOfView
from cineseq.config.external import External
from cineseq.errors import UserError
from cineseq.external.lineages import read_all_families

TABLE = "id,parent,birth,end,fate,file,drug\nm,,0,10,death,A,{}\nn,,0,10,death,B,control\n"
LABELLED = External(groups={"sample": "file", "condition": "drug"})
FIELDS = [FieldOfView(sample="x", fov=fov) for fov in "12"]


def tables(folder: Path, *doses: str) -> list[Path]:
    return [write(folder / f"{k}.csv", TABLE.format(dose)) for k, dose in enumerate(doses)]


def test_a_dose_that_two_tables_give_in_different_units_is_refused(tmp_path: Path) -> None:
    paths = tables(tmp_path, "gemcitabine 10 uM", "gemcitabine_10nM")
    with pytest.raises(UserError, match=r"1\.csv: sample 'A' has the condition 'gemcitabine_10nM', but .* 10 uM' in "):
        read_all_families(paths, FIELDS, LABELLED)


def test_tables_that_agree_are_read(tmp_path: Path) -> None:
    cells = read_all_families(tables(tmp_path, "10 uM", "10 uM"), FIELDS, LABELLED)
    assert cells.groupby("sample")["condition"].unique().str[0].to_dict() == {"A": "10 uM", "B": "control"}
