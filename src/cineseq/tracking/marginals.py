"""Probabilities of events that exclude each other: sum-product belief propagation on a packing problem.

Every candidate event (a link, a division, a closed gap) uses some resources: the end of one object and the beginning
of one or two others. A resource is used at most once. The probability of a set of events is proportional to the product
of their odds. The marginal probability of each event under this distribution is approximated by loopy belief
propagation (Kschischang, Frey and Loeliger 2001, IEEE Trans. Inf. Theory 47, 498); on one-to-one matchings it is
exact in the limit of trees and close elsewhere (Vontobel 2013, IEEE Trans. Inf. Theory 59, 1866).
"""

from __future__ import annotations

import numpy as np

DAMPING = 0.3
"""Share of the old message that is kept, so that messages do not oscillate."""
TOLERANCE = 1e-3
"""Largest change of a message, in log odds, at which propagation has converged."""
LARGEST = 60.0
"""Largest log odds that is distinguished."""
LEAST_ODDS = -8.0
"""Log odds below which an event is not considered."""


def probabilities(log_odds: np.ndarray, uses: np.ndarray, resources: int, rounds: int) -> np.ndarray:
    """Return the probability of every event as :func:`marginals` does, 0 for those that are out of the question."""
    possible = log_odds > LEAST_ODDS
    found = np.zeros(len(log_odds))
    found[possible] = marginals(log_odds[possible], uses[possible], resources, rounds)
    return found


def marginals(log_odds: np.ndarray, uses: np.ndarray, resources: int, rounds: int) -> np.ndarray:
    """Return the probability of every event.

    Parameters
    ----------
    log_odds
        Log odds of each event against none of it, as if nothing else used its resources, shape (events,).
    uses
        Resources that each event uses, numbers from 0; -1 fills the row of an event that uses fewer, shape (events, k).
    resources
        Number of resources.
    rounds
        Largest number of rounds of messages.

    Returns
    -------
    numpy.ndarray
        Shape (events,).
    """
    absent = uses < 0
    used = np.where(absent, resources, uses)
    flat = used.ravel()
    # Messages from resources to events: log of how free a resource is of all other events, shape (events, k).
    message = np.zeros(uses.shape)
    for _ in range(rounds):
        # From events to resources: the log odds of the event without what this resource said.
        total = log_odds + message.sum(axis=1)
        odds = np.exp(np.clip(total[:, None] - message, -LARGEST, LARGEST))
        odds[absent] = 0.0
        # From resources to events: one over one plus the odds of all other events of the resource.
        others = np.bincount(flat, odds.ravel(), resources + 1)[used] - odds
        new = -np.log1p(np.maximum(others, 0.0))
        new[absent] = 0.0
        change = float(np.abs(new - message).max(initial=0.0))
        message = DAMPING * message + (1 - DAMPING) * new
        if change < TOLERANCE:
            break
    found = 1 / (1 + np.exp(-np.clip(log_odds + message.sum(axis=1), -LARGEST, LARGEST)))
    # Where messages oscillate, events that exclude each other may add up to more than 1, shape (resources + 1,).
    total = np.bincount(flat, np.where(absent, 0.0, found[:, None]).ravel(), resources + 1)
    return found / np.maximum(total, 1.0)[used].max(axis=1, initial=1.0)
