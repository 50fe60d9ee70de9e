"""Singlets and counts into paired data, and the steps around it, from file to file."""

import json
from pathlib import Path

import match_barcodes
import numpy as np
import pair
import pandas as pd
import pytest
from tests.unit.pairing.pairing_examples import make_barcodes, make_cells, make_compartments, write

from cineseq.config.base import FieldOfView
from cineseq.config.pairing import Pairing
from cineseq.errors import UserError
from cineseq.io.adata import read_paired
from cineseq.io.maps import check_fields, check_samples, read_barcode_tables, read_compartments
from cineseq.io.stacks import MovieInfo, write_labels
from cineseq.pairing.join import joined_counts, pair_cells
from cineseq.pairing.match import match
from cineseq.pairing.positions import missing_sizes, pixel_sizes, with_micrometres
from cineseq.pairing.report import counts_by_occupancy, occupancy_report
from cineseq.tables.contract import read_table, write_table
from cineseq.tables.imaging import CELLS, PAIRS

GENES = [f"g{i}" for i in range(5)]


def write_counts(path: Path, rows: dict[str, list[int]], genes: list[str] = GENES) -> Path:
    pd.DataFrame.from_dict(rows, orient="index", columns=genes).to_csv(path)
    return path


def write_masks(path: Path, pixel_size_um: float | None) -> Path:
    write_labels([np.zeros((8, 8), np.uint16)], path, MovieInfo(1, 8, 8, (), pixel_size_um, None))
    return path


def make_pairs(barcodes: list[str], statuses: list[str] | None = None, sample: str = "s") -> pd.DataFrame:
    count = len(barcodes)
    statuses = statuses or ["singlet"] * count
    cells = [f"{sample}/1/{i + 1}" if s != "no_cell" else None for i, s in enumerate(statuses)]
    occupancy = [0 if s == "no_cell" else 1 for s in statuses]
    frame = pd.DataFrame({"sample": sample, "fov": "1", "track_id": cells, "barcode": barcodes, "status": statuses})
    return PAIRS.check(
        frame.assign(
            compartment_id=[f"c{i}" for i in range(count)],
            occupancy=occupancy,
            barcodes=1,
            distance_um=np.nan,
            distance_px=0.0,
            posterior=np.nan,
            barcode_edits=0,
        )
    )


@pytest.fixture
def experiment(tmp_path: Path) -> dict[str, Path]:
    """Write four cells in four compartments (two sisters, one of them dead), an empty one, and their counts."""
    cells = make_cells(
        4,
        x_px=[0, 50, 100, 150],
        sister_id=[None, "s/1/3", "s/1/2", None],
        founder_id=["s/1/1", "s/1/9", "s/1/9", "s/1/4"],
        end_kind=["end_of_movie", "end_of_movie", "death", "end_of_movie"],
        fate=["unknown", "unknown", "death", "unknown"],
        fate_known=[False, False, True, False],
        alive_at_end=[True, True, False, True],
        end_hours=[10.0, 10.0, 5.0, 10.0],
        morphology_area_px2=[1.0, 2.0, 3.0, 4.0],
        function_gfp=[5.0, 6.0, 7.0, None],
    )
    paths = {n: tmp_path / n for n in ("cells.parquet", "pairs.parquet", "paired.h5ad", "match.json", "pair.json")}
    write_table(cells, paths["cells.parquet"], CELLS)
    paths["masks.ome.tif"] = write_masks(tmp_path / "masks.ome.tif", pixel_size_um=0.5)
    compartments = make_compartments([(0, 50 * i) for i in range(5)])
    compartments.to_csv(tmp_path / "compartments.csv", index=False)
    names = ["AAAAAAAA", "CCCCCCCC", "GGGGGGGG", "TTTTTTTT", "ACACACAC"]
    make_barcodes({name: f"c{i}" for i, name in enumerate(names)}).to_csv(tmp_path / "barcodes.csv", index=False)
    counts = {"AAAAAAAA": [9, 1, 0, 0, 0], "CCCCCCCT": [0, 0, 7, 3, 0], "ACACACAC": [1, 0, 0, 0, 0]}
    write_counts(tmp_path / "counts.csv", counts | {"TGTGTGTG": [1, 1, 1, 1, 1]})
    return paths


