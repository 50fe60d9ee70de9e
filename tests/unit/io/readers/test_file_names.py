"""What the paths of a series say: frames in order, channels apart, and nothing that varies left unsaid."""

import re
from datetime import date, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from cineseq.config.imaging import PATTERNS_BY_NAME, Inputs
from cineseq.errors import UserError
from cineseq.io.readers.file_names import Series, arrange
from cineseq.io.readers.name_patterns import DISTINCTIVE, NAMES, chosen_files


def guid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128))).upper()


def shuffled(paths: list[str], seed: int = 0) -> list[Path]:
    Random(seed).shuffle(paths)
    return [Path(path) for path in paths]


def refusal(paths: list[Path], pattern: str | None = None) -> str:
    with pytest.raises(UserError) as raised:
        arrange(paths, pattern)
    return str(raised.value)


def test_names_of_patterns_are_those_of_the_configuration() -> None:
    assert set(NAMES) == set(PATTERNS_BY_NAME)
    assert set(DISTINCTIVE) < set(NAMES)
    for name in PATTERNS_BY_NAME:
        assert Inputs(channel_pattern=name).channel_pattern == name


WAYS = {
    "incucyte": lambda t, c, s, g: f"VID{'PR'[c]}_B2_{s}_{t // 12:02}d{t * 2 % 24:02}h00m.tif",
    "incucyte dates": lambda t, c, s, g: f"{'PR'[c]}_B2_{s}_2023y02m{27 if t < 12 else 28}d_{t * 2 % 24:02}h30m.tif",
    "incucyte archive": lambda t, c, s, g: (
        f"ScanData/2302/{27 + t // 12}/{t * 2 % 24:02}30/451/B2-{s}-{['Ph', 'C1'][c]}.tif"
    ),
    "incucyte vessel": lambda t, c, s, g: f"VID12_{['Phase', 'Red'][c]}_B2_{s}_{t // 12:02}d{t * 2 % 24:02}h00m.tif",
    "imagexpress": lambda t, c, s, g: f"x/2023-01-05/7/TimePoint_{t + 1}/exp_A01_s{s}_w{c + 1}{g}.tif",
    "imagexpress plain": lambda t, c, s, g: f"TimePoint_{t + 1}/ZStep_1/exp_A01_s{s}_w{c + 1}.TIF",
    "imagexpress wells": lambda t, c, s, g: f"run_3/TimePoint_{t + 1}/AB07_s{s}_w{c + 1}_z1.tif",
    "operetta": lambda t, c, s, g: f"Images/r01c02f{s:02}p01-ch{c + 1}sk{t + 1}fk1fl1.tiff",
    "micromanager": lambda t, c, s, g: f"img_channel{c:03}_position{s:03}_time{t:09}_z000.tif",
    "micromanager old": lambda t, c, s, g: f"Pos{s}/img_{t:09}_{['DAPI', 'Cy5'][c]}_000.tif",
    "nikon": lambda t, c, s, g: f"expT{t + 1}xy0{s}c{c + 1}.tif",
    "nikon mixed": lambda t, c, s, g: f"cat1_xy{s}z1t{t:03}c{c + 1}.tif",
    "metamorph": lambda t, c, s, g: f"exp_w{c + 1}{['DAPI', 'CSU_488'][c]}_s{s}_t{t + 1}.TIF",
    "metamorph wavelengths": lambda t, c, s, g: f"exp_w{c + 1}{['405', '488 CSU'][c]}_s{s}_t{t + 1}.TIF",
    "metamorph plain": lambda t, c, s, g: f"exp_w{c + 1}_s{s}_t{t + 1}.stk",
    "celldiscoverer": lambda t, c, s, g: f"Plate-07_s{s:02}t{t:03}c{c + 1}_ORG.tif",
    "cytation": lambda t, c, s, g: f"A1_0{c + 1}_1_{s}_{['DAPI', 'Phase Contrast'][c]}_{t + 1:03}.tif",
    "yokogawa": lambda t, c, s, g: f"AssayPlate_Greiner_A01_T{t + 1:04}F{s:03}L01A0{c + 1}Z01C0{c + 1}.tif",
    "incell": lambda t, c, s, g: f"A - 01(fld {s} wv {['UV - DAPI', 'Cy3 - Cy3'][c]} tm {t + 1}).tif",
    "zen": lambda t, c, s, g: f"Image 7_s{s}t{t:02}z1c{c + 1}_ORG.tif",
    "leica": lambda t, c, s, g: f"P_Series{s:03}_t{t:02}_z00_ch0{c}.tif",
    "leica screener": lambda t, c, s, g: (
        f"image--L0000--S0{s}--U00--V00--J15--E00--O00--X00--Y00--T{t:04}--Z00--C0{c}.ome.tif"
    ),
}


