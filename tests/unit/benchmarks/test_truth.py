"""The benchmarks of claims: means, bounds, and what each claim declares."""

import math

import claim_runner
import pytest
from claim_runner import Benchmark
from truth.claims import Claim, Measured


def a_claim(**settings):
    return Claim("module.name", "a design", "a share", study=float, studies=100, **settings)


def test_the_mean_leaves_out_what_cannot_be_estimated_and_counts_it():
    measured = Measured.of([1.0, 0.0, math.nan, 1.0, 0.0])
    assert (measured.value, measured.studies, measured.not_estimable) == (0.5, 5, 1)
    assert measured.standard_error == pytest.approx(0.57735 / 2, abs=1e-5)
    assert math.isnan(Measured.of([math.nan]).value)


@pytest.mark.parametrize(("value", "holds"), [(0.07, True), (0.079, True), (0.081, False)])
def test_bounds_allow_two_standard_errors(value, holds):
    assert Measured(value, 0.005, 100, 0).within(a_claim(at_most=0.07)) is holds


def test_what_is_never_estimable_does_not_hold():
    assert not Measured(math.nan, math.nan, 100, 100).within(a_claim(at_most=0.07))


def test_measurements_are_kept_and_read_back(tmp_path):
    claim, measured = a_claim(), Measured(0.25, 0.1, 50, 3)
    claim_runner.keep(claim, measured, tmp_path)
    assert claim_runner.kept(claim, 50, tmp_path) == measured
    assert claim_runner.kept(claim, 51, tmp_path) is None
    claim_runner.write_csv({claim.name: measured}, tmp_path / "module.csv")
    assert claim_runner.read_before(tmp_path) == {claim.name: measured}


@pytest.mark.parametrize("package", ["truth", "measurements"])
def test_claims_are_named_after_their_module_once_and_have_a_number_from_before(package):
    benchmark = Benchmark.of(package)
    claims = claim_runner.all_claims(benchmark)
    assert len({claim.name for claim in claims}) == len(claims)
    modules = {path.stem for path in benchmark.before.parent.glob("*.py")}
    assert {claim.name.split(".")[0] for claim in claims} <= modules
    old = {claim.name for claim in claims if not (claim.harder or claim.new)}
    before = claim_runner.read_before(benchmark.before)
    assert old <= set(before)
    assert not {claim.name for claim in claims if claim.new} & set(before)
