"""The comparison of two results folders sees every changed value and nothing else."""

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import tifffile
from compare_results import Changes, compare_folders, main
from PIL import Image

from cineseq.tables.contract import write_table
from cineseq.tables.lineage import TIMES

SVG = (
    '<svg><metadata><date>{date}</date></metadata><defs><path id="{name}" d="M 0 1"/></defs><use href="#{name}"/></svg>'
)


def times(r: float = 0.5, note: str = "few pairs") -> pd.DataFrame:
    columns = ["condition", "relation", "quantity", "pairs", "r", "low", "high", "note"]
    rows = [
        ["control", "sisters", "death_time", 9, r, 0.1, 0.8, note],
        ["control", "sisters", "division_time", 3, np.nan, np.nan, np.nan, "not estimable"],
    ]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return two results folders that differ in order of rows, dates, random ids and logs only."""
    for name, date, reverse in (("old", "2024", False), ("new", "2025", True)):
        folder = tmp_path / name
        for part in ("lineage", "logs", "study", "fov"):
            (folder / part).mkdir(parents=True)
        write_table(times(), folder / "lineage/times.tsv", TIMES)
        if reverse:
            text = (folder / "lineage/times.tsv").read_text().splitlines()
            (folder / "lineage/times.tsv").write_text("\n".join([text[0], text[2], text[1]]) + "\n")
        (folder / "lineage/times.svg").write_text(SVG.format(date=date, name=f"m{date}"))
        (folder / "logs/track.log").write_text(date)
        (folder / "provenance.json").write_text(json.dumps({"date": date}))
        (folder / "study/answers.json").write_text(json.dumps({"answers": [{"answer": "Yes.", "numbers": {"p": 0.5}}]}))
        tifffile.imwrite(folder / "fov/masks.tif", np.eye(4, dtype=np.uint16), description=date)
        Image.fromarray(np.eye(4, dtype=np.uint8)).save(folder / "fov/view.png", optimize=reverse)
        anndata.AnnData(np.eye(2, dtype="float32")).write_h5ad(
            folder / "study/a.h5ad", compression="gzip" if reverse else None
        )
    return tmp_path / "old", tmp_path / "new"


def test_order_dates_ids_and_compression_do_not_count(folders: tuple[Path, Path]) -> None:
    found = compare_folders(*folders, Changes())
    assert found.differences == []
    assert found.last_line == (
        "6 files equal, 0 differ (values 0, words 0, figure 0); not compared: 1 logs, 1 provenance."
    )
    assert main([str(folder) for folder in folders]) == 0


def change_cell(new: Path) -> None:
    write_table(times(r=0.5001), new / "lineage/times.tsv", TIMES)


def change_note(new: Path) -> None:
    write_table(times(note="too few pairs"), new / "lineage/times.tsv", TIMES)


def fill_missing(new: Path) -> None:
    write_table(times().fillna({"r": 0.0}), new / "lineage/times.tsv", TIMES)


def lose_row(new: Path) -> None:
    write_table(times().head(1), new / "lineage/times.tsv", TIMES)


def lose_column(new: Path) -> None:
    times().drop(columns="pairs").to_csv(new / "lineage/times.tsv", sep="\t", index=False)


def change_figure(new: Path) -> None:
    (new / "lineage/times.svg").write_text(SVG.format(date="", name="m").replace("M 0 1", "M 0 2"))


def change_mask(new: Path) -> None:
    tifffile.imwrite(new / "fov/masks.tif", 2 * np.eye(4, dtype=np.uint16))


def change_picture(new: Path) -> None:
    Image.fromarray(np.ones((4, 4), dtype=np.uint8)).save(new / "fov/view.png")


def change_answer(new: Path) -> None:
    (new / "study/answers.json").write_text(json.dumps({"answers": [{"answer": "Yes.", "numbers": {"p": 0.4}}]}))


def change_sentence(new: Path) -> None:
    (new / "study/answers.json").write_text(json.dumps({"answers": [{"answer": "No.", "numbers": {"p": 0.5}}]}))


def change_counts(new: Path) -> None:
    anndata.AnnData(2 * np.eye(2, dtype="float32")).write_h5ad(new / "study/a.h5ad")


def remove_file(new: Path) -> None:
    (new / "fov/view.png").unlink()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (change_cell, "values: lineage/times.tsv: 1 cells differ in r"),
        (change_note, "words: lineage/times.tsv: 1 cells differ in note"),
        (fill_missing, "values: lineage/times.tsv: 1 cells differ in r"),
        (lose_row, "values: lineage/times.tsv: 1 rows are in the old table only "),
        (lose_column, "values: lineage/times.tsv: column 'pairs' is in the old table only"),
        (change_figure, "figure: lineage/times.svg: the drawing differs"),
        (change_mask, "values: fov/masks.tif: 4 of 16 pixels differ"),
        (change_picture, "figure: fov/view.png: 12 of 16 pixels differ"),
        (change_answer, "values: study/answers.json: 1 values differ, the first 'answers.0.numbers.p'"),
        (change_sentence, "words: study/answers.json: 1 values differ, the first 'answers.0.answer'"),
        (change_counts, "values: study/a.h5ad: 1 values differ, the first 'X'"),
        (remove_file, "values: fov/view.png: is in the old results only"),
    ],
)
def test_every_change_is_found(folders, change, line, capsys) -> None:
    change(folders[1])
    arguments = [str(folder) for folder in folders]
    assert main(arguments) == 1
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert said[0].startswith(line)
    kind = line.split(":")[0]
    assert main([*arguments, "--allow", kind]) == 0
    assert main([*arguments, "--allow", *{"values", "words", "figure"} - {kind}]) == 1


def test_listed_changes_of_names_are_no_difference(folders: tuple[Path, Path]) -> None:
    old, new = folders
    text = (old / "lineage/times.tsv").read_text()
    (old / "lineage/ages.tsv").write_text(text.replace("pairs", "couples", 1))
    (old / "lineage/times.tsv").unlink()
    times().assign(hours=1.0).to_csv(new / "lineage/times.tsv", sep="\t", index=False)
    (new / "study/more.json").write_text("{}")
    changes = Changes(
        files={"lineage/ages.tsv": "lineage/times.tsv"},
        columns={"lineage/*.tsv": {"couples": "pairs"}},
        added={"lineage/*.tsv": ["hours"]},
        new_files=["study/more.json"],
    )
    assert compare_folders(old, new, changes).differences == []
    assert {d.name for d in compare_folders(old, new, Changes()).differences} == {
        "lineage/ages.tsv",
        "lineage/times.tsv",
        "study/more.json",
    }


def test_the_page_shows_cells_and_figures_side_by_side(folders: tuple[Path, Path], tmp_path: Path) -> None:
    change_cell(folders[1])
    change_figure(folders[1])
    page = tmp_path / "page.html"
    main([*map(str, folders), "--page", str(page)])
    text = page.read_text()
    assert text.count("data:image/svg+xml;base64,") == 2
    assert "0.5001" in text
    assert "sisters" in text


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), str(tmp_path / "none")])
    assert f"{tmp_path / 'none'} is not a folder; give the results folder of a run" in capsys.readouterr().err
