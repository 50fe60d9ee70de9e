"""The configuration: what it refuses and how it says so, and what is generated from its models."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from cineseq import deprecation
from cineseq.config.documents import (
    SECTIONS_BEGIN,
    SECTIONS_END,
    as_instructions,
    as_schema,
    as_table,
    as_yaml,
    demo_config,
    with_sections,
)
from cineseq.config.imaging import Channels
from cineseq.config.schema import Config, load, model_of
from cineseq.errors import UserError

ROOT = Path(__file__).resolve().parents[3]


def complaints(raw: Any) -> list[str]:
    """Return what is said of a configuration, line by line."""
    with pytest.raises(UserError) as raised:
        load(raw)
    first, *lines = str(raised.value).splitlines()
    assert first == "Invalid configuration:"
    return [line.removeprefix("  ") for line in lines]


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ({"segmnt": {"model": "x"}}, "segmnt: unknown key, did you mean 'segment'? (got {'model': 'x'})"),
        (
            {"segment": {"flow_treshold": 1}},
            "segment.flow_treshold: unknown key, did you mean 'flow_threshold'? (got 1)",
        ),
        (
            {"function": {"scores": [{"name": "a", "channel": "b", "chanel": "c"}]}},
            "function.scores.0.chanel: unknown key, did you mean 'channel'? (got 'c')",
        ),
        (
            {"crossmodal": {"zzz": 1}},
            "crossmodal.zzz: unknown key, the keys here are "
            + ", ".join(Config().crossmodal.model_dump())
            + " (got 1)",
        ),
        ({"segment": {"flow_threshold": 9}}, "segment.flow_threshold: Input should be less than or equal to 3 (got 9)"),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0 (got -1)"),
        ({"run": "a b"}, "run.name: String should match pattern '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$' (got 'a b')"),
        ({"segment": {"max_area": 5}}, "segment.max_area: must be above min_area (20) (got 5)"),
        (
            {"inputs": {"channel_pattern": "_(C1)_"}},
            "inputs.channel_pattern: needs a group named channel, written (?P<channel>...), or one named frame, or is "
            "one of incucyte, imagexpress, operetta, micromanager, nikon, metamorph, celldiscoverer, cytation, "
            "yokogawa, incell, zen, leica, cellpose_masks (got '_(C1)_')",
        ),
        (
            {"simulate": {"both_r2": 0.9}},
            "simulate.both_r2: should lie between the larger and the sum of expression_r2 and morphology_r2 (got 0.9)",
        ),
        (
            {"features": {"frames": "before_function"}},
            "features.function_onset_frame: must be a frame number when frames is before_function",
        ),
        (
            {"function": {"scores": [{"name": "fat", "channel": "lipid"}]}},
            "function.scores: channel 'lipid' of 'fat' is not in channels.function, which lists none",
        ),
        (
            {
                "channels": {"names": ["nuclear", "lipid"], "function": ["lipd"]},
                "function": {"scores": [{"name": "fat", "channel": "lipid"}]},
            },
            "channels.function: 'lipd' is not among channels.names, did you mean 'lipid'?",
        ),
        (
            {
                "channels": {"function": ["lipid"]},
                "function": {"scores": [{"name": "fat", "channel": "lipids"}]},
            },
            "function.scores: channel 'lipids' of 'fat' is not in channels.function, did you mean 'lipid'?",
        ),
        (
            {"channels": {"names": ["nuclear", "lipid"]}, "segment": {"channels": ["nucleus"]}},
            "segment.channels: 'nucleus' is not among channels.names, did you mean 'nuclear'?",
        ),
        (
            {"channels": {"names": ["nuclear", "annexin"], "death": "anexin"}},
            "channels.death: 'anexin' is not among channels.names, did you mean 'annexin'?",
        ),
        (
            {"channels": {"function": ["lipid"], "death": "lipid"}},
            "channels.death: 'lipid' is in channels.function too; keep it in one of them (got 'lipid')",
        ),
    ],
)
def test_a_mistake_is_one_line(raw: dict, complaint: str) -> None:
    assert complaints(raw) == [complaint]


def test_every_mistake_is_told_at_once() -> None:
    assert [line.split(":")[0] for line in complaints({"seed": -1, "segment": {"min_area": -1}, "x": 1})] == [
        "seed",
        "segment.min_area",
        "x",
    ]


@pytest.mark.parametrize("step", ["segment", "morphology", "embed"])
def test_the_function_channel_stays_out_unless_allowed(step: str) -> None:
    raw = {"channels": {"function": ["lipid"]}, step: {"channels": ["lipid"]}}
    assert complaints(raw) == [
        f"{step}.channels: 'lipid' is a function channel; take it out, or add '{step}' to channels.allow_function_in "
        "and the report will say so"
    ]
    raw["channels"] = {"function": ["lipid"], "allow_function_in": [step]}
    assert getattr(load(raw), step).channels == ["lipid"]
    others = {"segment", "morphology", "embed"} - {step}
    raw["channels"] = {"function": ["lipid"], "allow_function_in": sorted(others)}
    assert complaints(raw)[0].startswith(f"{step}.channels: 'lipid' is a function channel")


@pytest.mark.parametrize("step", ["segment", "morphology", "embed"])
def test_the_stain_of_dead_cells_enters_no_step(step: str) -> None:
    raw = {"channels": {"death": "annexin", "allow_function_in": [step]}, step: {"channels": ["annexin"]}}
    assert complaints(raw) == [
        f"{step}.channels: 'annexin' is the stain of dead cells (channels.death), which is used for nothing else; take "
        "it out of one of them"
    ]


@given(
    present=st.lists(st.sampled_from("abcdef"), unique=True).map(tuple),
    function=st.lists(st.sampled_from("abcdef"), unique=True),
    allowed=st.lists(st.sampled_from(["segment", "morphology", "embed", "pictures"]), unique=True),
    step=st.sampled_from(["segment", "morphology", "embed", "pictures"]),
)
def test_no_step_sees_a_function_channel_that_it_may_not(
    present: tuple[str, ...], function: list[str], allowed: list[str], step: str
) -> None:
    seen = Channels(function=function, allow_function_in=allowed).open_to(step, present)
    assert seen == (present if step in allowed else tuple(c for c in present if c not in function))


def test_a_configuration_cannot_be_changed_once_loaded() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load({}).seed = 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config/config.yaml", as_yaml),
        ("config/config.schema.json", as_schema),
        ("config/README.md", as_instructions),
        ("docs/configuration.md", as_table),
    ],
)
def test_generated_documents_are_in_step(name: str, text: Any) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == text(), f"{name} is out of step; run `make config`"


def test_the_readme_lists_every_section() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == with_sections(readme), "README.md is out of step; run `make config`"
    table = readme.split(SECTIONS_BEGIN)[1].split(SECTIONS_END)[0]
    sections = [key for key, value in yaml.safe_load(as_yaml()).items() if isinstance(value, dict)]
    assert re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE) == sections
    emptied = readme.replace(table, "")
    assert with_sections(emptied) == readme


def test_the_shipped_configuration_is_the_demo_and_names_every_key() -> None:
    raw = yaml.safe_load(as_yaml())
    assert load(raw) == demo_config()
    assert raw == demo_config().model_dump(mode="json")


def keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return every key that a user may write, those of lists of sections with ``[]``."""
    found = []
    for name, info in model.model_fields.items():
        inner = model_of(info.annotation)
        is_list = "list" in str(info.annotation)
        if inner is None or is_list:
            found.append(f"{prefix}{name}")
        if inner is not None:
            found += keys(inner, f"{prefix}{name}{'[]' if is_list else ''}.")
    return found


