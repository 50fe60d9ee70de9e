"""Labels of any size: time and memory go with the pixels of a frame, not with its largest label.

Labels that are unique in a whole movie reach tens of millions (Ultrack, spots of TrackMate). Arrays with an entry for
every value up to the largest, as in ``scipy.ndimage.find_objects`` and ``numpy.bincount``, would take gigabytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def renumbered(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels that are at most the number of pixels, in the same order, and the original of each.

    Parameters
    ----------
    labels
        Label image, any shape; 0 for background.

    Returns
    -------
    tuple of numpy.ndarray
        The label image, unchanged if no label is above the number of its pixels, else numbered from 1 without gaps.
        Then the label that each number had, indexed by it; its first entry is 0.
    """
    highest = int(labels.max(initial=0))
    if highest <= labels.size:
        return labels, np.arange(highest + 1)
    names, index = np.unique(np.append(0, labels.ravel()), return_inverse=True)
    return index[1:].reshape(labels.shape).astype(np.int32 if len(names) < 2**31 else np.int64), names


def painted(labels: np.ndarray, known: ArrayLike, values: ArrayLike, otherwise: ArrayLike = 0) -> np.ndarray:
    """Return an image that shows a value for each label.

    Parameters
    ----------
    labels
        Label image, any shape.
    known, values
        Labels and the value of each, shapes (labels,) and (labels, ...).
    otherwise
        Value of the background and of other labels.

    Returns
    -------
    numpy.ndarray
        Shape of ``labels``, followed by that of a value.
    """
    small, names = renumbered(labels)
    shown, of_known = np.asarray(known), np.asarray(values)
    table = np.empty((len(names), *of_known.shape[1:]), np.result_type(of_known, np.asarray(otherwise)))
    table[:] = otherwise
    at = np.searchsorted(names, shown)
    there = (shown > 0) & (at < len(names))
    there[there] = names[at[there]] == shown[there]
    table[at[there]] = of_known[there]
    return table[small]
