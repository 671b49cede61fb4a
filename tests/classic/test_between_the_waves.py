"""What was found while few looked: cells, stereo, resonance, competition, the Neocognitron."""

import numpy as np
import pytest

from dlcourse import classic as c
from dlcourse.data import digits

# Hubel and Wiesel


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 2, 2.5])
@pytest.mark.parametrize("wavelength", [4, 6, 9])
def test_complex_cells_forget_the_phase_and_simple_cells_do_not(wavelength, angle):
    phases = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    bars = [c.grating(31, wavelength, angle, phase) for phase in phases]
    simple, complex_ = (
        c.VisualCell(kind, 31, wavelength, angle).transform(bars) for kind in ("simple", "complex")
    )
    assert (complex_.max() - complex_.min()) / complex_.max() < 0.1
    assert simple.min() == 0
    assert simple.max() > 0.9 * complex_.max()


def test_cells_want_one_direction():
    angles = np.radians(np.arange(0, 180, 10))
    bars = [c.grating(31, 6, angle) for angle in angles]
    for preferred in (0, 5, 9):
        cell = c.VisualCell("complex", 31, 6, angles[preferred])
        answers = cell.transform(bars)
        assert answers.argmax() == preferred
        assert answers[(preferred + 9) % 18] < 0.01 * answers[preferred]
    assert c.VisualCell("simple").transform(np.ones((1, 21, 21)))[0] == pytest.approx(0)


# Marr and Poggio


def wedding_cake(size):
    truth = np.zeros((size, size), int)
    for depth in (1, 2, 3):
        edge = depth * size // 8
        truth[edge : size - edge, edge : size - edge] = depth
    return truth


def square(size, depth):
    truth = np.zeros((size, size), int)
    truth[size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = depth
    return truth


@pytest.mark.parametrize(
    "truth", [square(100, 2), square(100, -2), wedding_cake(100)], ids=["near", "far", "cake"]
)
def test_stereo_recovers_the_surface(truth):
    for seed in range(4):
        left, right = c.random_dot_stereogram(truth, seed)
        found, history = c.cooperative_stereo(left, right, range(-3, 5))
        claims = [state.sum() / truth.size for state in history]
        assert claims[0] > 3  # several depths match at every point
        assert 0.9 < claims[-1] < 1.1  # in the end one
        assert (found == truth).mean() >= 0.95


def test_one_picture_alone_says_nothing():
    """The form is not in either picture: with unrelated noise the net finds no surface."""
    truth = square(100, 2)
    left, _ = c.random_dot_stereogram(truth, 0)
    _, other = c.random_dot_stereogram(truth, 1)
    found, _ = c.cooperative_stereo(left, other, range(-3, 5))
    assert (found == truth).mean() < 0.4


def test_the_rivals_of_a_unit_lie_on_its_two_lines_of_sight():
    """One step against the formula, unit by unit."""
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 2, (2, 7, 9))
    depths = range(-2, 3)
    _, (C0, C1) = c.cooperative_stereo(left, right, depths, steps=1)
    D, H, W = C0.shape
    for d, r, x in np.ndindex(D, H, W):
        if not (2 <= r < H - 2 and 2 <= x < W - 2):
            continue  # the border repeats its neighbors
        votes = sum(
            C0[d, r + i, x + j]
            for i in range(-2, 3) for j in range(-2, 3) if 0 < i * i + j * j <= 5
        )  # fmt: skip
        seen = x + depths[d]  # the left column
        rivals = sum(
            C0[e, r, k]
            for e in range(D) for k in range(W)
            if (e != d and (k == x or k + depths[e] == seen) and 0 <= seen < W)
            or (e != d and k == x and not 0 <= seen < W)
        )  # fmt: skip
        assert C1[d, r, x] == (votes - 3 * rivals + C0[d, r, x] >= 5)


# ART 1


def strokes():
    return (digits().inputs[:300, 0] > 0.5).reshape(300, -1) * 1


