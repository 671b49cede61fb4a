"""The second wave: maps, memories with an energy, machines that dream, a pole on a cart, echoes."""

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from dlcourse import classic as c
from dlcourse.classic.boltzmann import log_sum
from dlcourse.data import digits

# Kohonen


def test_a_map_of_colors_orders_itself():
    for seed in range(3):
        colors = np.random.default_rng(seed).random((800, 3))
        maps = [c.SOM(steps=steps, seed=seed).fit(colors) for steps in (0, 300, 5000)]
        errors = [som.topographic_error(colors) for som in maps]
        assert errors[0] > 0.8
        assert errors[-1] < 0.15
        # Random colors are as near to the data as the map is: what it learns is the order.
        assert maps[-1].quantization_error(colors) < 1.3 * maps[0].quantization_error(colors)
        # Neighbors on the sheet are neighbors in color, much more than strangers are.
        sheet = maps[-1].weights_
        beside = np.linalg.norm(np.diff(sheet, axis=1), axis=2).mean()
        shuffled = np.random.default_rng(0).permutation(sheet.reshape(-1, 3)).reshape(sheet.shape)
        assert beside < 0.35 * np.linalg.norm(np.diff(shuffled, axis=1), axis=2).mean()


def test_a_map_of_digits_orders_itself():
    X, y = digits().inputs.reshape(-1, 64), digits().targets
    for seed in range(2):
        som = c.SOM(seed=seed).fit(X[:1200])
        assert som.topographic_error(X[1200:]) < 0.25
        raw = c.SOM(steps=0, seed=seed).fit(X[:1200])
        assert raw.topographic_error(X[1200:]) > 0.8
        assert som.quantization_error(X[1200:]) < 0.7 * raw.quantization_error(X[1200:])
        # Each unit takes the class that it sees most; new digits fall on units of their class.
        places = som.transform(X[:1200]) @ [10, 1]
        votes = np.zeros((100, 10))
        np.add.at(votes, (places, y[:1200]), 1)
        found = votes.argmax(1)[som.transform(X[1200:]) @ [10, 1]]
        assert (found == y[1200:]).mean() > 0.7


