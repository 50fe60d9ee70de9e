"""How tracks end: what is seen before and after, calibrated probabilities, and the stain of dead cells."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.unit.tracking.tracking_examples import follow, objects_at

import cineseq as cs
from cineseq.config.base import FieldOfView
from cineseq.config.tracking import JUDGED_FRAMES, Track
from cineseq.errors import UserError
from cineseq.io.stacks import Labels, Movie, MovieInfo
from cineseq.tables.imaging import EVENTS, TRACKS
from cineseq.tracking import ends
from cineseq.tracking.death_stain import first_stained, stain_report, stained_tracks, threshold
from cineseq.tracking.end_features import FROM_IMAGES, FROM_MASKS, end_features
from cineseq.tracking.end_model import MODEL_FILE, Trees, end_probabilities, read_model, shipped
from cineseq.tracking.ends import end_kinds, with_end_classes
from cineseq.tracking.finalise import curate
from cineseq.tracking.lineage import track_table
from cineseq.tracking.objects import measure
from cineseq.tracking.replay import settle_ends, unedited
from cineseq.tracking.track_tables import tables
from cineseq.tracking.tracker import link_objects

FRAMES, SIZE, END = 22, 160, 14


def disc(shape, y, x, radius):
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(yy - y, xx - x) <= radius


def movie_of(fate: str, stain: bool = False, seed: int = 0):
    """Return labels and images of four living cells, and of one cell (label 5) that ends after frame END."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((FRAMES, SIZE, SIZE), np.uint16)
    image = np.full((FRAMES, SIZE, SIZE), 100.0)
    red = np.full((FRAMES, SIZE, SIZE), 50.0)
    for t in range(FRAMES):
        for label, (y, x) in enumerate([(30, 30), (30, 130), (130, 30), (130, 130)], 1):
            here = disc((SIZE, SIZE), y + rng.normal(0, 1), x + rng.normal(0, 1), 9)
            labels[t][here], image[t][here] = label, 600
        y, x, radius, light = 80 + rng.normal(0, 1), 80 + rng.normal(0, 1), 9.0, 500.0
        after = t - END
        drawn = [(y, x, radius, light)]
        if fate == "death" and after > -3:
            drawn = [(80, 80, (7, 6, 5)[min(after + 2, 2)], 1100.0 * 0.95 ** max(after, 0))]
        elif fate == "mitosis" and after > -2:
            away = 7 + 1.5 * after
            drawn = [(80, 80, 7, 1000.0)] if after <= 0 else [(80 + s * away, 80 + s, 5.5, 900.0) for s in (-1, 1)]
        elif fate == "gone" and after > 0:
            drawn = []
        for place in drawn:
            here = disc((SIZE, SIZE), *place[:3])
            image[t][here] += place[3]
            if after <= 0:
                labels[t][here] = 5
            if stain and fate == "death" and after >= -1:
                red[t][here] = 800
    noise = rng.normal(0, 8, (2, *image.shape))
    return labels, (np.stack([image, red]) + noise).clip(0).astype(np.uint16)


def ends_of(fate: str, stain: bool = False):
    labels, images = movie_of(fate, stain)
    info = MovieInfo(FRAMES, SIZE, SIZE, ("nuclear", "red"), None, 15.0)
    movie = Movie(MODEL_FILE, info, lambda t, c: images[c, t])
    stack = Labels(info, lambda t: labels[t])
    objects = measure(stack, movie, ("nuclear",), "red" if stain else None)
    families = link_objects(objects, np.full(len(objects.table), -1), Track()).families
    return objects, families, info


def last_track(fate: str):
    objects, families, info = ends_of(fate)
    _, tracks = tables(objects, families, FieldOfView(), info, Track())
    TRACKS.check(tracks)
    return tracks[(tracks["end_frame"] == END) & (tracks["start_frame"] == 0)].iloc[0]


