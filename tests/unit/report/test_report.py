"""A study of one field and few cells is answered from its families, and the page says what that cannot show."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from tests.unit.prediction.prediction_examples import SMALL, Planted, ask, simulate
from tests.unit.report.report_examples import render, step_report

from cineseq.config.prediction import Crossmodal, Folds
from cineseq.crossmodal import decompose as crossmodal
from cineseq.crossmodal.explain import ExplainOptions
from cineseq.io.paired import PairedData
from cineseq.prediction.predict import TABLES
from cineseq.prediction.report import report
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.crossmodal import VARIANCE_SUMMARY
from cineseq.tables.prediction import PERFORMANCE
from cineseq.workflow.products import read_by_report

FILES = {product.name: product.path for product in read_by_report() if product.contract}
FAST = Crossmodal(genes=20, permutations=19, components=5, penalties=3, thinnings=1)


@pytest.fixture(scope="module")
def one_field() -> PairedData:
    return simulate(Planted(expression=0.5, shared=0.5, genes=30, fields=1, cells_per_field=80), seed=0)


def page_of_prediction(folder: Path, data: PairedData, folds: Folds | None = None) -> tuple[str, dict]:
    found = ask(data, SMALL, folds)
    results = []
    for name in ("performance", "contrasts", "genes"):
        path = folder / FILES[name]
        path.parent.mkdir(exist_ok=True)
        write_table(found.tables[name], path, TABLES[name])
        results.append(path)
    step = step_report(folder / "reports/predict.json", **report(found.tables, found.random_folds, found.notes))
    return render(folder, results=results, step_reports=[step])


def test_one_field_is_predicted_from_its_families(tmp_path: Path, one_field: PairedData):
    page, written = page_of_prediction(tmp_path, one_field)
    answers = {answer["id"]: answer for answer in written["answers"]}
    assert answers["function_genes"]["verdict"] != "not_estimable"
    for name in ("function_genes", "modalities"):
        assert "Families were held out, not fields or samples" in answers[name]["answer"]
    assert "With only 1 group by sample, families are held out instead: cells of one field are" in page
    assert "80 cells carry little: even one predictor" in page
    assert "add up the effects of genes and features and so miss a product of two of them" in page
    assert set(read_table(tmp_path / FILES["performance"], PERFORMANCE)["grouped_by"]) == {"family"}
    assert set(read_table(tmp_path / FILES["genes"], TABLES["genes"])["grouped_by"]) == {"family"}


def test_two_samples_named_alone_are_predicted_from_their_fields(tmp_path: Path):
    data = simulate(Planted(genes=20, fields=4, cells_per_field=15), seed=1)
    page, _ = page_of_prediction(tmp_path, data, Folds(groups=["sample"], inner=2))
    assert "With only 2 groups by sample, groups by sample and fov are held out instead" in page
    assert "in another sample cannot be claimed" in page


@pytest.mark.parametrize("each", [1, 40])
def test_ceilings_of_reads_are_warned_of_on_the_page(tmp_path: Path, one_field: PairedData, each: int):
    rng = np.random.default_rng(0)
    rare = rng.poisson(0.1, (len(one_field.obs), 60)) * each  # molecules, or so many reads of each
    counts = sparse.csr_matrix(np.hstack([one_field.counts.toarray() * each, rare]))
    genes = one_field.genes.append(type(one_field.genes)([f"rare{i}" for i in range(60)]))
    data = replace(one_field, counts=counts, genes=genes)
    found = crossmodal.decompose(data, ExplainOptions(FAST, Folds(), seed=1, threads=1))
    path = tmp_path / FILES["crossmodal_summary"]
    path.parent.mkdir()
    write_table(found.summary, path, VARIANCE_SUMMARY)
    step = step_report(tmp_path / "reports/explain_modalities.json", **crossmodal.report(found))
    page, written = render(tmp_path, results=[path], step_reports=[step])
    assert ("The counts look like reads, not molecules" in page) == (each == 40)
    assert ("noise ceilings of genes are too high" in page) == (each == 40)
    assert "Families were held out, not fields or samples" in written["answers"][4]["answer"]
    assert "linear, so the variance explained is a lower bound" in page
