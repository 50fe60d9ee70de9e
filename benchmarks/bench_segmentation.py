"""Score the shipped segmentation models on simulated and real frames, and time the compact one and Cellpose-SAM.

Run: ``.venv/bin/python benchmarks/bench_segmentation.py --data ../shared/data``
Every row uses the default settings unless it names others; only phase contrast uses the diameter of its masks. The rows
after training train on images 1-4 as ``snakemake train`` does and score images 5-7. Cellpose-SAM has random weights:
its network takes as long as the trained one, but random flows give no cells. Therefore the networks are compared
separately, and then with the time of making masks from flows, which is measured with the compact model. Frames are 1024
x 1024, in float32 or bfloat16, whichever is faster here (minutes; ``--cpsam 0`` leaves it out).
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile
import torch
from cellpose.vit import CPSAM
from scores import Score

from cineseq.config.imaging import Segment, Train
from cineseq.config.simulate import Simulate
from cineseq.segmentation.annotated import AnnotatedImage, Frame, median_diameter, read_frames
from cineseq.segmentation.cellpose import (
    CELLPOSE_PADDING,
    CELLPOSE_TILE,
    SegmentationModel,
    load_model,
    segment_frame,
    tiling,
)
from cineseq.segmentation.finetuning import fine_tune, score
from cineseq.segmentation.scoring import count_movie
from cineseq.segmentation.training import save
from cineseq.simulate.field import simulate_field
from cineseq.simulate.images import render_movie, truth_masks
from cineseq.training.nuclei_images import CROWDED, draw_images, draw_scene
from cineseq.training.phase_images import draw_phase_images

SEED = 20_000_000
"""Seed of scenes that neither training nor the model cards use."""
DEFAULTS = Segment()
STRICT = Segment(cellprob_threshold=1)
LEAST_RATIO = 15
"""Target: how many times faster than Cellpose-SAM the compact model is."""
ONE_TILE = CELLPOSE_TILE - CELLPOSE_PADDING
"""Side of the largest image that cellpose does not cut."""


def demo_frames(fields: int, side: int = Simulate().size_px) -> Iterator[AnnotatedImage]:
    """Yield the last frames of simulated fields of the demo's density, with seeds that the demo does not use."""
    usual = Simulate()
    settings = Simulate(size_px=side, founders=round(usual.founders * (side / usual.size_px) ** 2))
    for number in range(fields):
        positions = simulate_field(settings, SEED + number, "s1", "f1").positions
        rows = positions[positions["frame"] == settings.frames - 1].assign(frame=0)
        image = next(iter(render_movie(rows, 1, settings.size_px, np.random.default_rng(number))))
        yield AnnotatedImage(image, next(iter(truth_masks(rows, 1, settings.size_px))).astype(int))


def real_frames(data: Path) -> Iterator[tuple[str, list[AnnotatedImage], float]]:
    """Yield the real sets of nuclei: name, annotated frames, and the target of the AP."""
    folder = data / "ctc_sim01"
    truths = sorted((folder / "01_GT/SEG").glob("man_seg*.tif"))
    images = [folder / f"01/t{path.stem.removeprefix('man_seg')}.tif" for path in truths]
    yield "ctc_sim01, raw frames", [_scene(i, t) for i, t in zip(images, truths, strict=True)], 0.95
    nuclei = data / "nuclei"
    yield "nuclei/stardist_img2d", [_scene(nuclei / "stardist_img2d.tif", nuclei / "stardist_mask2d.tif")], 0.85


def _scene(image: Path, mask: Path) -> AnnotatedImage:
    return AnnotatedImage(tifffile.imread(image).astype(np.float32), tifffile.imread(mask).astype(int))


def row(
    name: str, model: SegmentationModel, scenes: list[AnnotatedImage], asked: float | None, settings: Segment = DEFAULTS
) -> dict:
    """Return one row of the table: AP@.5."""
    started = time.perf_counter()
    found = [segment_frame(model, s.image[None], settings, None) for s in scenes]
    seconds = (time.perf_counter() - started) / len(scenes)
    cells = sum(len(np.unique(s.labels)) - 1 for s in scenes)
    ap = count_movie([s.labels for s in scenes], found).average_precision
    return {"set": name, "frames": len(scenes), "cells": cells, "AP@.5": ap, "asked": asked, "s a frame": seconds}


def nuclei_rows(data: Path, model: SegmentationModel) -> Iterator[dict]:
    """Score nuclei with the default settings, which have the target, and with a stricter threshold."""
    sets = [("simulated demo, unseen fields", list(demo_frames(6)), 0.95), *real_frames(data)]
    sets.append(("simulated scenes, wide", draw_images(SEED, 60), None))
    sets.append(("simulated scenes, crowded", draw_images(SEED, 60, domain=CROWDED), None))
    for name, scenes, asked in sets:
        yield row(name, model, scenes, asked)
        yield row(f"{name}, cellprob_threshold 1", model, scenes, None, STRICT)


