"""The file of a generative model: arrays and a card, without code; and generation of cells with it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cineseq.errors import UserError, reading
from cineseq.expression.normalise import Expression, expression_of
from cineseq.files import replacing
from cineseq.generative.conditions import Condition, Conditions
from cineseq.generative.counts import CountModel
from cineseq.generative.flow import Flow
from cineseq.generative.judge import nearest_distance
from cineseq.generative.learners import KernelMean, LinearMean
from cineseq.generative.means import MeanModel
from cineseq.generative.network import NetworkMean
from cineseq.generative.representations import Blocks, Representation
from cineseq.generative.samplers import Sampler
from cineseq.io.adata import paired_of
from cineseq.io.paired import PairedData
from cineseq.statistics.streams import stream
from cineseq.text import count

if TYPE_CHECKING:
    from anndata import AnnData

FORMAT = "cineseq generative model 2"
EXPRESSION, MORPHOLOGY = "expression", "morphology"
DIRECTIONS = (f"{MORPHOLOGY}_to_{EXPRESSION}", f"{EXPRESSION}_to_{MORPHOLOGY}")
MOST_SEEN = 2000
"""Training cells that are kept to measure how far new cells are from them."""
USUAL = 0.95
"""Quantile of the distances between training cells that has an applicability of 1."""


@dataclass(frozen=True)
class DirectionModel:
    """How one modality is generated from the other.

    Attributes
    ----------
    source, target
        Latents of the modality that is given, and of the one that is generated.
    source_names, target_names
        Names of the columns of each block.
    conditions
        Facts of cells that are given beside the source.
    mean, sampler
        Conditional mean of the latents of the target, and residuals around it.
    counts
        Counts of the genes; None where counts are not generated.
    seen
        Latents of training cells, shape (cells, latents of the source).
    usual
        Distance to the nearest of other training cells that 95 % of training cells have.
    typical
        Total counts to which logarithms of expression are normalised; 0: they are used as they are.
    """

    source: Blocks
    target: Blocks
    source_names: tuple[tuple[str, ...], ...]
    target_names: tuple[tuple[str, ...], ...]
    conditions: Conditions
    mean: MeanModel
    sampler: Sampler
    counts: CountModel | None
    seen: np.ndarray
    usual: float
    typical: float

    def applicability(self, values: list[np.ndarray]) -> np.ndarray:
        """Return the distance of cells to the nearest training cell, relative to ``usual``, shape (cells,)."""
        return nearest_distance(self.source.transform(values), self.seen) / max(self.usual, 1e-12)


@dataclass(frozen=True)
class GenerativeModel:
    """A model of one direction or of both.

    Attributes
    ----------
    card
        What the model is: ``format``, ``cineseq`` (version), ``direction``, ``cells``, ``groups``, ``grouped_by``,
        ``folds``, ``genes`` and ``features`` (numbers of columns), ``sampler``, held-out numbers, ``seed``.
    directions
        The model of each direction.
    """

    card: dict[str, Any]
    directions: dict[str, DirectionModel]


def reach_of(latents: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return some training cells, and the 95 % quantile of their distances to the nearest of the others."""
    order = rng.permutation(len(latents))[: 2 * MOST_SEEN]
    seen, others = latents[order[0::2]], latents[order[1::2]]
    return seen, float(np.quantile(nearest_distance(others, seen), USUAL))


CLASSES: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Blocks,
        Condition,
        Conditions,
        CountModel,
        DirectionModel,
        Flow,
        KernelMean,
        LinearMean,
        MeanModel,
        NetworkMean,
        Representation,
        Sampler,
    )
}
"""What a file can hold; anything else in it is refused."""


