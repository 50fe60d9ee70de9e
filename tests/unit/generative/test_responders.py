"""Shapes and genes that separate classes are found by replicates; too few replicates are not estimable."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from tests.unit.prediction.prediction_examples import Planted, simulate

from cineseq.config.prediction import Crossmodal
from cineseq.generative.responders import report, separate
from cineseq.generative.shares import SharesOptions
from cineseq.io.paired import PairedData

OPTIONS = SharesOptions(Crossmodal(genes=40))


def study(seed: int, effect: float, *, samples: int = 6, inside: bool = False) -> PairedData:
    """Return cells of which a class shifts the first feature and the first four genes.

    Classes are of whole samples, or ``inside`` of cells in every sample.
    """
    rng = np.random.default_rng(seed)
    data = simulate(Planted(genes=40, features=6, fields=samples, cells_per_field=20), seed)
    sample = np.repeat(np.arange(samples), 20)
    second = rng.random(len(sample)) < 0.5 if inside else sample % 2 == 1
    counts = data.counts.toarray()
    counts[:, :4] = rng.poisson(np.exp(2 + 0.3 * rng.normal(size=(len(sample), 4)) + effect * second[:, None]))
    morphology = data.morphology.copy()
    morphology.iloc[:, 0] += 2 * effect * second
    obs = data.obs.assign(sample=sample.astype(str), fov="0", response=np.where(second, "resistant", "responder"))
    return replace(data, obs=obs, counts=sparse.csr_matrix(counts), morphology=morphology)


@pytest.mark.parametrize("inside", [False, True])
def test_what_was_planted_separates(inside):
    found = separate(study(1, 1.0, samples=8, inside=inside), "response", OPTIONS).differences
    assert set(found.loc[found["separates"] & (found["kind"] == "shape"), "name"]) == {"morphology_area_um2"}
    genes = set(found.loc[found["separates"] & (found["kind"] == "gene"), "name"])
    assert {"g0", "g1", "g2", "g3"} <= genes
    planted = found[found["name"] == "g0"].iloc[0]
    assert (planted["class_a"], planted["class_b"]) == ("resistant", "responder")
    assert planted["high"] < 0
    assert planted["replicate"] == "sample"


@pytest.mark.parametrize("inside", [False, True])
def test_p_values_are_uniform_without_a_difference(inside):
    p = [separate(study(seed, 0.0, inside=inside), "response", OPTIONS).differences["p_value"] for seed in range(12)]
    assert 0.01 <= (pd.concat(p) <= 0.05).mean() <= 0.09


def test_two_samples_a_class_are_replaced_by_fields_and_too_few_are_not_estimable():
    data = study(2, 1.0, samples=4)
    fields = replace(data, obs=data.obs.assign(fov=np.tile(np.arange(20) % 3, 4).astype(str)))
    found = separate(fields, "response", OPTIONS)
    assert set(found.differences["replicate"]) == {"field"}
    assert found.notes[0].startswith("Where replicates are fields: that the difference holds in other samples cannot")
    few = separate(data, "response", OPTIONS)
    assert few.differences.empty
    pair = "Not estimable: 1 of 1 pair of classes (resistant and responder): a class has 2 samples and 2 fields"
    assert few.notes[0].startswith(pair)
    assert report(few)["lines"] == list(few.notes)
    one = separate(replace(data, obs=data.obs.assign(response="all")), "response", OPTIONS)
    assert one.notes == ("Not estimable: 'response' has 1 class.",)


def test_many_pairs_that_are_not_estimable_are_one_sentence():
    data = study(2, 1.0, samples=4)
    obs = data.obs.assign(response=[f"family{k % 5}" for k in range(len(data.obs))], fov="1")
    obs.loc[obs.index[::5], "sample"] = "alone"
    found = separate(replace(data, obs=obs), "response", OPTIONS)
    assert len([note for note in found.notes if "ot estimable" in note]) == 1
    assert "Not estimable: 4 of 10 pairs of classes (family0 and family1; " in found.notes[0]
    assert "; 1 more): " in found.notes[0]


def test_genes_that_are_visible_in_shape_are_marked():
    shares = pd.DataFrame(
        {
            "direction": "morphology_to_expression",
            "target": ["g0", "g1"],
            "found": ["found", "none found"],
        }
    )
    found = separate(study(1, 1.0, samples=8), "response", OPTIONS, shares)
    genes = found.differences[found.differences["kind"] == "gene"].set_index("name")
    assert genes.loc["g0", "visible"]
    assert not genes.loc["g1", "visible"]
    assert genes["visible"].isna().sum() == 38
    told = report(found)
    assert told["numbers"]["resistant.responder.visible"] == 1
    assert "%) are visible in shape within fields" in told["lines"][-1]
