"""The polynomial fits against scikit-learn and NumPy, the errors against simulation."""

import itertools
import math
import sys

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from dlcourse.figures import bias_variance

module = sys.modules["dlcourse.figures.bias_variance"]
sample, fit, errors = bias_variance.sample, bias_variance.fit, bias_variance.errors


@pytest.mark.parametrize("degree", [0, 1, 4, 12])
@pytest.mark.parametrize("ridge", [1e-4, 0.1, 5.0])
def test_the_ridge_solution_is_that_of_scikit_learn(degree, ridge):
    x, y = sample(3, 1, 25, 0.5)
    matrix = module.basis(np.array(x), degree)
    ours = fit(x, y, degree, ridge)
    if degree:
        theirs = Ridge(alpha=len(x) * ridge).fit(matrix[:, 1:], y)
        np.testing.assert_allclose(ours[1:], theirs.coef_, rtol=1e-7, atol=1e-10)
        assert ours[0] == pytest.approx(theirs.intercept_, rel=1e-7)
    else:
        assert ours == pytest.approx([np.mean(y)])


@pytest.mark.parametrize("degree", [2, 7, 12])
def test_without_penalty_it_is_numpys_polynomial(degree):
    x, y = sample(7, 0, 15, 1.0)
    curve = module.basis(np.array(module.GRID), degree) @ fit(x, y, degree, 0)
    theirs = np.polynomial.Polynomial.fit(x, y, degree)(np.array(module.GRID))
    np.testing.assert_allclose(curve, theirs, rtol=1e-6, atol=1e-8)


def test_the_basis_is_orthonormal():
    nodes, weights = np.polynomial.legendre.leggauss(20)
    matrix = module.basis(nodes, 12)
    np.testing.assert_allclose(matrix.T * weights @ matrix / 2, np.eye(13), atol=1e-12)


def test_random_numbers_are_uniform_and_noise_is_normal():
    drawn = np.array(list(itertools.islice(module.random_numbers(12345), 20_000)))
    assert abs(drawn.mean() - 0.5) < 0.01
    assert abs(drawn.var() - 1 / 12) < 0.002
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.03
    noise = []
    for number in range(200):
        x, y = sample(1, number, 50, 2.0)
        noise += [b - module.truth(a) for a, b in zip(x, y, strict=True)]
        assert all(int((a + 1) * 25) == i for i, a in enumerate(x))  # one in each part
    noise = np.array(noise) / 2
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - 1) < 0.03
    assert abs((noise**4).mean() - 3) < 0.3


def test_the_error_on_new_points_is_what_new_points_show():
    result = errors(20, 0.4, 0.01, 5)[6]
    rng = np.random.default_rng(0)
    true = np.array([module.truth(x) for x in module.GRID])
    matrix = module.basis(np.array(module.GRID), 6)
    found = []
    for number in range(module.SAMPLES):
        curve = matrix @ fit(*sample(5, number, 20, 0.4), 6, 0.01)
        found += [np.mean((true + 0.4 * rng.normal(size=101) - curve) ** 2) for _ in range(50)]
    assert result["test"] == pytest.approx(np.mean(found), rel=0.02)
    assert result["test"] == pytest.approx(result["bias"] + result["variance"] + 0.16)


def test_more_degrees_fit_better_and_vary_more():
    results = errors(20, 0.3, 0, 1)
    train = [one["train"] for one in results]
    variance = [one["variance"] for one in results]
    assert train == sorted(train, reverse=True)
    assert variance[0] < variance[5] < variance[12]
    assert results[0]["bias"] > 100 * results[6]["bias"]
    assert errors(20, 0.3, 0.1, 1)[12]["variance"] < variance[12] / 10


def test_alt_tells_the_errors():
    here = errors(20, 0.3, 0.0, 1)[9]
    alt = bias_variance(9).alt
    assert f"{here['train']:.2g} on them and {here['test']:.2g} on new ones" in alt


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"degree": 13}, "degree: 13 came; expected a whole number from 0 to 12"),
        ({"points": 14}, "points: 14 came; expected a whole number from 15 to 60"),
        ({"noise": -1}, "noise: -1 came; expected a number from 0 to 1"),
        ({"noise": math.nan}, "noise: nan came"),
        ({"ridge": 1e-9}, "expected a number from 1e-06 to 10 or 0"),
        ({"seed": 0}, "seed: 0 came"),
        ({"degree": "3"}, "degree: '3' came"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        bias_variance(**arguments)
