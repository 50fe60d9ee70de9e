"""Learners of a conditional mean: ridge, partial least squares and kernel ridge; penalties by inner folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.spatial.distance import cdist

from cineseq.prediction.crossval.elastic_net import Split

PENALTIES = np.geomspace(1e-4, 1e3, 15)
"""Penalties of ridge relative to the mean eigenvalue, and of kernel ridge; an infinite one is added."""
WIDTHS = (0.05, 0.2, 0.8)
"""Exponents of the Gaussian kernel at the median squared distance of the landmarks."""
LANDMARKS = 600
"""Kernel ridge is exact up to as many training cells; with more it is the Nystroem approximation."""
JITTER = 1e-6
MOST_PLS = 20
CHUNK = 4096
"""Cells that are predicted at a time."""


@dataclass(frozen=True)
class LinearMean:
    """A linear function: ``weights`` of shape (predictors, targets), ``intercept`` of shape (targets,)."""

    weights: np.ndarray
    intercept: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the values of cells, shape (cells, targets)."""
        return x @ self.weights + self.intercept


@dataclass(frozen=True)
class KernelMean:
    """A sum of Gaussian functions.

    Attributes
    ----------
    landmarks
        Their centres, shape (landmarks, predictors).
    weights
        Shape (landmarks, targets).
    intercept
        Shape (targets,).
    width
        Factor of the squared distance in the exponent.
    """

    landmarks: np.ndarray
    weights: np.ndarray
    intercept: np.ndarray
    width: float

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the values of cells, shape (cells, targets)."""
        found = np.empty((len(x), self.weights.shape[1]))
        for start in range(0, len(x), CHUNK):
            rows = slice(start, start + CHUNK)
            found[rows] = gaussian_kernel(x[rows], self.landmarks, self.width) @ self.weights
        return found + self.intercept


@dataclass(frozen=True)
class Tuned:
    """A learner that was fitted to training cells, with what its inner folds predicted of them.

    Attributes
    ----------
    model
        Fitted to all training cells.
    held_out
        Predictions of the training cells by the inner folds, shape (training cells, targets).
    """

    model: LinearMean | KernelMean
    held_out: np.ndarray


@dataclass(frozen=True)
class _Moments:
    """Sums over cells: their number, of features (p,), targets (q,), features' (p, p) and crossed products (p, q)."""

    cells: int
    x: np.ndarray
    y: np.ndarray
    square: np.ndarray
    crossed: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray) -> _Moments:
        return cls(len(x), x.sum(axis=0), y.sum(axis=0), x.T @ x, x.T @ y)

    def without(self, other: _Moments) -> _Moments:
        """Return the sums without those of some of the cells."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("x", "y", "square", "crossed"))
        return _Moments(self.cells - other.cells, *(a - b for a, b in pairs))

    def centred(self) -> tuple[np.ndarray, np.ndarray]:
        """Return products of the centred features, shape (p, p), and of them with the targets, shape (p, q)."""
        return (
            self.square - np.outer(self.x, self.x) / self.cells,
            self.crossed - np.outer(self.x, self.y) / self.cells,
        )


@dataclass(frozen=True)
class _Path:
    """Ridge regression at every penalty, in the eigenbasis of the centred features.

    Attributes
    ----------
    values, vectors
        Eigenvalues (p,) and eigenvectors (p, p) of the centred features.
    turned
        Products with the targets in the basis, shape (p, q).
    x, y
        Means of features and targets.
    """

    values: np.ndarray
    vectors: np.ndarray
    turned: np.ndarray
    x: np.ndarray
    y: np.ndarray

    @classmethod
    def of(cls, moments: _Moments) -> _Path:
        square, crossed = moments.centred()
        values, vectors = np.linalg.eigh(square)
        turned = vectors.T @ crossed
        return cls(np.maximum(values, 0), vectors, turned, moments.x / moments.cells, moments.y / moments.cells)

    def coefficients(self, penalty: np.ndarray) -> np.ndarray:
        """Return coefficients in the basis at one penalty, or at one for each target, shape (p, q)."""
        # An infinite penalty gives 0; where penalty and eigenvalue vanish, so does the product with the targets.
        return self.turned / np.maximum(self.values[:, None] + penalty, 1e-12)

    def errors(self, x: np.ndarray, y: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """Return the squared error in cells at every penalty, shape (penalties, q)."""
        seen, wanted = (x - self.x) @ self.vectors, y - self.y
        return np.array([np.square(wanted - seen @ self.coefficients(p)).sum(axis=0) for p in penalties])

    def predict(self, x: np.ndarray, penalty: np.ndarray) -> np.ndarray:
        """Return predictions at one penalty for each target, shape (cells, q)."""
        return self.y + (x - self.x) @ self.vectors @ self.coefficients(penalty)

    def linear(self, penalty: np.ndarray) -> LinearMean:
        weights = self.vectors @ self.coefficients(penalty)
        return LinearMean(weights, self.y - self.x @ weights)


def ridge(x: np.ndarray, y: np.ndarray, inner: list[Split]) -> Tuned:
    """Fit ridge regression with a penalty for each target.

    Parameters
    ----------
    x, y
        Shapes (cells, predictors) and (cells, targets).
    inner
        Positions of inner training and validation cells.

    References
    ----------
    Hoerl and Kennard, Technometrics 12 (1970) 55.
    """
    # With more predictors than cells, principal components of all cells span the same space at the same distances.
    axes = None
    if x.shape[1] > len(x):
        values, left = np.linalg.eigh(x @ x.T)
        seen = values > values[-1] * 1e-10
        axes = (x.T @ left[:, seen]) / np.sqrt(values[seen])
    found, _ = _tuned(x if axes is None else x @ axes, y, inner, relative=True)
    if axes is None:
        return found
    model = found.model
    return Tuned(LinearMean(axes @ model.weights, model.intercept), found.held_out)


def kernel_ridge(x: np.ndarray, y: np.ndarray, inner: list[Split], rng: np.random.Generator) -> Tuned:
    """Fit kernel ridge regression with a Gaussian kernel, its width for all targets and a penalty for each.

    Parameters
    ----------
    x, y, inner
        As in :func:`ridge`.
    rng
        Draws the landmarks.

    References
    ----------
    Saunders, Gammerman and Vovk, ICML (1998) 515; Williams and Seeger, NeurIPS 13 (2000) 682 (Nystroem).
    """
    landmarks = x if len(x) <= LANDMARKS else x[np.sort(rng.choice(len(x), LANDMARKS, replace=False))]
    between = cdist(landmarks, landmarks, "sqeuclidean")
    middle = float(np.median(between[between > 0])) if (between > 0).any() else 1.0
    # The width by the first inner fold, then all folds at that width.
    tried = [_tuned(_features(x, landmarks, w / middle)[0], y, inner[:1], relative=False)[1] for w in WIDTHS]
    width = WIDTHS[int(np.argmin([error.sum() for error in tried]))] / middle
    features, root = _features(x, landmarks, width)
    found, _ = _tuned(features, y, inner, relative=False)
    weights = solve_triangular(root, found.model.weights, lower=True, trans="T")
    return Tuned(KernelMean(landmarks, weights, found.model.intercept, width), found.held_out)


def partial_least_squares(x: np.ndarray, y: np.ndarray, inner: list[Split]) -> Tuned:
    """Fit partial least squares of all targets together; the number of components is chosen by the inner folds.

    Parameters are those of :func:`ridge`.

    References
    ----------
    De Jong, Chemom. Intell. Lab. Syst. 18 (1993) 251 (SIMPLS).
    """
    most = min(MOST_PLS, x.shape[1], y.shape[1] * 4, len(x) // 4)
    whole = _Moments.of(x, y)
    errors, paths = np.zeros(most), []
    for _, held in inner:
        own = whole.without(_Moments.of(x[held], y[held]))
        weights = _pls_path(own, most)
        paths.append((held, own, weights))
        errors += [np.square(y[held] - _centred_linear(own, w).predict(x[held])).sum() for w in weights]
    best = int(errors.argmin())
    held_out = np.empty_like(y)
    for held, own, weights in paths:
        held_out[held] = _centred_linear(own, weights[best]).predict(x[held])
    return Tuned(_centred_linear(whole, _pls_path(whole, best + 1)[best]), held_out)


def gaussian_kernel(x: np.ndarray, landmarks: np.ndarray, width: float) -> np.ndarray:
    """Return exp(-width times squared distance), shape (cells, landmarks)."""
    square = np.square(x).sum(axis=1)[:, None] + np.square(landmarks).sum(axis=1) - 2 * x @ landmarks.T
    return np.exp(-width * np.maximum(square, 0))


def _features(x: np.ndarray, landmarks: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return features whose products are the kernel, shape (cells, landmarks), and the root that makes them."""
    root = np.linalg.cholesky(gaussian_kernel(landmarks, landmarks, width) + JITTER * np.eye(len(landmarks)))
    features = np.empty((len(x), len(landmarks)))
    for start in range(0, len(x), CHUNK):
        rows = slice(start, start + CHUNK)
        features[rows] = solve_triangular(root, gaussian_kernel(landmarks, x[rows], width), lower=True).T
    return features, root


