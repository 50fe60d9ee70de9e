"""External families: read, checked, and refused when impossible."""

import json
from pathlib import Path

import import_lineage
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.pairing.pairing_examples import write

from cineseq.config.base import FieldOfView
from cineseq.config.external import External, LineageColumns
from cineseq.errors import UserError
from cineseq.external.lineages import read_all_families, read_families
from cineseq.tables.contract import read_table
from cineseq.tables.imaging import CELLS

HEADER = "id,parent,birth,end,fate\n"
FAMILY = HEADER + "m,,0,10,division\na,m,10,15,death\nb,m,10,20,censored\nlate,,4,9,\n"


def read(path: Path, text: str, **named: object) -> pd.DataFrame:
    cells = read_families(write(path / "l.csv", text), FieldOfView(sample="s", condition="drug"), External(**named))
    return cells.set_index("track_id")


def test_a_family_is_read(tmp_path: Path) -> None:
    cells = read(tmp_path, FAMILY, frame_interval_min=30)
    assert cells["founder_id"].to_dict() == {"m": "m", "a": "m", "b": "m", "late": "late"}
    assert cells["generation"].to_dict() == {"m": 0, "a": 1, "b": 1, "late": 0}
    assert cells["sister_id"].fillna("").to_dict() == {"m": "", "a": "b", "b": "a", "late": ""}
    assert cells["start_kind"].to_dict() == {"m": "first_frame", "a": "division", "b": "division", "late": "appeared"}
    assert cells["end_kind"].to_dict() == {"m": "division", "a": "death", "b": "end_of_movie", "late": "lost"}
    assert cells["fate"].to_dict() == {"m": "division", "a": "death", "b": "unknown", "late": "unknown"}
    assert cells["fate_known"].to_dict() == {"m": True, "a": True, "b": False, "late": False}
    assert cells["alive_at_end"].astype(object).fillna("?").to_dict() == {
        "m": False,
        "a": False,
        "b": True,
        "late": "?",
    }
    assert cells["start_hours"].to_dict() == {"m": 0, "a": 5, "b": 5, "late": 2}
    assert set(cells["condition"]) == {"drug"}


def test_sisters_are_found_wherever_their_rows_are(tmp_path: Path) -> None:
    rows = ["b1,y,5,9,", "a1,x,5,9,", "y,,0,5,division", "a2,x,5,9,", "c1,z,5,9,", "b2,y,5,9,", "x,,0,5,division"]
    cells = read(tmp_path, HEADER + "\n".join([*rows, "z,,0,5,division"]) + "\n")
    sisters = {"b1": "b2", "b2": "b1", "a1": "a2", "a2": "a1", "c1": "", "x": "", "y": "", "z": ""}
    assert cells["sister_id"].fillna("").to_dict() == sisters


def test_without_a_frame_interval_there_are_no_hours(tmp_path: Path) -> None:
    assert read(tmp_path, FAMILY)[["start_hours", "end_hours"]].isna().all(axis=None)


@pytest.mark.parametrize(("unit", "of_an_hour"), [("hour", 1), ("minute", 60), ("day", 1 / 24)])
def test_times_are_hours_and_frames_are_steps(tmp_path: Path, unit: str, of_an_hour: float) -> None:
    hours = {"m": (0, 2.5), "a": (2.5, 4), "b": (2.5, 7.5), "late": (1, 3)}
    rows = [("m", "", "division"), ("a", "m", "death"), ("b", "m", ""), ("late", "", "")]
    lines = [f"{i},{p},{hours[i][0] * of_an_hour},{hours[i][1] * of_an_hour},{f},{9 * of_an_hour}" for i, p, f in rows]
    text = HEADER.replace("\n", ",last\n") + "\n".join(lines)
    cells = read(tmp_path, text, lineage={"time_unit": unit, "movie_end": "last"})
    for name, (start, end) in hours.items():
        assert cells.loc[name, ["start_hours", "end_hours"]].tolist() == pytest.approx([start, end])
    assert cells["movie_end_hours"].tolist() == pytest.approx([9] * 4)
    # All times are multiples of the smallest step, half an hour.
    assert cells["start_frame"].to_dict() == {"m": 0, "a": 5, "b": 5, "late": 2}
    in_frames = read(tmp_path, text, lineage={"time_unit": unit, "movie_end": "last"}, frame_interval_min=15)
    assert in_frames["end_frame"].to_dict() == {"m": 10, "a": 16, "b": 30, "late": 12}


def test_times_that_are_no_multiples_become_ranks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = HEADER + "m,,0,2.71,division\na,m,2.71,3.14,death\nb,m,2.71,9.87,\n"
    cells = read(tmp_path, text, lineage={"time_unit": "hour"})
    assert cells["end_frame"].tolist() == [1, 2, 3]
    assert cells["end_hours"].tolist() == [2.71, 3.14, 9.87]
    assert "frames are their ranks" in caplog.text
    with pytest.raises(UserError, match=r"set external\.lineage\.time_unit"):
        read(tmp_path, text)