@given(frames=st.integers(2, 23), seed=st.integers(0, 99))
@pytest.mark.parametrize("way", WAYS)
def test_ready_made_patterns_read_time_and_channels_in_order(way: str, frames: int, seed: int) -> None:
    random = Random(seed)
    grid = [[f"/data 1/{WAYS[way](t, c, 1, guid(random))}" for c in range(2)] for t in range(frames)]
    series = arrange(shuffled([path for of in grid for path in of], seed), way.split(maxsplit=1)[0])
    assert [sorted(map(str, of or ())) for of in series.frames] == [sorted(of) for of in grid]
    order = [[of.index(str(path)) for path in found or ()] for of, found in zip(grid, series.frames, strict=True)]
    assert all(one == order[0] for one in order), "a channel is the same in all frames"
    assert len(series.channels) == 2


@pytest.mark.parametrize("way", WAYS)
def test_several_positions_are_refused_by_name_and_one_of_them_is_read(way: str) -> None:
    random = Random(1)
    paths = {s: [WAYS[way](t, c, s, guid(random)) for t in range(3) for c in range(2)] for s in (1, 2)}
    for pattern in (way.split(maxsplit=1)[0], None):
        message = refusal(shuffled([p for of in paths.values() for p in of]), pattern)
        assert pattern is None or "name the files of one in each row of the sheet" in message
    assert len(arrange(shuffled(paths[2]), way.split(maxsplit=1)[0]).frames) == 3


@pytest.mark.parametrize("way", WAYS)
def test_without_a_pattern_two_channels_are_refused_and_the_advice_works(way: str) -> None:
    random = Random(2)
    paths = shuffled([WAYS[way](t, c, 1, guid(random)) for t in range(6) for c in range(2)])
    message = refusal(paths)
    advised = re.search(r"inputs\.channel_pattern: (.*)\.$", message)
    if advised is None:  # words differ, not numbers: the message says so, and that a pattern is wanted
        assert "of several kinds" in message
        assert "channel_pattern" in message
        return
    assert len(arrange(paths, yaml.safe_load(advised[1])).frames) == 6


@given(
    names=st.lists(
        st.tuples(
            st.sampled_from(["", "405", "488", "640"]), st.sampled_from(["", "nm", " CSU", " SP 630-75", "GFP", "_a"])
        ),
        min_size=2,
        max_size=12,
        unique=True,
    ).map(lambda parts: ["".join(part).strip(" _") or "BF" for part in parts]),
    sign=st.sampled_from(["", " ", "-"]),
)
def test_metamorph_numbers_wavelengths_before_their_names(names: list[str], sign: str) -> None:
    assume(len(set(names)) == len(names))
    paths = [f"e_w{n + 1}{sign}{name}_s1_t{t}.TIF" for t in range(3) for n, name in enumerate(names)]
    assert list(arrange(shuffled(paths), "metamorph").channels) == names, "in the order of their numbers"


def test_numbers_of_a_vessel_are_no_channel() -> None:
    paths = [Path(f"VID12_B2_1_00d{t:02}h00m.tif") for t in range(5)]
    assert arrange(paths, "incucyte").channels == ("",)


@pytest.mark.parametrize(
    ("name", "words", "pattern"),
    [
        ("e_w{n}{c}_s1_t{t}.TIF", ["DAPI", "Texas Red", "Cy5"], "metamorph"),
        ("Pos0/img_{t:09}_{c}_000.tif", ["DAPI", "Cy5"], "micromanager"),
    ],
)
def test_a_microscope_is_advised_by_name_where_names_differ_in_words(name: str, words: list[str], pattern: str) -> None:
    paths = [Path(name.format(t=t, c=c, n=n + 1)) for t in range(12) for n, c in enumerate(words)]
    assert refusal(paths).endswith(f"if these are channels, set inputs.channel_pattern: {pattern}.")
    assert set(arrange(paths, pattern).channels) == set(words)


