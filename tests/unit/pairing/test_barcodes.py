"""Sequenced barcodes against known ones."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.pairing.pairing_examples import make_barcodes, write

from cineseq.config.pairing import Pairing
from cineseq.errors import UserError
from cineseq.pairing.barcodes import files_by_sample, recognise, sequenced_only

KNOWN = pd.Index(["AAAAAAAA", "CCCCCCCC", "GGGGGGGG"])


def found(sequenced: list[str], known: pd.Index = KNOWN, errors: int = 1) -> list[tuple[str, str, int]]:
    return list(recognise(pd.Index(sequenced), known, errors, "here").itertuples(index=False, name=None))


def test_one_wrong_letter_is_corrected_when_unique() -> None:
    assert found(["AAAAAAAA", "CCCCNCCC", "TTTTTTTT"]) == [("AAAAAAAA", "AAAAAAAA", 0), ("CCCCNCCC", "CCCCCCCC", 1)]


def test_no_correction_when_not_asked_for() -> None:
    assert found(["AAAAAAAA", "CCCCNCCC"], errors=0) == [("AAAAAAAA", "AAAAAAAA", 0)]


def test_misread_twin_of_a_sequenced_barcode_is_left_out() -> None:
    assert found(["AAAAAAAA", "AAAAAAAT"]) == [("AAAAAAAA", "AAAAAAAA", 0)]


def test_two_claims_to_one_barcode_are_both_left_out() -> None:
    assert found(["AAAAAAAT", "AAAAAAAG", "CCCCCCCC"]) == [("CCCCCCCC", "CCCCCCCC", 0)]


def test_a_letter_between_two_known_barcodes_is_not_corrected() -> None:
    known = pd.Index(["AAAAAAAA", "AAAAAATT", "CCCCCCCC"])
    assert found(["AAAAAAAT", "CCCCCCCC"], known) == [("CCCCCCCC", "CCCCCCCC", 0)]


def test_names_that_are_no_sequences_are_not_corrected() -> None:
    assert found(["cell_0001", "cell_0003"], pd.Index(["cell_0001", "cell_0002"])) == [("cell_0001", "cell_0001", 0)]


def test_suffix_is_ignored_and_kept() -> None:
    assert found(["AAAAAAAA-1", "GGGGGGGT-1"]) == [("AAAAAAAA-1", "AAAAAAAA", 0), ("GGGGGGGT-1", "GGGGGGGG", 1)]


def test_no_overlap_shows_examples_of_both() -> None:
    with pytest.raises(
        UserError, match=r"^here: no barcode is in both; the counts have 'x1', 'x2', 'x3', \.\.\., .*'AAAA"
    ):
        found(["x1", "x2", "x3", "x4"])


@given(st.lists(st.text("ACGT", min_size=8, max_size=8), min_size=1, max_size=30, unique=True), st.data())
@settings(max_examples=60, deadline=None)
def test_no_known_barcode_is_given_twice(known: list[str], data: st.DataObject) -> None:
    """Whatever is misread, each known and each sequenced barcode is used at most once, and exact ones are kept."""
    sequenced = data.draw(st.lists(st.sampled_from(known), min_size=1, unique=True))
    sequenced += data.draw(st.lists(st.text("ACGT", min_size=8, max_size=8), max_size=10, unique=True))
    sequenced = list(dict.fromkeys(sequenced))
    result = recognise(pd.Index(sequenced), pd.Index(known), 1, "here")
    assert result["known"].is_unique
    assert result["sequenced"].is_unique
    assert set(known) & set(sequenced) <= set(result.loc[result["edits"] == 0, "known"])
    for row in result.itertuples():
        assert sum(a != b for a, b in zip(row.sequenced, row.known, strict=True)) == row.edits


def test_barcodes_of_the_table_take_the_names_of_the_counts(tmp_path: Path) -> None:
    counts = write(tmp_path / "counts.csv", "id,g\nAAAAAAAT,3\nCCCCCCCC,2\n")
    table = make_barcodes({"AAAAAAAA": "c0", "CCCCCCCC": "c1", "GGGGGGGG": "c2"})
    kept = sequenced_only(table, [tmp_path / "b.csv"], [counts], ["s"], Pairing())
    assert kept[["barcode", "compartment_id", "edits"]].to_numpy().tolist() == [
        ["AAAAAAAT", "c0", 1],
        ["CCCCCCCC", "c1", 0],
    ]


def test_a_sample_without_barcodes_is_said_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counts = write(tmp_path / "counts.csv", "id,g\nAAAAAAAA,3\n")
    table = make_barcodes({"AAAAAAAA": "c0"})
    kept = sequenced_only(table, [tmp_path / "b.csv"], [counts, counts], ["s", "t"], Pairing())
    assert kept["sample"].tolist() == ["s"]
    assert f"Sample t has counts but no row in {tmp_path / 'b.csv'}: none of its cells is paired." in caplog.text


def test_without_counts_all_barcodes_stay() -> None:
    kept = sequenced_only(make_barcodes({"AAAAAAAA": "c0"}), [], [], [], Pairing())
    assert kept["barcode"].tolist() == ["AAAAAAAA"]
    assert kept["edits"].isna().all()


def test_each_file_of_counts_needs_a_sample() -> None:
    with pytest.raises(UserError, match="one sample was expected for each of the 1 files of counts, got 0"):
        files_by_sample([Path("a.csv")], [])


# ---- suffixes, which tell lanes apart

STEMS = st.lists(st.text("ACGT", min_size=8, max_size=8), min_size=2, max_size=12, unique=True)


@given(stems=STEMS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_suffix_on_some_names_of_either_side_loses_no_cell(stems: list[str], data: st.DataObject) -> None:
    def written(suffix: str) -> list[str]:
        some = data.draw(st.lists(st.sampled_from(["", suffix]), min_size=len(stems), max_size=len(stems)))
        blank = data.draw(st.sampled_from(["", " "]))
        return [stem + end + blank for stem, end in zip(stems, some, strict=True)]

    sequenced, known = written("-1"), written("-1")
    assert {s.strip()[:8]: k.strip()[:8] for s, k, _ in found(sequenced, pd.Index(known), errors=0)} == {
        stem: stem for stem in stems
    }


@given(stems=STEMS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_barcode_in_two_lanes_is_given_to_neither_in_silence(stems: list[str], data: st.DataObject) -> None:
    lanes = data.draw(st.lists(st.sampled_from([(1,), (2,), (1, 2)]), min_size=len(stems), max_size=len(stems)))
    aggregated = [f"{stem}-{lane}" for stem, mine in zip(stems, lanes, strict=True) for lane in mine]
    if (1, 2) in lanes:
        with pytest.raises(UserError, match=r"suffixes tell lanes apart, .* with the suffix of the sample's lane"):
            found(aggregated, pd.Index(stems), errors=0)
    else:
        assert len(found(aggregated, pd.Index(stems), errors=0)) == len(stems)
    # The advice: barcodes with the suffix of the lane are those rows and no others.
    first = [f"{stem}-1" for stem, mine in zip(stems, lanes, strict=True) if 1 in mine]
    if first and len(set(lanes)) > 1:
        assert found(aggregated, pd.Index(first), errors=0) == [(name, name, 0) for name in sorted(first)]


def test_another_lane_is_no_match() -> None:
    sequenced = ["AAAAAAAA-1", "CCCCCCCC-1", "GGGGGGGG-2", "AAAAAAAA-2"]
    assert found(sequenced, pd.Index(["AAAAAAAA-1", "GGGGGGGG-1"])) == [("AAAAAAAA-1", "AAAAAAAA-1", 0)]
    assert found(["c-1", "c-2", "c-4"], pd.Index(["c-1", "c-2", "c-3"])) == [("c-1", "c-1", 0), ("c-2", "c-2", 0)]


def test_a_suffix_that_all_names_of_a_side_share_says_nothing() -> None:
    assert found(["AAAAAAAA-2", "CCCCCCCC-2"], pd.Index(["AAAAAAAA-1", "CCCCCCCC-1"])) == [
        ("AAAAAAAA-2", "AAAAAAAA-1", 0),
        ("CCCCCCCC-2", "CCCCCCCC-1", 0),
    ]


@pytest.mark.parametrize("suffix", ["", "-1"])
def test_one_file_for_two_lanes_with_the_same_barcodes_is_refused(tmp_path: Path, suffix: str) -> None:
    counts = write(tmp_path / "aggr.csv", "id,g\nAAAAAAAA-1,3\nCCCCCCCC-1,2\nGGGGGGGG-2,2\nTTTTTTTT-2,4\n")

    def table(a: str, b: str) -> pd.DataFrame:
        both = [make_barcodes(dict.fromkeys([f"{s}{end}" for s in ("AAAAAAAA", "GGGGGGGG")], "c0")) for end in (a, b)]
        return pd.concat([both[0].assign(sample="A"), both[1].assign(sample="B")], ignore_index=True)

    with pytest.raises(UserError, match=r"aggr\.csv: the counts 'AAAAAAAA-1' are of a barcode of sample 'A' and of"):
        sequenced_only(table(suffix, suffix), [tmp_path / "b.csv"], [counts, counts], ["A", "B"], Pairing())
    # The advice: with the suffix of each lane, each sample has its own rows.
    kept = sequenced_only(table("-1", "-2"), [tmp_path / "b.csv"], [counts, counts], ["A", "B"], Pairing())
    assert kept[["sample", "barcode"]].to_numpy().tolist() == [["A", "AAAAAAAA-1"], ["B", "GGGGGGGG-2"]]


@given(st.lists(st.text("ACGT", min_size=10, max_size=10), min_size=1, max_size=9, unique=True), st.booleans())
@settings(max_examples=40, deadline=None)
def test_barcodes_of_the_other_strand_are_named_and_the_advice_works(sequenced: list[str], suffix: bool) -> None:
    turned = [name.translate(str.maketrans("ACGT", "TGCA"))[::-1] for name in sequenced]
    assume(not set(sequenced) & set(turned))
    counts = [f"{name}-1" if suffix else name for name in sequenced]
    with pytest.raises(UserError, match=rf"{len(turned)} barcodes? of the table agree as reverse complement"):
        found(counts, pd.Index(turned), errors=0)
    assert len(found(counts, pd.Index(sequenced), errors=0)) == len(sequenced)
