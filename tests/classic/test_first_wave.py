"""The first wave does what its papers say, and fails where history saw it fail."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.linear_model import Perceptron as SkPerceptron
from sklearn.svm import LinearSVC

from dlcourse import classic as c
from dlcourse.data import digits

XOR, XOR_Y = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]), np.array([-1, 1, 1, -1])


def blobs(seed, count=60, width=3, gap=1.0):
    """Two classes in `width` dimensions with a plane of at least `gap` between them."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=width)
    direction /= np.linalg.norm(direction)
    X = rng.normal(size=(count, width)) * 2
    y = np.where(X @ direction > 0.3, 1, -1)
    return X + gap / 2 * y[:, None] * direction, y


# McCulloch and Pitts


@pytest.mark.parametrize(
    ("gate", "inputs", "truth"),
    [
        (c.AND, 2, [0, 0, 0, 1]),
        (c.OR, 2, [0, 1, 1, 1]),
        (c.NOT, 1, [1, 0]),
        (c.nand, 2, [1, 1, 1, 0]),
        (c.xor, 2, [0, 1, 1, 0]),
        (c.BUT_NOT, 2, [0, 0, 1, 0]),
    ],
)
def test_gates_have_their_truth_tables(gate, inputs, truth):
    table = c.truth_table(gate, inputs)
    assert table[:, :-1].tolist() == [list(row) for row in itertools.product((0, 1), repeat=inputs)]
    assert table[:, -1].tolist() == truth


def test_no_single_unit_computes_xor_or_nand():
    """Every unit with one connection from each input, and every threshold that differs."""
    tables = {
        tuple(c.truth_table(c.McCullochPitts(signs, threshold))[:, -1].tolist())
        for signs in itertools.product((1, -1), repeat=2)
        for threshold in range(4)
    }
    assert (0, 0, 0, 1) in tables
    assert (0, 1, 1, 1) in tables
    assert (0, 1, 1, 0) not in tables
    assert (1, 1, 1, 0) not in tables


def test_short_cold_feels_hot_and_long_cold_feels_cold():
    for length in range(1, 6):
        cold = [1] * length + [0] * (6 - length)
        hot, felt_cold = c.heat_illusion([0] * 6, cold)
        assert hot.sum() == (length == 1) or hot.argmax() > felt_cold.argmax()
        assert felt_cold.sum() == length - 1
    hot, _ = c.heat_illusion([0] * 6, [1] + [0] * 5)
    assert hot.argmax() == 3


# Hebb


def test_orthonormal_keys_are_recalled_exactly():
    rng = np.random.default_rng(0)
    keys = np.linalg.qr(rng.normal(size=(8, 8)))[0][:5]
    values = rng.normal(size=(5, 3))
    np.testing.assert_allclose(
        c.LinearAssociator().fit(keys, values).predict(keys), values, atol=1e-12
    )


@pytest.mark.parametrize("angle", [90, 75, 60, 30, 10])
def test_crosstalk_grows_as_predicted(angle):
    """Keys of length 1 at `angle` from each other: recall is off by its cosine times the rest."""
    rng = np.random.default_rng(angle)
    overlap = np.cos(np.radians(angle))
    gram = np.full((4, 4), overlap) + (1 - overlap) * np.eye(4)
    keys = np.linalg.cholesky(gram)
    values = rng.normal(size=(4, 6))
    error = c.LinearAssociator().fit(keys, values).predict(keys) - values
    np.testing.assert_allclose(error, c.crosstalk(keys, values), atol=1e-12)
    np.testing.assert_allclose(error, overlap * (values.sum(0) - values), atol=1e-12)


def test_pairs_can_be_added_one_by_one():
    rng = np.random.default_rng(1)
    keys, values = rng.normal(size=(4, 5)), rng.normal(size=(4, 2))
    memory = c.LinearAssociator()
    for key, value in zip(keys, values, strict=True):
        memory.partial_fit(key[None], value[None])
    np.testing.assert_allclose(memory.weights_, c.LinearAssociator().fit(keys, values).weights_)


# Pitts and McCulloch


def test_the_code_of_a_pattern_is_equal_under_every_shift():
    rng = np.random.default_rng(0)
    picture = rng.normal(size=(6, 5))
    group = c.translations(picture.shape)
    code = c.invariant(picture, group)
    for shift in itertools.product(range(6), range(5)):
        moved = c.invariant(np.roll(picture, shift, (0, 1)), group)
        np.testing.assert_allclose(moved, code, rtol=0, atol=1e-12)
    assert np.abs(c.invariant(rng.normal(size=(6, 5)), group) - code).max() > 0.1