def run_both(experiment: dict[str, Path]) -> None:
    folder = experiment["cells.parquet"].parent
    match_barcodes.main(
        cells=experiment["cells.parquet"],
        labels=[experiment["masks.ome.tif"]],
        compartments=[folder / "compartments.csv"],
        barcodes=[folder / "barcodes.csv"],
        counts=[folder / "counts.csv"],
        pairs=experiment["pairs.parquet"],
        report=experiment["match.json"],
        settings=match_barcodes.Settings(samples=["s"], fields=[{"sample": "s", "fov": "1"}]),
    )
    pair.main(
        cells=experiment["cells.parquet"],
        pairs=experiment["pairs.parquet"],
        counts=[folder / "counts.csv"],
        paired=experiment["paired.h5ad"],
        mudata=experiment["paired.h5ad"].with_suffix(".h5mu"),
        report=experiment["pair.json"],
        settings=pair.Settings(samples=["s"]),
    )


def test_distances_take_the_pixel_size_of_each_field(tmp_path: Path) -> None:
    masks = [write_masks(tmp_path / f"{n}.ome.tif", size) for n, size in (("a", 0.5), ("b", None))]
    sizes = pixel_sizes(masks, [FieldOfView(sample="s", fov="2"), FieldOfView(sample="s", fov="1")], None)
    pairs = make_pairs(["A", "C", "G"]).assign(fov=["1", "2", None], distance_px=[3.0, 4.0, np.nan])
    found = with_micrometres(pairs, sizes)["distance_um"]
    assert found.iloc[1] == pytest.approx(2.0)
    assert found.iloc[[0, 2]].isna().all()
    assert sizes[["height_px", "width_px"]].notna().all(axis=None)
    assert missing_sizes(sizes)[0].startswith("distance_um is missing in 1 of 2 fields of view (s/1)")
    assert missing_sizes(sizes.iloc[:1]) == []


@pytest.mark.parametrize("size", [0.5, None])
def test_without_masks_the_pixel_size_is_the_configured_one(size: float | None) -> None:
    sizes = pixel_sizes([], [FieldOfView(sample="s", fov="1")], size)
    assert sizes.fillna(-1).to_dict("records") == [
        {"sample": "s", "fov": "1", "pixel_size_um": size or -1, "height_px": -1, "width_px": -1}
    ]


def test_the_step_measures_in_micrometres(experiment: dict[str, Path]) -> None:
    cells = read_table(experiment["cells.parquet"], CELLS)
    write_table(cells.assign(x_px=cells["x_px"] + 3), experiment["cells.parquet"], CELLS)
    run_both(experiment)
    pairs = read_table(experiment["pairs.parquet"], PAIRS)
    assert pairs.loc[pairs["status"] == "singlet", "distance_um"].to_list() == [1.5, 1.5]


def test_from_cells_to_paired_data(experiment: dict[str, Path]) -> None:
    run_both(experiment)
    data = read_paired(experiment["paired.h5ad"])
    assert data.obs.index.tolist() == ["s/1/1", "s/1/2"]
    assert data.obs["barcode"].tolist() == ["AAAAAAAA", "CCCCCCCT"]
    assert data.obs["barcode_edits"].tolist() == [0, 1]
    assert data.obs["family"].tolist() == ["s/1/1", "s/1/9"]
    assert data.obs["sister_fate"].fillna("none").tolist() == ["none", "death"]
    assert data.obs["sister_end_hours"].fillna(-1).tolist() == [-1, 5]
    np.testing.assert_allclose(data.obs["ambient_score"], 0.1)
    assert data.counts.toarray().tolist() == [[9, 1, 0, 0, 0], [0, 0, 7, 3, 0]]
    assert data.morphology.to_dict("list") == {"morphology_area_px2": [1, 2]}
    assert data.function.to_dict("list") == {"function_gfp": [5, 6]}
    matched, paired = (json.loads(experiment[n].read_text())["numbers"] for n in ("match.json", "pair.json"))
    assert (matched["pairs_singlet"], matched["pairs_no_barcode"], matched["pairs_no_cell"]) == (2, 1, 1)
    assert (matched["barcodes_in_table"], matched["barcodes_sequenced"], matched["barcodes_corrected"]) == (5, 3, 1)
    assert (paired["paired_cells"], paired["blank_compartments"], paired["mean_blank_counts"]) == (2, 1, 1.0)


