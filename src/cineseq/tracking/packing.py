"""The best set of events that exclude each other: an integer programme, split into its connected components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

SECONDS = 20.0
"""Time that the solver has for one component, or for all small components together."""
SMALL = 200
"""Number of events up to which components are solved together."""


@dataclass(frozen=True)
class Packing:
    """A set of events.

    Attributes
    ----------
    taken
        Which events are in the set, shape (events,).
    components
        Number of connected components in which events compete.
    largest
        Number of events of the largest of them.
    unfinished
        Number of components that the solver did not finish; the best events were taken there one by one.
    """

    taken: np.ndarray
    components: int
    largest: int
    unfinished: int


def best_packing(value: np.ndarray, uses: np.ndarray, seconds: float = SECONDS) -> Packing:
    """Return the set of events with the largest total value in which no resource is used twice.

    A set packing, solved exactly by the integer programming solver HiGHS (Huangfu and Hall 2018, Math. Prog. Comp. 10,
    119) in SciPy. Events without a competitor are taken at once. A component that the solver does not finish in its
    time is packed greedily, by falling value.

    Parameters
    ----------
    value
        Value of each event; those that are not above 0 are never taken. Shape (events,).
    uses
        Resources that each event uses, from 0; -1 fills rows. Shape (events, k).
    seconds
        Time limit of the solver.
    """
    taken = np.zeros(len(value), bool)
    good = np.flatnonzero(value > 0)
    if len(good) == 0:
        return Packing(taken, 0, 0, 0)
    component = _components(uses[good])
    size = np.bincount(component)
    taken[good[size[component] == 1]] = True
    # All small components in one programme, each large one in its own.
    small = (size[component] > 1) & (size[component] <= SMALL)
    programmes = [good[small]] + [good[component == c] for c in np.flatnonzero(size > SMALL)]
    unfinished = 0
    for events in programmes:
        if len(events):
            chosen, finished = _solved(value[events], uses[events], seconds)
            taken[events] = chosen
            unfinished += not finished
    return Packing(taken, int((size > 1).sum()), int(size.max()), unfinished)


def _components(uses: np.ndarray) -> np.ndarray:
    """Return the connected component of each event, numbered from 0, shape (events,)."""
    event, column = np.nonzero(uses >= 0)
    _, resource = np.unique(uses[event, column], return_inverse=True)
    n = len(uses)
    nodes = n + int(resource.max()) + 1
    graph = coo_matrix((np.ones(len(event), bool), (event, n + resource)), shape=(nodes, nodes))
    return np.unique(connected_components(graph, directed=False)[1][:n], return_inverse=True)[1]


def _solved(value: np.ndarray, uses: np.ndarray, seconds: float) -> tuple[np.ndarray, bool]:
    """Return which events are taken, and whether the solver finished."""
    event, column = np.nonzero(uses >= 0)
    _, resource = np.unique(uses[event, column], return_inverse=True)
    once = csr_matrix((np.ones(len(event)), (resource, event)))
    solution = milp(
        -value,
        constraints=LinearConstraint(once, -np.inf, 1),
        bounds=Bounds(0, 1),
        integrality=np.ones(len(value)),
        options={"time_limit": seconds},
    )
    if solution.status == 0:
        return solution.x > 0.5, True
    return _greedy(value, uses), False


def _greedy(value: np.ndarray, uses: np.ndarray) -> np.ndarray:
    """Take events by falling value where their resources are free."""
    taken = np.zeros(len(value), bool)
    used: set[int] = set()
    for event in np.argsort(-value, kind="stable"):
        resources = [r for r in uses[event].tolist() if r >= 0]
        if used.isdisjoint(resources):
            taken[event] = True
            used.update(resources)
    return taken
