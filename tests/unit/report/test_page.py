"""The page is one file that loads nothing, small at any size of study, and says what was not run."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import show_answers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.unit.report.report_examples import checked, render, step_report

from cineseq.config.imaging import Channels, Inputs
from cineseq.config.pairing import Cells
from cineseq.errors import UserError
from cineseq.report.assets import ImageInliner, shrink_svg
from cineseq.report.dictionary import dictionary, every_table
from cineseq.report.methods import flat_settings, methods_paragraph
from cineseq.report.motion_figures import drift_picture, rates_picture
from cineseq.report.notices import all_notices
from cineseq.report.page import main_function_first, said_once
from cineseq.report.quality import field_numbers
from cineseq.report.run_facts import Run
from cineseq.report.steps import StepReport, StepSummary, read_step_report, summarise
from cineseq.report.views import show_table
from cineseq.tables.contract import Column, Table, empty
from cineseq.tables.imaging import DETECTIONS, TRACKS
from cineseq.tables.lineage import LINEAGE_WARNINGS, SISTER_DIED, STATE_BY_SISTER
from cineseq.tables.prediction import GENES, PERFORMANCE, SENSITIVITY

LOADED = re.compile(
    r"""(?:src|srcset|poster|action)\s*=\s*["'](?!data:)|url\(|@import|<script|<iframe|<object|<link (?!rel="icon")"""
)
LINKED = re.compile(r"""href\s*=\s*["'](?:\w+:)?//|href\s*=\s*["']/""")