def test_vigilance_controls_the_number_of_categories():
    X = strokes()
    counts = [len(c.ART1(v).fit(X).templates_) for v in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert (np.diff(counts) > 0).all()
    assert counts[0] < 15
    assert counts[-1] > 200


@pytest.mark.parametrize("vigilance", [0.3, 0.6, 0.8])
def test_templates_settle_and_stay(vigilance):
    X = strokes()
    model = c.ART1(vigilance).fit(X)
    assert model.epochs_ < 20
    learned, labels = model.templates_.copy(), model.labels_.copy()
    model.partial_fit(X)
    assert (model.templates_ == learned).all()
    assert (model.labels_ == labels).all()
    assert (model.predict(X) == labels).all()
    # New kinds are learned, and what was known keeps its categories: templates only lose features.
    new = 1 - X[:50]
    model.partial_fit(new)
    assert len(model.templates_) > len(learned)
    assert (model.templates_[: len(learned)] <= learned).all()
    matches = np.minimum(X, learned[labels]).sum(1) / X.sum(1)
    assert (matches >= vigilance - 1e-9).all()


# Feldman and Ballard


def test_the_largest_input_wins_from_any_start():
    rng = np.random.default_rng(0)
    for _ in range(200):
        inputs, start = rng.random((2, rng.integers(2, 12)))
        end = c.winner_take_all(inputs, start)
        assert (end == (inputs == inputs.max())).all()


def test_comparing_activities_lets_the_leader_win():
    rng = np.random.default_rng(0)
    wins = 0
    for _ in range(100):
        inputs = rng.uniform(0.4, 0.5, 5)
        start = np.zeros(5)
        start[inputs.argmin()] = 1
        wins += c.winner_take_all(inputs, start, compare="activities").argmax() == inputs.argmin()
    assert wins == 100


def test_the_necker_cube_settles_in_one_of_two_readings():
    ends = [c.NeckerCube(seed=seed).settle() for seed in range(100)]
    readings = [c.reading_of(activities) for activities, _ in ends]
    assert readings.count(0) + readings.count(1) >= 95
    assert min(readings.count(0), readings.count(1)) >= 25
    # Both readings are equally good, and nothing that is caught between them is as good.
    for (_, goodness), reading in zip(ends, readings, strict=True):
        if reading is None:
            assert goodness[-1] < 15.9
        else:
            assert goodness[-1] == pytest.approx(16, abs=0.1)  # 12 edges + 8 units * 0.5


def test_without_noise_the_cube_is_often_impossible():
    readings = [c.reading_of(c.NeckerCube(noise=0, seed=s).settle(steps=60)[0]) for s in range(100)]
    assert 3 <= readings.count(None) <= 40


def test_the_cube_goes_on_seeing_what_it_sees():
    for reading in (0, 1):
        start = np.repeat([1.0, 0.0] if reading == 0 else [0.0, 1.0], 8)
        activities, _ = c.NeckerCube(noise=0, seed=3).settle(start)
        assert c.reading_of(activities) == reading


def test_the_cube_has_its_connections():
    weights = c.NeckerCube().weights
    assert (weights == weights.T).all()
    assert ((weights > 0).sum(0) == 3).all()
    assert ((weights < 0).sum(0) == 2).all()
    units = c.NeckerCube().units
    for i, (reading, (x, y, depth)) in enumerate(units):
        rivals = {units[j] for j in np.flatnonzero(weights[i] < 0)}
        assert rivals == {(1 - reading, (x, y, depth)), (1 - reading, (x, y, 1 - depth))}


# Fukushima

GLYPHS = {
    0: "01110 10001 10001 10001 10001 10001 01110",
    1: "00100 01100 00100 00100 00100 00100 01110",
    2: "01110 10001 00001 00110 01000 10000 11111",
    3: "11110 00001 00001 01110 00001 00001 11110",
    4: "00010 00110 01010 10010 11111 00010 00010",
}


def glyphs(size=18):
    images = np.zeros((len(GLYPHS), size, size))
    for image, rows in zip(images, GLYPHS.values(), strict=True):
        image[5:12, 6:11] = [[int(bit) for bit in row] for row in rows.split()]
    return images


SHIFTS = [(i, j) for i in range(-4, 5) for j in range(-4, 5) if (i, j) != (0, 0)]


@pytest.mark.slow
def test_neocognitron_recognizes_patterns_at_places_it_never_saw():
    images, names = glyphs(), list(GLYPHS)
    shares, template_shares = [], []
    for seed in range(5):
        net = c.Neocognitron(seed=seed).fit(images, names)
        assert sorted(name for name in net.names_ if name is not None) == names
        moved = [np.roll(images, shift, (1, 2)) for shift in SHIFTS]
        shares.append(np.mean([(net.predict(x) == names).mean() for x in moved]))
    for x in moved:  # a template of pixels, which has no C-cells
        distances = ((x[:, None] - images) ** 2).sum((2, 3))
        template_shares.append((distances.argmin(1) == np.array(names)).mean())
    assert min(shares) >= 0.9
    assert np.mean(shares) >= 0.95
    assert np.mean(template_shares) < 0.6


def test_neocognitron_needs_no_labels():
    net = c.Neocognitron(seed=1).fit(glyphs())
    cells = net.transform(glyphs()).argmax(1)
    assert len(set(cells.tolist())) == 5  # each pattern found a cell of its own


def test_s_cells_answer_by_their_formula():
    """After one pattern: (1 + r) cosine - r, in the limit of a large rate."""
    from dlcourse.classic.neocognitron import SLayer

    rng = np.random.default_rng(0)
    layer = SLayer(planes=1, size=3, selectivity=2.0, reach=9, rate=1e9)
    layer.start(2, rng)
    pattern, other = rng.random((2, 1, 2, 3, 3))
    layer.learn(pattern)
    # The seed sits where the window holds the most; at the middle it saw all of the pattern.
    layer.a[0] = 1e9 * layer.c * pattern[0]
    layer.b[0] = 0.5e9 * np.sqrt((layer.c * pattern[0] ** 2).sum())
    c_ = layer.c
    cosine = (c_ * pattern[0] * other[0]).sum() / np.sqrt(
        (c_ * pattern[0] ** 2).sum() * (c_ * other[0] ** 2).sum()
    )
    assert layer.respond(pattern)[0, 0, 1, 1] == pytest.approx(1, abs=1e-5)
    assert layer.respond(other)[0, 0, 1, 1] == pytest.approx(3 * cosine - 2, abs=1e-5)
    assert layer.respond(other, 50.0)[0, 0, 1, 1] == 0