@pytest.mark.parametrize("root", ["-1", "0", "", "m"])
def test_a_root_names_no_parent_or_itself(tmp_path: Path, root: str) -> None:
    cells = read(tmp_path, FAMILY.replace("m,,", f"m,{root},"))
    assert cells["parent_id"].fillna("").to_dict() == {"m": "", "a": "m", "b": "m", "late": ""}


def test_a_cell_may_be_called_zero(tmp_path: Path) -> None:
    cells = read(tmp_path, FAMILY.replace("m", "0").replace("censored", "unknown"))
    assert cells["parent_id"].fillna("").to_dict() == {"0": "", "a": "0", "b": "0", "late": ""}


def test_a_family_in_two_fields_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = (FAMILY.replace("\n", ",1\n")).replace("fate,1", "fate,well").replace("censored,1", "censored,2")
    read(tmp_path, lines, groups={"fov": "well"})
    [said] = caplog.messages
    assert f"{tmp_path / 'l.csv'}, row 4: cell 'b' is in field s/2, its parent 'm' in s/1 (1 such row)" in said
    read(tmp_path, FAMILY)
    assert len(caplog.messages) == 1


def test_names_within_a_scope_and_other_columns(tmp_path: Path) -> None:
    text = "well,no,mother,from,to,what,g\nA,1,0,1,5,split,1\nA,2,1,5,9,gone,2\nB,1,0,1,9,gone,1\n"
    columns = LineageColumns(
        scope=["well"], parent="mother", birth="from", end="to", fate="what", generation="g",
        fates={"split": "division", "gone": "unknown"},
    )  # fmt: skip
    cells = read(tmp_path, text, id=["no"], groups={"fov": "well"}, lineage=columns)
    assert cells["parent_id"].fillna("").to_dict() == {"A/1": "", "A/2": "A/1", "B/1": ""}
    assert cells["fov"].to_dict() == {"A/1": "A", "A/2": "A", "B/1": "B"}


def test_two_tables_are_kept_apart(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{s}.csv", FAMILY) for s in "ab"]
    cells = read_all_families(paths, [FieldOfView(sample=s) for s in "ab"], External())
    assert cells["track_id"].is_unique
    assert cells.set_index("track_id").loc["b/1/a", ["parent_id", "sister_id"]].tolist() == ["b/1/m", "b/1/b"]
    with pytest.raises(UserError, match="cell 'study/1/m' is in two tables of one field of view"):
        read_all_families(paths, [], External())


def replace(old: str, new: str) -> str:
    assert old in FAMILY
    return FAMILY.replace(old, new)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (replace("a,m,10", "a,x,10"), "row 3: the parent 'x' of cell 'a' is not in the table"),
        (replace("late,,4", "a,b,4"), "row 5: cell 'a' is listed twice; keep one row for each cell"),
        (replace("a,m,10", "a,m,8"), "row 3: cell 'a' is born in frame 8, before its parent 'm' ends in frame 10"),
        (FAMILY + "c,m,10,12,death\n", "row 6: the parent 'm' of cell 'c' has more than two daughters"),
        (replace("0,10,division", "0,10,death"), "row 3: cell 'a' has a parent 'm' whose fate is death, not division"),
        (replace("4,9,", "9,4,"), "row 5: cell 'late' ends before it begins"),
        (replace("4,9,", "4,soon,"), "row 5: cell 'late' needs a frame number from 0 in column 'end'"),
        (replace("4,9,", "4.5,9,"), "row 5: cell 'late' needs a frame number from 0 in column 'birth'"),
        (
            replace("censored", "eaten"),
            r"row 4: cell 'b' has the fate 'eaten', which external\.lineage\.fates does not",
        ),
        (replace("birth", "born"), r"no column 'birth' \(external\.lineage\.birth\); the columns are id, parent, born"),
        (replace("id,", "cell,"), r"no column 'id' \(external\.id\)"),
        (HEADER, "the table has no rows"),
    ],
)
def test_impossible_families_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=rf"l\.csv.*{words}"):
        read(tmp_path, text)


def test_a_cycle_of_parents_is_refused(tmp_path: Path) -> None:
    text = HEADER + "a,b,5,5,division\nb,a,5,5,division\n"
    with pytest.raises(UserError, match="row 2: cell 'a' descends from itself"):
        read(tmp_path, text)


def test_a_wrong_generation_is_refused(tmp_path: Path) -> None:
    text = "id,parent,birth,end,fate,g\nm,,0,5,division,1\na,m,5,9,,3\n"
    with pytest.raises(UserError, match="row 3: column 'g' should be 2 for cell 'a'"):
        read(tmp_path, text, lineage=LineageColumns(generation="g"))


def test_one_frame_of_overlap_is_tolerated(tmp_path: Path) -> None:
    assert read(tmp_path, replace("a,m,10", "a,m,9")).loc["a", "start_frame"] == 9