def write_fields(folder: Path, count: int, side: int = 40) -> tuple[list[Path], list[Path]]:
    numbers = field_numbers(empty(DETECTIONS), empty(TRACKS), 5, 0)
    noise = np.random.default_rng(0).integers(0, 255, (side, side), np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    content = (folder / "noise.png").read_bytes()
    qualities, pictures = [], []
    for i in range(count):
        place = folder / f"fov/s/{i}"
        place.mkdir(parents=True)
        said = {"sample": "s", "fov": str(i), "pixel_size_um": None, "lines": ["5 objects."], "numbers": numbers}
        (place / "quality.json").write_text(json.dumps(said | {"numbers": numbers | {"objects": 5 + i}}))
        (place / "overview.png").write_bytes(content)
        qualities.append(place / "quality.json")
        pictures.append(place / "overview.png")
    return qualities, pictures


def test_a_page_of_nothing_has_a_title_and_says_what_was_not_run(tmp_path: Path):
    page, answers = render(tmp_path, settings={"run": "mine"})
    assert "<title>cineseq: mine</title>" in page
    assert page.count("<p>Not run.</p>") == 6
    assert page.count("Not run: this run has no ") == 6
    assert answers["report"].endswith("index.html")
    assert [a["id"] for a in answers["answers"]] == [
        "function_genes",
        "clusters",
        "modalities",
        "sisters",
        "crossmodal",
        "generative",
    ]
    assert not LOADED.findall(page)
    assert not LINKED.findall(page)


def test_a_full_page_loads_nothing_and_names_models_warnings_and_tables(tmp_path: Path):
    qualities, pictures = write_fields(tmp_path, 3)
    svg = '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "x" "http://www.w3.org/x.dtd"><svg xmlns="http://www.w3.org/2000/svg"/>'
    umap = tmp_path / "clusters/umap.svg"
    umap.parent.mkdir()
    umap.write_text(svg)
    model = {"name": "compact", "sha256": "ab" * 32, "note": "trained on simulated images"}
    reports = [
        step_report(
            tmp_path / "reports/segment/s_0.json", lines=["9 cells.", "No GPU."], numbers={"cells": 9}, model=model
        ),
        step_report(
            tmp_path / "reports/segment/s_1.json", lines=["7 cells.", "No GPU."], numbers={"cells": 7}, model=model
        ),
        step_report(tmp_path / "reports/predict.json", lines=["Two <groups> only."], numbers={"groups": 2}),
    ]
    warned = {"warning": ["w"], "sample": ["s4"], "severity": ["serious"], "message": ["Look out."]}
    performance = {"function": "function_lipid", "model": ["expression", "mean"], "r2": [0.2, 0.0], "note": ["", "x"]}
    performance["estimand"] = "within"
    page, _ = render(
        tmp_path,
        step_reports=reports,
        quality=qualities,
        pictures=pictures,
        results=[
            checked(PERFORMANCE, tmp_path / "prediction/performance.tsv", **performance),
            umap,
            checked(LINEAGE_WARNINGS, tmp_path / "lineage/warnings.tsv", **warned),
        ],
        settings={"simulated": True, "channels": {"function": ["lipid"], "allow_function_in": ["embed"]}},
    )
    assert not LOADED.findall(page)
    assert not LINKED.findall(page)
    assert page.count('src="data:image/png;base64,') == 3
    assert page.count('src="data:image/svg+xml;base64,') == 1
    assert len(re.findall(r"<img (?![^>]*alt=\"[^\"]{20})", page)) == 0
    for text in ("ab" * 32, "Look out.", "are simulated", "(lipid) was allowed in the image embedding", "pixels"):
        assert text in page
    assert "Two &lt;groups&gt; only." in page
    assert "<b>s_0</b>: 9 cells." in page
    assert page.count("No GPU.") == 1
    assert '<a href="../prediction/performance.tsv">' in page


def test_the_page_stays_small_with_500_fields_and_pictures_of_the_largest_size(tmp_path: Path):
    qualities, pictures = write_fields(tmp_path, 500, side=450)
    reports = [
        step_report(
            tmp_path / f"reports/track/s_{i}.json", lines=[f"Field {i} has a line of its own."], numbers={"a": i}
        )
        for i in range(500)
    ]
    settings = {"report": {"fields_shown": 24}}
    page, _ = render(tmp_path, quality=qualities, pictures=pictures, step_reports=reports, settings=settings)
    assert len(page.encode()) < 20_000_000
    assert page.count("data:image/png") == 24
    assert "24 of 500 fields are shown" in page
    assert "40 of 500 fields." in page


def test_images_beyond_the_budget_are_linked_instead(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(bytes(600))
    embedder = ImageInliner(tmp_path / "report/index.html", budget=1000)
    first, second = (embedder.embed(tmp_path / "a.png", "a cell") for _ in range(2))
    assert first.source is not None
    assert second.source is None
    assert second.file == "../a.png"
    assert "Too large" in second.note


def test_an_svg_that_is_too_large_is_replaced_by_its_png(tmp_path: Path):
    (tmp_path / "a.svg").write_text("<svg>" + "x" * 3_000_000 + "</svg>")
    embedder = ImageInliner(tmp_path / "index.html")
    assert embedder.embed(tmp_path / "a.svg", "a").source is None
    (tmp_path / "a.png").write_bytes(b"png")
    assert embedder.embed(tmp_path / "a.svg", "a").source == "data:image/png;base64,cG5n"


def test_shrinking_an_svg_keeps_small_scales_whole():
    text = '<!-- c --><path d="M 12.34567 0.015625" transform="scale(0.015625)"/>'
    assert shrink_svg(text) == '<path d="M 12.34 0.015625" transform="scale(0.015625)"/>'


def test_show_answers_prints_the_path_and_a_line_per_answer(tmp_path: Path):
    _, answers = render(tmp_path)
    lines = show_answers.report_lines(tmp_path / "report/answers.json")
    assert lines[0] == f"Report: {answers['report']}"
    assert len(lines) == 7
    assert lines[1] == (
        "What is associated with function? Not run: this run has no prediction, which needs a function and counts or "
        "shape of the same cells."
    )


@pytest.mark.parametrize("content", ["{}", "[1]", "not json"])
def test_a_broken_step_report_is_named(tmp_path: Path, content: str):
    path = tmp_path / "reports/track.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(UserError, match=r"reports/track\.json: not a readable report of a step"):
        read_step_report(path)


def test_a_broken_quality_file_is_named(tmp_path: Path):
    (tmp_path / "quality.json").write_text('{"sample": "s"}')
    with pytest.raises(UserError, match=r"quality\.json: not a readable quality report"):
        render(tmp_path, quality=[tmp_path / "quality.json"])


def test_steps_are_summarised_over_fields_in_the_order_of_the_pipeline(tmp_path: Path):
    reports = [
        step_report(
            tmp_path / f"reports/{step}/s_{i}.json", lines=["Same.", f"Own {i}."], numbers={"n": i, "none": None}
        )
        for step in ("track", "segment")
        for i in range(3)
    ]
    segment, track = summarise(read_step_report(path) for path in reports)
    assert (segment.step, track.step) == ("segment", "track")
    assert track.fields == 3
    assert track.lines == ("Same.",)
    assert track.field_lines["s_1"] == ("Own 1.",)
    assert track.numbers.to_dict("records") == [
        {"number": "n", "fields": 3, "median": 1.0, "lowest": 0.0, "highest": 2.0}
    ]


def notices(**changes) -> str:
    given = {
        "simulated": False,
        "channels": Channels(),
        "inputs": Inputs(),
        "cells": Cells(),
        "pixel_sizes": {0.5},
        "models": [],
    }
    given |= {"warnings": None, "quality": pd.DataFrame()}
    return " ".join(f"[{n.level}] {n.text}" for n in all_notices(**(given | changes)))


def test_a_run_that_lost_most_of_its_tracks_says_so_at_the_top():
    lost = pd.DataFrame({"lost_share": [0.7, None, 0.2, 1.0], "tracks": [40, 40, 40, 9]})
    assert notices(quality=lost).startswith("[warning] In 1 of 2 fields more than half of the tracks")
    assert "up to 70 %" in notices(quality=lost)
    assert notices(quality=lost[:1]).startswith("[serious] In 1 of 1")
    assert notices(quality=lost[1:]) == ""


def test_warnings_of_one_kind_are_one_notice_with_their_numbers():
    rows = [("a", 3, "info"), ("all", 9, "serious"), ("b", 4, "info"), ("c", 0, "info")]
    warnings = pd.DataFrame(rows, columns=["sample", "cells", "severity"])
    warnings["message"] = warnings["severity"].map({"info": "Left out.", "serious": "Biased."})
    assert notices(warnings=warnings) == (
        "[serious] Sisters, all (9 cells): Biased. [info] Sisters, a (3 cells), b (4 cells) and c: Left out."
    )


def test_what_was_not_measured_for_one_reason_is_one_notice():
    warnings = pd.DataFrame({"sample": "all", "cells": 0, "severity": "info"}, index=range(3))
    warnings["message"] = [
        "Ambient RNA: not measured, no survivor has a measured state.",
        "Dead cage-mates: not measured, no survivor has a measured state.",
        "Another: not measured, there is no map.",
    ]
    assert notices(warnings=warnings) == (
        "[info] Sisters, not measured because no survivor has a measured state: ambient RNA; dead cage-mates. "
        "[info] Sisters, all: Another: not measured, there is no map."
    )


@pytest.mark.parametrize(
    ("divisions", "false", "said"),
    [
        (
            14,
            18,
            "[serious] Make no claim on lineages, sisters or their fates from this run: of 14 divisions found, all",
        ),
        (
            30,
            18,
            "[serious] Make no claim on lineages, sisters or their fates from this run: of 30 divisions found, about",
        ),
        (100, 18, "[warning] Of 100 divisions found, about 18 may be false"),
        (301, 5, ""),
        (0, 0, ""),
    ],
)
def test_divisions_that_may_be_false_are_a_notice(divisions: int, false: int, said: str):
    quality = pd.DataFrame({"lost_share": [0.1], "tracks": [40], "divisions": [divisions]})
    assert notices(quality=quality, false_divisions=false).startswith(said)
    assert bool(notices(quality=quality, false_divisions=false)) == bool(said)


def test_sentences_that_stand_in_the_notices_and_remarks_said_before_are_left_out():
    lines = ("a: 3 (as if cells were independent of each other).", "b: 4 (as if cells were independent of each other).")
    step = StepSummary("s", "S", 0, ("Look out; 3 cells.", *lines, "c: 5 (short)."), {}, pd.DataFrame())
    assert said_once(step, ["Look out."]).lines == (
        "a: 3.",
        "b: 4.",
        "The last 2 sentences: as if cells were independent of each other.",
        "c: 5 (short).",
    )


def test_claims_stand_in_a_table_below_the_lead_and_mixed_verdicts_are_counted(tmp_path: Path):
    values = {"n": 300, "groups": 12, "permutations": 99, "r2_null": 0.01, "share": 0.4, "share_low": 0.1}
    rows = {"function": "function_a", "model": ["expression", "morphology"], "estimand": "within", "share_high": 0.7}
    rows |= values | {"r2": [0.3, 0.02], "r2_low": [0.2, -0.1], "r2_high": [0.4, 0.1], "r2_above_null": [0.29, 0.01]}
    rows |= {"p_value": [0.01, 0.4], "q_value": [0.01, 0.4]}
    page, answers = render(tmp_path, results=[checked(PERFORMANCE, tmp_path / "prediction/performance.tsv", **rows)])
    shown = page[page.index("Which modalities predict") : page.index("What happened to the sisters?")]
    cells = [cell.replace("\u00a0", " ") for cell in re.findall(r"<td>(.*?)</td>", shown)]
    assert cells == [
        *("expression", "<b>shown</b>", "R² = 0.30 [0.20, 0.40]", "0.01", "p = 0.01, q = 0.01", "–", "–"),
        *("morphology", "<b>unresolved</b>", "R² = 0.02 [−0.10, 0.10]", "0.01", "p = 0.4, q = 0.4", "–", "–"),
    ]
    assert '<span class="chip">shown: 1 of 2 claims</span>' in shown
    assert answers["answers"][2]["claims"][1]["verdict"] == "unresolved"


def test_caveats_stand_by_the_answers_about_prediction(tmp_path):
    page, content = render(tmp_path, settings={"report": {"caveats": ["Genes were chosen on these <cells>."]}})
    told = {a["id"]: a["caveats"] for a in content["answers"]}
    said = ["Genes were chosen on these <cells>."]
    bare = ("clusters", "sisters", "crossmodal", "generative")
    assert told == {"function_genes": said, "modalities": said} | {name: [] for name in bare}
    assert page.count("<b>Note.</b> Genes were chosen on these &lt;cells&gt;.") == 2


def test_notices_say_what_a_reader_must_know():
    assert notices() == ""
    assert "[warning] The pixel size of some or all images is unknown" in notices(pixel_sizes={None, 0.5})
    assert "was not used for masks, morphology or embeddings" in notices(channels=Channels(function=["lipid"]))
    pictured = notices(channels=Channels(function=["lipid"], allow_function_in=["pictures"]))
    assert "[info] The function channel (lipid) was not used for masks, morphology or embeddings. It is in" in pictured
    assert "divided by its own sample" in notices(
        channels=Channels(function=["lipid"]), cells=Cells(scaling="per_sample")
    )
    controls = Cells(scaling="controls", controls=["mock"])
    assert "the control cells (mock) of the same replicate" in notices(
        channels=Channels(function=["lipid"]), cells=controls
    )
    assert "corrected for drift" in notices(inputs=Inputs(drift="translation"))
    random = [{"name": "untrained:vit", "sha256": "a", "note": "", "steps": ["embed"]}]
    said = "[serious] The model untrained:vit, used for the image embedding, has untrained (random) weights"
    assert notices(models=random).startswith(said)
    demo = [{"name": "compact", "sha256": "a", "note": "trained on simulated cells.", "steps": ["embed"]}]
    said = "[warning] The model compact, used for the image embedding, is a small model for demonstration"
    assert said in notices(models=demo)


def test_methods_say_how_the_concordance_of_fates_was_tested():
    tables = {"concordance": pd.DataFrame({"concordance": [0.9]})}
    said = methods_paragraph(["describe_fates"], Run({"lineage": {"permutations": 999}}, tables=tables))
    assert "tested one-sidedly against 999 permutations of fates within field of view and birth time" in said


@pytest.mark.parametrize(("step", "name"), [("compare_sisters", "states"), ("compare_sister_genes", "by_sister")])
def test_methods_say_how_families_are_weighted_where_something_was_compared(step, name):
    assert methods_paragraph([step], Run(tables={name: pd.DataFrame({"p_value": [np.nan]})})) == ""
    said = methods_paragraph([step], Run(tables={name: pd.DataFrame({"p_value": [0.5]})}))
    assert "estimated correlation of sisters" in " ".join(said.split())
    assert "flipped" not in said


def test_methods_leave_out_what_is_not_known():
    bare = methods_paragraph(["cluster"], Run())
    assert bare == "Counts were normalised and reduced to principal components with scanpy (Wolf et al., 2018)."
    config = {"clusters": {"resolution": 0.6, "permutations": 999}, "segment": {}}
    models = [{"name": "cpsam", "sha256": "0123456789abcdef", "steps": ["segment"]}]
    full = methods_paragraph(["segment", "cluster"], Run(config, {"scanpy": "1.11"}, models))
    assert "using the model cpsam (SHA-256 0123456789ab)." in full
    assert (
        "scanpy 1.11 (Wolf et al., 2018); clusters were found by the Leiden method (Traag et al., 2019) at "
        "resolution 0.6" in full
    )


PREDICTED = {
    "performance": pd.DataFrame({"p_value": [0.1], "r2_low": 0.1, "position_share": 0.2, "q_value": 0.1}),
    "beyond_covariates": pd.DataFrame({"delta_r2": [0.1], "p_value": 0.01}),
    "genes": pd.DataFrame({"frequency": [0.9], "p_value": 0.1, "p_given_covariates": 0.2}),
    "unused_groups": pd.DataFrame({"group": ["plate"]}),
    "by_sample": pd.DataFrame({"part": ["sample", "new_sample"], "r2_low": [0.1, 0.0]}),
}
SETTINGS = {
    "prediction": {"permutations": 49, "most_permutations": 999, "null_alphas": 6, "nonlinear": None},
    "folds": {"null_strata": ["sample", "fov"], "position_null": True},
}


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ("beyond_covariates", "Freedman and Lane, 1983; Winkler et al., 2014"),
        ("genes", "variances that allow for alike cells of a family (CR2; Bell and McCaffrey, 2002)"),
        ("unused_groups", "declared groups that are in neither the folds nor the strata"),
        ("by_sample", "IntHout et al., 2016"),
        ("performance", "Wagner and Dray, 2015"),
    ],
)
def test_methods_say_what_was_used_and_nothing_else(lacking: str, said: str):
    full = methods_paragraph(["predict"], Run(SETTINGS, tables=PREDICTED))
    without = {name: table for name, table in PREDICTED.items() if name != lacking}
    assert full.count(said) == 1
    assert said not in methods_paragraph(["predict"], Run(SETTINGS, tables=without))