def ring(seed, count=300):
    """Two classes of one mean: a disc, and the ring around it."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, count)
    radius = np.where(y == 1, rng.uniform(1.2, 2.2, count), rng.uniform(0, 1.1, count))
    angle = rng.uniform(0, 2 * np.pi, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), y


@pytest.mark.parametrize("version", [1, 2.1])
def test_lvq_beats_the_nearest_class_mean(version):
    gains = []
    for seed in range(4):
        X, y = ring(seed)
        new, truth = ring(seed + 100)
        mean = (c.NearestMean().fit(X, y).predict(new) == truth).mean()
        model = c.LVQ(prototypes=6, version=version, seed=seed).fit(X, y)
        gains.append((model.predict(new) == truth).mean() - mean)
    assert min(gains) > 0.2


def test_lvq_steps_by_the_book():
    model = c.LVQ(prototypes=1, version=2.1, rate=0.5, window=0.5)
    model.labels_ = np.array([0, 1])
    model.prototypes_ = np.array([[0.0], [2.0]])
    model._step1(np.array([0.5]), 0, 0.5)
    assert model.prototypes_.tolist() == [[0.25], [2.0]]
    model._step1(np.array([0.5]), 1, 0.5)
    assert model.prototypes_.tolist() == [[0.125], [2.0]]
    model.prototypes_ = np.array([[0.0], [2.0]])
    model._step2(np.array([0.9]), 1, 0.5)  # near the border, on the wrong side
    np.testing.assert_allclose(model.prototypes_, [[-0.45], [1.45]])
    model.prototypes_ = np.array([[0.0], [2.0]])
    model._step2(np.array([0.1]), 1, 0.5)  # outside the window
    assert model.prototypes_.tolist() == [[0.0], [2.0]]


# Hopfield


def patterns(count, units, seed):
    return np.where(np.random.default_rng(seed).random((count, units)) < 0.5, -1, 1)


def test_the_energy_never_rises():
    for seed in range(5):
        net = c.Hopfield(seed).fit(patterns(15, 100, seed))
        for start in patterns(10, 100, seed + 50):
            end, energies = net.recall(start)
            assert (np.diff(energies) <= 0).all()
            assert energies[0] == pytest.approx(net.energy([start])[0])
            assert energies[-1] == pytest.approx(net.energy([end])[0])
            assert (net.recall(end)[0] == end).all()  # it rests there
            sums = net.weights_ @ end
            assert (sums * end >= 0).all()


def test_recall_from_noise_at_a_tenth_of_the_units():
    overlaps = [c.overlap_at_load(0.1, units=500, noise=0.2, seed=seed) for seed in range(6)]
    assert np.mean(overlaps) > 0.97
    assert min(overlaps) > 0.9


def test_memory_collapses_past_the_critical_load():
    loads = [0.05, 0.1, 0.138, 0.2, 0.3]
    overlap = [np.mean([c.overlap_at_load(load, 500, seed=s) for s in range(4)]) for load in loads]
    assert (np.diff(overlap) < 0).all()
    assert overlap[1] > 0.99
    assert overlap[2] > 0.9  # for finite nets the edge is soft
    assert overlap[3] < 0.7
    assert overlap[4] < 0.45


def test_the_opposite_of_a_memory_is_one_too():
    X = patterns(5, 200, 0)
    net = c.Hopfield().fit(X)
    assert (net.predict(X) == X).all()
    assert (net.predict(-X) == -X).all()


# Boltzmann machines

PARITY = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]])


def test_a_boltzmann_machine_needs_hidden_units_for_parity():
    for seed in range(3):
        seen = np.exp(c.BoltzmannMachine(hidden=4, seed=seed).fit(PARITY).log_probability(PARITY))
        assert seen.sum() > 0.85
        blind = np.exp(c.BoltzmannMachine(hidden=0, seed=seed).fit(PARITY).log_probability(PARITY))
        assert blind.sum() == pytest.approx(0.5, abs=0.05)


def test_boltzmann_probabilities_sum_to_one():
    machine = c.BoltzmannMachine(hidden=2, steps=20).fit(PARITY)
    assert np.exp(machine.log_probability(c.all_states(3))).sum() == pytest.approx(1)
    # and are those of the energy, summed over the hidden units by hand
    W, b = machine.weights_, machine.biases_
    weight = lambda s: np.exp(0.5 * s @ W @ s + b @ s)
    total = sum(weight(s) for s in c.all_states(5))
    one = sum(weight(np.array([1, 0, 1, *h])) for h in c.all_states(2)) / total
    assert np.exp(machine.log_probability([[1, 0, 1]]))[0] == pytest.approx(one)


def tiny_rbm(seed=0):
    rbm = c.RBM(hidden=3, seed=seed).start(4)
    rng = np.random.default_rng(seed)
    rbm.weights_ = rng.normal(size=(4, 3))
    rbm.visible_bias_, rbm.hidden_bias_ = rng.normal(size=4), rng.normal(size=3)
    return rbm


def test_rbm_probabilities_are_those_of_the_energy():
    rbm = tiny_rbm()
    W, a, b = rbm.weights_, rbm.visible_bias_, rbm.hidden_bias_
    V, H = c.all_states(4), c.all_states(3)
    scores = V @ W @ H.T + (V @ a)[:, None] + H @ b
    assert rbm.log_partition() == pytest.approx(log_sum(scores))
    expected = log_sum(scores, axis=1) - log_sum(scores)
    np.testing.assert_allclose(rbm.log_probability(V), expected)
    conditional = np.exp(scores - log_sum(scores, axis=1)[:, None]) @ H
    np.testing.assert_allclose(rbm.transform(V), conditional)


def test_the_exact_gradient_is_the_slope_of_the_likelihood():
    rbm, X = tiny_rbm(1), np.random.default_rng(5).integers(0, 2, (6, 4))
    exact = rbm.exact_gradient(X)
    for name, gradient in zip(("weights_", "visible_bias_", "hidden_bias_"), exact, strict=True):
        parameter = getattr(rbm, name)
        for index in np.ndindex(parameter.shape):
            ends = []
            for step in (1e-5, -2e-5):
                parameter[index] += step
                ends.append(rbm.log_probability(X).mean())
            parameter[index] += 1e-5
            assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(gradient[index], abs=1e-8)


def mean_contrast(rbm, X, k, times):
    rbm.k = k
    many = np.repeat(X, times, axis=0)
    return rbm.contrast(many.astype(float))[0]


def test_contrastive_divergence_agrees_with_the_gradient_in_expectation():
    """CD-1 points uphill; with more steps of the dream its mean becomes the gradient itself."""
    X = np.random.default_rng(5).integers(0, 2, (6, 4))
    for seed in range(3):
        rbm = tiny_rbm(seed)
        exact = np.concatenate([g.ravel() for g in rbm.exact_gradient(X)])
        estimate = {
            k: np.concatenate([g.ravel() for g in mean_contrast(rbm, X, k, 10_000)])
            for k in (1, 30)
        }
        cosine = exact @ estimate[1] / np.linalg.norm(exact) / np.linalg.norm(estimate[1])
        assert cosine > 0.8
        np.testing.assert_allclose(estimate[30], exact, atol=0.01)  # 60,000 draws: +-0.004 or so


def test_rbm_learns_digits():
    X = digits().inputs.reshape(-1, 64).astype(float)
    blind = ((X - X.mean(0)) ** 2).mean()
    for seed in range(2):
        rbm = c.RBM(epochs=15, seed=seed).fit(X[:1400])
        assert rbm.errors_[-1] < 0.5 * rbm.errors_[0]
        assert ((rbm.reconstruct(X[1400:]) - X[1400:]) ** 2).mean() < 0.5 * blind


def test_rbm_raises_the_likelihood_of_bars():
    bars = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]])
    X = np.repeat(bars, 30, axis=0)
    for seed in range(3):
        blind = c.RBM(hidden=6, epochs=0, seed=seed).fit(X).log_probability(bars).mean()
        rbm = c.RBM(hidden=6, epochs=300, decay=0, seed=seed).fit(X)
        assert blind < -3.5
        assert rbm.log_probability(bars).mean() > -1.3  # log(1/3) = -1.10 is the best there is


# Barto, Sutton and Anderson


def test_the_physics_are_those_of_gymnasium_without_friction():
    gymnasium = pytest.importorskip("gymnasium")
    theirs = gymnasium.make("CartPole-v1").unwrapped
    rng = np.random.default_rng(0)
    for seed in range(10):
        start, _ = theirs.reset(seed=seed)
        start = np.array(theirs.state, float)
        ours = c.CartPole(friction=(0, 0))
        ours.reset(start)
        for _ in range(100):
            action = int(rng.integers(2))
            state, _, fell, _, _ = theirs.step(action)
            mine, failed = ours.step(action)
            np.testing.assert_allclose(mine, theirs.state, rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(mine, state, rtol=1e-5, atol=1e-6)  # it reports float32
            assert failed == fell
            if fell:
                break


def test_the_physics_obey_newton():
    """Lagrange's equations for a rod on a cart, solved as a linear system at random states."""
    rng = np.random.default_rng(0)
    M, m, half, g = 1.0, 0.1, 0.5, 9.8
    for _ in range(20):
        state, action = rng.uniform(-0.2, 0.2, 4), int(rng.integers(2))
        world = c.CartPole(friction=(0, 0))
        world.reset(state)
        after, _ = world.step(action)
        _, _, angle, turn = state
        F, cos, sin = 10 * (2 * action - 1), np.cos(angle), np.sin(angle)
        mass = [[M + m, m * half * cos], [m * half * cos, 4 / 3 * m * half**2]]
        push, bend = np.linalg.solve(mass, [F + m * half * turn**2 * sin, m * g * half * sin])
        np.testing.assert_allclose((after - state) / 0.02, [state[1], push, turn, bend])


