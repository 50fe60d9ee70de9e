"""A fingerprint follows what code does, not how it looks or when it was written."""

import ast
import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cineseq.workflow import fingerprint
from cineseq.workflow import fingerprint as fingerprint_module
from cineseq.workflow.fingerprint import content_of
from cineseq.workflow.used_code import Package, forget

ROOT = Path(__file__).resolve().parents[3]
FILES = {
    "step.py": '"""A step."""\nimport numpy\nfrom pack.area import tool\n\n\ndef main():\n    tool.work()\n',
    "other.py": "import json\n",
    "lazy.py": "def main():\n    import pack.shared\n    return pack.shared.ONE\n",
    "pack/__init__.py": "",
    "pack/area/__init__.py": "",
    "pack/area/tool.py": '"""Tool."""\nfrom pack.shared import ONE\n\n\ndef work():\n    """Work."""\n    return ONE\n',
    "pack/shared.py": "ONE = 1\n\n\ndef unused():\n    return 3\n",
    "pack/whole.py": "from pack import shared\n\n\ndef main():\n    return vars(shared)\n",
    "pack/named.py": "from importlib import import_module\n\n\ndef main(x):\n    import_module(f'pack.area.{x}')\n",
    "pack/unused.py": "TWO = 2\n",
    "pack/templates/page.html": "<p>",
}


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small tree of scripts and a package that they import."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(fingerprint, "SOURCE", tmp_path)
    monkeypatch.setattr(fingerprint, "PACKAGE", "pack")
    forget()
    return tmp_path


def after(folder: Path, name: str, text: str, script: str = "step.py", templates: str | None = None) -> str:
    """Return the fingerprint of a script after a file was changed."""
    (folder / name).write_text(text)
    forget()
    return fingerprint.fingerprint(folder / script, templates)


def test_a_fingerprint_is_twelve_hexadecimal_digits(scripts: Path) -> None:
    found = fingerprint.fingerprint(scripts / "step.py")
    assert len(found) == 12
    assert int(found, 16) >= 0
    assert found != fingerprint.fingerprint(scripts / "other.py")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("step.py", "# A comment.\nimport numpy\n\nfrom pack.area import tool\ndef main(): tool.work()  # works\n"),
        ("step.py", '"""Another docstring."""\n' + FILES["step.py"].split("\n", 1)[1]),
        ("pack/area/tool.py", "from pack.shared import ONE\n\n\ndef work():\n    '''Works.'''\n    return (ONE)\n"),
        ("pack/unused.py", "TWO = 3\n"),
        ("pack/shared.py", "ONE = 1\n\n\ndef unused():\n    return 4\n"),
        ("pack/shared.py", 'import json\n\nONE = 1\n"""One."""\n'),
        ("pack/shared.py", "__version__ = '2'\nONE = 1\n"),
        ("pack/area/__init__.py", "import pack.unused\n"),
        ("other.py", "import yaml\n"),
    ],
)
def test_looks_do_not_count(name: str, text: str, scripts: Path) -> None:
    assert fingerprint.fingerprint(scripts / "step.py") == after(scripts, name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("step.py", FILES["step.py"].replace("tool.work()", "tool.work(), 1")),
        ("pack/area/tool.py", FILES["pack/area/tool.py"].replace("return ONE", "return -ONE")),
        ("pack/shared.py", "ONE = 2\n"),
        ("pack/shared.py", "ONE = '1'\n"),
        ("pack/shared.py", "TWO = 1\nONE = TWO\n"),
        ("pack/area/__init__.py", "print(1)\n"),
        ("pack/area/tool.py", FILES["pack/area/tool.py"].replace("def", "ONE = 2\n\n\ndef")),
        ("pack/area/tool.py", FILES["pack/area/tool.py"].replace("pack.shared", "numpy")),
    ],
)
def test_what_the_code_does_counts(name: str, text: str, scripts: Path) -> None:
    assert fingerprint.fingerprint(scripts / "step.py") != after(scripts, name, text)


def test_imports_inside_functions_count(scripts: Path) -> None:
    before = fingerprint.fingerprint(scripts / "lazy.py")
    assert before != after(scripts, "pack/shared.py", "ONE = 2\n", "lazy.py")


def test_templates_count_byte_by_byte(scripts: Path) -> None:
    before = fingerprint.fingerprint(scripts / "step.py", "templates")
    assert before != fingerprint.fingerprint(scripts / "step.py")
    assert before != after(scripts, "pack/templates/page.html", "<p> ", "step.py", "templates")