@pytest.mark.parametrize(
    ("section", "changed", "gone", "said"),
    [
        (
            "prediction",
            {"most_permutations": 0},
            "with up to",
            "with the same procedure on 49 permutations of function",
        ),
        ("prediction", {"most_permutations": 0}, "Besag", "within the strata sample and fov, families whole. "),
        ("prediction", {"permutations": 0}, "P-values compare", "There are no p-values, because"),
        ("folds", {"position_null": False}, "Wagner", "with up to 999 where these left the verdict open"),
        ("prediction", {"nonlinear": "kernel_ridge"}, "{c:", "finds such products, is kernel ridge"),
    ],
)
def test_methods_follow_the_settings(section: str, changed: dict, gone: str, said: str):
    settings = SETTINGS | {section: SETTINGS[section] | changed}
    text = methods_paragraph(["predict"], Run(settings, tables=PREDICTED))
    assert said in text
    assert gone not in text


def test_methods_of_a_study_without_states_do_not_speak_of_them():
    steps = ["describe_fates", "compare_sisters", "compare_sisters_before_death"]
    text = methods_paragraph(steps, Run(tables={"states": pd.DataFrame({"p_value": []}), "which_dies": pd.DataFrame()}))
    assert text.startswith("The cumulative incidence of division")
    assert "Mantel" not in text
    assert "logistic" not in text


