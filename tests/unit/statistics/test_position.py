"""The null that keeps how values vary with position: exact identities, and how often it calls two surfaces related."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cineseq.statistics.metrics import centred
from cineseq.statistics.permutation import draw_rows, exchangeable_blocks
from cineseq.statistics.position import spatial_null, spatial_nulls


def of_fields(seed, *, own=0.0, common=0.0, cells=360, fields=12, columns=1):
    """Return values, positions and fields; planes of each field and one bowl of all have the given shares."""
    rng = np.random.default_rng(seed)
    field, position = np.arange(cells) % fields, rng.uniform(0, 800, (cells, 2))
    unit = (position / 400) - 1
    slopes = rng.normal(size=(fields, 2, columns))[field]
    plane = np.einsum("ni,nic->nc", unit, slopes) / np.sqrt(2 / 3)
    bowl = np.square(unit).sum(axis=1)[:, None]
    bowl = (bowl - bowl.mean()) / bowl.std()
    noise = np.sqrt(1 - own - common) * rng.normal(size=(cells, columns))
    return np.sqrt(own) * plane + np.sqrt(common) * bowl + noise, position, field


def test_without_gradients_nothing_but_the_permutation_is_left():
    values, position, field = of_fields(1)
    null = spatial_null(values, position, field)
    assert null.share == 0
    assert null.coloured(null.whitened(values)) is values


def test_without_known_positions_nothing_but_the_permutation_is_left():
    values, position, field = of_fields(1, own=0.5)
    assert spatial_null(values, np.full_like(position, np.nan), field).share == 0
    assert spatial_null(np.ones_like(values), position, field).share == 0


def test_shares_of_surfaces_are_found():
    one = [spatial_null(*of_fields(seed, own=0.5)) for seed in range(6)]
    assert np.mean([null.share for null in one]) == pytest.approx(0.5, abs=0.12)
    assert np.mean([null.own > null.common for null in one]) == 1
    all_alike = [spatial_null(*of_fields(seed, common=0.5)) for seed in range(6)]
    assert np.mean([null.own < null.common for null in all_alike]) == 1
    _, position, field = of_fields(0, common=0.5)
    bowl = np.square(position / 400 - 1).sum(axis=1)
    assert np.corrcoef(all_alike[0].surface[:, 0], centred(bowl, field))[0, 1] > 0.9


@given(st.integers(0, 10_000), st.sampled_from([1, 2]))
@settings(max_examples=15, deadline=None)
def test_colouring_undoes_whitening_and_keeps_the_means_of_fields(seed, columns):
    values, position, field = of_fields(seed, own=0.3, common=0.3, columns=columns)
    position[::7] = np.nan
    values = values + np.random.default_rng(seed).normal(size=(12, columns))[field]
    null = spatial_null(values, position, field)
    white = null.whitened(values)
    assert null.coloured(white) == pytest.approx(values, abs=1e-9)
    rows = draw_rows(exchangeable_blocks(field, np.arange(len(field))), np.random.default_rng(seed))
    drawn = null.coloured(np.stack([white[rows], white], axis=1))
    assert drawn[:, 1] == pytest.approx(values, abs=1e-9)
    means = [np.array([part[field == k].mean(axis=0) for k in range(12)]) for part in (drawn[:, 0], values)]
    assert means[0] == pytest.approx(means[1], abs=1e-9)


@pytest.mark.parametrize(("own", "common", "calls_of_permutation"), [(0.6, 0.0, 0.15), (0.0, 0.6, 0.5)])
def test_two_surfaces_are_not_related(own, common, calls_of_permutation):
    called = {"spatial": [], "permutation": []}
    for seed in range(80):
        (values, position, field), other = of_fields(seed, own=own, common=common), of_fields(seed + 1000, own=own)[0]
        # Another value of the same cells: planes at the same positions.
        unit = position / 400 - 1
        rng = np.random.default_rng(seed + 500)
        slopes = rng.normal(size=(12, 2))[field]
        plane = np.square(unit).sum(axis=1) if common else (unit * slopes).sum(axis=1)
        other = centred(plane / plane.std() + 0.5 * rng.normal(size=len(plane)), field)
        null = spatial_null(values, position, field)
        exchange = exchangeable_blocks(field, np.arange(len(field)))
        rows = np.column_stack([draw_rows(exchange, rng) for _ in range(59)])
        draws = {"spatial": null.coloured(null.whitened(values)[rows]), "permutation": values[rows]}
        observed = np.abs(other @ values[:, 0])
        for name, drawn in draws.items():
            called[name].append((np.abs(other @ drawn[:, :, 0]) >= observed).mean() <= 0.05)
    assert np.mean(called["spatial"]) <= 0.12
    assert np.mean(called["permutation"]) >= calls_of_permutation


@given(st.integers(0, 10_000), st.sampled_from([(0.5, 0.0), (0.0, 0.5), (0.3, 0.3)]))
@settings(max_examples=10, deadline=None)
def test_uncorrelated_columns_have_the_inverse_of_the_covariance(seed, parts):
    values, position, field = of_fields(seed, own=parts[0], common=parts[1], cells=60, fields=4)
    null = spatial_null(values, position, field)
    half = null.uncorrelated(np.eye(60))
    if null.surfaces is None:
        assert np.array_equal(half, np.eye(60))
        return
    basis, same = null.surfaces.basis, field[:, None] == field
    covariance = np.eye(60) + (null.own * same + null.common) * (basis @ basis.T)
    assert half @ covariance @ half.T == pytest.approx(np.eye(60), abs=1e-8)


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_many_columns_stay_as_they_are_when_no_cell_moves_and_keep_the_means_of_fields(seed):
    columns, position, field = of_fields(seed, own=0.2, common=0.4, columns=7)
    columns = columns + np.random.default_rng(seed).normal(size=(12, 7))[field]
    nulls = spatial_nulls(columns, position, field)
    assert nulls.share > 0.1
    rows = draw_rows(exchangeable_blocks(field, np.arange(len(field))), np.random.default_rng(seed))
    drawn = nulls.permuted(np.column_stack([np.arange(len(field)), rows]))
    assert drawn.shape == (360, 2, 7)
    assert drawn[:, 0] == pytest.approx(columns, abs=1e-9)
    assert drawn[:, 1] == pytest.approx(nulls.permuted(rows), abs=1e-9)
    assert centred(drawn[:, 1], field) - drawn[:, 1] == pytest.approx(centred(columns, field) - columns, abs=1e-9)


def test_columns_that_share_a_surface_keep_it_together():
    """One bowl in twenty columns is one axis; permuted columns follow it, and those without any surface do not."""
    rng = np.random.default_rng(4)
    bowl, position, field = of_fields(4, common=0.9)
    columns = np.column_stack([bowl + 0.5 * rng.normal(size=(360, 20)), rng.normal(size=(360, 20))])
    nulls = spatial_nulls(columns, position, field)
    assert sum(len(own) for own, null in nulls.parts if null.share > 0.3) == 1
    rows = draw_rows(exchangeable_blocks(field, np.arange(360)), rng)
    drawn, unit = nulls.permuted(rows), np.square(position / 400 - 1).sum(axis=1)
    along = np.array([np.corrcoef(drawn[:, k], unit)[0, 1] for k in range(40)])
    assert along[:20].min() > 0.6
    assert np.abs(along[20:]).max() < 0.3
    assert np.corrcoef(columns[rows][:, 0], unit)[0, 1] < 0.3


def test_columns_without_surfaces_or_positions_are_permuted_alone():
    columns, position, field = of_fields(5, columns=3)
    rows = draw_rows(exchangeable_blocks(field, np.arange(360)), np.random.default_rng(5))
    for nulls in (
        spatial_nulls(columns, np.full_like(position, np.nan), field),
        spatial_nulls(np.ones_like(columns), position, field),
    ):
        assert nulls.share == 0
        assert np.array_equal(nulls.permuted(rows), nulls.values[rows])
