"""What the benchmarks of the imaging side leave out, and what they do when a part of them fails."""

import importlib
import inspect
import re
from pathlib import Path

import bench_memory
import pytest
from bench_memory import LONG, SHORT, arguments

ROOT = Path(__file__).resolve().parents[2]


def test_memory_is_measured_for_every_step_of_a_field():
    rules = "".join((ROOT / f"rules/{name}.smk").read_text() for name in ("inputs", "imaging", "features"))
    assert set(re.findall(r"^rule (\w+):", rules, re.MULTILINE)) == {*LONG, *SHORT}


@pytest.mark.parametrize("step", dict.fromkeys((*LONG, *SHORT)))
def test_the_steps_are_given_what_they_need(step, tmp_path):
    known = inspect.signature(importlib.import_module(step).main).parameters
    needed = {name for name, given in known.items() if given.default is given.empty}
    told = {text.removeprefix("--") for text in arguments(step, tmp_path, tmp_path) if text.startswith("--")}
    assert needed <= told <= known.keys()


def test_what_short_movies_bound_is_said_to_be_bounded_by_growth(tmp_path, monkeypatch):
    monkeypatch.setattr(
        bench_memory, "peaks", lambda film, steps, _: ((s, {"peak_gb": film.frames / 10}) for s in steps)
    )
    lines = [str(score) for score in bench_memory.short_movies(2, tmp_path)]
    assert len(lines) == 4
    assert sum("bounded by growth" in line and line.endswith("MISSED") for line in lines) == 2