def test_the_code_is_the_autocorrelation():
    picture = np.random.default_rng(2).normal(size=(6, 5))
    power = np.abs(np.fft.fft2(picture)) ** 2
    expected = np.fft.ifft2(power).real / picture.size
    code = c.invariant(picture, c.translations(picture.shape)).reshape(6, 5)
    np.testing.assert_allclose(code, expected, atol=1e-12)


def test_linear_questions_keep_the_mean_only():
    picture = np.random.default_rng(3).normal(size=(4, 4))
    code = c.invariant(picture, c.translations((4, 4)), functionals=np.ravel)
    np.testing.assert_allclose(code, picture.mean(), atol=1e-12)


# Perceptron


@pytest.mark.parametrize("seed", range(8))
def test_perceptron_stops_within_novikoffs_bound(seed):
    X, y = blobs(seed)
    unit = c.Perceptron(max_epochs=100_000).fit(X, y)
    assert unit.converged_
    assert (unit.predict(X) == y).all()
    assert 0 < unit.mistakes_ <= c.novikoff_bound(X, y)


@pytest.mark.parametrize("seed", range(4))
def test_gamma_is_the_margin_of_the_hard_margin_svm(seed):
    X, y = blobs(seed)
    ones = np.hstack([X, np.ones((len(X), 1))])
    svm = LinearSVC(C=1e6, loss="hinge", fit_intercept=False, max_iter=10**6, tol=1e-9, dual=True)
    weights = svm.fit(ones, y).coef_[0]
    gamma = (y * (ones @ weights)).min() / np.linalg.norm(weights)
    assert c.separate(X, y).margin == pytest.approx(gamma, rel=1e-3)
    bound = (ones**2).sum(1).max() / gamma**2
    assert c.novikoff_bound(X, y) == pytest.approx(bound, rel=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_perceptron_takes_the_steps_of_scikit_learn(seed):
    X, y = blobs(seed)
    unit = c.Perceptron(max_epochs=7).fit(X, y)
    theirs = SkPerceptron(max_iter=unit.epochs_, tol=None, shuffle=False).fit(X, y)
    expected = np.append(theirs.coef_[0], theirs.intercept_)
    np.testing.assert_allclose(unit.weights_, expected, atol=1e-12)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_perceptron_runs_in_circles_on_xor(order):
    unit = c.Perceptron().fit(XOR[list(order)], XOR_Y[list(order)])
    assert not unit.converged_
    assert unit.cycle_ >= 1
    assert unit.epochs_ < 100


def test_perceptron_converges_on_all_gates_but_two():
    """Of the 16 functions of two bits one unit learns 14."""
    learned = [
        c.Perceptron().fit(XOR, np.array(y)).converged_
        for y in itertools.product((-1, 1), repeat=4)
    ]
    assert sum(learned) == 14


# Adaline


def least_squares(X, y):
    return np.linalg.lstsq(np.hstack([X, np.ones((len(X), 1))]), y, rcond=None)[0]


def test_adaline_reaches_least_squares():
    X, y = blobs(0)
    unit = c.Adaline(rate=0.05, epochs=3000, batch=True).fit(X, y)
    np.testing.assert_allclose(unit.weights_, least_squares(X, y), atol=1e-8)
    assert (np.diff(unit.errors_) <= 1e-12).all()
    assert unit.errors_[-1] == pytest.approx(
        np.mean((y - unit.decision_function(X)) ** 2), abs=1e-8
    )


def test_sequential_adaline_ends_near_in_proportion_to_its_rate():
    X, y = blobs(1)
    goal = least_squares(X, y)
    rates = [0.004, 0.008, 0.016]
    away = [np.linalg.norm(c.Adaline(r, epochs=1000).fit(X, y).weights_ - goal) for r in rates]
    assert away[0] < 0.05 * np.linalg.norm(goal)
    np.testing.assert_allclose([away[1] / away[0], away[2] / away[1]], 2, rtol=0.15)


# Madaline


@pytest.mark.parametrize("hidden", [2, 3, 4])
def test_madaline_learns_xor_from_every_seed(hidden):
    for seed in range(20):
        net = c.Madaline(hidden=hidden, seed=seed).fit(XOR, XOR_Y)
        assert net.converged_
        assert (net.predict(XOR) == XOR_Y).all()


# Minsky and Papert


def separable_by_linear_program(X, y):
    """Does any w have y (w.x + b) >= 1? Asked of scipy, which knows nothing of our method."""
    A = -y[:, None] * np.hstack([X, np.ones((len(X), 1))])
    found = linprog(np.zeros(A.shape[1]), A, -np.ones(len(A)), bounds=(None, None))
    assert found.status in (0, 2)
    return found.status == 0


def test_separate_agrees_with_a_linear_program_on_all_functions_of_three_bits():
    X = np.array(list(itertools.product((0, 1), repeat=3)))
    count = 0
    for y in itertools.product((-1, 1), repeat=8):
        y = np.array(y)
        found = c.separate(X, y)
        assert found.separable == separable_by_linear_program(X, y)
        count += found.separable
        check_proof(found, X, y)
    assert count == 104  # the number of threshold functions of three variables


def check_proof(found, X, y):
    signed = y[:, None] * np.hstack([X, np.ones((len(X), 1))])
    assert found.certificate.min() >= 0
    assert found.certificate.sum() == pytest.approx(1)
    if found.separable:
        assert np.linalg.norm(found.weights) == pytest.approx(1)
        assert found.margin > 0
        assert (signed @ found.weights).min() == pytest.approx(found.margin)
    else:
        np.testing.assert_allclose(found.certificate @ signed, 0, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 2), (1, 3), (2, 2), (1, 5), (2, 3)])