def test_settings_are_listed_flat():
    assert flat_settings({"a": {"b": 1, "c": None}, "d": []}) == [("a.b", "1"), ("a.c", "none"), ("d", "none")]


def test_the_dictionary_has_every_column_of_every_table():
    table = dictionary(every_table())
    assert len(table) == sum(len(t.columns) for t in every_table())
    assert (table["meaning"].str.len() > 3).all()
    row = table[(table["table"] == "tracks") & (table["column"] == "end_kind")].iloc[0]
    assert row["allowed"] == "division | death | left_fov | lost | end_of_movie"


def test_tables_show_their_first_rows_and_leave_out_empty_columns():
    contract = Table(
        "t", "t", (), (Column("a", "number", "An a", "um", missing=True), Column("b", "text", "B", missing=True))
    )
    view = show_table(contract.check(pd.DataFrame({"a": [1.23456, None, 2.0], "b": None})), contract, "T", 2)
    assert [h.text for h in view.headings] == ["a (µm)"]
    assert view.rows == (("1.23",), ("–",))
    assert view.is_cut


def test_the_function_of_the_answers_stands_first_in_its_tables(tmp_path: Path):
    names, models = ["function_a", "function_b"], ["expression", "morphology"]
    rows = pd.MultiIndex.from_product([names, models], names=["function", "model"]).to_frame(index=False)
    rows["r2"], rows["estimand"] = [0.1, 0.1, 0.1, 0.3], "within"
    page, answers = render(tmp_path, results=[checked(PERFORMANCE, tmp_path / "prediction/performance.tsv", **rows)])
    cells = re.findall(r"<td>([ab])</td>", page)
    assert cells == ["b", "b", "a", "a"]
    of_modalities = next(a for a in answers["answers"] if a["id"] == "modalities")
    assert of_modalities["numbers"]["function"] == "function_b"