def phase_rows(data: Path, work: Path, epochs: int, runs: int) -> Iterator[dict]:
    """Score phase contrast with simulated training only, and after training on images 1-4."""
    folder = data / "t98g_phase/segmentation"
    images = [folder / f"train_set{n}_img.tif" for n in range(1, 8)]
    frames = read_frames(images, [Path(str(i).replace("_img", "_mask")) for i in images], None)
    learned, held = frames[:4], frames[4:]
    diameter = median_diameter(learned)
    model = load_model(Segment(model="compact_phase"))
    yield _phase_row("t98g_phase 5-7, simulated only", held, score(model, held, diameter), None)
    for turn in range(runs):
        # cellpose seeds what it draws by the epoch alone: frames in another order are what makes it draw other tiles.
        turned = learned[turn:] + learned[:turn]
        save(fine_tune(model, turned, diameter, Train(model="compact_phase", epochs=epochs)), work / "mine.pt")
        mine = load_model(Segment(model=str(work / "mine.pt")))
        yield _phase_row(f"t98g_phase 5-7, trained on 1-4, run {turn + 1}", held, score(mine, held, diameter), 0.6)


def _phase_row(name: str, frames: list[Frame], ap: float | None, asked: float | None) -> dict:
    cells = sum(int(f.scene.labels.max()) for f in frames)
    return {"set": name, "frames": len(frames), "cells": cells, "AP@.5": ap, "asked": asked, "s a frame": np.nan}


def random_cpsam(work: Path) -> SegmentationModel:
    """Return Cellpose-SAM with random weights, from a checkpoint as a user's would be; for timing only."""
    torch.manual_seed(0)
    torch.save(CPSAM().state_dict(), work / "cpsam.pt")
    return load_model(Segment(model=str(work / "cpsam.pt")))


def least_seconds(work: Callable[[], object], times: int) -> float:
    """Return the least seconds that one piece of work took."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def run_network(model: SegmentationModel, image: np.ndarray) -> None:
    """Normalise and tile a frame and run the network on it, as segmentation does, and make no masks of its flows."""
    tile, batch = tiling(model, image.shape, 1.0)
    model.cellpose.eval(image, batch_size=batch, bsize=tile, compute_masks=False)


def timings(work: Path, side: int, times: int) -> Iterator[Score]:
    """Time the compact model, its network and all of it, and with any ``times`` the network of Cellpose-SAM beside it.

    Frames are a field of the demo's density and a scene that is crowded with thousands of cells. Which number type is
    faster for Cellpose-SAM depends on the processor: a tile tells, and the frame is run in it.
    """
    crowd = draw_scene(np.random.default_rng(SEED), side)
    frames = {"demo's density": next(demo_frames(1, side)), "crowded": crowd}
    size = f"{side} x {side} frame, {torch.get_num_threads()} threads"
    compact, usual = load_model(Segment()), frames["demo's density"].image
    run_network(compact, usual)
    ours = least_seconds(lambda: run_network(compact, usual), 3)
    yield Score(f"{size}: seconds of compact, network", ours)
    making = {}
    for name, scene in frames.items():
        whole = least_seconds(lambda image=scene.image: segment_frame(compact, image[None], Segment(), None), 3)
        making[f"{name}, {len(np.unique(scene.labels)) - 1:,} cells"] = max(whole - ours, 0.0)
        yield Score(f"{size}, {name}: seconds of compact, network and masks", whole)
    if not times:
        return
    model, tile = random_cpsam(work), usual[:ONE_TILE, :ONE_TILE]
    of_tile = {}
    for dtype in (torch.float32, torch.bfloat16):
        model.cellpose.net.dtype = dtype
        run_network(model, tile)
        of_tile[dtype] = least_seconds(lambda: run_network(model, tile), 1)
        yield Score(f"one tile: seconds of cpsam, network, {dtype}", of_tile[dtype])
    model.cellpose.net.dtype = min(of_tile, key=of_tile.get)
    theirs = least_seconds(lambda: run_network(model, usual), times)
    yield Score(f"{size}: seconds of cpsam, network, {model.cellpose.net.dtype}", theirs)
    yield Score(f"{size}: cpsam over compact, networks", theirs / ours, low=LEAST_RATIO)
    for name, masks in making.items():
        ratio = (theirs + masks) / (ours + masks)
        yield Score(f"{size}, {name}: cpsam over compact, with the time of compact's masks", ratio, low=LEAST_RATIO)


def as_score(found: dict) -> Score:
    """Return a row of the table as one score."""
    low = -np.inf if found["asked"] is None else found["asked"]
    return Score(f"{found['set']}, {found['frames']} frames, {found['cells']:,} cells: AP@.5", found["AP@.5"], low)


def main() -> None:
    """Print the table of scores and the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=100, help="of training on phase contrast; 0 leaves it out")
    parser.add_argument("--runs", type=int, default=1, choices=range(1, 5), help="of that training")
    parser.add_argument("--cpsam", type=int, default=1, help="times that Cellpose-SAM is timed; 0 leaves it out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = list(nuclei_rows(options.data, load_model(DEFAULTS)))
    phase = load_model(Segment(model="compact_phase"))
    rows.append(row("simulated phase contrast", phase, draw_phase_images(SEED, 40), None))
    with tempfile.TemporaryDirectory() as folder:
        if options.epochs:
            rows += phase_rows(options.data, Path(folder), options.epochs, options.runs)
        for found in rows:
            print(as_score(found), flush=True)
        for timed in timings(Path(folder), 1024, options.cpsam):
            print(timed, flush=True)


if __name__ == "__main__":
    main()
