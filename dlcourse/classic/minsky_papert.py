"""What one layer cannot do, computed: the critique of 1969 as a program.

A unit that separates two classes, and a proof that none exists, are two sides of one question: how
near to the origin does the convex hull of the examples come? Minsky and Papert asked it for
perceptrons that look at parts of a picture, and found that parity needs a part as large as the
whole.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from .inputs import matrix, signs, two_valued, with_one


@dataclass(frozen=True, eq=False)
class Separation:
    """Either a unit that separates the data, or a proof that none does.

    Args:
        separable: which of the two it is.
        weights: (D + 1,) of length 1, with the largest margin, the constant last; None without.
        margin: the smallest y (w.x); 0 if there is no such unit.
        certificate: (N,) shares >= 0 with sum 1. If `separable` they are the support vectors'; if
            not, the signed examples cancel: sum_n share_n y_n (x_n, 1) = 0. Any unit that were
            right on all of these would have to give this zero a positive sum.

    >>> separate([[0], [1], [2]], [1, -1, 1]).separable  # the middle against both ends
    False
    """

    separable: bool
    weights: np.ndarray | None
    margin: float
    certificate: np.ndarray


def separate(X, y):
    """The unit with the largest margin, or the proof that no single unit can do it.

    The hull of the vectors y_n (x_n, 1) either holds the origin, and the shares that reach it are
    the proof (Gordan, 1873), or the hull's point nearest to the origin is the direction of the
    largest margin. Wolfe's algorithm (1976) finds that point in a finite number of steps.

    Args:
        X: (N, D) examples.
        y: (N,) labels, -1 or 1.

    Returns:
        a `Separation`.

    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> separate(X, [-1, -1, -1, 1]).weights.round(3)  # AND: the line x1 + x2 = 1.5
    array([ 0.485,  0.485, -0.728])
    >>> separate(X, [-1, 1, 1, -1]).certificate  # XOR: all four together contradict each other
    array([0.25, 0.25, 0.25, 0.25])
    """
    X = with_one(matrix("separate", X))
    points = signs("separate", y, len(X))[:, None] * X  # (N, D + 1)
    shares = nearest_to_origin(points)
    nearest = shares @ points
    distance = float(np.linalg.norm(nearest))
    if distance < 1e-7 * np.sqrt((points**2).sum(1).max()):
        return Separation(False, None, 0.0, shares)
    weights = nearest / distance
    return Separation(True, weights, float((points @ weights).min()), shares)


def nearest_to_origin(points, tolerance=1e-12):
    """Shares (N,) of `points` (N, D) whose mean is the hull's point nearest to the origin (Wolfe).

    >>> nearest_to_origin(np.array([[1.0, 1.0], [1.0, -1.0], [5.0, 0.0]]))
    array([0.5, 0.5, 0. ])
    """
    squares = (points**2).sum(1)
    corral, shares = [int(squares.argmin())], np.ones(1)  # points in use, and their shares
    while True:
        x = shares @ points[corral]
        heights = points @ x
        new = int(heights.argmin())
        if heights[new] > x @ x - tolerance * squares.max() or new in corral:
            break  # no point lies on the origin's side of x
        corral, shares = [*corral, new], np.append(shares, 0)
        while True:
            target = _affine_shares(points[corral])
            if (target > 1e-11).all():
                shares = target
                break
            # Walk towards the target until a share vanishes, and let that point go.
            losing = target <= 1e-11
            gap = np.where(losing, shares - target, np.inf)
            step = min(1.0, (shares / np.where(gap > 0, gap, np.inf))[losing].min())
            shares = shares + step * (target - shares)
            keep = shares > 1e-11
            corral = [point for point, kept in zip(corral, keep, strict=True) if kept]
            shares = shares[keep] / shares[keep].sum()
    full = np.zeros(len(points))
    full[corral] = shares
    return full


def _affine_shares(points):
    """Shares with sum 1, of any sign, that bring the plane through `points` nearest to 0."""
    count = len(points)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = points @ points.T
    system[count, count] = 0
    return np.linalg.lstsq(system, np.append(np.zeros(count), 1), rcond=1e-13)[0][:count]


def all_pictures(rows, columns):
    """Every picture of `rows` x `columns` black and white points: (2**n, rows, columns) of 0, 1.

    >>> all_pictures(2, 2).shape
    (16, 2, 2)
    """
    count = rows * columns
    if count > 12:
        raise ValueError(f"all_pictures: {rows} x {columns} gives 2**{count} pictures; take fewer")
    return np.array(list(itertools.product((0, 1), repeat=count))).reshape(-1, rows, columns)


def parity(pictures):
    """1 for pictures (N, H, W) with an odd number of points, else -1: (N,).

    >>> parity(all_pictures(1, 2))
    array([-1,  1,  1, -1])
    """
    return np.where(np.asarray(pictures).sum((1, 2)) % 2 == 1, 1, -1)


def connected(pictures):
    """1 for pictures (N, H, W) in one piece (or empty), else -1; points touch at their sides.

    >>> connected([[[1, 1, 0], [0, 1, 1]], [[1, 0, 1], [1, 0, 1]]])
    array([ 1, -1])
    """
    on = np.asarray(pictures) > 0
    reached = np.zeros_like(on)  # flood each picture from its first point
    first = on.reshape(len(on), -1).argmax(1)
    reached.reshape(len(on), -1)[np.arange(len(on)), first] = True
    for _ in range(on[0].size):
        wider = np.pad(reached & on, ((0, 0), (1, 1), (1, 1)))
        reached = wider[:, 1:-1, 1:-1] | wider[:, 2:, 1:-1] | wider[:, :-2, 1:-1]
        reached = (reached | wider[:, 1:-1, 2:] | wider[:, 1:-1, :-2]) & on
    return np.where((reached == on).all((1, 2)), 1, -1)


def masks(pictures, order):
    """For each set of at most `order` points: are all of them on? (N, H, W) -> (N, masks).

    These products are all that partial views of so many points can contribute: any function of k
    points is a sum of them (Minsky and Papert, 1969, chapter 1).

    >>> masks([[[1, 1], [0, 1]]], order=2)[0]  # four points, six pairs
    array([1., 1., 0., 1., 1., 0., 1., 0., 1., 0.])
    """
    flat = np.asarray(pictures).reshape(len(pictures), -1)
    flat = two_valued("masks", flat, (0, 1))
    sets = itertools.chain.from_iterable(
        itertools.combinations(range(flat.shape[1]), size) for size in range(1, order + 1)
    )
    return np.stack([flat[:, list(group)].prod(1) for group in sets], axis=1)


def predicate_order(pictures, truth):
    """The order of a predicate: how many points its units must look at together.

    A perceptron of order k weighs the answers of units that see at most k points each. The order is
    the least k with which some weights work for all pictures (Minsky and Papert, 1969); for each
    smaller k, `separate` holds the proof that none do.

    Args:
        pictures: (N, H, W) of 0 and 1, all that may come.
        truth: (N,) the predicate, -1 or 1.

    >>> squares = all_pictures(2, 2)
    >>> predicate_order(squares, parity(squares))  # as many as there are points
    4
    >>> predicate_order(squares, connected(squares))
    2
    """
    points = int(np.prod(np.shape(pictures)[1:]))
    for order in range(1, points + 1):
        if separate(masks(pictures, order), truth).separable:
            return order
    raise ValueError("predicate_order: equal pictures with different truth; no order suffices")
