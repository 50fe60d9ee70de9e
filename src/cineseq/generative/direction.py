"""One direction in one outer fold: everything learned in its training cells, and judged in its test cells."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import sparse

from cineseq.generative import judge
from cineseq.generative.conditions import Conditions, learned_conditions
from cineseq.generative.counterfactuals import changes_of
from cineseq.generative.counts import CountModel, fit_counts
from cineseq.generative.means import Learning, MeanModel, fit_mean
from cineseq.generative.model import DirectionModel, reach_of
from cineseq.generative.representations import Blocks, Columns, fit, fit_blocks
from cineseq.generative.sampler_choice import Scores, best_of, inner_scores, scores_of
from cineseq.generative.samplers import SPREAD, Residuals, Sampler, fit_sampler
from cineseq.prediction.crossval.folds import FoldPlan, inner_splits
from cineseq.statistics.streams import child_seed, stream

CLASS_MEAN = "class_mean"
SMALLEST_RATIO = 0.1
SPLITS = 5


@dataclass(frozen=True)
class Modality:
    """What is known of one modality.

    Attributes
    ----------
    blocks
        Columns of each block, shape (cells, columns) each; those of genes may be sparse.
    names
        Names of the columns of each block.
    components
        Most components of each block.
    genes
        Whether columns are genes, which are chosen in training cells.
    counts, libraries, typical
        Counts of the genes, shape (cells, genes), or None; total counts of cells, shape (cells,); total counts to which
        logarithms are normalised.
    """

    blocks: tuple[Columns, ...]
    names: tuple[tuple[str, ...], ...]
    components: int
    genes: bool = False
    counts: sparse.csr_matrix | None = None
    libraries: np.ndarray | None = None
    typical: float = 0.0

    def learned(self, train: np.ndarray, learning: Learning) -> Blocks:
        """Return the representation that training cells give."""
        if self.genes:
            part = fit(
                self.blocks[0],
                train,
                components=self.components,
                genes=True,
                min_detected=learning.min_detected,
                max_columns=learning.max_genes,
            )
            return Blocks((part,), (1.0,))
        return fit_blocks(self.blocks, train, components=self.components)

    def rows(self, cells: np.ndarray) -> list[Columns]:
        """Return the blocks of some cells."""
        return [block[cells] for block in self.blocks]


@dataclass(frozen=True)
class Direction:
    """The data of one direction: the modality that is given, the one that is generated, folds, classes and facts.

    Facts are columns that are given beside the modality, one row per cell. Cells are also generated under the other
    values of the fact ``changed``; None: under their own values only.
    """

    name: str
    source: Modality
    target: Modality
    plan: FoldPlan
    classes: np.ndarray
    learning: Learning
    facts: pd.DataFrame
    changed: str | None = None

    @classmethod
    def of(
        cls,
        name: str,
        sides: dict[str, Modality],
        plan: FoldPlan,
        classes: np.ndarray,
        learning: Learning,
        *,
        facts: pd.DataFrame | None = None,
        changed: str | None = None,
    ) -> Direction:
        """Return the direction that its name says."""
        source, target = name.split("_to_")
        known = pd.DataFrame(index=range(len(classes))) if facts is None else facts
        return cls(name, sides[source], sides[target], plan, classes, learning, known, changed)


@dataclass(frozen=True)
class FoldGenes:
    """Genes of test cells.

    Attributes
    ----------
    columns
        Positions of the genes that were kept.
    expected
        Conditional means of test cells, shape (cells, kept).
    mean
        Means of training cells, shape (kept,).
    moments
        Sums over test cells of the expected counts and squared counts that are generated, shape (2, kept); None where
        there are no counts.
    """

    columns: np.ndarray
    expected: np.ndarray
    mean: np.ndarray
    moments: np.ndarray | None


@dataclass(frozen=True)
class JudgedFold:
    """Test cells of one fold, and what was predicted and generated for them.

    Attributes
    ----------
    test
        Their positions, shape (cells,).
    classes
        Their classes.
    real, baseline
        Latents of the target, shape (cells, latents), and the mean of the training cells.
    by_learner
        Conditional means, of each learner, of ``class_mean``, and ``chosen``.
    learner
        Learner of each latent.
    genes
        What is expected of genes; None where the target is not genes.
    sampler
        The sampler that inner folds of the training cells choose; empty in folds that are not judged.
    inner, scores, judged, predicted, samples
        By sampler: scores in the inner folds and of the test cells, measures by name and source, predicted classes by
        source, and one sample. Empty in folds that are not judged.
    ranks
        Pair-match rank of each cell, by the conditional mean.
    changes
        Mean change of the target under another value of the fact that is changed, in standard deviations: one row per
        own value, other value and group, one column per gene or feature. Without rows where nothing is changed.
    """

    test: np.ndarray
    classes: np.ndarray
    real: np.ndarray
    baseline: np.ndarray
    by_learner: dict[str, np.ndarray]
    learner: np.ndarray
    genes: FoldGenes | None
    sampler: str
    inner: dict[str, Scores]
    scores: dict[str, Scores]
    judged: dict[str, dict[tuple[str, str], float]]
    predicted: dict[str, dict[str, np.ndarray]]
    samples: dict[str, np.ndarray]
    ranks: np.ndarray
    changes: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Learned:
    """Representations, facts, predictors, targets, conditional mean and held-out residuals of training cells."""

    source: Blocks
    target: Blocks
    conditions: Conditions
    x: np.ndarray
    y: np.ndarray
    mean: MeanModel
    residuals: Residuals

    def predictors(self, data: Direction, cells: np.ndarray, facts: pd.DataFrame | None = None) -> np.ndarray:
        """Return the predictors of cells, with their own facts or others."""
        own = data.facts.iloc[cells] if facts is None else facts
        return self.conditions.beside(self.source.standardised(data.source.rows(cells)), own)

    def given(self, data: Direction, cells: np.ndarray) -> np.ndarray:
        """Return latents and facts that cells are generated from, as a classifier sees them."""
        latents = self.source.transform(data.source.rows(cells))
        return np.column_stack([latents, self.conditions.coded(data.facts.iloc[cells])])


def learn(data: Direction, train: np.ndarray, seed: int) -> Learned:
    """Learn representations and the conditional mean in training cells."""
    source, target = data.source.learned(train, data.learning), data.target.learned(train, data.learning)
    x, y = source.standardised(data.source.rows(train)), target.transform(data.target.rows(train))
    facts = data.facts.iloc[train]
    conditions = learned_conditions(facts).weighted_for(x)
    x = conditions.beside(x, facts)
    units = np.unique(data.plan.units[train], return_inverse=True)[1]
    mean = fit_mean(x, y, units, seed, data.learning)
    values = (y - mean.held_out) * _shrinkage(data, train, units, y.shape[1])
    coded = conditions.coded(facts).shape[1]
    return Learned(source, target, conditions, x, y, mean, Residuals(x, mean.held_out, values, units, coded))


def _shrinkage(data: Direction, train: np.ndarray, units: np.ndarray, latents: int) -> np.ndarray:
    """Return the factor of the residuals of each latent that gives samples the variance of other cells.

    Scores along principal axes vary more in the cells that the axes were fitted to than in others. By how much is seen
    by axes that are fitted to most of the training cells, by their rank.
    """
    ratios = []
    for own, held in inner_splits(units, SPLITS):
        part = data.target.learned(train[own], data.learning)
        inside, outside = (part.transform(data.target.rows(train[rows])) for rows in (own, held))
        ratio = np.square(outside).mean(axis=0) / np.square(inside).mean(axis=0)
        ratios.append(np.pad(ratio[:latents], (0, max(0, latents - len(ratio))), mode="edge"))
    return np.sqrt(np.clip(np.mean(ratios, axis=0), SMALLEST_RATIO, 1))


def held_out(data: Direction, fold: int, samplers: tuple[str, ...], seed: int) -> JudgedFold:
    """Learn one direction in the training cells of a fold, choose a sampler there, and judge it by the test cells.

    Parameters
    ----------
    data
        The direction.
    fold
        Number of the outer fold.
    samplers
        Samplers to judge; none: conditional means only.
    seed
        Seed of everything random.
    """
    train, test = data.plan.splits()[fold]
    own = learn(data, train, seed)
    x, real = own.predictors(data, test), own.target.transform(data.target.rows(test))
    guesses = own.mean.by_learner(x)
    mean = own.mean.choose(guesses, len(test))
    class_mean = _class_means(own.y, data.classes[train], data.classes[test])
    genes = _genes(data, train, own, x, mean, seed=seed) if data.target.genes else None
    given = own.given(data, train) if samplers else own.x[:0]
    inner = inner_scores(samplers, own.residuals, given, data.learning.inner, seed)
    found = JudgedFold(
        test=test,
        classes=data.classes[test],
        real=real,
        baseline=own.mean.baseline,
        by_learner=guesses | {CLASS_MEAN: class_mean, "chosen": mean},
        learner=own.mean.learner,
        genes=genes,
        sampler=best_of(inner) if inner else "",
        inner=inner,
        scores={},
        judged={},
        predicted={},
        samples={},
        ranks=judge.pair_match_ranks(real, mean),
    )
    condition = own.given(data, test)
    for name in samplers:
        sampler = fit_sampler(name, own.residuals, child_seed(seed, name))
        drawn = sampler.draw(mean, x, judge.SAMPLES, stream(seed, name, "draw"))
        found.scores[name] = scores_of(drawn, real, condition, data.plan.units[test], child_seed(seed, "c2st"))
        found.samples[name] = drawn[0]
        found.judged[name], found.predicted[name] = _judged(data.classes[train].astype(str), own, found, name, seed)
        if name == found.sampler:
            found = replace(found, changes=changes_of(data, own, test, sampler, child_seed(seed, "changed")))
    return found


def final_model(data: Direction, sampler: str, seed: int) -> DirectionModel:
    """Learn one direction in all cells, with the sampler that held-out cells have chosen."""
    cells = np.arange(len(data.classes))
    own = learn(data, cells, seed)
    made: Sampler = fit_sampler(sampler, own.residuals, child_seed(seed, sampler))
    counts = _counts(data, cells, own, seed) if data.target.counts is not None else None
    if counts is not None:
        counts = replace(counts, library=_slim(counts.library))
    seen, usual = reach_of(own.source.transform(data.source.rows(cells)), stream(seed, "seen"))
    spread = None if made.spread is None else _slim(made.spread)
    return DirectionModel(
        source=_narrowed(own.source),
        target=_narrowed(own.target),
        source_names=_kept_names(data.source, own.source),
        target_names=_kept_names(data.target, own.target),
        conditions=own.conditions,
        mean=_slim(own.mean),
        sampler=replace(made.slim(), spread=spread),
        counts=counts,
        seen=seen,
        usual=usual,
        typical=max(data.source.typical, data.target.typical),
    )


def _genes(
    data: Direction, train: np.ndarray, own: Learned, x: np.ndarray, mean: np.ndarray, *, seed: int
) -> FoldGenes:
    """Return the genes of test cells, from the conditional mean of their latents."""
    part = own.target.parts[0]
    expected = part.inverse(mean)
    moments = None if data.target.counts is None else _counts(data, train, own, seed).moments(expected, x)
    return FoldGenes(part.columns, expected.astype(np.float32), part.centre, moments)


def _counts(data: Direction, train: np.ndarray, own: Learned, seed: int) -> CountModel:
    part, side = own.target.parts[0], data.target
    if side.counts is None or side.libraries is None:
        msg = "counts of the target are needed"
        raise ValueError(msg)
    measured = side.counts[train][:, part.columns].toarray()
    libraries = np.maximum(side.libraries[train], 1.0)
    library = fit_mean(own.x, np.log(libraries)[:, None], own.residuals.units, child_seed(seed, "library"), SPREAD)
    return fit_counts(measured, part.inverse(own.mean.held_out), library, libraries, side.typical)


def _judged(
    labels: np.ndarray, own: Learned, found: JudgedFold, name: str, seed: int
) -> tuple[dict[tuple[str, str], float], dict[str, np.ndarray]]:
    """Return measures of one sample of the test cells beside those of baselines and of real cells."""
    order = stream(seed, "shuffled").permutation(len(found.test))
    sources = {
        "generated": found.samples[name],
        CLASS_MEAN: found.by_learner[CLASS_MEAN],
        "shuffled": found.samples[name][order],
        "real": found.real,
    }
    classes = found.classes.astype(str)
    values: dict[tuple[str, str], float] = {}
    predicted: dict[str, np.ndarray] = {}
    if len(np.unique(labels)) > 1:
        predicted = judge.predicted_classes(own.y, labels, sources)
        for source, guess in predicted.items():
            values["macro_f1", source] = judge.macro_f1(classes, guess)
            values["purity", source] = judge.purity(sources[source], classes, own.y, labels)
    else:
        values["macro_f1", "generated"] = values["purity", "generated"] = float("nan")
    for source in ("generated", CLASS_MEAN, "shuffled"):
        values["pair_match_rank", source] = float(judge.pair_match_ranks(found.real, sources[source]).mean())
        values["nearest_training", source] = judge.memorisation(sources[source], found.real, own.y)
    values["pair_match_rank", "mean"] = float(found.ranks.mean())
    return values, predicted


def _class_means(y: np.ndarray, labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the training mean of the class of each test cell; the overall mean for an unseen class."""
    found = np.tile(y.mean(axis=0), (len(wanted), 1))
    for label in np.unique(wanted.astype(str)):
        own = labels.astype(str) == label
        if own.any():
            found[wanted.astype(str) == label] = y[own].mean(axis=0)
    return found


def _slim(model: MeanModel) -> MeanModel:
    """Return a model without what it predicted of its training cells."""
    return replace(model, held_out=model.held_out[:0])


def _narrowed(blocks: Blocks) -> Blocks:
    """Return the representation of tables that hold the kept columns only."""
    parts = tuple(replace(part, columns=np.arange(len(part.columns))) for part in blocks.parts)
    return replace(blocks, parts=parts)


def _kept_names(side: Modality, blocks: Blocks) -> tuple[tuple[str, ...], ...]:
    parts = zip(side.names, blocks.parts, strict=True)
    return tuple(tuple(names[k] for k in part.columns) for names, part in parts)