def test_a_long_answer_is_collapsed_after_its_lead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cineseq.report.page.ANSWER_SHOWN", 50)
    values = {"n": 300, "groups": 12, "permutations": 99, "p_value": 0.01, "q_value": 0.01, "r2_null": 0.0}
    values |= {"r2_low": 0.2, "r2_high": 0.4, "r2_above_null": 0.3, "share": 0.4, "share_low": 0.1, "share_high": 0.7}
    rows = {"function": ["function_a"], "model": "expression", "estimand": "within", "r2": 0.3} | values
    performance = checked(PERFORMANCE, tmp_path / "prediction/performance.tsv", **rows)
    genes = {"function": ["function_a"], "gene": "PLIN2", "frequency": 0.9, "sign": 1.0}
    page, answers = render(tmp_path, results=[performance, checked(GENES, tmp_path / "prediction/genes.tsv", **genes)])
    first = answers["answers"][0]["answer"]
    assert first.startswith("Expression predicts a within fields: R² = 0.30 ")
    assert "Selected most stably: PLIN2 (+)" in page[page.index('id="answers"') : page.index("<details>")]
    shown = page[page.index('id="answers"') : page.index("Do the clusters differ")]
    assert shown.index("<details>") < shown.index("These are associations")


def test_a_table_that_names_its_estimand_in_its_own_words_is_shown(tmp_path: Path):
    rows = {
        "state": ["cluster=1", "cluster=0"],
        "contrast": SISTER_DIED,
        "estimand": ["odds ratio within field and birth time", "odds ratio within field"],
    }
    page, _ = render(tmp_path, results=[checked(STATE_BY_SISTER, tmp_path / "lineage/state_by_sister.tsv", **rows)])
    assert sorted(re.findall(r"<td>(cluster=\d)</td>", page)) == ["cluster=0", "cluster=1"]


