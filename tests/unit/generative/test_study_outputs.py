"""What the generative step writes, also where nothing is estimable, and by what it says that cells are generated."""

import json
from pathlib import Path

import pandas as pd
import pytest

from cineseq.generative.study_outputs import complete, of_samplers, write_complete, write_models
from cineseq.tables import generative as contracts
from cineseq.tables.contract import Table, read_table

CONTRACTS = [value for value in vars(contracts).values() if isinstance(value, Table)]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_a_table_in_which_nothing_is_estimable_is_written_and_read(contract: Table, tmp_path: Path) -> None:
    write_complete(pd.DataFrame(), tmp_path / "table.tsv", contract)
    assert read_table(tmp_path / "table.tsv", contract).empty


def test_a_column_that_was_not_estimated_is_missing() -> None:
    rows = pd.DataFrame({"direction": ["morphology_to_expression"], "sampler": ["rows"], "chosen": [True]})
    found = complete(rows, contracts.GENERATED_SAMPLERS)
    assert found["c2st"].isna().all()
    assert found["chosen"].tolist() == [True]


@pytest.mark.parametrize(
    ("names", "chosen", "said"),
    [
        (
            ["rows"],
            "rows",
            "morphology to expression: samples are by the baseline 'rows'; flow matching was not tried.",
        ),
        (
            ["rows", "flow"],
            "rows",
            "morphology to expression: samples are by the baseline 'rows'; flow matching did not beat it in both "
            "tests.",
        ),
        (
            ["rows", "flow"],
            "flow",
            "morphology to expression: flow matching is better than every baseline in both tests, and samples are its.",
        ),
    ],
)
def test_flow_is_named_only_where_it_was_chosen(names: list[str], chosen: str, said: str) -> None:
    samplers = pd.DataFrame({"direction": "morphology_to_expression", "sampler": names})
    assert of_samplers(samplers.assign(chosen=samplers["sampler"] == chosen)) == [said]


def test_without_a_sampler_nothing_is_said_of_it() -> None:
    assert of_samplers(complete(pd.DataFrame(), contracts.GENERATED_SAMPLERS)) == []


def test_without_a_model_the_cards_are_empty(tmp_path: Path) -> None:
    write_models({}, tmp_path / "models")
    assert json.loads((tmp_path / "models/cards.json").read_text()) == {}
