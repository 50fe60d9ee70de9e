"""Probabilities of events that exclude each other: sum-product belief propagation on a packing problem.

Every candidate event (a link, a division, a closed gap) uses the end of one object and the beginning of one or two
others, and each of these is used at most once. The probability of a set of events is proportional to the product of
their odds. The marginal probability of each event under this distribution is approximated by loopy belief propagation
(Kschischang, Frey and Loeliger 2001, IEEE Trans. Inf. Theory 47, 498). What an object becomes is one variable, so it is
exact where objects and what they may become form a tree, and close elsewhere (on one-to-one matchings: Vontobel 2013,
IEEE Trans. Inf. Theory 59, 1866).
"""

from __future__ import annotations

import numpy as np

DAMPING = 0.3
"""Share of the old message that is kept, so that messages do not oscillate."""
TOLERANCE = 1e-3
"""Largest change of a message, in log odds, at which propagation has converged."""
LARGEST = 35.0
"""Largest log odds that is distinguished; sums of odds are exact up to it."""
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
        Resources that each event uses, numbers from 0: the end of an object, the beginning of another one, and that of
        a second one or -1. Shape (events, 3).
    resources
        Number of resources.
    rounds
        Largest number of rounds of messages.

    Returns
    -------
    numpy.ndarray
        Shape (events,).
    """
    # A claim is that the object that ends has become the one that begins: one or two of each event; ``none`` stands for
    # a missing second one. Events of the same object with a common claim are no loop then.
    source, births = uses[:, 0], np.flatnonzero(uses[:, 2] >= 0)
    codes = source[:, None] * resources + uses[:, 1:]
    claims, number = np.unique(np.r_[codes[:, 0], codes[births, 1]], return_inverse=True)
    claimant, claimed = np.divmod(claims, resources)
    none = len(claims)
    first, second = number[: len(source)], np.full(len(source), none)
    second[births] = number[len(source) :]
    # Messages to claims: log of how free the claimed object is of all other claims, shape (claims + 1,).
    message = np.zeros(none + 1)
    for _ in range(rounds):
        odds, total = _odds(log_odds, source, message[first] + message[second], resources)
        # Odds of each claim without what the claimed object said, shape (claims,).
        own = np.bincount(first, odds, none) + np.bincount(second[births], odds[births], none)
        other = np.maximum(total[claimant] - own, 1.0)
        ratio = own / other * np.exp(-message[:-1])
        # From objects to claims: one over one plus the odds of all other claims.
        rivals = np.maximum(np.bincount(claimed, ratio, resources)[claimed] - ratio, 0.0)
        new = -np.log1p(rivals)
        change = float(np.abs(new - message[:-1]).max(initial=0.0))
        message[:-1] = DAMPING * message[:-1] + (1 - DAMPING) * new
        if change < TOLERANCE:
            break
    odds, total = _odds(log_odds, source, message[first] + message[second], resources)
    found = odds / total[source]
    # Where messages oscillate, claims of one object may add up to more than 1, shape (resources,).
    begun = np.bincount(uses[:, 1], found, resources) + np.bincount(uses[births, 2], found[births], resources)
    over = np.maximum(begun, 1.0)
    return found / np.maximum(over[uses[:, 1]], np.where(uses[:, 2] >= 0, over[uses[:, 2]], 1.0))


def _odds(log_odds: np.ndarray, source: np.ndarray, free: np.ndarray, resources: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the odds of events, shape (events,), and one plus their sum by the object that they end, (resources,)."""
    odds = np.exp(np.clip(log_odds + free, -LARGEST, LARGEST))
    return odds, 1 + np.bincount(source, odds, resources)