def test_same_input_makes_the_same_pairs(experiment: dict[str, Path]) -> None:
    run_both(experiment)
    first = [experiment[n].read_bytes() for n in ("pairs.parquet", "match.json", "pair.json")]
    run_both(experiment)
    assert [experiment[n].read_bytes() for n in ("pairs.parquet", "match.json", "pair.json")] == first


def test_same_barcode_in_two_samples_is_kept_apart(tmp_path: Path) -> None:
    paths = [write_counts(tmp_path / f"{s}.csv", {"AAAA": row}) for s, row in (("s", [1] * 5), ("t", [2] * 5))]
    counts = joined_counts(paths, ["s", "t"], "cells_by_genes")
    other = make_cells(1, track_id=["t/1/1"], sample="t")
    cells, pairs = pd.concat([make_cells(1), other]), pd.concat([make_pairs(["AAAA"]), make_pairs(["AAAA"], None, "t")])
    assert pair_cells(cells, pairs, counts).counts.toarray().tolist() == [[1] * 5, [2] * 5]


def test_only_genes_of_all_files_stay(tmp_path: Path) -> None:
    one = write_counts(tmp_path / "a.csv", {"A": [1, 2, 3]}, ["g1", "g2", "g3"])
    two = write_counts(tmp_path / "b.csv", {"B": [4, 5, 6]}, ["g3", "g4", "g1"])
    counts = joined_counts([one, two], ["s", "t"], "cells_by_genes")
    assert counts.genes.tolist() == ["g1", "g3"]
    assert counts.matrix.toarray().tolist() == [[1, 3], [6, 4]]


def test_bad_sets_of_counts_are_refused(tmp_path: Path) -> None:
    one = write_counts(tmp_path / "a.csv", {"A": [1]}, ["g1"])
    two = write_counts(tmp_path / "b.csv", {"A": [1]}, ["h1"])
    three = write_counts(tmp_path / "c.csv", {"A": [1]}, ["g1"])
    with pytest.raises(UserError, match=r"files of counts have no gene in common \(\['g1'\] against \['h1'\]\)"):
        joined_counts([one, two], ["s", "t"], "cells_by_genes")
    with pytest.raises(UserError, match=r"a\.csv and .*c\.csv: barcode 'A' is in both, which are files of sample 's'"):
        joined_counts([one, three], ["s", "s"], "cells_by_genes")
    with pytest.raises(UserError, match=r"a\.csv: the file is listed twice for sample 's'; list it once"):
        joined_counts([one, one], ["s", "s"], "cells_by_genes")
    with pytest.raises(UserError, match="there is no file of counts"):
        joined_counts([], [], "cells_by_genes")


def test_counts_without_any_paired_barcode_are_refused(tmp_path: Path) -> None:
    counts = joined_counts([write_counts(tmp_path / "a.csv", {"X": [1] * 5})], ["s"], "cells_by_genes")
    with pytest.raises(UserError, match=r"none of the paired barcodes .* counts have 's: X' and pairs have 's: AAAA'"):
        pair_cells(make_cells(1), make_pairs(["AAAA"]), counts)


def test_no_singlet_is_refused_with_what_there_is(tmp_path: Path) -> None:
    counts = joined_counts([write_counts(tmp_path / "a.csv", {"X": [1] * 5})], ["s"], "cells_by_genes")
    with pytest.raises(UserError, match=r"no cell is alone .* \(status of pairs: 2 multi_cell\)"):
        pair_cells(make_cells(2), make_pairs(["X", "X"], ["multi_cell"] * 2), counts)