@pytest.mark.parametrize(
    ("fate", "body", "two", "brightens"),
    [("death", 1.0, 0.0, True), ("mitosis", 0.0, 1.0, True), ("gone", 0.0, 0.0, False)],
)
def test_bodies_after_an_end_are_seen(fate, body, two, brightens):
    objects, families, info = ends_of(fate)
    tracks = track_table(objects.table, families, FieldOfView(), info)
    features, with_images = end_features(objects, families.number, tracks)
    assert with_images
    number = tracks.loc[tracks["end_frame"] == END, "number"].iloc[0]
    found = features.loc[number]
    assert found[["body_frames", "two_frames"]].tolist() == [body, two]
    assert (found["brighten"] > 0.4) == brightens
    assert features.loc[features.index != number, list(FROM_IMAGES)].isna().all(axis=None)  # they live on


def test_a_body_that_stays_is_a_death():
    track = last_track("death")
    assert (track["end_kind"], track["end_class"], track["fate"]) == ("death", "death", "death")
    assert track["p_death"] >= 0.8
    assert track["body_frames"] >= 4
    assert track["end_model"] == shipped().label


def test_events_of_ends_name_the_model_that_judged_them():
    objects, families, info = ends_of("death")
    nowhere = np.full(len(objects.table), -1)
    curated = curate(objects, families, nowhere, None, info=info, field=FieldOfView(), settings=Track())
    events = EVENTS.check(curated.events)
    death = events[events["kind"] == "death"]
    assert len(death) == 1
    assert death["end_model"].tolist() == [shipped().label]
    assert events.loc[events["kind"].isin(["link", "division"]), "end_model"].isna().all()


def test_a_cell_lost_in_mitosis_is_no_death_and_no_division():
    track = last_track("mitosis")
    assert (track["end_kind"], track["end_class"], track["fate"]) == ("lost", "mitosis", "unknown")
    assert track["p_death"] < 0.2
    assert track["p_mitosis"] >= 0.5


def test_disappearance_alone_is_never_a_death():
    track = last_track("gone")
    assert (track["end_kind"], track["end_class"], track["fate"]) == ("lost", "other", "unknown")
    assert track["p_death"] <= 0.05


def features_of_a_death(**more):
    objects, families, info = ends_of("death")
    tracks = track_table(objects.table, families, FieldOfView(), info)
    features, _ = end_features(objects, families.number, tracks)
    return features.assign(left=0.0, **more).loc[tracks.loc[tracks["end_frame"] == END, "number"]]


def test_without_a_body_or_at_the_border_the_same_end_is_no_death():
    assert end_probabilities(features_of_a_death(), with_images=True, model=shipped())["p_death"].iloc[0] >= 0.8
    for changed in ({"body_count": 0.0}, {"left": 1.0}, {"starts_now": 1.0}):
        alike = features_of_a_death().assign(**changed)
        for with_images in (True, False):
            assert end_probabilities(alike, with_images=with_images, model=shipped())["p_death"].iloc[0] == 0


def test_the_first_of_the_judged_frames_counts_and_is_the_fifteenth_from_the_end():
    objects, families, info = ends_of("death")
    tracks = track_table(objects.table, families, FieldOfView(), info)
    dead = tracks.loc[(tracks["end_frame"] == END) & (tracks["start_frame"] == END + 1 - JUDGED_FRAMES), "number"]
    masks = replace(objects, source=None)
    before, _ = end_features(masks, families.number, tracks)
    first = (objects.table["frame"] == 0) & np.isin(families.number, dead)
    larger = objects.table.assign(area_px=objects.table["area_px"].where(~first, 10 * objects.table["area_px"]))
    after, _ = end_features(replace(masks, table=larger), families.number, tracks)
    assert (JUDGED_FRAMES, len(dead)) == (15, 1)
    assert (after.loc[dead, "shrink"] > before.loc[dead, "shrink"]).all()


def test_a_low_threshold_calls_no_death_that_is_impossible():
    objects, families, info = ends_of("gone")
    for source in (objects.source, None):
        seen = replace(objects, source=source)
        _, tracks = tables(seen, families, FieldOfView(), info, Track(death_confidence=0.01))
        assert tracks.loc[tracks["end_frame"] == END, ["end_kind", "p_death"]].to_numpy().tolist() == [["lost", 0.0]]
        assert (tracks["end_confidence"][tracks["end_kind"] == "lost"] < 1).all()  # 1 is for what a person decided
    tracks = pd.DataFrame({"track_id": list("abcd"), "parent_id": pd.array([None] * 4, "string"), "end_frame": 3})
    exits, deaths = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.9, 0.9, 0.9])
    possible = np.array([False, False, False, True])
    kinds = end_kinds(tracks, exits, deaths, possible, pd.Series(dtype=float), last_frame=9, least=0.1)["end_kind"]
    assert kinds.tolist() == ["left_fov", "lost", "left_fov", "death"]


