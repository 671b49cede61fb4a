"""Series in time: the equation is solved, the sunspots are the sunspots, the words can be told."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from sklearn.linear_model import LogisticRegression

from dlcourse import data
from dlcourse.data.series import VOWELS


def by_scipy(tau, units, start=1.2):
    """The Mackey-Glass series at t = 0, 1, 2 ..., by the method of steps and an adaptive solver."""
    past = [lambda t: start]
    values, x = [start], start
    for piece in range(int(np.ceil(units / tau))):
        begin = piece * tau
        before = past[-1]

        def slope(t, x, before=before):
            delayed = before(t - tau)
            return 0.2 * delayed / (1 + delayed**10) - 0.1 * x

        solved = solve_ivp(
            slope, (begin, begin + tau), [x], rtol=1e-10, atol=1e-12, dense_output=True, max_step=1
        )
        past.append(lambda t, solved=solved: solved.sol(t)[0])
        x = solved.y[0, -1]
        values += [solved.sol(t)[0] for t in range(len(values), int(begin + tau) + 1)]
    return np.array(values[:units])


@pytest.mark.parametrize("tau", [17, 6])
def test_mackey_glass_equals_an_adaptive_solver(tau):
    ours = data.mackey_glass(150, tau=tau, skip=0)
    np.testing.assert_allclose(ours.values, by_scipy(tau, 150), atol=2e-6)
    fine = data.mackey_glass(150, tau=tau, skip=0, step=0.05)
    np.testing.assert_allclose(ours.values, fine.values, atol=2e-6)


def test_mackey_glass_is_chaotic_for_17_and_regular_for_6():
    def spread(tau):
        """How far two series that started almost alike come apart."""
        a, b = (data.mackey_glass(200, tau=tau, start=s, skip=2000).values for s in (1.2, 1.2001))
        return np.abs(a - b).max()

    chaotic = data.mackey_glass(1000)
    assert 0.2 < chaotic.values.min() < 0.6
    assert 1.2 < chaotic.values.max() < 1.5
    assert spread(17) > 0.02
    np.testing.assert_array_equal(chaotic.values[100:200], data.mackey_glass(100, skip=400).values)


def test_sunspots():
    spots = data.sunspots()
    assert len(spots) == 309
    assert (spots.times[0], spots.times[-1]) == (1700, 2008)
    year = dict(zip(spots.times.tolist(), spots.values.tolist(), strict=True))
    assert year[1957] == pytest.approx(190.2)  # the highest maximum on record
    assert max(year, key=year.get) == 1957
    spectrum = np.abs(np.fft.rfft(spots.values - spots.values.mean()))
    assert len(spots) / spectrum.argmax() == pytest.approx(11, abs=0.4)


def test_windows_see_only_the_past():
    series = data.Series(np.arange(20, dtype=np.float32), np.arange(20))
    windows = series.windows(4, horizon=3)
    assert windows.inputs.shape == (14, 4, 1)
    np.testing.assert_array_equal(windows.targets[:, 0], windows.inputs[:, -1, 0] + 3)
    np.testing.assert_array_equal(windows.inputs[5, :, 0], [5, 6, 7, 8])
    assert np.shares_memory(windows.inputs, series.values)
    training, validation, test = series.split()
    assert [len(p) for p in (training, validation, test)] == [12, 4, 4]
    np.testing.assert_array_equal(test.values, [16, 17, 18, 19])
    wide = data.Series(np.zeros((9, 2), np.float32), np.arange(9)).windows(3)
    assert wide.inputs.shape == (6, 3, 2)
    assert wide.targets.shape == (6, 2)


def test_formant_tracks():
    tracks = data.formant_tracks(2000)
    assert tracks.inputs.shape == (2000, 40, 4)
    assert tracks.inputs.dtype == np.float32
    quiet = data.formant_tracks(300, noise=0)
    first, second, third, loudness = np.moveaxis(quiet.inputs, 2, 0)
    voiced = loudness > 0
    assert (first <= second)[voiced].all()
    assert (second <= third * 1.2)[voiced].all()
    assert loudness.max() == 1
    assert third.max() < 5  # kHz
    flat = lambda part: (part.inputs.reshape(len(part), -1), part.targets)
    score = (
        LogisticRegression(C=0.01, max_iter=1000)
        .fit(*flat(tracks))
        .score(*flat(data.formant_tracks(500, seed=1)))
    )
    assert 0.5 < score < 0.9  # better than guessing, and room for a recurrent network


def test_vowels_sound_higher_from_women_and_children():
    for men, women, children in VOWELS.values():
        assert men[0] < women[0] < children[0]
        assert men[1] < women[1] < children[1]
        assert men[2] < women[2] < children[2]
