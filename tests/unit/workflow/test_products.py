"""The registry of products: it agrees with contracts and report, and all that is derived from it follows it."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import render_report
from tests.unit.workflow.test_study import LINEAGE, MASKS, study

from cineseq.errors import UserError
from cineseq.report.dictionary import dictionary, every_table
from cineseq.report.page import SECTIONS
from cineseq.tables import lineage
from cineseq.tables.contract import Column, Table, contract_named, write_table
from cineseq.workflow import products
from cineseq.workflow.products import PRODUCTS, Product, product_at, products_of, read_by_report
from cineseq.workflow.targets import files_of, files_of_report, files_of_target

SHOWN = [product for product in PRODUCTS if product.section]


def test_no_two_products_share_a_path_or_a_name() -> None:
    assert max(Counter(product.file for product in PRODUCTS).values()) == 1
    assert max(Counter((product.level, product.name) for product in PRODUCTS).values()) == 1


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.file)
def test_a_table_has_a_contract_and_nothing_else_has(product: Product) -> None:
    is_table = Path(product.path).suffix in (".tsv", ".parquet") and product.name != "dictionary"
    assert (product.contract is not None) == is_table
    columns = [column.name for column in contract_named(product.contract).columns] if product.contract else []
    assert {name.removeprefix("-") for name in product.order} <= set(columns)


@pytest.mark.parametrize("product", SHOWN, ids=lambda product: product.file)
def test_the_report_knows_the_section_of_what_it_reads(product: Product) -> None:
    assert product.section in SECTIONS
    assert product.level == "study"
    assert bool(product.caption) == (product.contract is None)
    assert product.contract or product.title


def test_what_follows_from_the_path_need_not_be_said() -> None:
    found = Product("lineage/fading.tsv", "study", "lineage.CORRELATION_DECAY", "describe_fates")
    assert (found.name, found.target, found.file) == ("fading", "lineage", "<results>/lineage/fading.tsv")
    field = Product("masks.ome.tif", "field", None, "segment|import_masks", name="labels", target="tracking")
    assert (field.name, field.target, field.steps) == ("labels", "tracking", ["segment", "import_masks"])
    assert field.file == "<results>/fov/{sample}/{fov}/masks.ome.tif"


def test_a_product_has_a_file_for_each_field_or_sample_or_one(tmp_path: Path) -> None:
    found = study(tmp_path, MASKS)
    named = {level: files_of(Product("a.tsv", level, None, "track"), found) for level in ("field", "sample", "study")}
    assert named["field"] == [f"<results>/fov/{place}/a.tsv" for place in ("a.1/f1", "a.1/f2", "b/f1")]
    assert named["sample"] == ["<results>/sample/a.1/a.tsv", "<results>/sample/b/a.tsv"]
    assert named["study"] == ["<results>/a.tsv"]


def test_a_result_is_told_by_the_end_of_its_path() -> None:
    assert product_at(Path("/any/run/lineage/sensitivity.tsv")).name == "sensitivity"
    assert product_at(Path("results/demo/prediction/sensitivity.tsv")).name == "model_sensitivity"
    with pytest.raises(
        UserError, match=r"^mine/sensitivity\.tsv: not a result that the report reads; give files whose"
    ):
        product_at(Path("mine/sensitivity.tsv"))


@pytest.mark.parametrize("section", list(SECTIONS))
def test_a_new_table_is_a_contract_and_a_product(section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contract = Table("new_table", "Made for this test", ("sample",), (Column("sample", "text", "Sample"), WEIGHT))
    monkeypatch.setattr(lineage, "NEW", contract, raising=False)
    new = Product("lineage/new.tsv", "study", "lineage.NEW", "describe_fates", section, "A new heading", ("-weight",))
    monkeypatch.setattr(products, "PRODUCTS", (new, *PRODUCTS))

    found = study(tmp_path, LINEAGE)
    assert "<results>/lineage/new.tsv" in files_of_target(found, "lineage")
    assert "<results>/lineage/new.tsv" in files_of_report(found)
    assert new in products_of("describe_fates")
    described = dictionary(every_table()).set_index(["table", "column"])
    assert described.loc[("new_table", "weight"), ["unit", "meaning"]].tolist() == ["mg", "Weight of the sample"]

    path = tmp_path / "lineage/new.tsv"
    path.parent.mkdir()
    write_table(pd.DataFrame({"sample": ["a", "b"], "weight": [1.25, 2.25]}), path, contract)
    report = {"html": tmp_path / "report/index.html", "answers": tmp_path / "report/answers.json"}
    render_report.main(
        results=[path], **report, dictionary=tmp_path / "report/dictionary.tsv", settings=render_report.Settings()
    )
    page = report["html"].read_text()
    own = page[page.index(f'<h2 id="{section}">') :].split("<h2")[1]
    assert "<h3>A new heading</h3>" in own
    assert '<a href="../lineage/new.tsv">' in own
    assert own.index("2.25") < own.index("1.25"), "rows are sorted from high to low"
    assert page.count("<p>Not run.</p>") == len(SECTIONS) - 1


WEIGHT = Column("weight", "number", "Weight of the sample", "mg")


def test_the_page_shows_results_in_the_order_of_the_registry() -> None:
    tables = [p.path for p in read_by_report() if p.section == "crossmodal" and p.contract]
    assert tables == [
        "crossmodal/summary.tsv",
        "crossmodal/by_sample.tsv",
        "crossmodal/genes.tsv",
        "crossmodal/features.tsv",
    ]
    shown = [p.name for p in read_by_report() if p.section == "pairing"]
    assert shown == ["cells", "pairs", "quality"]


def test_planning_imports_no_library_of_tables() -> None:
    code = "import sys, cineseq.workflow.targets; print({'pandas', 'numpy', 'pyarrow'} & set(sys.modules) or 'none')"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "none\n"


def test_the_dictionary_has_every_table_of_the_registry() -> None:
    described = {table.name for table in every_table()}
    assert {contract_named(p.contract).name for p in PRODUCTS if p.contract} | {"compartments", "barcodes"} == described
