"""The target that generates each modality from the other, of paired data of another program, through Snakemake."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from tests.workflow.conftest import Project, write_sheet

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def test_modalities_are_generated_from_each_other_and_shares_are_found(small: Project) -> None:
    random = np.random.default_rng(0)
    cells, genes = 240, 60
    names = [f"c{i}" for i in range(cells)]
    state = random.normal(size=(cells, 2))
    shape = pd.DataFrame(state + 0.3 * random.normal(size=(cells, 2)), names, ["length", "width"])
    follows = np.zeros((2, genes))
    follows[0, :8], follows[1, 8:16] = 0.7, 0.7
    counts = random.poisson(np.exp(2 + state @ follows)).astype(np.float32)
    obs = shape.assign(
        score=random.normal(size=cells),
        condition=np.tile(["a", "b"], cells // 2),
        sample=np.repeat(list("pqrstuvw"), cells // 8),
    )
    var = pd.DataFrame(index=[f"g{i}" for i in range(genes)])
    anndata.AnnData(counts, obs, var).write_h5ad(small.folder / "theirs.h5ad")
    write_sheet(small.folder, [{"sample": "study", "paired": "theirs.h5ad"}])
    external = {"function": {"score": "score"}, "morphology": ["length", "width"]}
    small.configure(
        channels={"function": []},
        function={"scores": []},
        external=external,
        clusters={"min_genes": 10, "min_counts": 50},
        generative={"learners": ["ridge"], "permutations": 99, "null_draws": 3},
    )
    small.snakemake("generative")
    made = small.folder / "results/small/generative"
    shares = pd.read_csv(made / "shares.tsv", sep="\t")
    total = shares[(shares["estimand"] == "within") & (shares["target"] == "all")].set_index(["direction", "part"])
    assert total.loc[("morphology_to_expression", "linear"), "share"] > 0.1
    assert total.loc[("expression_to_morphology", "linear"), "share"] > 0.4
    assert total.loc[("morphology_to_expression", "linear"), "found"] == "found"
    targets = pd.read_csv(made / "targets.tsv", sep="\t")
    best = targets[targets["direction"] == "morphology_to_expression"].nlargest(10, "linear")["target"]
    assert set(best) <= {f"g{i}" for i in range(16)}
    cards = json.loads((made / "models/cards.json").read_text())
    assert set(cards) == {"morphology_to_expression", "expression_to_morphology"}
    assert all(card["sampler"] != "flow" for card in cards.values()), "too few cells to try it"
    assert pd.read_csv(made / "time.tsv", sep="\t").empty, "there are no images, and so no hours"
    lines = json.loads((small.folder / "results/small/reports/generate.json").read_text())["lines"]
    assert any("flow matching was not tried" in line for line in lines)
