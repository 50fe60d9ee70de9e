"""No codec that runs code is used to read an array, wherever the metadata name it."""

import json
import zipfile
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr

from cineseq.errors import UserError
from cineseq.io.readers import open_source
from cineseq.io.xml_text import check_entities
from cineseq.io.zarr_files import check_codecs


@pytest.mark.parametrize("where", ["compressor", "filters"])
def test_the_codec_that_runs_code_is_refused(where: str, tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("deep/x", shape=(3,), dtype="i4")
    file = tmp_path / "a.zarr/deep/x/.zarray"
    metadata = json.loads(file.read_text())
    pickle = {"id": "pickle", "protocol": 5}
    metadata[where] = [pickle] if where == "filters" else pickle
    file.write_text(json.dumps(metadata))
    with pytest.raises(UserError, match=r"a\.zarr: deep/x/\.zarray names the codec 'pickle', which may run code"):
        check_codecs(tmp_path / "a.zarr")
    with zipfile.ZipFile(tmp_path / "b.zarr.zip", "w") as archive:
        archive.write(file, "deep/x/.zarray")
    with pytest.raises(UserError, match=r"b\.zarr\.zip: deep/x/\.zarray names the codec 'pickle'"):
        check_codecs(tmp_path / "b.zarr.zip")


@pytest.mark.parametrize("version", [2, 3])
def test_other_codecs_pass(version: int, tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=version)
    group.create_array("x", shape=(3,), dtype="i4")
    if version == 2:
        group.create_array("y", shape=(3,), dtype="i4", filters=[numcodecs.Delta("i4")])
    check_codecs(tmp_path / "a.zarr")


def test_metadata_that_are_no_json_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr/zarr.json").write_text("{")
    with pytest.raises(UserError, match=r"a\.zarr: zarr\.json is no readable metadata of Zarr \(.*\); copy the Z"):
        check_codecs(tmp_path / "a.zarr")


def test_no_code_of_a_movie_is_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Bad:
        def __reduce__(self) -> tuple:
            return Path.touch, (ran,)

    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=(1, 4, 4), chunks=(1, 4, 4), dtype="u2")
    names = [{"name": n, "type": t} for n, t in (("t", "time"), ("y", "space"), ("x", "space"))]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": names, "datasets": [{"path": "0"}]}]
    file = tmp_path / "a.zarr/0/.zarray"
    metadata = json.loads(file.read_text())
    file.write_text(json.dumps(metadata | {"compressor": {"id": "pickle", "protocol": 5}}))
    content = np.empty(1, object)
    content[0] = Bad()
    (tmp_path / "a.zarr/0/0.0.0").write_bytes(bytes(numcodecs.Pickle().encode(content)))
    with pytest.raises(UserError, match=r"pickle"), open_source([tmp_path / "a.zarr"]) as source:
        source.plane(0, 0)
    assert not ran.exists()


@pytest.mark.parametrize("text", ['<!DOCTYPE x [<!ENTITY a "b">]><OME/>', "<!doctype OME>", "<! ENTITY x 'y'>"])
def test_xml_with_entities_is_refused(text: str) -> None:
    for content in (text, text.encode(), text.encode("utf-16")):
        with pytest.raises(UserError, match=r"a\.xml: its XML defines entities .*; save it without them"):
            check_entities(Path("a.xml"), content)
    check_entities(Path("a.xml"), "<OME>&amp;</OME>")