def test_a_track_that_is_too_short_has_no_probability():
    short = features_of_a_death().assign(shrink=np.nan)
    assert end_probabilities(short, with_images=True, model=shipped()).isna().all(axis=None)


def test_probabilities_are_between_0_and_1_whatever_the_features():
    rng = np.random.default_rng(0)
    wild = pd.DataFrame(
        rng.normal(0, 5, (500, len(FROM_MASKS) + len(FROM_IMAGES))), columns=[*FROM_MASKS, *FROM_IMAGES]
    )
    wild = wild.mask(rng.random(wild.shape) < 0.2).assign(shrink=1.0, left=rng.random(500), body_count=3)
    for with_images in (True, False):
        p = end_probabilities(wild, with_images=with_images, model=shipped())
        assert p.ge(0).all(axis=None)
        assert (p[["p_death", "p_mitosis"]].sum(axis=1) <= 1 + 1e-9).all()
        assert (p["p_death"] <= p["p_unseen"]).all()


def test_a_tree_is_read_from_its_root():
    # one round, depth 1: only the first class depends on x, and adds 2 above .5, else 0
    trees = Trees(
        ("x",), np.array([0.9]), np.zeros(4), np.zeros((1, 4, 1), int), np.full((1, 4, 1), 0.5),
        np.array([[[0.0, 2.0], [0, 0], [0, 0], [0, 0]]]), {"death": (np.array([0, 1]), np.array([0, 0.5]))},
    )  # fmt: skip
    raw = trees.raw(pd.DataFrame({"x": [0.0, 0.5, 1.0, np.nan]}))
    high = np.e**2 / (np.e**2 + 3)
    assert raw[:, 0] == pytest.approx([0.25, 0.25, high, high])
    assert trees.calibrated(raw, "death") == pytest.approx([0.125, 0.125, high / 2, high / 2])


def test_the_card_names_the_file_that_is_shipped():
    assert shipped().sha256 in MODEL_FILE.with_suffix(".md").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="not a model of ends in format 1"):
        read_model(MODEL_FILE.with_suffix(".md"))


def test_a_model_of_another_format_is_refused(tmp_path):
    path = tmp_path / "ends.json"
    path.write_text(json.dumps({"format": 2}))
    with pytest.raises(UserError, match="format 2"):
        read_model(path)


def test_classes_of_ends_resolve_lost_only():
    kinds = ["division", "death", "left_fov", "end_of_movie", "lost", "lost", "lost"]
    tracks = pd.DataFrame({"end_kind": kinds, "p_mitosis": [np.nan, 0.9, 0.9, np.nan, 0.5, 0.4, np.nan]})
    wanted = ["division", "death", "exit", "end_of_movie", "mitosis", "other", "unknown"]
    assert with_end_classes(tracks)["end_class"].tolist() == wanted


def test_an_edit_changes_the_class_of_an_end():
    objects, families, info = ends_of("death")
    _, tracks = tables(objects, families, FieldOfView(), info, Track())
    number = int(tracks.loc[tracks["end_kind"] == "death", "number"].iloc[0])
    replayed = unedited(families)
    replayed = type(replayed)(families, (), replayed.edited, {}, frozenset({number}))  # what follows a stated death
    settled, _ = settle_ends(tracks, replayed)
    row = settled[settled["number"] == number].iloc[0]
    assert (row["end_kind"], row["end_class"]) == ("lost", "other")


def test_the_stain_of_dead_cells_has_a_threshold_and_a_time():
    objects, families, info = ends_of("death", stain=True)
    tracks = track_table(objects.table, families, FieldOfView(), info)
    found = stained_tracks(objects.source, objects.table, families.number, tracks)
    is_dead = (tracks["end_frame"] == END).to_numpy()
    assert found["stained"].tolist() == is_dead.tolist()
    assert found.loc[is_dead, "stain_frame"].tolist() == [END - 1]