def test_a_full_array_is_refused_with_advice_that_works(tmp_path: Path) -> None:
    where = make_compartments([(50 * i, 50 * j) for i in range(4) for j in range(4)])
    places = {"y_px": where["y_px"].tolist(), "x_px": where["x_px"].tolist()}
    cells, barcodes = make_cells(16, **places), make_barcodes({f"B{i:02d}": None for i in range(16)})
    barcodes = barcodes.assign(fov="1", **places)
    path = write_counts(tmp_path / "a.csv", {name: [1] * 5 for name in barcodes["barcode"]})
    counts = joined_counts([path], ["s"], "cells_by_genes")
    with pytest.raises(UserError, match=r"match_barcodes\.json gives the reason .* set pairing\.max_shift to 0\.5\.$"):
        pair_cells(cells, match(cells, where, barcodes, Pairing()).pairs, counts)
    assert len(pair_cells(cells, match(cells, where, barcodes, Pairing(max_shift=0.5)).pairs, counts).obs) == 16


def occupied(counts: list[float], occupancy: list[int]) -> pd.DataFrame:
    names = [f"B{i}" for i in range(len(counts))]
    pairs = make_pairs(names).assign(occupancy=occupancy)
    index = pd.MultiIndex.from_product([["s"], names], names=["sample", "barcode"])
    return counts_by_occupancy(pairs, pd.Series(counts, index))


def test_counts_that_rise_with_occupancy_support_the_map() -> None:
    rng = np.random.default_rng(1)
    occupancy = rng.integers(0, 4, 60)
    report = occupancy_report(occupied((occupancy * 1000 + rng.normal(0, 200, 60) + 500).tolist(), occupancy.tolist()))
    assert report["numbers"]["counts_per_cell_slope"] == pytest.approx(1000, rel=0.1)
    assert "rise with the cells" in report["lines"][0]
    assert "wrong map" not in report["lines"][0]


def test_counts_that_ignore_occupancy_are_warned_of() -> None:
    rng = np.random.default_rng(2)
    report = occupancy_report(occupied(rng.normal(1000, 200, 60).tolist(), rng.integers(0, 4, 60).tolist()))
    assert "wrong map of barcodes" in report["lines"][0]


def test_slope_is_not_estimable_from_one_occupancy() -> None:
    report = occupancy_report(occupied([1.0] * 20, [1] * 20))
    assert report["numbers"]["counts_per_cell_slope"] is None
    assert "not estimable" in report["lines"][0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "sample,barcode,compartment_id\ns,A,c0\ns,A,c1\n",
            r", row 3: barcode 'A' of sample 's' is listed twice \(first in .*b\.csv, row 2\); each",
        ),
        ("sample,barcode\ns,A\n", r", row 2: barcode 'A' of sample 's' has neither a compartment_id nor a position"),
        ("sample,code\ns,A\n", r": .*lacks the columns \['barcode'\]; the columns are sample, barcode"),
        ("sample,barcode\n", ": the table has no rows"),
    ],
)
def test_bad_barcode_tables_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=rf"b\.csv{words}"):
        read_barcode_tables([write(tmp_path / "b.csv", text)])


def test_bad_compartments_are_refused(tmp_path: Path) -> None:
    header, row = "sample\tfov\tcompartment_id\ty_px\tx_px\tradius_px\n", "s\t1\t07\t1\t2\t3\n"
    good = write(tmp_path / "good.tsv", header + row)
    assert read_compartments([good, good])["compartment_id"].tolist() == ["07"]
    with pytest.raises(UserError, match=r"c\.tsv, row 3: compartment '07' of sample 's' is listed twice"):
        read_compartments([write(tmp_path / "c.tsv", header + row + row)])
    again = write(tmp_path / "again.tsv", header + row.replace("07", "08") + row)
    with pytest.raises(UserError, match=r"again\.tsv, row 3: .* \(first in .*good\.tsv, row 2\)"):
        read_compartments([good, again])
    with pytest.raises(UserError, match=r"d\.tsv: table 'compartments': .* 1 wrong value, the first in row 2: -3"):
        read_compartments([write(tmp_path / "d.tsv", header + row.replace("\t3", "\t-3"))])
    with pytest.raises(UserError, match=r"nowhere\.csv: there is no such table"):
        read_compartments([tmp_path / "nowhere.csv"])