def test_friction_slows_the_cart():
    with_friction, without = c.CartPole((0.5, 0)), c.CartPole((0, 0))
    for world in (with_friction, without):
        world.reset([0, 1, 0, 0])
        world.step(1)
    assert with_friction.state[1] < without.state[1]


def test_the_boxes_are_those_of_the_paper():
    from dlcourse.classic.pole import box

    middles = [
        [x, v, np.radians(a), np.radians(t)]
        for x in (-2, 0, 2) for v in (-1, 0, 1)
        for a in (-8, -3, -0.5, 0.5, 3, 8) for t in (-60, 0, 60)
    ]  # fmt: skip
    assert [box(state) for state in middles] == list(range(162))


def test_actor_and_critic_learn_to_balance():
    """195 steps is where CartPole counts as solved; here 1,000 in a row, within 130 falls."""
    trials, kept = [], []
    for seed in range(6):
        model = c.ActorCritic(seed=seed).fit(trials=150, max_steps=1000)
        assert model.lengths_[0] < 100
        assert model.lengths_[-1] == 1000
        trials.append(len(model.lengths_))
        rng, lengths = np.random.default_rng(seed), []
        for _ in range(10):  # new starts, without noise in the choice
            world = c.CartPole()
            state, failed, steps = world.reset(rng.uniform(-0.05, 0.05, 4)), False, 0
            while not failed and steps < 500:
                state, failed = world.step(model.act(state))
                steps += 1
            lengths.append(steps)
        kept.append(np.mean(lengths))
    assert max(trials) <= 130
    assert np.mean(kept) >= 195
    assert np.median(kept) >= 400


