"""What contributors are told to run is what there is."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
VARIABLES = {"$(LINT)/bin": ".venv-lint/bin", "$(RUN)": ".venv/bin"}


def commands(target: str) -> list[str]:
    """Return the commands of a target of the Makefile."""
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]
    for name, value in VARIABLES.items():
        recipe = recipe.replace(name, value)
    return [line.strip() for line in recipe.splitlines()]


def test_pre_commit_runs_what_make_lint_runs_and_fetches_nothing() -> None:
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    hooks = [hook for repository in repositories for hook in repository["hooks"]]
    assert [hook["entry"] for hook in hooks] == commands("lint")
    assert {repository["repo"] for repository in repositories} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}


def test_ci_runs_the_committed_script() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["checks"]["steps"]
    assert "bash .ci/run" in [step.get("run") for step in steps]


def test_issue_forms_are_forms() -> None:
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*-*.yml"):
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= set(form)
        assert all(part["attributes"]["label"] for part in form["body"])


def test_contributing_is_one_page_and_names_what_there_is() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    targets = set(re.findall(r"`make ([a-z-]+)", text))
    assert targets <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert {"test", "lint", "docs", "config", "lock"} <= targets
    paths = re.findall(r"`((?:src|tools|tests|docs|rules|scripts|benchmarks|config|envs|\.github)/[\w./-]*)`", text)
    assert len(paths) > 8
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_pull_request_template_asks_for_the_comparison() -> None:
    text = (ROOT / ".github/pull_request_template.md").read_text(encoding="utf-8")
    assert "tools/compare_results.py" in text
    assert "--page" in text