@pytest.mark.parametrize("name", ["m.lif - T={t} - C={c}.tif", "e_w{c}GFP_t{t}.tif", "laser {c}/f{t}.tif"])
def test_a_pattern_is_advised_as_a_configuration_file_takes_it(name: str) -> None:
    paths = shuffled([name.format(t=t, c=c) for t in range(12) for c in (1, 2)])
    series = arrange(paths, yaml.safe_load(refusal(paths).split("set inputs.channel_pattern: ")[1].removesuffix(".")))
    assert series.channels == ("1", "2")
    assert [str(of[1]) for of in series.frames if of] == [name.format(t=t, c=2) for t in range(12)]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("day{day}_{hour:02}h.tif", r"(?P<frame>day\d+_\d+)"),
        ("e_{hour:02}-{minute:02}.tif", r"(?P<frame>\d+-\d+)"),
        ("day{day}/img_{hour:03}.tif", r"(?P<frame>day\d+/img_\d+)"),
    ],
)
def test_a_frame_of_several_numbers_is_stated_as_one(name: str, pattern: str) -> None:
    times = (
        [(t // 24 + 1, t % 24, 0) for t in range(48)] if "day" in name else [(0, t // 4, t % 4 * 15) for t in range(30)]
    )
    paths = [name.format(day=day, hour=hour, minute=minute) for day, hour, minute in times]
    assert "(?P<frame>...), which may span several numbers" in refusal(shuffled(list(paths)))
    assert [str(path) for of in arrange(shuffled(list(paths)), pattern).frames for path in of or ()] == paths


@given(frames=st.integers(2, 30), start=st.integers(0, 12), step=st.integers(1, 7), seed=st.integers(0, 99))
@pytest.mark.parametrize(
    "name",
    [
        "img_{t}.tif",
        "t{t:05}.png",
        "run3/TimePoint_{t}/a1.tif",
        "T{t}/img_{t:03}.tif",
        "TimePoint_{t}/exp_w1{g}.tif",
        "{d:02}d{h:02}h30m.tif",
        "img_{t:03}_{ms}ms.tif",
        "day{d}_{t:04}.tif",
        "x_2023-01-0{day}_{h:02}-30.tif",
        "x_{date:%Y-%m-%d}.tif",
        "{date:%Y%m%d}_a.tif",
    ],
)
def test_names_that_differ_in_time_alone_are_in_order(name: str, frames: int, start: int, step: int, seed: int) -> None:
    random = Random(seed)
    times = range(start, start + frames * step, step)
    written = [
        name.format(
            t=t,
            g=guid(random),
            d=i // 24,
            day=1 + i // 24,
            h=i % 24,
            ms=1000 * t + random.randrange(400),
            date=date(2023, 1, 20) + timedelta(t),
        )
        for i, t in enumerate(times)
    ]
    series = arrange(shuffled(list(written), seed))
    assert series == Series(("",), tuple((Path(path),) for path in written))


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["a_ch{c}_t{t}.tif"], "the number after 'ch' (1, 2) and the number after 't' (0 to 4)"),
        (["r01c01f{c:02}p01-ch1sk1fk1fl1.tiff"], "values of field"),
        (["r01c01f01p{c:02}-ch1sk{t}fk1fl1.tiff"], "project the planes first"),
        (["e_s{c}.tif"], "the number after 's' (1, 2)"),
        (["e_w{c}.tif"], "the number after 'w' (1, 2)"),
        (["e_{n:04}_ch{k}.tif"], "the number after 'ch' (0, 1)"),
        (["img_{t}.tif", "img_{t}_cp_masks.tif"], "of several kinds ('img_"),
        (["before.tif", "after.tif"], "of several kinds"),
        (["DAPI_{t}.tif", "GFP_{t}.tif"], "of several kinds"),
        (["a_{t}_b_{c}.tif"], "the number after 'a' (0 to 4) and the number after 'b' (1, 2)"),
    ],
)
def test_what_cannot_be_time_alone_is_refused_by_name(names: list[str], what: str) -> None:
    written = {one.format(t=t, c=c, n=2 * t + c, k=c - 1) for one in names for t in range(5) for c in (1, 2)}
    assert what in refusal(shuffled(sorted(written)))