def test_times_and_places_do_not_count(scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint.fingerprint(scripts / "step.py")
    os.utime(scripts / "step.py", (0, 0))
    assert after(scripts, "pack/shared.py", FILES["pack/shared.py"]) == before
    shutil.copytree(scripts, scripts / "elsewhere")
    monkeypatch.setattr(fingerprint, "SOURCE", scripts / "elsewhere")
    assert fingerprint.fingerprint(scripts / "step.py") == before


@given(added=st.lists(st.sampled_from(["# note", "", "    # deep note", "  "]), max_size=4), where=st.integers(0, 6))
def test_comments_and_empty_lines_anywhere(
    added: list[str], where: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("scripts")
    lines = FILES["step.py"].splitlines()
    (folder / "plain.py").write_text(FILES["step.py"])
    (folder / "noted.py").write_text("\n".join([*lines[:where], *added, *lines[where:]]))
    assert fingerprint.fingerprint(folder / "noted.py") == fingerprint.fingerprint(folder / "plain.py")


@pytest.mark.parametrize(
    ("script", "name", "text"),
    [
        ("pack/whole.py", "pack/shared.py", "ONE = 1\n\n\ndef unused():\n    return 4\n"),
        ("pack/named.py", "pack/area/tool.py", "def work():\n    return 5\n"),
    ],
)
def test_a_module_that_is_used_as_a_whole_or_by_a_text_counts_whole(
    script: str, name: str, text: str, scripts: Path
) -> None:
    before = fingerprint.fingerprint(scripts / script)
    assert before != after(scripts, name, text, script)


def test_a_change_of_shared_code_reaches_the_steps_that_use_it() -> None:
    package = Package(ROOT / "src", "cineseq")
    used = package.used_by(ROOT / "scripts" / "morphology.py")
    assert ("/workflow/step.py", "run") in used
    assert ("/workflow/study.py", "open_study") not in used
    steps = list((ROOT / "scripts").glob("*.py"))
    assert len({fingerprint.fingerprint(path) for path in steps}) == len(steps)


def test_the_package_imports_by_full_names_which_the_fingerprint_can_follow() -> None:
    for path in [*(ROOT / "scripts").glob("*.py"), *(ROOT / "src").rglob("*.py")]:
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        assert not [n.lineno for n in nodes if isinstance(n, ast.ImportFrom) and n.level], path


SIZES = st.integers(1, 400_000)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=SIZES, at=st.floats(0, 1), old=st.booleans())
def test_a_file_of_other_content_is_noticed_whatever_its_date(tmp_path: Path, size: int, at: float, old: bool) -> None:
    file = tmp_path / "movie.tif"
    content = bytearray(range(256)) * (size // 256 + 1)
    file.write_bytes(content)
    now, before = file.stat().st_mtime, content_of([str(file)])
    assert content_of([str(file)]) == before
    start = min(int(at * len(content)), len(content) - 1)
    # A movie that replaces another differs in more than a few bytes.
    content[start : start + 30_000] = bytes(x ^ 255 for x in content[start : start + 30_000])
    file.write_bytes(content)
    os.utime(file, (now - 10**7, now - 10**7) if old else (now, now))
    assert content_of([str(file)]) != before


def test_a_map_of_all_fields_is_read_once_while_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "flat_field.tif"
    file.write_bytes(b"a" * 10**6)
    monkeypatch.setattr(fingerprint_module, "SETTLED", -1)
    before = fingerprint_module._content_of_file.cache_info().misses
    content = [content_of([str(file)]) for _ in range(5)]
    assert content == content[:1] * 5
    assert fingerprint_module._content_of_file.cache_info().misses == before + 1
    os.utime(file, ns=(10**18, 10**18))
    assert content_of([str(file)]) == content[0]
    assert fingerprint_module._content_of_file.cache_info().misses == before + 2


def test_the_content_of_a_folder_and_of_products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.zarr/0/0.0", "a.zarr/0/0.1", "a.zarr/.zattrs", "results/run/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    names = ["a.zarr", "results/run/x", "not_there.tif"]
    before = content_of(names)
    assert list(before) == ["a.zarr"]
    assert len(before["a.zarr"]) == 12
    (tmp_path / "a.zarr/0/0.1").write_text("a.zarr/0/0.2")
    changed = content_of(names)
    (tmp_path / "a.zarr/0/0.1").rename(tmp_path / "a.zarr/0/0.2")
    assert len({*before.values(), *changed.values(), *content_of(names).values()}) == 3


def test_every_rule_knows_the_content_of_the_files_of_the_user_that_it_reads() -> None:
    texts = [path.read_text() for path in (ROOT / "rules").glob("*.smk")]
    rules = [rule for text in texts for rule in re.split(r"(?m)^ *rule ", text)[1:]]
    of_user = re.compile(r"= *((?:from_sheet|from_sheet_by_sample|annotated)\(.*?\))")
    read = [(rule, set(of_user.findall(rule))) for rule in rules]
    assert sum(bool(files) for _, files in read) > 10
    for rule, files in read:
        told = rule.partition("_content=content(")[2]
        assert [name for name in files if name not in told] == [], rule.split(":")[0]


def test_of_a_table_that_samples_share_only_own_rows_count(tmp_path: Path) -> None:
    table = tmp_path / "cages.csv"

    def content(text: str) -> list[str]:
        table.write_text(text)
        return [content_of([str(table)], sample, [str(table)])[str(table)] for sample in "st"]

    s, t = content("sample,y\ns,1\nt,1\n")
    assert content("sample,y\ns,1\nt,1\nu,1\n") == [s, t]
    assert content("sample,y\nt,1\ns,1\n") == [s, t]
    changed = content("sample,y\ns,1\nt,2\n")
    assert changed[0] == s
    assert changed[1] != t
    assert content("sample,x\ns,1\nt,1\n")[0] != s, "the header counts"
    whole = content("well,y\ns,1\nt,1\n")
    assert whole[0] == whole[1] == content_of([str(table)])[str(table)]
