"""Galleries show cells from the best to the worst match, decoded crops, and say so where there are no images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.unit.generative.test_study import OPTIONS, study

from cineseq.errors import UserError
from cineseq.features.stored_crops import StoredCrops, no_crops
from cineseq.generative.decoded import NO_CROPS
from cineseq.generative.picture_figures import SHOWN, gallery_cells
from cineseq.generative.study import Generated, generate_study
from cineseq.generative.study_outputs import of_pictures, write_pictures
from cineseq.io.paired import PairedData
from cineseq.tables.contract import read_table
from cineseq.tables.generative import GENERATED_MATCHES, RECONSTRUCTION

FILES = {"gallery": "gallery.png", "decoded": "decoded.png", "axis": "axis.png", "reconstruction": "errors.tsv"}


def crops_of(data: PairedData) -> StoredCrops:
    """Return crops in which a disc is as large as the first feature of the cell, and as bright as the second."""
    rows, columns = np.mgrid[:24, :24] - 11.5
    first, second = np.tanh(data.morphology.to_numpy(float)[:, :2].T / 3)
    masks = np.hypot(rows, columns / 1.3) < (6 + 2 * first)[:, None, None]
    images = (masks * (150 + 80 * second)[:, None, None]).astype(np.uint8)
    return StoredCrops(data.obs.index.to_numpy(str), ("nuclear",), images[:, None], masks)


@pytest.fixture(scope="module")
def data() -> PairedData:
    return study(240)


@pytest.fixture(scope="module")
def found(data: PairedData) -> Generated:
    return generate_study(data, replace(OPTIONS, crops=crops_of(data), decoder=True))


def write(found: Generated, crops: StoredCrops | None, folder: Path) -> dict[str, Path]:
    paths = {name: folder / file for name, file in FILES.items()}
    write_pictures(found, crops, 4, **paths)
    return paths


def test_decoded_crops_are_judged_beside_the_mean_and_the_nearest_crop(found: Generated) -> None:
    rows = found.decoded.errors.set_index("source")
    assert rows["n"].tolist() == [240] * 4
    assert rows.loc["mean_crop", "share"] == 0
    assert rows.loc["decoder", "share"] > 0.3
    assert rows.loc["decoder", "share"] > rows.loc["decoder_of_expression", "share"]
    assert rows.loc["decoder", "low"] < rows.loc["decoder", "share"] < rows.loc["decoder", "high"]
    assert rows["squared_error"].between(0, 1).all()
    tested = np.concatenate([fold.cells for fold in found.decoded.folds])
    assert sorted(tested) == list(range(240)), "each cell by the fold that held it out"


def test_pictures_are_drawn_and_say_whose_they_are(found: Generated, data: PairedData, tmp_path: Path) -> None:
    paths = write(found, crops_of(data), tmp_path)
    for name in ("gallery", "decoded", "axis"):
        assert 400 < Image.open(paths[name]).width < 1400
    assert len(read_table(paths["reconstruction"], RECONSTRUCTION)) == 4
    lines = of_pictures(found, with_images=True)
    assert any(line.startswith("Decoded pictures are the decoder's, not cells") for line in lines)
    assert any("that is no test of it" in line for line in lines)
    assert sum("rank of the true cell" in line for line in lines) == 2
    assert len(GENERATED_MATCHES.check(found.matches)) == 4


def test_the_gallery_goes_from_the_best_to_the_worst_match_and_shows_cells_with_crops_only(
    found: Generated, data: PairedData
) -> None:
    crops = crops_of(data)
    chosen = gallery_cells(found.neighbours, crops, 5)
    ranks = chosen["pair_match_rank"].to_numpy()
    assert (np.diff(ranks) >= 0).all()
    assert ranks[0] == found.neighbours["pair_match_rank"].min()
    assert ranks[-1] == found.neighbours["pair_match_rank"].max()
    few = crops.rows(np.arange(100))
    assert set(gallery_cells(found.neighbours, few, 5)[list(SHOWN)].to_numpy().ravel()) <= set(few.track_id)


def test_without_images_there_is_no_gallery_and_one_sentence(found: Generated, tmp_path: Path) -> None:
    bare = replace(found, decoded=None)
    paths = write(bare, None, tmp_path)
    assert all(path.exists() for path in paths.values())
    assert read_table(paths["reconstruction"], RECONSTRUCTION).empty
    lines = of_pictures(bare, with_images=False)
    assert lines[-1] == "There are no images of these cells, so that no pictures of them are shown."
    assert gallery_cells(found.neighbours, no_crops(), 5).empty


def test_a_gene_is_shown_along_its_axis_and_an_unknown_one_is_refused(data: PairedData, found: Generated) -> None:
    first = found.decoded.folds[0]
    assert int(first.gene.removeprefix("gene")) < 20, "a planted one"
    assert first.axis.shape == (5, 1, 32, 32)
    assert np.abs(first.axis[-1] - first.axis[0]).max() > 0.02
    wanted = replace(OPTIONS, crops=crops_of(data), decoder=True, axis_gene="gene50")
    named = generate_study(data, wanted).decoded.folds[0]
    assert named.gene == "gene50"
    assert np.abs(named.axis[-1] - named.axis[0]).max() < np.abs(first.axis[-1] - first.axis[0]).max()
    with pytest.raises(UserError, match=r"generative\.axis_gene: 'ACTB' is not a gene that is expressed in enough"):
        generate_study(data, replace(wanted, axis_gene="ACTB"))


def test_few_crops_are_not_decoded(data: PairedData) -> None:
    few = crops_of(data).rows(np.arange(30))
    found = generate_study(data, replace(OPTIONS, crops=few, decoder=True)).decoded
    assert found.folds == ()
    assert found.notes == (f"N{NO_CROPS[1:]}.",)