@pytest.mark.parametrize(
    ("name", "words", "pattern"),
    [
        ("DAPI_{t}.tif", ["DAPI", "GFP"], "(?P<channel>DAPI|GFP)"),
        ("{t}/x_phase.tif", ["phase", "red"], "(?P<channel>phase|red)"),
        ("img_{t}.tif", [".tif", "_cp_masks.tif"], "cellpose_masks"),
        ("plate_a_{t}.tif", ["_a_", "_b_"], "(?<![A-Za-z])(?P<channel>a|b)(?![A-Za-z])"),
    ],
)
def test_advice_on_words_works(name: str, words: list[str], pattern: str) -> None:
    paths = [Path(name.replace(words[0], word).format(t=t)) for t in range(12) for word in words]
    message = refusal(paths)
    advised = yaml.safe_load(message.split("inputs.channel_pattern: ")[1].rstrip("."))
    assert advised == pattern
    series = arrange(chosen_files(paths, advised), advised)
    assert len(series.frames) == 12
    assert [path.name for path in series.frames[11] or ()] == [
        Path(name.replace(words[0], word).format(t=11)).name for word in words[: len(series.channels)]
    ]


def test_names_that_no_pattern_reads_are_refused_in_one_sentence() -> None:
    # The first word of every name is one of those that differ.
    paths = [Path(f"a_{word}_{t}.tif") for t in (1, 2) for word in "ab"]
    for pattern in (None, "(?P<channel>a|b)", "(?P<channel>a)"):
        assert refusal(paths, pattern).endswith("or give inputs.channel_pattern (docs/inputs.md).")


@pytest.mark.parametrize(
    "name",
    [
        "e_s{}.tif",
        "Pos_{}.tif",
        "x-z{}.tif",
        "expXY{}.tif",
        "tile_{}.tif",
        "slice{}.tif",
        "run/Site {}/a.tif",
        "e_w{}.tif",
        "Ch{}.tif",
    ],
)
def test_numbers_that_are_no_time_by_their_letters_are_time_if_the_pattern_says_so(name: str) -> None:
    written = [name.format(t) for t in range(12)]
    paths = shuffled(list(written))
    message = refusal(paths)
    advised = yaml.safe_load(message.split("if they are times, set inputs.channel_pattern: ")[1].removesuffix("."))
    assert arrange(paths, advised).frames == tuple((Path(one),) for one in written)
    if "if these are channels" in message:
        advised = yaml.safe_load(message.split("set inputs.channel_pattern: ")[1].split(" if ")[0])
        assert arrange(paths, advised).channels == tuple(map(str, range(12)))
    else:
        assert "in each row of the sheet" in message


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (r"_(?P<channel>[PR])_", "{t}/x_{c}_1.tif"),
        (r"(?P<channel>[PR])/", "{c}/img_{t}.tif"),
        (r"TimePoint_(?P<frame>\d+)/.*_(?P<channel>[PR])", "TimePoint_{t}/a3_{c}.tif"),
        (r"^(?P<channel>[PR])(?P<frame>\d+)", "runs/7/{c}{t}.tif"),
    ],
)
def test_a_pattern_is_searched_in_the_name_and_else_in_the_whole_path(pattern: str, name: str) -> None:
    paths = [name.format(t=t, c=c) for t in range(12) for c in "PR"]
    series = arrange(shuffled(list(paths)), pattern)
    assert series.channels == ("P", "R")
    assert [str(path) for of in series.frames for path in of or ()] == paths


@given(lost=st.sets(st.integers(1, 18), min_size=1, max_size=4), step=st.sampled_from([1, 5]))
@pytest.mark.parametrize("name", ["t{t}.tif", "{t:02}d00h00m.tif", "T{t}/a_{t:04}.tif"])
def test_lost_frames_are_refused_or_kept_empty(name: str, lost: set[int], step: int) -> None:
    names = [name.format(t=t * step) for t in range(20)]
    paths = shuffled([one for t, one in enumerate(names) if t not in lost])
    message = refusal(paths)
    assert "missing" in message
    assert "set inputs.missing_frames to empty" in message
    assert arrange(paths, None, "empty").frames == tuple(
        None if t in lost else (Path(one),) for t, one in enumerate(names)
    )