def test_the_sensitivity_table_compares_alternatives_model_by_model(tmp_path: Path):
    models = {"headline": ["mean", "expression", "both", "all_morphology"], "cooperative": ["both"]}
    rows = pd.DataFrame([(v, m) for v, names in models.items() for m in names], columns=["variant", "model"])
    rows = rows.assign(function="function_lipid", n=300, r2=[0.0, 0.1, 0.3, 0.2, 0.28])
    path = checked(SENSITIVITY, tmp_path / "prediction/sensitivity.tsv", **rows)
    page, _ = render(tmp_path, results=[path])
    assert "The sensitivity analysis compares the primary analysis with alternatives to it." in page
    shown = page[page.index("Sensitivity to alternative choices of the analysis") :]
    assert re.findall(r"<td>(headline|cooperative)</td><td>([a-z ]+)</td>", shown) == [
        ("headline", "both"),
        ("cooperative", "both"),
        ("headline", "mean"),
        ("headline", "expression"),
        ("headline", "all morphology"),
    ]
    assert '<a href="../prediction/sensitivity.tsv">' in shown


def test_drift_is_drawn_where_it_was_measured():
    still = StepReport("prepare_movie", "s_1", ("Same.",), {}, None)
    moved = StepReport("prepare_movie", "s_2", (), {}, None, {"drift_y_px": [0, 3, 4], "drift_x_px": [0, 4, 3]})
    assert drift_picture([still]) is None
    drawn = drift_picture([still, moved])
    assert drawn is not None
    assert drawn.startswith("data:image/svg+xml;base64,")
    assert drawn == drift_picture([moved])