def test_the_table_covers_every_key() -> None:
    rows = [line for line in as_table().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == keys(Config)
    assert all(row.replace("\\|", "").count("|") == 4 for row in rows)


def test_every_key_is_described_in_one_sentence() -> None:
    def check(model: type[BaseModel]) -> None:
        for name, info in model.model_fields.items():
            assert info.description, f"{model.__name__}.{name}"
            assert info.description.endswith("."), f"{model.__name__}.{name}"
            if inner := model_of(info.annotation):
                check(inner)

    check(Config)


def test_the_schema_refuses_unknown_keys_everywhere() -> None:
    schema = json.loads(as_schema())
    assert schema["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values() if "properties" in part)


@pytest.mark.parametrize("path", sorted((ROOT / "config/examples").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_example_is_valid(path: Path) -> None:
    config = load(yaml.safe_load(path.read_text()))
    assert (ROOT / config.samples).is_file()


def test_nothing_in_the_configuration_is_about_where_it_runs() -> None:
    words = {word for key in keys(Config) for part in key.split(".") for word in part.strip("[]").split("_")}
    assert not words & {"threads", "cores", "memory", "mem", "queue", "partition", "account"}


OLD_NAMES = {"given": {"id": ["cell"]}, "track": {"given_format": "ctc", "given_conflicts": "cut"}}


def test_old_names_are_taken_for_the_new_ones():
    old = load(OLD_NAMES)
    assert old == load({"external": {"id": ["cell"]}, "track": {"external_format": "ctc", "external_conflicts": "cut"}})
    assert (old.external.id, old.track.external_format, old.track.external_conflicts) == (["cell"], "ctc", "cut")
    both = load({"given": {"id": ["cell"]}, "external": {"id": ["cell"]}})
    assert both.external.id == ["cell"]


def test_an_old_name_is_mentioned_once():
    script = f"from cineseq.config.schema import load; load({OLD_NAMES}); load({OLD_NAMES})"
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stderr.splitlines()
    assert [line for line in said if "cineseq 0.3.0" in line] == [
        "'given' is now called 'external'; the old name is removed in cineseq 0.3.0.",
        "'track.given_format' is now called 'track.external_format'; the old name is removed in cineseq 0.3.0.",
        "'track.given_conflicts' is now called 'track.external_conflicts'; the old name is removed in cineseq 0.3.0.",
    ]


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (
            {"given": {"id": ["a"]}, "external": {"id": ["b"]}},
            "'given' is the old name of 'external', and the two differ; keep 'external' only",
        ),
        (
            {"track": {"given_format": "ctc", "external_format": "geff"}},
            "track: 'track.given_format' is the old name of 'track.external_format', and the two differ; keep "
            "'track.external_format' only",
        ),
    ],
)
def test_an_old_and_a_new_name_that_differ_are_refused(raw, complaint):
    assert complaints(raw) == [complaint]


@pytest.mark.parametrize("more", [{}, {"region": "cell"}, {"measure": "mean"}, {"region": "cell", "region_px": 20}])
def test_a_ring_of_background_inside_the_regions_is_refused_and_the_advice_works(more):
    with pytest.raises(UserError, match=r"function.background: a ring .* lies inside the region .*; set region: mask"):
        load({"function": {"background": "ring"} | more})
    assert load({"function": {"background": "ring"} | more | {"region": "mask"}}).function.background == "ring"
    assert load({"function": {"background": "empty"} | more}).function.background == "empty"


def test_changed_defaults_of_function_are_said_once(caplog, monkeypatch):
    monkeypatch.setattr(deprecation, "_WARNED", set())
    load({"function": {"background": "percentile", "region": "cell"}})
    load({"function": {"measure": "mean", "background": "empty"}})
    load(load({}).model_dump(mode="json"))
    assert caplog.messages == []
    for _ in range(2):
        load({"function": {"background": "percentile"}})
    (said,) = caplog.messages
    assert "'default of function.region': it was mask and is now cell" in said
    assert "function.measure was mean and is now integrated" in said


@pytest.mark.parametrize(
    ("summary", "said"), [("slope", "slope_after_onset"), ("maximum", "maximum_quantile: 1"), ("auc", "auc_per_hour")]
)
def test_summaries_that_changed_or_mislead_are_said_once(caplog, monkeypatch, summary, said):
    monkeypatch.setattr(deprecation, "_WARNED", set())
    asked = {"scores": [{"name": n, "channel": "c", "summary": summary} for n in "ab"]}
    for _ in range(2):
        load({"function": asked, "channels": {"function": ["c"]}})
    assert [said in line for line in caplog.messages] == [True]
    monkeypatch.setattr(deprecation, "_WARNED", set())
    caplog.clear()
    load({"function": asked | {"maximum_quantile": 1}, "channels": {"function": ["c"]}})
    assert len(caplog.messages) == (summary != "maximum")


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("names: [405, 488]", "channels.names.0"),
        ("names: {405: nuclear, 488 CSU: lipid}", "channels.names.405"),
        ("names: {DAPI: on}", "channels.names.DAPI"),
        ("{names: [a, 2024-05-01], function: [2024-05-01]}", "channels.names.1"),
    ],
)
def test_text_that_yaml_takes_for_something_else_is_to_be_quoted(written: str, place: str) -> None:
    raw = {"channels": yaml.safe_load(written)}
    with pytest.raises(UserError) as raised:
        load(raw)
    lines = str(raised.value).splitlines()[1:]
    assert lines[0].startswith(f"  {place}: expected text, so write it in quotes (got ")
    assert all("expected text" in line for line in lines)
    quoted = re.sub(r"(?<![\w-])(405|488|on|2024-05-01)(?![\w -])", r"'\1'", written)
    load({"channels": yaml.safe_load(quoted)})
