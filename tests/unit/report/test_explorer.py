"""The explorer: its data come back as they were, names run nothing, and a browser shows every cell from files alone."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chromium import Browser, find_chromium
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import sparse
from tests.unit.report.explorer_examples import HOSTILE, cells_of, example, paired_of

from cineseq.report.explorer.cells import describe_columns, join_cells, relatives
from cineseq.report.explorer.chunks import CHUNK_BYTES, chunk_script, read_chunk, write_chunk, write_rows
from cineseq.report.explorer.genes import quantise
from cineseq.report.explorer.page import ASSETS

CHUNK_FILE = 30_000
"""Largest size of a chunk of genes in bytes, also of values that do not shrink."""


def core_of(page: Path) -> dict:
    return json.loads(read_chunk(page.parent / "explorer/core.js"))


# Chunks.


@given(st.binary(max_size=3000))
def test_a_chunk_comes_back(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("chunks")
    size = write_chunk(folder, "any_1", content)
    assert (folder / "any_1.js").stat().st_size == size
    assert read_chunk(folder / "any_1.js") == content


@given(st.binary(max_size=300))
def test_a_chunk_holds_no_text_of_its_content(content: bytes) -> None:
    assert re.fullmatch(r'cineseq\.take\("core", "[A-Za-z0-9+/=]*"\);\n', chunk_script("core", content))


def test_what_is_no_chunk_is_refused(tmp_path: Path) -> None:
    (tmp_path / "core.js").write_text(chunk_script("other", b""))
    with pytest.raises(ValueError, match="not a chunk"):
        read_chunk(tmp_path / "core.js")


def test_a_chunk_of_genes_stays_small_even_if_nothing_shrinks(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 1000), np.uint8)
    each = write_rows(tmp_path, "genes", noise)
    files = sorted(tmp_path.glob("genes_*.js"), key=lambda path: int(path.stem.split("_")[1]))
    assert each == CHUNK_BYTES // 1000
    assert len(files) == -(-90 // each)
    assert max(path.stat().st_size for path in files) <= CHUNK_FILE
    back = np.concatenate([np.frombuffer(read_chunk(path), np.uint8).reshape(-1, 1000) for path in files])
    np.testing.assert_array_equal(back, noise)


# Cells and genes.


def test_cells_of_all_tables_are_joined_once() -> None:
    cells = cells_of("s")
    paired = paired_of(cells, "g")
    joined = join_cells(cells, paired, None)
    assert list(joined.index) == list(cells["track_id"])
    assert joined["barcode"].notna().sum() == len(paired.obs)
    assert list(join_cells(None, paired, None).index) == list(paired.obs.index)
    assert join_cells(None, None, None).empty


def test_relatives_are_rows() -> None:
    found = relatives(join_cells(cells_of("s"), None, None))
    assert found["parent"] == [-1, 0, 0, -1, -1, 4, 4, -1]
    assert found["sister"] == [-1, 2, 1, -1, -1, 6, 5, -1]


def test_columns_are_numbers_or_categories_and_unknown_stays_unknown() -> None:
    table = pd.DataFrame(
        {
            "area": [1.5, np.nan, np.inf],
            "alive": pd.array([True, None, False], dtype="boolean"),
            "word": ["b", None, "a"],
            "embedding_0": [1.0, 2.0, 3.0],
            "nothing": [np.nan] * 3,
        }
    )
    found = describe_columns(table)
    assert [c["name"] for c in found.described] == ["area", "alive", "word"]
    assert [c.get("values") for c in found.described] == [None, ["no", "yes"], ["a", "b"]]
    np.testing.assert_array_equal(found.values, [[1.5, np.nan, np.nan], [1, np.nan, 0], [1, np.nan, 0]])


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_expression_in_8_bits_is_off_by_half_a_level_at_most(seed: int) -> None:
    counts = np.random.default_rng(seed).poisson(2, (12, 7)).astype(float)
    genes = pd.Index([f"g{i}" for i in range(7)])
    found = quantise(sparse.csr_matrix(counts), genes, 7)
    totals = counts.sum(axis=1)
    expected = np.log1p(counts / totals[:, None] * np.median(totals)).T
    shown = found.levels * found.highest[:, None] / 255
    assert (np.abs(shown - expected) <= found.highest[:, None] / 255 / 2 + 1e-5).all()


def test_the_genes_that_vary_most_are_kept() -> None:
    counts = sparse.csr_matrix(np.array([[5.0, 0, 90], [5, 40, 50], [5, 0, 90], [5, 40, 50]]))
    found = quantise(counts, pd.Index(["same", "varies", "also"]), 2)
    assert found.names == ["also", "varies"]
    assert found.total == 3


# The page.


def test_no_name_is_in_the_page_or_a_file_name(tmp_path: Path) -> None:
    page = example(tmp_path, HOSTILE)
    assert "<script>window" not in page.read_text()
    for path in (page.parent / "explorer").iterdir():
        assert re.fullmatch(r"[a-z0-9_]+\.(js|css|webp)", path.name)
        assert "window.hit" not in path.read_bytes().decode("latin1")


def test_scripts_write_text_only_and_load_nothing_from_elsewhere() -> None:
    for path in ASSETS.iterdir():
        text = path.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|fetch\(", text
        )
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "unsafe" not in (ASSETS / "explorer.html").read_text()


# In a browser.


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not installed")
    with Browser(program) as opened:
        yield opened


def opened(browser: Browser, page: Path, fragment: str = "") -> None:
    browser.errors.clear()
    browser.open(page, fragment)
    browser.wait("document.body && document.body.dataset.ready")


def place_of(browser: Browser, row: int) -> tuple[float, float]:
    """Return where a cell is in the window."""
    browser.run("document.getElementById('scatter').scrollIntoView()")
    corner = browser.run("(({ left, top }) => [left, top])(document.getElementById('scatter').getBoundingClientRect())")
    at = browser.run(f"[cineseq.placed.px[{row}], cineseq.placed.py[{row}]]")
    return corner[0] + at[0], corner[1] + at[1]


def text_of(browser: Browser, name: str) -> str:
    return browser.run(f"document.getElementById('{name}').textContent")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example(tmp_path_factory.mktemp("small"))


def test_a_click_on_a_cell_shows_its_strip_curve_family_and_table_row(browser: Browser, small: Path) -> None:
    opened(browser, small)
    browser.click(*place_of(browser, 2))
    browser.wait("document.body.dataset.cell === 's1/f1/3'")
    strips = browser.run("[...document.querySelectorAll('#strips canvas')].map((c) => Number(c.dataset.row))")
    assert strips == [0, 2, 1]
    drawn = browser.run("document.querySelectorAll('#strips canvas')[1].getAttribute('aria-label')")
    assert drawn == "Film strip of cell s1/f1/3, frames 3 to 4"
    assert "Sister" in text_of(browser, "facts")
    assert "end of movie" in text_of(browser, "facts")
    assert browser.run("document.querySelectorAll('#curve polyline.own').length") == 1
    assert browser.run("document.querySelectorAll('#tree .life').length") == 3
    assert browser.run("document.querySelector('#table tr[aria-current] th').textContent") == "s1/f1/3"
    assert browser.run("location.hash") == "#track=s1%2Ff1%2F3"
    assert browser.errors == []


def test_an_address_opens_a_cell_and_keys_go_to_the_next(browser: Browser, small: Path) -> None:
    opened(browser, small, "#track=s1/f2/2")
    browser.wait("document.body.dataset.cell === 's1/f2/2'")
    browser.run("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'n', bubbles: true}))")
    browser.wait("document.body.dataset.cell === 's1/f2/3'")
    opened(browser, small, "#track=nobody")
    assert text_of(browser, "said") == "There is no cell nobody."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plin", "Coloured by gene PLIN2."),
        ("s1/f2/4", "Cell s1/f2/4."),
        ("acgt3", "Barcode ACGT3 is cell s1/f2/2."),
        ("zz", "No cell, gene or barcode begins with zz."),
    ],
)
def test_search_finds_genes_cells_and_barcodes(browser: Browser, small: Path, text: str, said: str) -> None:
    opened(browser, small)
    browser.run(f"document.getElementById('query').value = '{text}'")
    browser.run("document.querySelector('#search button').click()")
    browser.wait(f"document.getElementById('said').textContent === '{said}'")
    assert browser.errors == []


def test_a_lasso_gives_strips_a_table_genes_without_p_values_and_a_csv(browser: Browser, small: Path) -> None:
    opened(browser, small)
    # The last three cells with expression are in one corner, in which no other cell is.
    (x, y), (x2, y2) = place_of(browser, 5), place_of(browser, 7)
    browser.drag([(x - 20, y - 20), (x2 + 10, y - 20), (x2 + 10, y2 + 10), (x - 20, y2 + 10), (x - 20, y)])
    assert browser.wait("cineseq.set && cineseq.set.size") == 3
    browser.wait("document.getElementById('gallery').dataset.done")
    assert browser.run("document.querySelectorAll('#gallery canvas').length") == 3
    assert browser.run("document.querySelectorAll('#table tbody tr').length") == 3
    browser.run("document.getElementById('rank').click()")
    browser.wait("document.querySelector('#ranked table') !== null")
    assert browser.run("document.querySelector('#ranked table tr:nth-of-type(2) td:last-of-type').textContent") in (
        "1.00",
        "0.00",
    )
    assert "chosen by eye: no p-values" in text_of(browser, "ranked")
    rows = list(csv.DictReader(browser.run("cineseq.asCsv('=mine')").splitlines()))
    assert [row["track_id"] for row in rows] == ["s1/f2/2", "s1/f2/3", "s1/f2/4"]
    assert {row["set"] for row in rows} == {"'=mine"}
    assert rows[0]["chosen_on"] == "drawn on umap 2 against umap 1"
    assert browser.errors == []


def test_hostile_names_run_nothing_and_are_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    opened(browser, example(tmp_path, HOSTILE))
    browser.run("cineseq.select(2)")
    browser.wait("document.body.dataset.cell")
    browser.run("cineseq.colourBy('g:' + cineseq.core.genes.names.find((name) => name.includes('hit')))")
    browser.run("cineseq.choose(cineseq.core.genes.cells.slice(0, 3), 'all')")
    browser.wait("document.getElementById('gallery').dataset.done")
    browser.run("cineseq.rank()")
    browser.wait("document.querySelector('#ranked table') !== null")
    assert browser.run("typeof window.hit") == "undefined"
    assert HOSTILE["sample"].split("/")[0] in text_of(browser, "table")
    assert browser.run("document.querySelectorAll('main img, main script, main svg[onload]').length") == 0
    assert browser.errors == []


@pytest.mark.parametrize("parts", [("counts",), ("movies",), (), ("counts", "cells")])
def test_a_run_shows_the_parts_that_it_has(browser: Browser, tmp_path: Path, parts: tuple[str, ...]) -> None:
    opened(browser, example(tmp_path, parts=parts))
    browser.run("cineseq.select(2)")
    browser.wait("document.body.dataset.cell")
    assert (browser.run("document.querySelectorAll('#strips canvas').length") > 0) == ("movies" in parts)
    assert (browser.run("document.querySelectorAll('#curve svg').length") > 0) == ("movies" in parts)
    assert ("Expression" in text_of(browser, "expression")) == ("counts" in parts)
    assert (browser.run("document.querySelectorAll('#tree svg').length") > 0) == (parts != ("counts",))
    assert browser.errors == []


def test_a_narrow_page_does_not_scroll_sideways(browser: Browser, small: Path) -> None:
    browser.resize(400, 800)
    try:
        opened(browser, small, "#track=s1/f1/3")
        browser.wait("document.body.dataset.cell")
        browser.run("cineseq.choose([1, 2], 'two')")
        browser.run("cineseq.rank()")
        browser.wait("document.getElementById('gallery').dataset.done")
        assert browser.run("document.documentElement.scrollWidth") <= 400
    finally:
        browser.resize(1400, 900)


def test_names_of_controls_and_pictures_are_there_for_those_who_do_not_see_them(browser: Browser, small: Path) -> None:
    opened(browser, small, "#track=s1/f1/3")
    browser.wait("document.body.dataset.cell")
    nameless = (
        "[...document.querySelectorAll('button, input, select, canvas, svg, meter, [role=button]')].filter((e) =>"
        " !(e.textContent.trim() && e.tagName !== 'SELECT') && !e.getAttribute('aria-label') && !e.labels?.length"
        " && !e.closest('label')).map((e) => e.outerHTML.slice(0, 80))"
    )
    assert browser.run(nameless) == []
    assert browser.run("cineseq.strip.length") == 3
    assert browser.errors == []


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_the_contrast_that_wcag_aa_asks_for(dark: bool) -> None:
    css = (ASSETS / "explorer.css").read_text()
    blocks = re.findall(r":root \{([^}]*)\}", css)
    colours = dict(re.findall(r"--(\w+): (#\w{6})", blocks[int(dark)]))

    def light(name: str) -> float:
        parts = np.array([int(colours[name][i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for ink in ("ink", "soft", "link"):
        for ground in ("paper", "panel"):
            high, low = sorted((light(ink), light(ground)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5


def test_sprites_are_pictures_of_one_row_per_cell(small: Path) -> None:
    sprite = Image.open(small.parent / "explorer/strips_0_0.webp")
    assert sprite.format == "WEBP"
    assert sprite.size == (6 * 64, 4 * 64)
    assert core_of(small)["notes"] == ["8 cells; 6 of them with expression.", "8 cells with a film strip."]