def test_maps_of_other_samples_and_dead_cells_are_refused() -> None:
    compartments = make_compartments([(0, 0)])
    with pytest.raises(UserError, match=r"barcodes: the table names the samples \['t'\] and the sample sheet \['s'\]"):
        check_samples(make_cells(1), compartments, make_barcodes({"A": "c0"}).assign(sample="t"))
    with pytest.raises(UserError, match="none of the 2 cells is alive in the last frame"):
        check_samples(make_cells(2, alive_at_end=pd.NA), compartments, make_barcodes({"A": "c0"}))


def test_a_field_that_maps_write_otherwise_is_refused() -> None:
    sheet = [FieldOfView(sample="s", fov=fov) for fov in ("1", "2")]
    compartments = pd.concat([make_compartments([(0, 0)]), make_compartments([(9, 9)]).assign(fov="02")])
    barcodes = make_barcodes({"A": "c0"})
    said = r"compartments: the table names of sample 's' field '02', which is not .*, and lacks '2'"
    with pytest.raises(UserError, match=said):
        check_fields(sheet, compartments, barcodes)
    with pytest.raises(UserError, match=r"barcodes: the table names sample 'S', which is not .*, and lacks 's'"):
        check_fields(sheet, compartments[:1], barcodes.assign(sample="S"))
    with pytest.raises(UserError, match=r"barcodes: the table names of sample 's' field '02', .* lacks '1'"):
        check_fields(sheet, compartments[:1], barcodes.assign(fov="02"))
    # More on the maps than on the sheet, or less, may be meant so.
    check_fields(sheet[:1], compartments, barcodes)
    check_fields(sheet, compartments[:1], barcodes)
    check_fields([], compartments, barcodes)
    # A sample may have no compartments, or barcodes that lie at no position, beside one that has.
    both = [*sheet, FieldOfView(sample="t", fov="1")]
    check_fields(both, compartments[:1], pd.concat([barcodes, barcodes.assign(sample="t", fov="1")]))
    check_fields(both[::2], compartments, barcodes)


def test_a_barcode_whose_group_contradicts_the_sheet_is_refused_and_the_advice_works(tmp_path: Path) -> None:
    counts = joined_counts([write_counts(tmp_path / "c.csv", {"A": [1] * 5, "C": [2] * 5})], ["s"], "cells_by_genes")
    pairs = make_pairs(["A", "C"]).assign(group_plate=["p1", "p2"])
    cells = make_cells(2)
    with pytest.raises(UserError, match="barcode 'C' has the plate 'p2', but the sample sheet gives its sample 's'"):
        pair_cells(cells.assign(group_plate="p1"), pairs, counts)
    obs = pair_cells(cells.assign(group_culture_plate="p1"), pairs, counts).obs
    assert obs["group_plate"].tolist() == ["p1", "p2"]
    assert obs["group_culture_plate"].tolist() == ["p1", "p1"]


def test_compartments_that_each_field_numbers_from_one_are_called_by_field_too(tmp_path: Path) -> None:
    head = "sample,fov,compartment_id,y_px,x_px,radius_px\n"
    same = write(tmp_path / "cages.csv", f"{head}s,1,1,0,0,5\ns,1,2,9,9,5\ns,2,1,0,0,5\nt,1,1,0,0,5\n")
    cages = read_compartments([same])
    assert cages["compartment_id"].tolist() == ["1/1", "2", "2/1", "1"]
    text = "sample,fov,barcode,compartment_id\ns,1,A,1\ns,2,B,1\ns,,C,2\nt,,D,1\ns,,E,2/1\n"
    known = read_barcode_tables([write(tmp_path / "b.csv", text)], cages).set_index("barcode")["compartment_id"]
    assert known[["A", "B", "C", "D", "E"]].tolist() == ["1/1", "2/1", "2", "1", "2/1"]