@given(jitter=st.lists(st.integers(-20, 20), min_size=5, max_size=12))
def test_times_that_jitter_have_no_gap_and_a_pause_is_one(jitter: list[int]) -> None:
    seconds = [600 * t + 20 + late for t, late in enumerate(jitter)]
    names = [f"{s // 3600:02}h{s // 60 % 60:02}m{s % 60:02}s.tif" for s in seconds]
    assert None not in arrange(shuffled(list(names))).frames
    later = [*names, *(f"{s // 3600:02}h{s // 60 % 60:02}m{s % 60:02}s.tif" for s in [seconds[-1] + 1800])]
    assert arrange(shuffled(later), None, "empty").frames[-3:-1] == (None, None)


def test_a_frame_that_lacks_a_channel_is_refused_or_empty_as_a_whole() -> None:
    paths = [Path(f"t{t}_{c}.tif") for t in range(6) for c in "PR" if (t, c) != (3, "R")]
    pattern = "_(?P<channel>[PR])"
    assert "t3_P.tif: this frame has no file of channel R; add it" in refusal(paths, pattern)
    frames = arrange(paths, pattern, "empty").frames
    assert [frame is None for frame in frames] == [False, False, False, True, False, False]


def test_cellpose_writes_beside_images() -> None:
    names = [f"img_{t}{end}" for t in range(3) for end in (".tif", "_cp_masks.png", "_flows.tif")]
    files = [Path(name) for name in names]
    assert [f.name for f in chosen_files(files, "cellpose_masks")] == ["img_0.tif", "img_1.tif", "img_2.tif"]
    assert [f.name for f in chosen_files(files, "cellpose_masks", masks=True)] == [
        f"img_{t}_cp_masks.png" for t in range(3)
    ]
    assert chosen_files(files, None) == files
    with pytest.raises(UserError, match="no masks of cellpose"):
        chosen_files(files[:1], "cellpose_masks", masks=True)


def test_thumbnails_are_no_images() -> None:
    random = Random(0)
    files = [Path(f"e_A01_w1{thumb}{guid(random)}.tif") for thumb in ("", "_thumb")]
    assert chosen_files(files, "imagexpress") == files[:1]


@pytest.mark.parametrize("names", [["img.tif", "img (1).tif", "img (2).tif"]])
def test_names_that_no_advice_reads_are_refused(names: list[str]) -> None:
    with pytest.raises(UserError, match=r"are of several kinds .* or give inputs\.channel_pattern"):
        arrange([Path(name) for name in names])


def test_columns_of_wells_may_be_read_as_time_and_that_is_said() -> None:
    said = arrange([Path(f"p_A{n:02}.tif") for n in range(1, 13)]).notices
    assert len(said) == 1
    assert "the number after 'A' (1 to 12) is read as time. If these are wells" in said[0]
    assert arrange([Path(f"p_A{n:02}.tif") for n in range(1, 40)]).notices == ()
    assert arrange([Path(f"p_T{n:02}.tif") for n in range(1, 13)]).notices == ()


def test_a_channel_of_every_third_frame_leaves_the_others_their_time() -> None:
    paths = [Path(f"ph_{t}.tif") for t in range(10)] + [Path(f"gfp_{t}.tif") for t in range(0, 10, 3)]
    frames = arrange(paths, "(?P<channel>ph|gfp)", "empty").frames
    assert [None if of is None else of[1].stem for of in frames] == [
        *("ph_0", None, None, "ph_3", None, None, "ph_6", None, None, "ph_9")
    ]
    never = [Path("ph_0.tif"), Path("ph_2.tif"), Path("gfp_1.tif"), Path("gfp_3.tif")]
    with pytest.raises(UserError, match="this frame has no file of channel"):
        arrange(never, "(?P<channel>ph|gfp)", "empty")


def test_frames_named_by_dates_with_the_year_last_are_refused() -> None:
    paths = [Path(f"{date}.tif") for date in ("30-01-2024", "31-01-2024", "01-02-2024")]
    with pytest.raises(UserError, match="has its year last, so the order of names is not that of time"):
        arrange(paths, r"(?P<frame>[\d-]+)\.tif")