def _tuned(features: np.ndarray, y: np.ndarray, inner: list[Split], *, relative: bool) -> tuple[Tuned, np.ndarray]:
    """Return ridge regression with the penalty of least inner error of each target, and that error, shape (targets,).

    Cells that no inner fold holds out are predicted by their mean.
    """
    whole = _Moments.of(features, y)
    scale = np.trace(whole.centred()[0]) / features.shape[1] if relative else 1.0
    penalties = np.append(PENALTIES * max(scale, 1e-12), np.inf)
    # Inner folds: errors at every penalty, shape (penalties, targets).
    errors, paths = np.zeros((len(penalties), y.shape[1])), []
    for _, held in inner:
        path = _Path.of(whole.without(_Moments.of(features[held], y[held])))
        errors += path.errors(features[held], y[held], penalties)
        paths.append((held, path))
    penalty = penalties[errors.argmin(axis=0)]
    held_out = np.tile(y.mean(axis=0), (len(y), 1))
    for held, path in paths:
        held_out[held] = path.predict(features[held], penalty)
    return Tuned(_Path.of(whole).linear(penalty), held_out), errors.min(axis=0)


def _pls_path(moments: _Moments, most: int) -> list[np.ndarray]:
    """Return the coefficients with 1, 2, ..., ``most`` components, shape (predictors, targets) each."""
    square, crossed = moments.centred()
    left, found = crossed.copy(), []
    directions, loadings = np.zeros((len(square), 0)), np.zeros((len(square), 0))
    for _ in range(most):
        # Direction of the largest covariance with the targets that is left; it goes on where nothing is left.
        direction = np.linalg.svd(left, full_matrices=False)[0][:, 0]
        size = float(direction @ square @ direction)
        if size > 1e-10 * np.trace(square):
            direction = direction / np.sqrt(size)
            loading = square @ direction
            loading = loading - loadings @ (loadings.T @ loading)
            loading = loading / max(float(np.linalg.norm(loading)), 1e-12)
            left = left - np.outer(loading, loading @ left)
            directions, loadings = np.column_stack([directions, direction]), np.column_stack([loadings, loading])
        found.append(directions @ (directions.T @ crossed))
    return found


def _centred_linear(moments: _Moments, weights: np.ndarray) -> LinearMean:
    return LinearMean(weights, (moments.y - moments.x @ weights) / moments.cells)
