"""Gene sets: read from GMT files, matched to the data, and said where none of their genes is there."""

import re

import pandas as pd
import pytest

from cineseq.errors import UserError
from cineseq.generative.genesets import read_gmt, sets_in


def test_a_gmt_file_is_read(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("contractility\tfrom a paper\tACTA2\tTAGLN\tACTA2\n\nmotility\t\tRAC1\t\n")
    assert read_gmt(path) == {"contractility": ("ACTA2", "TAGLN"), "motility": ("RAC1",)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("contractility ACTA2 TAGLN\n", "line 1 is no gene set"),
        ("a\tb\tX\na\tb\tY\n", "line 2 has the gene set 'a' a second time"),
        ("\n", "no gene set; write one a line"),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, text, said):
    path = tmp_path / "sets.gmt"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(f"{path}: {said}")):
        read_gmt(path)


def test_the_advice_on_a_line_works(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("contractility\t\tACTA2\tTAGLN\n")
    assert read_gmt(path) == {"contractility": ("ACTA2", "TAGLN")}


def test_genes_are_found_in_either_case_and_sets_without_genes_are_said(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("own\t\tGeneA\tGENEB\nelsewhere\t\tZZZ\n")
    found = sets_in(pd.Index(["Mcm5", "geneb", "GeneA", "GENEA"]), path)
    assert found.genes == {"cell cycle: S": ("Mcm5",), "own": ("geneb", "GeneA")}
    assert found.notes == ("2 gene sets have no gene in the data and no share: cell cycle: G2/M and elsewhere.",)
