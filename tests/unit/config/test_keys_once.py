"""A key that a configuration states twice is refused, wherever it is."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cineseq.config.keys_once import check_keys_once
from cineseq.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
KEYS = st.text("abcdef_0123", min_size=1, max_size=4)
TREES = st.recursive(
    st.one_of(st.integers(), st.text(max_size=4), st.booleans(), st.none()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(config=st.dictionaries(KEYS, TREES, max_size=5), as_json=st.booleans(), flow=st.booleans())
def test_a_configuration_without_repeats_is_accepted(
    config: dict, *, as_json: bool, flow: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("config") / "c.yaml"
    path.write_text(json.dumps(config) if as_json else yaml.safe_dump(config, default_flow_style=flow))
    check_keys_once(path)


@given(
    outer=st.lists(KEYS, min_size=1, max_size=5, unique=True),
    depth=st.integers(0, 3),
    key=KEYS,
    value=st.sampled_from(["1", "{b: 2}", "[1, 2]"]),
)
def test_a_key_that_is_there_twice_is_refused_at_any_depth_and_the_advice_works(
    outer: list[str], depth: int, key: str, value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, nested = tmp_path_factory.mktemp("config") / "c.yaml", outer[:depth]
    lines = [f"{'  ' * k}'{name}':" for k, name in enumerate(nested)]
    again = [f"{'  ' * len(nested)}'{key}': {value}"] * 2
    path.write_text("\n".join([*lines, *again]) + "\n")
    with pytest.raises(UserError) as told:
        check_keys_once(path)
    place = ".".join([*nested, key])
    assert str(told.value) == (
        f"{path}, line {len(lines) + 2}: the key '{place}' is there twice (first in line {len(lines) + 1}), and only "
        "the last one would count; join them into one."
    )
    path.write_text("\n".join([*lines, again[0]]) + "\n")
    check_keys_once(path)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {b: 1}\nc: *x\nd: {<<: *x, b: 2}\n",
        "a: {b: 1}\nc: {b: 1}\n",
        "'1': a\n1: b\n",
        "a: [{b: 1}, {b: 2}]\n",
        "",
        "not: [closed",
    ],
)
def test_what_is_no_repeat(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(text)
    check_keys_once(tmp_path / "c.yaml")
    check_keys_once(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configurations_state_each_key_once(path: Path) -> None:
    check_keys_once(path)