def test_actor_and_critic_balance_the_pole_of_gymnasium():
    gymnasium = pytest.importorskip("gymnasium")
    theirs = gymnasium.make("CartPole-v1")

    class World:
        """Gymnasium's environment with the two methods that `ActorCritic.fit` calls."""

        def reset(self):
            self.seed = getattr(self, "seed", -1) + 1
            return theirs.reset(seed=self.seed)[0]

        def step(self, action):
            state, _, fell, _, _ = theirs.step(action)
            return state, fell

    for seed in range(3):
        model = c.ActorCritic(seed=seed).fit(World(), trials=300, max_steps=500)
        lengths = []
        for start in range(100):
            state, _ = theirs.reset(seed=10_000 + start)
            steps, over = 0, False
            while not over:
                state, _, fell, cut, _ = theirs.step(model.act(state))
                steps, over = steps + 1, fell or cut
            lengths.append(steps)
        assert np.mean(lengths) >= 195


def test_without_a_critic_it_seldom_learns():
    """With beta = 0 the actor hears of a fall only when the pole has fallen."""
    alone = [c.ActorCritic(beta=0, seed=s).fit(trials=100, max_steps=1000) for s in range(6)]
    assert sum(model.lengths_[-1] == 1000 for model in alone) <= 3  # with the critic, all six


# Broomhead and Lowe


def test_one_center_for_each_point_interpolates_exactly():
    rng = np.random.default_rng(0)
    X, y = rng.uniform(-1, 1, (40, 2)), rng.normal(size=(40, 3))
    net = c.RBFNetwork().fit(X, y)
    np.testing.assert_allclose(net.predict(X), y, atol=1e-8)
    new = rng.uniform(-1, 1, (20, 2))
    theirs = RBFInterpolator(
        X, y - y.mean(0), kernel="gaussian", epsilon=1 / (np.sqrt(2) * net.width_), degree=-1
    )
    np.testing.assert_allclose(net.predict(new), theirs(new) + y.mean(0), atol=1e-6)


def test_few_centers_generalize_where_exact_ones_repeat_the_noise():
    ratios = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = np.sort(rng.uniform(0, 6, (60, 1)), axis=0)
        y = np.sin(x[:, 0]) + rng.normal(0, 0.3, 60)
        new = np.linspace(0.3, 5.7, 200)[:, None]
        few = c.RBFNetwork(centers=8, seed=seed).fit(x, y).predict(new)
        exact = c.RBFNetwork().fit(x, y).predict(new)
        few, exact = (np.sqrt(np.mean((p - np.sin(new[:, 0])) ** 2)) for p in (few, exact))
        assert few < 0.2
        ratios.append(exact / few)
    assert min(ratios) > 1.5


def test_k_means_finds_the_centers():
    rng = np.random.default_rng(0)
    truth = np.array([[0.0, 0], [5, 0], [0, 5]])
    X = np.repeat(truth, 50, axis=0) + rng.normal(0, 0.3, (150, 2))
    for seed in range(5):
        centers = c.k_means(X, 3, seed)
        nearest = np.linalg.norm(truth[:, None] - centers, axis=2).min(1)
        assert nearest.max() < 0.2


# Saul, Jaakkola and Jordan


def small_digits():
    images = digits().inputs[:60, 0].reshape(60, 4, 2, 4, 2).mean((2, 4))
    return (images.reshape(60, 16) > 0.4) * 1


def test_the_bound_rises_and_stays_below_the_likelihood():
    X = small_digits()
    for seed in range(2):
        net = c.SigmoidBeliefNetwork(hidden=6, steps=25, seed=seed).fit(X)
        assert (np.diff(net.bounds_) >= 0).all()
        assert net.bounds_[-1] > net.bounds_[0] + 0.2
        exact = net.log_probability(X)
        bound = net.bound(X, rounds=10)
        assert (bound <= exact + 1e-9).all()
        assert (exact - bound).mean() < 0.5
        # whatever is guessed, however bad, stays below
        rng = np.random.default_rng(seed)
        guess = net._bound(X, rng.random((60, 6)), rng.random((60, 16)))
        assert (guess <= exact).all()
        assert (guess <= bound + 1e-9).all()


