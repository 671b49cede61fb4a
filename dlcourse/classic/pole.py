"""A pole on a cart, and two units that learn to balance it from failures alone.

Nobody says which push was right; all the net hears is that the pole fell, a hundred pushes later.
Barto, Sutton and Anderson (1983) used two units: one acts, the other learns to foretell failure
and so turns one late signal into many early ones. Actor and critic are still how it is done.
"""

import numpy as np


class CartPole:
    """The cart and pole of Barto, Sutton and Anderson (1983, appendix), by Euler steps of 0.02 s.

    theta'' = (g sin(theta) + cos(theta) [(-F - m l theta'^2 sin(theta) + mu_c sgn(x')) / (m_c + m)]
    - mu_p theta' / (m l)) / (l [4/3 - m cos^2(theta) / (m_c + m)]),
    x'' = (F + m l [theta'^2 sin(theta) - theta'' cos(theta)] - mu_c sgn(x')) / (m_c + m), with
    m_c = 1 kg, m = 0.1 kg, l = 0.5 m (half the pole), F = +-10 N, g = 9.8 m/s^2.
    It fails when the pole leans by more than 12 degrees or the cart is more than 2.4 m away.

    Args:
        friction: (mu_c of the cart on its track, mu_p of the pole on the cart). Default as in the
            paper, (0.0005, 0.000002); (0, 0) gives the physics of Gymnasium's CartPole.

    `state` is [x, x', theta, theta'] in m, m/s, rad, rad/s.

    >>> world = CartPole()
    >>> state = world.reset()
    >>> pushes = 0
    >>> while not world.step(1)[1]:  # always to the right
    ...     pushes += 1
    >>> pushes
    8
    """

    gravity, cart, pole, length, force, tick = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
    limits = (2.4, np.radians(12))

    def __init__(self, friction=(0.0005, 0.000002)):
        self.friction = friction
        self.reset()

    def reset(self, state=(0.0, 0.0, 0.0, 0.0)):
        """Put cart and pole at `state`, by default at rest in the middle, and return it."""
        self.state = np.array(state, float)
        if self.state.shape != (4,):
            raise ValueError(f"CartPole: a state is [x, x', theta, theta'], got {self.state.shape}")
        return self.state.copy()

    def step(self, action):
        """Push left (0) or right (1) for 0.02 s: the new state, and whether it failed."""
        if action not in (0, 1):
            raise ValueError(f"CartPole: push left (0) or right (1), got {action!r}")
        _, speed, angle, turn = self.state
        force = self.force if action == 1 else -self.force
        drag = self.friction[0] * np.sign(speed)
        mass, moment = self.cart + self.pole, self.pole * self.length
        cos, sin = np.cos(angle), np.sin(angle)
        inner = (-force - moment * turn**2 * sin + drag) / mass
        bend = (self.gravity * sin + cos * inner - self.friction[1] * turn / moment) / (
            self.length * (4 / 3 - self.pole * cos**2 / mass)
        )
        push = (force + moment * (turn**2 * sin - bend * cos) - drag) / mass
        self.state = self.state + self.tick * np.array([speed, push, turn, bend])
        return self.state.copy(), self.failed()

    def failed(self):
        """Has the pole fallen or the cart left its track?"""
        return bool(abs(self.state[0]) > self.limits[0] or abs(self.state[2]) > self.limits[1])


BORDERS = (  # of x in m, x' in m/s, theta and theta' in rad: 3 * 3 * 6 * 3 = 162 boxes
    (-0.8, 0.8),
    (-0.5, 0.5),
    tuple(np.radians([-6, -1, 0, 1, 6])),
    tuple(np.radians([-50, 50])),
)


def box(state):
    """The number of the box, 0 to 161, in which a state lies (Michie and Chambers, 1968).

    >>> box([0, 0, 0.01, 0]), box([0, 0, -0.01, 0])  # a pole that leans right, and left
    (82, 79)
    """
    number = 0
    for value, borders in zip(state, BORDERS, strict=True):
        number = number * (len(borders) + 1) + int(np.searchsorted(borders, value))
    return number


class ActorCritic:
    """Associative search element and adaptive critic element (Barto, Sutton and Anderson, 1983).

    One input line x_i for each box, 1 while the state is in it. The actor pushes right if
    sum_i w_i x_i + noise > 0. The critic predicts p = sum_i v_i x_i and hears the failure r = -1;
    its surprise r^ = r + gamma p(t) - p(t-1) teaches both, through traces of what was done where:
    w_i += alpha r^ e_i, e_i = delta e_i + (1 - delta) y x_i (y = +-1 the push);
    v_i += beta r^ xbar_i, xbar_i = lambda xbar_i + (1 - lambda) x_i. After a failure p counts as 0.

    Args:
        alpha, beta, gamma, delta, decay, noise: as in the paper, 1000, 0.5, 0.95, 0.9, 0.8 (its
            lambda), 0.01 (standard deviation).
        seed: of the noise. Default 0.

    After `fit`: `lengths_` (steps that each trial lasted).

    >>> lengths = ActorCritic(seed=0).fit(trials=3).lengths_
    >>> len(lengths)
    3
    """

    def __init__(self, alpha=1000.0, beta=0.5, gamma=0.95, delta=0.9, decay=0.8, noise=0.01,
                 seed=0):  # fmt: skip
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self.delta, self.decay, self.noise = delta, decay, noise
        self.seed = seed
        self.actor, self.critic = np.zeros(162), np.zeros(162)

    def fit(self, world=None, trials=100, max_steps=10_000):
        """Learn by trial and error: at most `trials` falls, until one trial lasts `max_steps`.

        Args:
            world: a `CartPole`, or anything with its `reset()` and `step(action)`. Default a new
                one.
        """
        if trials < 1 or max_steps < 1:
            raise ValueError(f"ActorCritic: nothing to do: {trials} trials of {max_steps} steps")
        world = CartPole() if world is None else world
        rng = np.random.default_rng(self.seed)
        self.lengths_ = []
        for _ in range(trials):
            self.lengths_.append(self._trial(world, rng, max_steps))
            if self.lengths_[-1] >= max_steps:
                break
        return self

    def _trial(self, world, rng, max_steps):
        eligible, trace = np.zeros(162), np.zeros(162)
        i = box(world.reset())
        steps = 0
        failed = False
        while not failed and steps < max_steps:
            push = 1 if self.actor[i] + rng.normal(0, self.noise) > 0 else 0
            eligible *= self.delta
            eligible[i] += (1 - self.delta) * (1 if push else -1)
            trace *= self.decay
            trace[i] += 1 - self.decay
            before = self.critic[i]
            state, failed = world.step(push)
            i = box(state)
            surprise = -1 - before if failed else self.gamma * self.critic[i] - before
            self.actor += self.alpha * surprise * eligible
            self.critic += self.beta * surprise * trace
            steps += 1
        return steps

    def act(self, state):
        """What it has learned to do in `state`: 0 or 1, without noise."""
        return int(self.actor[box(state)] > 0)