def save(model: GenerativeModel, path: Path) -> None:
    """Write a model with its card, whole or not at all."""
    from safetensors.numpy import save as packed  # noqa: PLC0415 - only where a model is written

    arrays: dict[str, np.ndarray] = {}
    parts = json.dumps(_encoded(model.directions, arrays), sort_keys=True)
    card = json.dumps(model.card, sort_keys=True)
    metadata = {"format": FORMAT, "card": card, "parts": parts, "sha256": _digest(card, parts, arrays)}
    with replacing(path) as temporary:
        temporary.write_bytes(packed(arrays, metadata=metadata))


def load(path: Path) -> GenerativeModel:
    """Read a model of :func:`save`; nothing in the file is executed.

    Raises
    ------
    UserError
        When the file is of another kind or version, or was changed since it was written.
    """
    from safetensors import safe_open  # noqa: PLC0415 - only where a model is read

    if not Path(path).is_file():
        msg = f"{path}: there is no such file; name a model that the generative step wrote."
        raise UserError(msg)
    advice = "give a model that the generative step wrote"
    with reading(path, "not a generative model", advice), safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    kind = metadata.get("format", "")
    if kind != FORMAT:
        what = f"its format is '{kind}'" if kind else "it holds no format"
        msg = f"{path}: {what}, but '{FORMAT}' is needed; run the generative step with this version of cineseq."
        raise UserError(msg)
    card, parts = metadata.get("card", ""), metadata.get("parts", "")
    if metadata.get("sha256") != _digest(card, parts, arrays):
        msg = f"{path}: the file was changed since it was written (its SHA-256 differs); copy it again or run again."
        raise UserError(msg)
    with reading(path, "not a whole generative model", advice):
        return GenerativeModel(json.loads(card), _decoded(json.loads(parts), arrays))