def test_inference_only_raises_the_bound():
    X = small_digits()
    net = c.SigmoidBeliefNetwork(hidden=6, steps=5).fit(X)
    net.weights_ *= 8  # strong connections, where a plain fixed point would jump about
    rng = np.random.default_rng(0)
    mu, xi = rng.random((60, 6)), rng.random((60, 16))
    values = [net._bound(X, mu, xi)]
    for _ in range(6):
        mu, xi = net.infer(X, mu, xi, rounds=1)
        values.append(net._bound(X, mu, xi))
    assert (np.diff(values, axis=0) >= -1e-9).all()


def test_the_gradient_is_the_slope_of_the_bound():
    X = small_digits()[:10]
    net = c.SigmoidBeliefNetwork(hidden=3, steps=5).fit(X)
    rng = np.random.default_rng(1)
    mu, xi = rng.random((10, 3)), rng.random((10, 16))
    for parameter, gradient in zip(net._parameters(), net._gradient(X, mu, xi), strict=True):
        for index in list(np.ndindex(parameter.shape))[:20]:
            ends = []
            for step in (1e-5, -2e-5):
                parameter[index] += step
                ends.append(net._bound(X, mu, xi).mean())
            parameter[index] += 1e-5
            assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(gradient[index], abs=1e-8)


def test_belief_net_likelihoods_sum_to_one_and_samples_follow_them():
    X = c.all_states(4)[[3, 5, 12]]
    net = c.SigmoidBeliefNetwork(hidden=2, steps=20).fit(X)
    p = np.exp(net.log_probability(c.all_states(4)))
    assert p.sum() == pytest.approx(1)
    drawn = net.sample(20_000, seed=1) @ [8, 4, 2, 1]
    np.testing.assert_allclose(np.bincount(drawn, minlength=16) / 20_000, p, atol=0.015)


# Jaeger


def mackey_glass(length, delay=17, seed=0, step=0.1):
    """x' = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x (1977), by Runge-Kutta."""
    per_second, lag = round(1 / step), round(delay / step)
    x = list(1.2 + 0.1 * np.random.default_rng(seed).uniform(-1, 1, lag + 1))
    slope = lambda now, then: 0.2 * then / (1 + then**10) - 0.1 * now
    for _ in range((length + 300) * per_second):
        now, then, later = x[-1], x[-1 - lag], x[-lag]
        a = slope(now, then)
        b = slope(now + step / 2 * a, (then + later) / 2)
        d = slope(now + step / 2 * b, (then + later) / 2)
        e = slope(now + step * d, later)
        x.append(now + step / 6 * (a + 2 * b + 2 * d + e))
    return np.tanh(np.array(x[lag + 1 :: per_second])[300 : 300 + length] - 1)  # Jaeger's scale


def nrmse84(net, signal, starts):
    errors = [
        net.generate(84, after=signal[start - 300 : start])[-1] - signal[start + 83]
        for start in starts
    ]
    return np.sqrt(np.mean(np.square(errors))) / signal.std()


def test_echo_state_network_predicts_mackey_glass():
    found, blind = [], []
    for seed in range(3):
        signal = mackey_glass(4800, seed=seed)
        starts = range(3400, 4700, 130)
        found.append(nrmse84(c.EchoStateNetwork(seed=seed).fit(signal[:3000]), signal, starts))
        blind.append(np.std(signal[3483:4783] - signal[3399:4699]) / signal.std())
    assert max(found) < 0.1
    assert min(blind) > 1  # "as now" is no prediction


def test_without_bias_tanh_units_know_odd_functions_only():
    net = c.EchoStateNetwork(units=60, bias=0.0)
    signal = np.random.default_rng(0).normal(size=50)
    np.testing.assert_allclose(net.states(-signal), -net.states(signal))


def test_echoes_fade():
    """The echo state property: two starts end in one state under the same input."""
    signal = np.sin(np.arange(300) / 5)
    for seed in range(3):
        net = c.EchoStateNetwork(units=100, density=0.1, seed=seed)
        rng = np.random.default_rng(seed)
        one, two = (net.states(signal, start=rng.uniform(-1, 1, 100)) for _ in range(2))
        apart = np.linalg.norm(one - two, axis=1)
        assert apart[-1] < 1e-6 * apart[0]
        assert np.abs(np.linalg.eigvals(net.weights)).max() == pytest.approx(0.8)