def test_one_stained_frame_or_a_gap_is_no_stain():
    frames = {1: [3, 4], 2: [9], 3: [2, 4, 6], 4: [1, 5, 6, 7]}
    rows = pd.DataFrame([(n, frame) for n, seen in frames.items() for frame in seen], columns=["number", "frame"])
    assert first_stained(rows.sample(frac=1, random_state=0)).to_dict() == {1: 3, 4: 5}


def test_the_report_says_on_which_side_of_the_end_the_stain_appears():
    tracks = pd.DataFrame({"end_kind": ["death"] * 3, "end_frame": [9, 9, 9], "stained": [True, True, False]})
    for frames, said in (([6, 6, None], "3.0 frames before the end"), ([11, 11, None], "2.0 frames after the end")):
        lines, _ = stain_report(tracks.assign(stain_frame=pd.array(frames, "Int64")), "red")
        assert said in lines[1]


def test_a_stain_without_two_groups_has_no_threshold():
    rng = np.random.default_rng(1)
    assert np.isnan(threshold(rng.normal(0, 1, 500)))
    assert np.isnan(threshold(np.array([0.0, 9.0])))
    assert threshold(np.r_[rng.normal(0, 1, 500), rng.normal(20, 1, 50)]) == pytest.approx(10, abs=4)


def test_a_movie_in_which_no_track_ends_has_no_open_end():
    labels, images = movie_of("gone")
    labels, images = labels[:END], images[:, :END]
    info = MovieInfo(END, SIZE, SIZE, ("nuclear", "red"), None, 15.0)
    objects = measure(
        Labels(info, lambda t: labels[t]), Movie(MODEL_FILE, info, lambda t, c: images[c, t]), ("nuclear",)
    )
    families = link_objects(objects, np.full(len(objects.table), -1), Track()).families
    _, tracks = tables(objects, families, FieldOfView(), info, Track())
    assert set(tracks["end_class"]) == {"end_of_movie"}
    assert tracks[["p_death", "p_mitosis", "body_frames", "end_model"]].isna().all(axis=None)
    TRACKS.check(tracks)


def test_the_stain_is_no_channel_of_the_evidence():
    labels, images = movie_of("death", stain=True)
    with pytest.raises(UserError, match="death_channel: 'C1' is among channels too"):
        cs.track(labels, image=images.swapaxes(0, 1), channels=["C0", "C1"], death_channel="C1")


def test_short_tracks_show_no_evidence_of_death():
    table = objects_at([(t, 50.0, 50.0) for t in range(4)]).table
    table["area_px"] = [100.0, 100.0, 20.0, 10.0]
    assert ends.last_changes(table, np.ones(4, int)).isna().all(axis=None)
    rows = [(t, 50.0, 50.0) for t in range(4)] + [(t, 120.0, 120.0) for t in range(8)]
    assert follow(objects_at(rows))[1].set_index("end_frame")[["p_death", "p_mitosis"]].isna().loc[3].all()


def test_bright_round_cells_do_not_all_die():
    table = objects_at([(t, 50.0, 50.0) for t in range(10)]).table.assign(brightness=5.0, eccentricity=0.0)
    evidence = ends.death_evidence(table, np.ones(10, int)).iloc[0]
    assert evidence[["shrink", "brighten", "round_up"]].tolist() == [0, 0, 0]


def test_an_area_that_jumps_is_no_evidence_of_death():
    table = objects_at([(t, 50.0, 50.0) for t in range(10)]).table
    number = np.ones(10, int)
    steady = table.assign(area_px=[400.0] * 8 + [90.0, 80.0])
    jumping = table.assign(area_px=[75.0, 521.0, 370.0, 76.0, 410.0, 80.0, 500.0, 390.0, 96.0, 82.0])
    assert ends.death_evidence(steady, number)["shrink"].iloc[0] > 1.4
    assert ends.death_evidence(jumping, number)["shrink"].iloc[0] < 0.1
