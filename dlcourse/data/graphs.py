"""Graphs: nodes, who is joined to whom, and what is known about the nodes.

The example is Zachary's karate club: 34 members, their friendships, and the quarrel that split the
club in two. From the friendships alone one can nearly always tell who went with whom.
"""

from dataclasses import dataclass

import numpy as np

from . import tables


@dataclass(frozen=True, eq=False)
class Graph:
    """An undirected graph with one class for each node. Nothing changes it.

    Args:
        edges: (E, 2) int64, each edge once.
        targets: (N,) int64, the class of each node.
        classes: names of the classes.
        weights: (E,) float32, or None for 1 everywhere.
        name, source, licence: as in `Dataset`.
    """

    edges: np.ndarray
    targets: np.ndarray
    classes: tuple = ()
    weights: np.ndarray = None
    name: str = "graph"
    source: str = ""
    licence: str = ""

    def __post_init__(self):
        edges = np.asarray(self.edges)
        if edges.ndim != 2 or edges.shape[1] != 2:
            raise ValueError(f"Graph: edges must have shape (E, 2), got {edges.shape}")
        if edges.size and not 0 <= edges.min() <= edges.max() < len(self.targets):
            raise ValueError(
                f"Graph: edges must join nodes 0 .. {len(self.targets) - 1}, "
                f"got {edges.min()} to {edges.max()}"
            )
        weights = np.ones(len(edges), np.float32) if self.weights is None else self.weights
        if len(weights) != len(edges):
            raise ValueError(f"Graph: {len(weights)} weights for {len(edges)} edges")
        for field, values in (("edges", edges), ("targets", self.targets), ("weights", weights)):
            view = np.asarray(values).view()
            view.flags.writeable = False
            object.__setattr__(self, field, view)

    def __len__(self):
        """Number of nodes."""
        return len(self.targets)

    def __repr__(self):
        return f"Graph({self.name}: {len(self)} nodes, {len(self.edges)} edges)"

    def adjacency(self, weighted=False):
        """Matrix A (N, N) float32, symmetric: 1 (or the weight) where two nodes are joined."""
        matrix = np.zeros((len(self), len(self)), np.float32)
        values = self.weights if weighted else 1
        matrix[*self.edges.T] = matrix[*self.edges.T[::-1]] = values
        return matrix

    def neighbors(self, node):
        """Nodes joined to `node`, ascending."""
        if not 0 <= node < len(self):
            raise ValueError(f"neighbors: expected a node in 0 .. {len(self) - 1}, got {node}")
        there, back = (self.edges[self.edges[:, k] == node, 1 - k] for k in (0, 1))
        return np.sort(np.concatenate([there, back]))


def karate_club():
    """Zachary's karate club (1977): 34 members, 78 friendships, and the two clubs it became.

    Node 0 is the teacher, called Mr. Hi, node 33 the club's president John A., called the officer
    in the paper. Targets are the clubs that the members joined; the paper's model of information
    flow foretells all but one, node 8, who went with Mr. Hi for the sake of his black belt. A
    weight is the number of settings outside the club in which the two met.

    The paper's matrix has one entry without its mirror image, between members 23 and 34; with
    nearly everybody since, it counts as a friendship here.

    Returns:
        `Graph` with targets 0, "Mr. Hi", and 1, "officer".
    """
    edges, members = tables.load("karate_edges"), tables.load("karate_members")
    classes = ("Mr. Hi", "officer")
    return Graph(
        np.stack([edges["first"], edges["second"]], axis=1) - 1,
        np.array([classes.index(club) for club in members["club"]], np.int64),
        classes,
        edges["contexts"].astype(np.float32),
        name="karate club",
        source="Zachary (1977), An information flow model for conflict and fission in small groups",
        licence="facts published in 1977, free to use",
    )
