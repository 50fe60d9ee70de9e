"""Every rule's names are the parameters of its script's main, and every setting it passes is one that it uses."""

import inspect
import re
import runpy
from pathlib import Path
from typing import get_type_hints

import pytest
from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    ConfigSettings,
    OutputSettings,
    ResourceSettings,
    StorageSettings,
    WorkflowSettings,
)
from tests.expected import TARGETS

from cineseq.workflow.products import PRODUCTS, products_of

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = (
    "config/config.yaml",
    "config/examples/hela.yaml",
    "config/examples/fucci_ipsc.yaml",
    "config/examples/au565_lineages.yaml",
    "tests/workflow/paired.yaml",
)
NAMED = TARGETS | {"train", "prefetch"}


def rules_of(config: str) -> list:
    with SnakemakeApi(OutputSettings(quiet={"all"})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[ROOT / config], config={"data": "."}),
            storage_settings=StorageSettings(),
            workflow_settings=WorkflowSettings(),
            snakefile=ROOT / "Snakefile",
            workdir=ROOT,
        )
        return list(workflow._workflow.rules)


RULES = {rule.name: rule for config in CONFIGS for rule in rules_of(config)}
STEPS = [rule for rule in RULES.values() if rule.script]


def main_of(rule):
    """Return the function that the script of a rule is."""
    return runpy.run_path(str(ROOT / "rules" / rule.script), run_name="contract")["main"]


def text_of(rule) -> str:
    """Return what the rule says, up to the next rule of its file."""
    text = Path(rule.snakefile).read_text()
    return re.search(rf"^ *rule {rule.name}:\n(.*?)(?=^ *rule |\Z)", text, re.MULTILINE | re.DOTALL)[1]


@pytest.mark.parametrize("rule", STEPS, ids=lambda rule: rule.name)
def test_rule_and_script_agree(rule) -> None:
    path = (ROOT / "rules" / rule.script).resolve()
    assert path.stem == rule.name
    main = main_of(rule)
    given = {name for files in (rule.input, rule.output) for name, _ in files.items()}
    given |= {name for name, _ in rule.params.items() if not name.startswith("_")}
    parameters = inspect.signature(main).parameters
    required = {name for name, p in parameters.items() if p.default is p.empty}
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())
    assert given <= set(parameters)
    assert required <= given | {"threads"}
    assert get_type_hints(main)["return"] is type(None)


@pytest.mark.parametrize("rule", STEPS, ids=lambda rule: rule.name)
def test_a_rule_makes_its_products_and_its_report(rule) -> None:
    written = {name: re.sub("results/[^/]+", "<results>", str(path), count=1) for name, path in rule.output.items()}
    made = {name: re.sub(r"\{(\w+),[^}]*\}", r"{\1}", path) for name, path in written.items()}
    if rule.name in ("simulate_study", "simulate_movie", "prepare_movie"):
        assert not products_of(rule.name)
        return
    report = made.pop("report", f"reports/{rule.name}.json")
    assert re.search(rf"reports/{rule.name}(/{{sample}}@{{fov}})?\.json$", report)
    always = {product.name: product.file for product in products_of(rule.name) if not product.needs}
    assert made.items() >= always.items()
    assert made.items() <= {product.name: product.file for product in products_of(rule.name)}.items()


def test_every_product_has_a_rule() -> None:
    assert {step for product in PRODUCTS for step in product.steps} <= {rule.name for rule in STEPS}


@pytest.mark.parametrize("rule", [r for r in STEPS if "settings" in dict(r.params.items())], ids=lambda rule: rule.name)
def test_a_rule_passes_the_settings_that_its_script_knows(rule) -> None:
    given = dict(rule.params.items())["settings"]
    # Those of a field are a function of wildcards, which adds the field to what is the same for all.
    names = {*inspect.getclosurevars(given).nonlocals["shared"], "field"} if callable(given) else set(given)
    assert names == set(get_type_hints(main_of(rule))["settings"].model_fields)


@pytest.mark.parametrize("rule", STEPS, ids=lambda rule: rule.name)
def test_rule_declares_what_it_costs(rule) -> None:
    assert rule.log
    assert rule.benchmark
    assert rule.docstring
    assert rule.conda_env == "../envs/cineseq.yaml"
    assert {"mem_mb", "runtime"} <= set(rule.resources)
    assert "_code" in dict(rule.params.items())


@pytest.mark.parametrize("rule", STEPS, ids=lambda rule: rule.name)
def test_threads_are_declared_and_reach_the_script(rule) -> None:
    # Snakemake takes one thread for a rule that says nothing, so that only the text tells whether it said so.
    declared = re.findall(r"^ +threads: (\d+)$", text_of(rule), re.MULTILINE)
    assert declared == [str(rule.resources["_cores"].value)]
    hints = get_type_hints(main_of(rule))
    assert "threads" not in dict(rule.params.items())
    assert hints.get("threads") in (int, None)
    # A step that may take several threads must be told how many it has.
    assert "threads" in hints or declared == ["1"]


def test_no_step_has_the_name_of_a_target() -> None:
    assert not NAMED & {rule.name for rule in STEPS}
    assert set(RULES) >= NAMED


def test_every_script_is_a_step() -> None:
    assert {path.stem for path in (ROOT / "scripts").iterdir()} - {"__pycache__"} == {rule.name for rule in STEPS}