def test_common_motion_is_drawn_dashed_where_no_drift_was_taken_back():
    drift = StepReport("prepare_movie", "s_1", (), {}, None, {"drift_y_px": [0, 3], "drift_x_px": [0, 4]})
    common = StepReport("track", "s_1", (), {}, None, {"common_y_px": [0, 9], "common_x_px": [0, 9]})

    def dashes(steps: list[StepReport]) -> int:
        drawn = drift_picture(steps)
        return base64.b64decode(drawn.split(",")[1]).decode().count("stroke-dasharray")

    assert drift_picture([StepReport("track", "s_1", (), {}, None, {})]) is None
    assert dashes([common]) > dashes([drift])
    assert drift_picture([drift, common]) == drift_picture([drift])


LEARNT = {
    "step_noise_px": 1.5,
    "usual_step_px": 6.0,
    "frame_hours": 0.25,
    "division_rate": 0.02,
    "division_rate_low": 0.01,
    "division_rate_high": 0.03,
    "end_rate": 0.004,
    "end_rate_low": 0.0,
    "end_rate_high": 0.01,
    "appearance_rate": 0.001,
    "missed_rate": 0.002,
}


def words_of(drawn: str) -> list[str]:
    svg = base64.b64decode(drawn.split(",")[1]).decode()
    return re.findall(r">([^<>]*[a-z][^<>]*)</(?:text|tspan)>", svg) or re.findall(r"<!-- ([^-]+?) -->", svg)


def test_rates_are_drawn_per_hour_only_where_the_frame_interval_of_all_fields_is_known():
    known = StepReport("track", "s / 1", (), LEARNT, None)
    unknown = StepReport("track", "s / 2", (), LEARNT | {"frame_hours": None}, None)
    assert words_of(rates_picture([known])).count("and hour") == 3
    assert words_of(rates_picture([known, unknown])).count("and hour") == 0
    assert rates_picture([known]) == rates_picture([known, StepReport("segment", "s / 1", (), LEARNT, None)])
    assert rates_picture([StepReport("track", "s / 1", (), {"tracks": 0}, None)]) is None


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(left=st.sets(st.sampled_from(sorted(LEARNT))))
def test_a_page_renders_whatever_tracking_did_not_report(tmp_path: Path, left: set[str]):
    numbers = {name: value for name, value in LEARNT.items() if name not in left}
    page, _ = render(tmp_path, step_reports=[step_report(tmp_path / "reports/track/s@1.json", numbers=numbers)])
    assert ("What tracking learnt from each movie" in page) == ("end_rate" not in left)


def test_methods_of_tracking_name_what_was_stated_instead_of_learnt():
    text = methods_paragraph(["track"], Run({"track": {"max_gap": 2, "division_rate": None, "merges": False}}))
    assert "with gaps of up to 2 frames" in text
    assert "Dempster et al., 1977" in text
    assert "stated" not in text
    assert "shared a mask" not in text
    text = methods_paragraph(["track"], Run({"track": {"division_rate": 0.02, "merges": True}}))
    assert "divisions per cell and frame were stated, 0.02" in text
    assert "cells that shared a mask for a while were followed" in text


def test_sentences_about_the_main_function_come_first():
    table = pd.DataFrame(
        {"function": ["function_uptake", "function_uptake_max"], "model": "expression", "r2": [0.1, 0.3]}
    ).assign(estimand="within", r2_low=np.nan, r2_null=0.0, q_value=np.nan)
    lines = (
        "5 folds.",
        "uptake: low.",
        "uptake max: high.",
        "3 % of uptake lies there.",
        "4 % of uptake max lies there.",
    )
    step = main_function_first(StepSummary("predict", "Prediction", 0, lines, {}, pd.DataFrame()), table)
    assert step.lines == tuple(lines[i] for i in (0, 2, 4, 1, 3))


def test_the_page_opens_with_the_channels_of_the_first_field(tmp_path: Path):
    _, pictures = write_fields(tmp_path, 2)
    page, _ = render(tmp_path, channels=pictures[:1])
    before, after = page.split('<h2 id="answers">')
    assert 'alt="Every channel of field s / 0 under its name, in the middle frame"' in before
    assert "put right by <code>channels.names</code>" in before
    assert "Every channel of field" not in after + render(tmp_path)[0]