def test_a_barcode_of_a_compartment_in_several_fields_is_refused_and_the_advice_works(tmp_path: Path) -> None:
    head = "sample,fov,compartment_id,y_px,x_px,radius_px\n"
    cages = read_compartments([write(tmp_path / "cages.csv", f"{head}s,1,1,0,0,5\ns,2,1,0,0,5\n")])
    table = write(tmp_path / "b.csv", "sample,barcode,compartment_id\ns,A,1\n")
    said = r"b\.csv, row 2: several fields of sample 's' \(1, 2\) have a compartment '1', .* fov .* or write 1/1\."
    with pytest.raises(UserError, match=said):
        read_barcode_tables([table], cages)
    for text in ("sample,fov,barcode,compartment_id\ns,1,A,1\n", "sample,barcode,compartment_id\ns,A,1/1\n"):
        known = read_barcode_tables([write(tmp_path / "b.csv", text)], cages)
        assert known["compartment_id"].tolist() == ["1/1"]
    named = write(tmp_path / "named.csv", f"{head}s,1,1,0,0,5\ns,2,1,0,0,5\ns,1,2/1,9,9,5\n")
    with pytest.raises(UserError, match=r"compartment '2/1' of sample 's' could be two, .* rename it"):
        read_compartments([named])


@pytest.mark.parametrize(("named", "on_map", "is_said"), [(0, 1, True), (1, 0, True), (1, 1, False), (0, 0, False)])
def test_maps_that_count_from_0_and_from_1_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, named: int, on_map: int, *, is_said: bool
) -> None:
    rows = [f"s,1,{on_map + k},10,{10 + 20 * k},5\n" for k in range(6)]
    cages = write(tmp_path / "c.csv", "sample,fov,compartment_id,y_px,x_px,radius_px\n" + "".join(rows))
    rows = [f"s,B{k},{named + k}\n" for k in range(6)]
    table = write(tmp_path / "b.csv", "sample,barcode,compartment_id\n" + "".join(rows))
    read_barcode_tables([table], read_compartments([cages]))
    assert ("every pair is wrong: number both alike" in caplog.text) == is_said


def test_a_file_of_several_samples_is_in_memory_once(tmp_path: Path) -> None:
    shared = write_counts(tmp_path / "a.csv", {"A": [1, 2], "B": [3, 4]}, ["g1", "g2"])
    own = write_counts(tmp_path / "b.csv", {"A": [5, 6]}, ["g1", "g2"])
    (tmp_path / "linked.csv").symlink_to(shared)
    counts = joined_counts([shared, own, tmp_path / "linked.csv"], ["s", "t", "u"], "cells_by_genes")
    assert counts.matrix.shape == (3, 2)
    assert counts.index.tolist() == [("s", "A"), ("s", "B"), ("t", "A"), ("u", "A"), ("u", "B")]
    assert counts.of(np.arange(5)).toarray().tolist() == [[1, 2], [3, 4], [5, 6], [1, 2], [3, 4]]
    assert counts.totals.tolist() == [3, 7, 11, 3, 7]


def test_a_compartment_without_a_radius_is_refused_and_the_advice_works(tmp_path: Path) -> None:
    head = "sample,fov,compartment_id,y_px,x_px,radius_px\n"
    with pytest.raises(UserError, match=r"c\.csv, row 2: compartment '1' has a radius of 0, .* give its radius"):
        read_compartments([write(tmp_path / "c.csv", f"{head}s,1,1,0,0,0\n")])
    assert read_compartments([write(tmp_path / "c.csv", f"{head}s,1,1,0,0,4\n")])["radius_px"].tolist() == [4]