def _digest(card: str, parts: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(f"{card}\n{parts}".encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _encoded(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return a value as JSON, with its arrays of numbers put into ``arrays``."""
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: _encoded(getattr(value, field.name), arrays) for field in fields(value)}
        return {"class": type(value).__name__, "fields": parts}
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return {"words": [str(word) for word in value]}
        name = f"{len(arrays):05d}"
        arrays[name] = np.ascontiguousarray(value)
        return {"array": name}
    if isinstance(value, dict):
        return {"dict": {key: _encoded(part, arrays) for key, part in value.items()}}
    if isinstance(value, tuple):
        return {"tuple": [_encoded(part, arrays) for part in value]}
    return value.item() if isinstance(value, np.generic) else value


def _decoded(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if not isinstance(value, dict):
        return value
    if "class" in value:
        return CLASSES[value["class"]](**{k: _decoded(part, arrays) for k, part in value["fields"].items()})
    if "array" in value:
        return arrays[value["array"]]
    if "words" in value:
        return np.array(value["words"], dtype=object)
    if "tuple" in value:
        return tuple(_decoded(part, arrays) for part in value["tuple"])
    return {key: _decoded(part, arrays) for key, part in value["dict"].items()}


def generate(
    model: GenerativeModel,
    adata: AnnData,
    direction: str,
    samples: int = 1,
    seed: int = 1,
    *,
    guidance: float = 1.0,
    where: str = "generate",
) -> AnnData:
    """Generate one modality of cells from the other.

    Parameters
    ----------
    model
        From :func:`load` or of a study.
    adata
        Cells with the modality that the direction begins with.
    direction
        ``morphology_to_expression`` or ``expression_to_morphology``.
    samples
        Samples of each cell.
    seed
        Seed of the samples.
    guidance
        Weight of the facts of cells in the flow; above 1 exaggerates what they change. Baselines do not use it.
    where
        What is called, for messages.

    Returns
    -------
    anndata.AnnData
        One row per cell and sample, with ``source_cell``, ``sample_number`` and ``applicability`` (distance to the
        nearest training cell; 1 is what 95 % of training cells do not exceed) in ``obs``. ``X`` are counts, else
        logarithms, of genes, or features; ``layers["expected"]`` the conditional mean (of logarithms), ``obsm
        ["X_generated"]`` the latents, ``uns["generative_model"]`` the card.

    Raises
    ------
    UserError
        When the model does not hold the direction, or a gene, feature or column that it needs is missing.
    """
    import anndata  # noqa: PLC0415 - 4 s

    if direction not in model.directions:
        msg = f"{where}: the model generates {' and '.join(model.directions)}, not '{direction}'; name one of these."
        raise UserError(msg)
    own = model.directions[direction]
    data = paired_of(adata, where)
    values = _source_values(own, data, direction.partition("_to_")[0], where)
    # Conditional mean and samples of latents; the mean in columns of the target.
    facts = own.conditions.facts_of(data.obs, where)
    x = own.conditions.beside(own.source.standardised(values), facts)
    mean = own.mean.predict(x)
    drawn = own.sampler.draw(mean, x, samples, stream(seed, direction), guidance)
    expected = np.column_stack(own.target.inverse(mean))
    if own.counts is None:
        parts = [np.column_stack(own.target.inverse(latents)) for latents in drawn]
    else:
        rng = stream(seed, direction, "counts")
        parts = [own.counts.draw(expected, x, rng) for _ in range(samples)]
    cells = np.tile(data.obs.index.to_numpy(str), samples)
    numbers = np.repeat(np.arange(1, samples + 1), len(data.obs))
    names = [f"{cell}-generated{number}" for cell, number in zip(cells, numbers, strict=True)]
    obs = pd.DataFrame(
        {
            "source_cell": cells,
            "sample_number": numbers,
            "applicability": np.tile(own.applicability(values), samples),
        },
        index=names,
    )
    columns = pd.Index([name for block in own.target_names for name in block], dtype=object)
    made = anndata.AnnData(np.vstack(parts).astype(np.float32), obs=obs, var=pd.DataFrame(index=columns))
    made.layers["expected"] = np.tile(expected, (samples, 1)).astype(np.float32)
    made.obsm["X_generated"] = np.vstack([*drawn]).astype(np.float32)
    made.uns["generative_model"] = {key: str(value) for key, value in model.card.items()}
    return made


def _source_values(own: DirectionModel, data: PairedData, modality: str, where: str) -> list[np.ndarray]:
    """Return the columns that a model needs of each block, shape (cells, columns) each."""
    if modality == MORPHOLOGY:
        frame = pd.concat([data.morphology, data.features, data.embedding], axis=1)
        return [_columns(frame, names, f"{where}: feature") for names in own.source_names]
    expression = expression_of(data)
    if expression is None:
        msg = f"{where}: there are no counts, from which the model generates; add layers['counts']."
        raise UserError(msg)
    missing = [name for name in own.source_names[0] if name not in expression.genes]
    _check_missing(missing, own.source_names[0], f"{where}: gene")
    chosen = expression.genes.get_indexer(list(own.source_names[0]))
    return [logarithms(expression, chosen, own.typical)]


def logarithms(expression: Expression, genes: np.ndarray, typical: float) -> np.ndarray:
    """Return log-normalised expression of some genes, at total counts of the training cells, shape (cells, genes)."""
    if typical <= 0:
        return np.asarray(expression.log[:, genes].toarray(), dtype=np.float64)
    totals = np.asarray(expression.counts.sum(axis=1)).ravel()
    scale = typical / np.where(totals > 0, totals, 1)
    return np.log1p(expression.counts[:, genes].toarray() * scale[:, None])


def _columns(frame: pd.DataFrame, names: tuple[str, ...], what: str) -> np.ndarray:
    known = frame.set_axis(frame.columns.astype(str), axis=1)
    _check_missing([name for name in names if name not in known], names, what)
    return known[list(names)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)


def _check_missing(missing: list[str], names: tuple[str, ...], what: str) -> None:
    if missing:
        others = f" and {count(len(missing) - 1)} more" if len(missing) > 1 else ""
        msg = f"{what} '{missing[0]}'{others} of the {count(len(names))} of the model is missing; add it to adata."
        raise UserError(msg)
