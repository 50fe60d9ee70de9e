"""Every product of a field of view has a placeholder that is a valid file of its kind and says why it is there."""

import json
from pathlib import Path

import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cineseq.io.stacks import open_labels
from cineseq.tables.contract import contract_named, empty, read_table, write_table
from cineseq.workflow.placeholders import write_placeholder
from cineseq.workflow.products import PRODUCTS, Product
from cineseq.workflow.set_aside import NOTE, REASONS, Status, status_of

OF_FIELDS = [product for product in PRODUCTS if product.level == "field"]
CONTRACTS = sorted({product.contract for product in PRODUCTS if product.contract})
WHY = Status("segment", "s", "a", "refused", 'a.tif: no frame \u03bc; "copy" it <again>.')


@pytest.mark.parametrize("product", OF_FIELDS, ids=lambda product: product.path)
def test_a_placeholder_of_every_product(tmp_path: Path, product: Product) -> None:
    path = tmp_path / "results/r/fov/s/a" / product.path
    write_placeholder(path, WHY)
    assert path.is_dir() == product.is_folder
    if product.contract:
        assert read_table(path, contract_named(product.contract)).empty
    if path.suffix == ".png":
        assert Image.open(path).size == (16, 16)
    if path.suffix == ".json":
        assert json.loads(path.read_text())["set_aside"]["sentence"] == WHY.sentence
    assert status_of(path) == (None if path.suffix == ".tsv" else WHY)


@pytest.mark.parametrize("name", ["fov/s/a/movie.ome.tif", "fov/s/a/saturated.npz", "reports/segment/s@a.json"])
def test_a_placeholder_of_what_is_no_product(tmp_path: Path, name: str) -> None:
    write_placeholder(tmp_path / name, WHY)
    assert status_of(tmp_path / name) == WHY


def test_masks_can_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "fov/s/a/masks.ome.tif"
    write_placeholder(path, WHY)
    assert tifffile.imread(path).shape[-2:] == (16, 16)
    with open_labels(path) as stack:
        assert stack.info.frames == 1


def test_an_unknown_kind_of_file_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no placeholder is known"):
        write_placeholder(tmp_path / "fov/s/a/new.xyz", WHY)


@given(name=st.sampled_from(CONTRACTS), suffix=st.sampled_from([".parquet", ".tsv", ".csv"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_contract_has_a_valid_empty_table(tmp_path: Path, name: str, suffix: str) -> None:
    table, path = contract_named(name), tmp_path / f"t{suffix}"
    write_table(empty(table), path, table)
    read = read_table(path, table)
    assert read.empty
    assert list(read) == [column.name for column in table.columns if not column.is_family]


@given(
    sentence=st.text(max_size=300),
    reason=st.sampled_from(REASONS),
    product=st.sampled_from(OF_FIELDS),
    sample=st.text(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sentence_is_read_back(tmp_path: Path, sentence: str, reason: str, product: Product, sample: str) -> None:
    status = Status("track", sample.replace("/", "").replace("\0", "") or "s", "a", reason, sentence)
    name = NOTE if product.is_folder else product.path
    if name.endswith((".tsv", ".parquet")):
        return
    (tmp_path / "x").mkdir(exist_ok=True)
    write_placeholder(tmp_path / "x" / name, status)
    assert status_of(tmp_path / "x" / name) == status