def test_parity_needs_to_see_everything(shape):
    pictures = c.all_pictures(*shape)
    truth = c.parity(pictures)
    count = pictures[0].size
    for order in range(1, count):
        found = c.separate(c.masks(pictures, order), truth)
        assert not found.separable
        check_proof(found, c.masks(pictures, order), truth)
    assert c.predicate_order(pictures, truth) == count


def test_the_proof_for_parity_holds_in_whole_numbers():
    """Equal shares of all pictures cancel exactly: no rounding is behind the impossibility."""
    pictures = c.all_pictures(2, 3)
    features = np.hstack([c.masks(pictures, 5), np.ones((64, 1))]).astype(int)
    found = c.separate(c.masks(pictures, 5), c.parity(pictures))
    shares = [Fraction(share).limit_denominator(1000) for share in found.certificate]
    assert set(shares) == {Fraction(1, 64)}
    signed = c.parity(pictures)[:, None] * features
    assert (signed.sum(0) == 0).all()


@pytest.mark.parametrize(
    ("shape", "order"), [((1, 3), 1), ((2, 2), 2), ((2, 3), 2), ((2, 4), 2), ((3, 3), 3)]
)
def test_connectedness_needs_more_than_a_single_layer(shape, order):
    pictures = c.all_pictures(*shape)
    truth = c.connected(pictures)
    assert c.predicate_order(pictures, truth) == order
    for k in range(1, order + 1):
        features = c.masks(pictures, k)
        assert separable_by_linear_program(features, truth) == (k == order)


def test_connected_agrees_with_scipys_labels():
    from scipy.ndimage import label

    pictures = c.all_pictures(3, 4)[::7]
    expected = [1 if label(picture)[1] <= 1 else -1 for picture in pictures]
    assert c.connected(pictures).tolist() == expected


# Pandemonium


def test_pandemonium_recognizes_digits():
    shares = []
    for seed in range(4):
        training, _, test = digits().split(seed=seed)
        machine = c.Pandemonium(seed=seed).fit(training.inputs[:, 0], training.targets)
        assert machine.scores_[-1] > machine.scores_[0]
        assert (np.diff(machine.scores_) >= 0).all()
        shares.append((machine.predict(test.inputs[:, 0]) == test.targets).mean())
    assert min(shares) > 0.8  # chance is 0.1


def test_feature_demons_hear_their_stroke_and_the_loop():
    images = np.zeros((3, 9, 9))
    images[0, 4, 1:8] = 1
    images[1, range(1, 8), range(1, 8)] = 1
    images[2, 2:7, 2:7], images[2, 3:6, 3:6] = 1, 0
    horizontal, vertical, rising, falling, _, enclosed = c.stroke_demons(images, cells=1).T
    assert horizontal[0] == 1 > vertical[0]
    assert falling[1] == 1 > rising[1]
    assert enclosed.tolist() == pytest.approx([0, 0, 9 / 81])