@pytest.mark.data
def test_au565_families(data_folder: Path, tmp_path: Path) -> None:
    columns = External(
        id=["cell"],
        frame_interval_min=30,
        groups={"sample": "file", "condition": "condition"},
        lineage=LineageColumns(scope=["file", "lineage"], movie_end="exp_time", generation="generation"),
    )
    import_lineage.main(
        external=[data_folder / "au565_lineages" / "lineages.csv"],
        cells=tmp_path / "cells.parquet",
        csv=tmp_path / "cells.csv",
        report=tmp_path / "report.json",
        settings=import_lineage.Settings(external=columns),
    )
    cells = read_table(tmp_path / "cells.parquet", CELLS)
    assert len((tmp_path / "cells.csv").read_text().splitlines()) == len(cells) + 1
    assert cells["fate"].value_counts().to_dict() == {"unknown": 1989, "division": 1477, "death": 387}
    assert (cells["founder_id"].nunique(), cells["sample"].nunique()) == (899, 36)
    assert cells["sister_id"].notna().sum() == 2 * 1477
    assert json.loads((tmp_path / "report.json").read_text())["numbers"]["sister_pairs"] == 1477
    assert (cells["end_kind"] == "lost").sum() == 6


# tables that name the condition of a sample differently


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


def test_fates_that_all_tables_share_need_no_configuration(tmp_path: Path) -> None:
    text = "id,parent,birth,end,fate\na,0,0,3,Mitosis\nb,a,4,6,apoptosis\nc,a,4,9,LOST\nd,0,0,9,end_of_movie\n"
    (tmp_path / "l.csv").write_text(text)
    cells = read_families(tmp_path / "l.csv", FieldOfView(sample="s"), External())
    assert cells["fate"].tolist() == ["division", "death", "unknown", "unknown"]
    own = External(lineage=LineageColumns(fates={"Mitosis": "division", "apoptosis": "unknown"}))
    assert read_families(tmp_path / "l.csv", FieldOfView(sample="s"), own)["fate"][1] == "unknown"


# ---- mothers by any name


@pytest.mark.parametrize("none", ["", "0", "-1", "NA", "NaN", "None", "null", "#N/A", "000", "0.0", "-1.0"])
@pytest.mark.parametrize("form", ["{}", "{:03d}", "{}.0", "1.{}0", "{}E2", "cell {}", "10000000000000000{}"])
def test_mothers_are_names_and_words_for_nothing_are_none(tmp_path: Path, none: str, form: str) -> None:
    rows = []
    for family in range(3):
        mother, one, two = (form.format(3 * family + k) for k in (1, 2, 3))
        rows += [f"{mother},{none},0,9,division", f"{one},{mother},10,19,", f"{two},{mother},10,19,death"]
    cells = read(tmp_path, HEADER + "\n".join(rows) + "\n")
    assert cells["founder_id"].nunique() == 3
    assert cells["sister_id"].notna().sum() == 6
    assert set(cells["parent_id"].dropna()) == {form.format(k) for k in (1, 4, 7)}


def test_advice_on_a_mother_that_is_not_there(tmp_path: Path) -> None:
    text = replace("m,,0", "m,unknown,0")
    with pytest.raises(UserError, match=r"'unknown' of cell 'm' is not in the table; .* external\.lineage\.no_parent"):
        read(tmp_path, text)
    columns = LineageColumns(no_parent=["unknown"])
    assert read(tmp_path, text, lineage=columns)["founder_id"].tolist() == ["m", "m", "m", "late"]


def test_a_cell_or_its_scope_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"row 3: the cell has no name in column 'id'"):
        read(tmp_path, replace("a,m,10", ",m,10"))
    text = "well,id,parent,birth,end,fate\n,m,,0,10,\nA,n,,0,10,\n"
    with pytest.raises(UserError, match=r"row 2: column 'well' of external\.lineage\.scope is empty"):
        read(tmp_path, text, lineage=LineageColumns(scope=["well"]))


def test_frames_that_look_like_times_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = ["m,,0,300,division", "a,m,300,450,death", "b,m,315,600,", "late,,120,390,"]
    read(tmp_path, HEADER + "\n".join(rows) + "\n")
    assert "all of its frame numbers are multiples of 15; if they are times" in caplog.text
    caplog.clear()
    read(tmp_path, FAMILY)
    assert not caplog.text


@given(digits=st.integers(16, 22), seed=st.integers(1, 10**9))
def test_parents_that_a_program_has_rounded_are_named(
    digits: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    m, a, b = (str(10 ** (digits - 1) + seed + k) for k in range(3))
    rows = "{m},,0,10,division\n{a},{p},10,15,death\n{b},{p},10,20,censored\n"
    folder = tmp_path_factory.mktemp("families")
    with pytest.raises(
        UserError, match=rf"l\.csv, row 3: the parent '1e\+\d+' of cell '{a}' is a number that .* rounded"
    ):
        read(folder, HEADER + rows.format(m=m, a=a, b=b, p=f"1e+{digits - 1}"))
    cells = read(folder, HEADER + rows.format(m=m, a=a, b=b, p=m))  # what the sentence says
    assert cells["parent_id"].fillna("").to_dict() == {m: "", a: m, b: m}
